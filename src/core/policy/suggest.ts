// "Did you mean": the nearest of the known names, by edit distance (Levenshtein's, and a swap of neighbours counts once).

const longestCompared = 64
const mostCompared = 2000
/** Past this many suggestions a file is not one with typing errors. */
const mostSuggestions = 100

export class Suggester {
  #given = 0

  /** `: did you mean "tag:web"?`, or nothing where no candidate is near. */
  for(name: string, candidates: Iterable<string>): string {
    if (this.#given >= mostSuggestions || name.length > longestCompared) return ''
    this.#given++
    const nearest = nearestOf(name, candidates)
    return nearest === undefined ? '' : `: did you mean "${nearest}"?`
  }
}

/** The nearest candidate that differs in at most a third of its letters or is cut short, ties to the first. */
export function nearestOf(name: string, candidates: Iterable<string>): string | undefined {
  const wanted = name.toLowerCase()
  let best: string | undefined
  let bestDistance = Math.max(1, Math.floor(wanted.length / 3)) + 1
  let compared = 0
  for (const candidate of candidates) {
    if (++compared > mostCompared) break
    const known = candidate.toLowerCase()
    const cutShort = Math.min(known.length, wanted.length) > 2 && (known.startsWith(wanted) || wanted.startsWith(known))
    if (!cutShort && Math.abs(known.length - wanted.length) >= bestDistance) continue
    const distance = cutShort ? Math.min(2, Math.abs(known.length - wanted.length)) : editDistance(wanted, known)
    if (distance < bestDistance) [best, bestDistance] = [candidate, distance]
  }
  return best
}

function editDistance(a: string, b: string): number {
  let beforeLast: number[] = []
  let last = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const change = (last[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1)
      let least = Math.min((last[j] as number) + 1, (row[j - 1] as number) + 1, change)
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        least = Math.min(least, (beforeLast[j - 2] as number) + 1)
      row.push(least)
    }
    beforeLast = last
    last = row
  }
  return last[b.length] as number
}

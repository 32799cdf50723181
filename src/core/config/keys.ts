// The keys of wg(8) and wg-quick(8), those that tunless adds, and the nearest of them to a misspelt one.

export type Section = 'Interface' | 'Peer'

export interface KeyRule {
  readonly name: string
  /** May stand several times in a section; the values add up. */
  readonly repeats?: boolean
  /** Not wg-quick's: also read from a comment (`# Name = web1`). */
  readonly own?: boolean
  /** Valid for wg-quick and without effect here: why. */
  readonly ignored?: string
}

const noCommands = 'tunless runs no commands'

/** Every key that may stand under a section, by its name in lower case. */
export const keys: Readonly<Record<Section, ReadonlyMap<string, KeyRule>>> = {
  Interface: table([
    { name: 'PrivateKey' },
    { name: 'Address', repeats: true },
    { name: 'ListenPort' },
    { name: 'MTU' },
    { name: 'DNS', repeats: true },
    { name: 'DNSRoute', own: true, repeats: true },
    { name: 'Name', own: true },
    { name: 'Tags', own: true, repeats: true },
    { name: 'Host', own: true, repeats: true },
    { name: 'PreUp', repeats: true, ignored: noCommands },
    { name: 'PostUp', repeats: true, ignored: noCommands },
    { name: 'PreDown', repeats: true, ignored: noCommands },
    { name: 'PostDown', repeats: true, ignored: noCommands },
    { name: 'Table', repeats: true, ignored: "tunless leaves the host's routes alone" },
    { name: 'SaveConfig', repeats: true, ignored: 'tunless never writes the configuration' },
    { name: 'FwMark', repeats: true, ignored: 'tunless marks no packets' },
  ]),
  Peer: table([
    { name: 'PublicKey' },
    { name: 'PresharedKey' },
    { name: 'AllowedIPs', repeats: true },
    { name: 'Endpoint' },
    { name: 'PersistentKeepalive' },
    { name: 'Name', own: true },
    { name: 'Address', own: true, repeats: true },
    { name: 'Tags', own: true, repeats: true },
  ]),
}

function table(rules: readonly KeyRule[]): ReadonlyMap<string, KeyRule> {
  return new Map(rules.map(rule => [rule.name.toLowerCase(), rule]))
}

/** What to write instead of an unknown key. */
export function suggestKey(key: string, section: Section): string {
  const other: Section = section === 'Peer' ? 'Interface' : 'Peer'
  const elsewhere = keys[other].get(key.toLowerCase())
  if (elsewhere !== undefined) return `${elsewhere.name} belongs under [${other}]`
  const near = nearest(
    key,
    [...keys[section].values()].map(rule => rule.name),
  )
  if (near !== undefined) return `did you mean ${near}?`
  const usable = [...keys[section].values()].filter(rule => rule.ignored === undefined).map(rule => rule.name)
  return `[${section}] knows ${usable.join(', ')}`
}

/** The candidate within two edits of `word` (a third of its length at most), without regard to case and spaces. */
export function nearest(word: string, candidates: readonly string[]): string | undefined {
  const wanted = word.toLowerCase().replace(/[\s_-]/g, '')
  let best: string | undefined
  let bestDistance = Math.min(2, Math.floor(wanted.length / 3)) + 1
  for (const candidate of candidates) {
    const distance = editDistance(wanted, candidate.toLowerCase())
    if (distance < bestDistance) {
      best = candidate
      bestDistance = distance
    }
  }
  return best
}

/** Levenshtein's distance; the words are short. */
function editDistance(a: string, b: string): number {
  if (a.length > 64) return Number.POSITIVE_INFINITY
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const replaced = (previous[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1)
      row.push(Math.min(replaced, (previous[j] as number) + 1, (row[j - 1] as number) + 1))
    }
    previous = row
  }
  return previous[b.length] as number
}

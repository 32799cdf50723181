// One question, asked of every pair of nodes that two selectors stand for: may all of these reach all of those, may any?
import { type End, no, type Party, type Reach, type Verdict, yes } from './reach.js'

export interface Answer {
  /** The lowest of all pairs: what an accept promises. */
  readonly all: PairVerdict
  /** The highest of all pairs: what a deny forbids. */
  readonly any: PairVerdict
}

export interface PairVerdict extends Verdict {
  readonly from: string
  readonly to: string
}

/** Real nodes stand for a selector that has some; a deny looks at the name too. Undefined where there is no pair. */
export function ask(
  reach: Reach,
  sources: readonly Party[],
  destinations: readonly Party[],
  protocol: number | undefined,
  port: number,
): Answer | undefined {
  let all: PairVerdict | undefined
  let any: PairVerdict | undefined
  for (const source of sources) {
    for (const destination of destinations) {
      for (const from of standIns(source)) {
        for (const to of standIns(destination)) {
          const verdict = between(reach, from.ends, to.ends, protocol, port)
          if (any === undefined || verdict.level > any.level) any = verdict
          if (from.forAll && to.forAll && (all === undefined || verdict.level < all.level)) all = verdict
        }
      }
    }
  }
  return all === undefined || any === undefined ? undefined : { all, any }
}

/** The nodes of a party and, by name, what is true of any; the name counts for an accept where there are no nodes. */
function standIns({ named, nodes }: Party): { ends: readonly End[]; forAll: boolean }[] {
  const real = nodes.filter(ends => ends.length > 0)
  return [{ ends: [named], forAll: real.length === 0 }, ...real.map(ends => ({ ends, forAll: true }))]
}

/** Two nodes: what the best pair of their addresses may. */
function between(
  reach: Reach,
  from: readonly End[],
  to: readonly End[],
  protocol: number | undefined,
  port: number,
): PairVerdict {
  const labels = { from: from[0]?.label ?? '', to: to[0]?.label ?? '' }
  let best: PairVerdict = { level: no, rules: [], ...labels }
  for (const source of from) {
    for (const destination of to) {
      const verdict = reach.verdict(source, destination, protocol, port)
      if (verdict.level > best.level) best = { ...verdict, ...labels }
      if (best.level === yes) return best
    }
  }
  return best
}

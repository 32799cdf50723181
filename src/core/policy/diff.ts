// What changes for whom between two policy files: gains and losses by selector, without a netmap or with one.
import type { Netmap } from './netmap.js'
import type { PolicyDocument } from './types.js'

export interface PolicyChange {
  /** Selector of who gains or loses, `group:eng` or `alice@example.com`. */
  readonly source: string
  readonly destination: string
  /** `tcp:443`, `udp:5000-5010`, `*`: spelled as the ip of a grant. */
  readonly ports: readonly string[]
}

export interface PolicyDiff {
  readonly gains: readonly PolicyChange[]
  readonly losses: readonly PolicyChange[]
  /** What the comparison cannot see: rules of either file that cannot be evaluated here and differ. */
  readonly notes: readonly string[]
}

export function diffPolicies(_before: PolicyDocument, _after: PolicyDocument, _netmap?: Netmap): PolicyDiff {
  throw new Error('not yet')
}

// The policy file's own tests: decided by its selectors alone, and with a netmap by its real nodes too.
import type { Place } from './diagnostics.js'
import type { Netmap } from './netmap.js'
import type { PolicyDocument } from './types.js'

/** Undecided: the answer could depend on a rule that cannot be evaluated here. Not run: an entry of sshTests. */
export type PolicyTestOutcome = 'passed' | 'failed' | 'undecided' | 'not-run'

export interface PolicyTestResult extends Place {
  /** `tests[0] from tag:ci` */
  readonly name: string
  readonly outcome: PolicyTestOutcome
  /** Why it failed or is undecided, a sentence each; notes on a passed one. */
  readonly reasons: readonly string[]
}

/** One result for each entry of `tests`, then one for each of `sshTests`. */
export function runPolicyTests(_document: PolicyDocument, _netmap?: Netmap): PolicyTestResult[] {
  throw new Error('not yet')
}

// Which rule lets a source reach a destination, asked by selector.
import type { RuleReference } from './compile.js'
import type { Netmap } from './netmap.js'
import type { PolicyDocument } from './types.js'

export interface Explanation {
  readonly outcome: 'allowed' | 'denied' | 'undecided' | 'invalid'
  /** The rules that allow it; where undecided, those that it depends on. In the order of the file. */
  readonly rules: readonly RuleReference[]
  /** A sentence: why, or what is wrong with the question. */
  readonly why: string
}

/**
 * `source` is a user, group, tag, host or address, or with a netmap the name of a node; `destination` the same with `:PORT`.
 * `protocol` is a name or number as in the file; without it TCP or UDP suffices.
 */
export function explain(
  _document: PolicyDocument,
  _netmap: Netmap | undefined,
  _source: string,
  _destination: string,
  _protocol?: string,
): Explanation {
  throw new Error('not yet')
}

// `tunless policy diff`: who gains and who loses what between two policy files.
import { diffPolicies } from '../../core/policy/diff.js'
import { print } from '../print.js'
import { mustBeUsable } from './explain.js'
import { Files, type WhoOptions } from './files.js'
import { formatDiff } from './markdown.js'

export interface PolicyDiffOptions extends WhoOptions {
  readonly before: string
  readonly after: string
  /** Whether a difference is exit code 1. */
  readonly exitCode: boolean
  readonly json: boolean
}

/** Returns the exit code. Rejects with POLICY_INVALID or NETMAP_INVALID. */
export async function diffPolicyFiles({
  before,
  after,
  exitCode,
  json,
  ...options
}: PolicyDiffOptions): Promise<0 | 1> {
  const files = new Files()
  const who = await files.who(options)
  const old = await files.policy(before)
  const next = await files.policy(after)
  mustBeUsable([old, next], who)
  const diff = diffPolicies(old.document, next.document, who?.netmap)
  const differs = diff.gains.length + diff.losses.length + diff.notes.length > 0
  print(json ? `${JSON.stringify({ differs, ...diff }, null, 2)}\n` : formatDiff(diff, old.file, next.file))
  return exitCode && differs ? 1 : 0
}

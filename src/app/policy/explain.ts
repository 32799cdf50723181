// `tunless policy explain`: which rule lets a source reach a destination, or that none does.
import { type Explanation, explain } from '../../core/policy/explain.js'
import { TunnelError } from '../../errors.js'
import { refused } from '../../node/policy/source.js'
import { print } from '../print.js'
import { Files, type PolicyFile, type Who, type WhoOptions } from './files.js'
import { formatPlace, hasError, plain, tell } from './messages.js'

export interface PolicyExplainOptions extends WhoOptions {
  readonly file: string
  readonly source: string
  /** `SELECTOR:PORT`. */
  readonly destination: string
  readonly protocol?: string
  readonly json: boolean
}

const exitCodes: Readonly<Record<Explanation['outcome'], 0 | 1 | 2>> = {
  allowed: 0,
  denied: 1,
  undecided: 2,
  invalid: 2,
}

/** Returns the exit code: 0 allowed, 1 denied, 2 undecided. Rejects with POLICY_INVALID, NETMAP_INVALID or USAGE. */
export async function explainPolicy({ file: path, json, ...options }: PolicyExplainOptions): Promise<0 | 1 | 2> {
  const { source, destination, protocol } = options
  const files = new Files()
  const who = await files.who(options)
  const { file, document, messages } = await files.policy(path)
  mustBeUsable([{ file, document, messages }], who)
  const { outcome, rules, why } = explain(document, who?.netmap, source, destination, protocol)
  if (outcome === 'invalid') throw new TunnelError('USAGE', plain(why))
  const exitCode = exitCodes[outcome]
  if (json)
    print(`${JSON.stringify({ outcome, exitCode, why, rules: rules.map(rule => ({ file, ...rule })) }, null, 2)}\n`)
  else {
    print(`${outcome}: ${plain(why)}\n`)
    for (const { line, column, text } of rules) print(`  ${formatPlace({ file, line, column })}: ${plain(text)}\n`)
  }
  return exitCode
}

/** Tells what is wrong. Throws POLICY_INVALID or NETMAP_INVALID where that is an error. */
export function mustBeUsable(policies: readonly PolicyFile[], who: Who | undefined): void {
  for (const { file, document, messages } of policies) {
    if (hasError(messages)) throw refused('POLICY_INVALID', file, document.diagnostics)
  }
  if (who === undefined) return
  tell(who.messages)
  // Of the last: a tag that an older policy did not know has nobody there who could lose anything.
  const problems = [...who.messages, ...who.check(policies.at(-1)?.document)].filter(
    ({ severity }) => severity === 'error',
  )
  const [first] = problems
  if (first === undefined) return
  const more = problems.length > 1 ? ` (and ${problems.length - 1} more)` : ''
  throw new TunnelError('NETMAP_INVALID', `${formatPlace(first)}: ${plain(first.message)}${more}`)
}

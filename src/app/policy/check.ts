// `tunless policy check`: everything that is wrong with policy files, has no effect or cannot be evaluated here.
import { print } from '../print.js'
import { Files, messagesUnder, type WhoOptions } from './files.js'
import { countOf, hasError, type Message, tell } from './messages.js'

export interface PolicyCheckOptions extends WhoOptions {
  readonly files: readonly string[]
  readonly json: boolean
}

interface Checked {
  readonly file: string
  readonly rules: number
  readonly tests: number
  readonly diagnostics: readonly Message[]
}

/** Returns the exit code: 0, or 2 where a file has an error. */
export async function checkPolicy({ files: paths, json, ...options }: PolicyCheckOptions): Promise<0 | 2> {
  const files = new Files()
  const who = await files.who(options)
  const checked: Checked[] = []
  const whosMessages: Message[] = [...(who?.messages ?? [])]
  const whoIsUsable = !hasError(whosMessages)
  for (const path of paths) {
    const policy = await files.policy(path)
    const { file, document } = policy
    const messages = messagesUnder(policy, who)
    const isUsable = !hasError(messages)
    if (who !== undefined && whoIsUsable && isUsable) addNew(whosMessages, who.check(document))
    checked.push({ file, rules: document.rules.length, tests: document.tests.length, diagnostics: messages })
  }
  const all = [...checked.flatMap(({ diagnostics }) => diagnostics), ...whosMessages]
  const exitCode = hasError(all) ? 2 : 0
  if (json)
    print(`${JSON.stringify({ ok: exitCode === 0, exitCode, files: checked, netmap: whosMessages }, null, 2)}\n`)
  else {
    tell(all)
    process.stderr.write(`${summaryOf(checked, all)}\n`)
  }
  return exitCode
}

function summaryOf(checked: readonly Checked[], all: readonly Message[]): string {
  const sum = (of: 'rules' | 'tests') => checked.reduce((total, each) => total + each[of], 0)
  const [first] = checked
  const what = checked.length === 1 ? first?.file : `${checked.length} files`
  const errors = all.filter(({ severity }) => severity === 'error').length
  const counts = [countOf(errors, 'error'), countOf(all.length - errors, 'warning')].join(', ')
  return `${what}: ${countOf(sum('rules'), 'rule')}, ${countOf(sum('tests'), 'test')}: ${counts}`
}

/** Two policies say the same of one netmap. */
function addNew(messages: Message[], more: readonly Message[]): void {
  const keyOf = ({ line, column, code, message }: Message) => JSON.stringify([line, column, code, message])
  const known = new Set(messages.map(keyOf))
  messages.push(...more.filter(each => !known.has(keyOf(each))))
}

// Test results for a person: a line for each test, why and where below what did not pass, and the counts at the end.
import type { PolicyTestOutcome, PolicyTestResult } from '../../core/policy/tests.js'
import { formatPlace, plain } from './messages.js'
import { countsOf, type TestRun, wasRun } from './test-run.js'

const words: Readonly<Record<PolicyTestOutcome, string>> = {
  passed: 'ok',
  failed: 'failed',
  undecided: 'undecided',
  'not-run': 'not run',
}
const colours: Readonly<Record<PolicyTestOutcome, string>> = {
  passed: '32',
  failed: '31',
  undecided: '33',
  'not-run': '2',
}
const wordWidth = 11

export function formatTests(run: TestRun, isColoured: boolean): string {
  const lines = run.files.flatMap(each => each.tests.flatMap(test => linesOf(each.file, test, isColoured)))
  return `${[...lines, sumOf(run)].join('\n')}\n`
}

function linesOf(file: string, { name, line, column, outcome, reasons }: PolicyTestResult, isColoured: boolean) {
  const word = words[outcome].padEnd(wordWidth)
  const shown = isColoured ? `\x1b[${colours[outcome]}m${word}\x1b[0m` : word
  const place = formatPlace({ file, line, column })
  return [`${shown}${place}: ${plain(name)}`, ...reasons.map(reason => `${' '.repeat(wordWidth)}${plain(reason)}`)]
}

function sumOf(run: TestRun): string {
  const counts = countsOf(run)
  const total = counts.passed + counts.failed + counts.undecided
  const parts = [`${counts.passed} passed`]
  if (counts.failed > 0) parts.push(`${counts.failed} failed`)
  if (counts.undecided > 0) parts.push(`${counts.undecided} undecided${run.allowUndecided ? ', which is allowed' : ''}`)
  const notRun = counts['not-run'] > 0 ? `; ${counts['not-run']} of sshTests not run` : ''
  const unusable = run.files.filter(each => !wasRun(each, run)).length
  const files = unusable > 0 ? `; none run of ${unusable} file${unusable === 1 ? '' : 's'}, for the errors` : ''
  return `${total} test${total === 1 ? '' : 's'}: ${parts.join(', ')}${notRun}${files}`
}

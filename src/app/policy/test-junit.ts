// Test results as JUnit XML: what CI services show as tests (GitLab's artifacts:reports:junit, Jenkins, Azure). Within Jenkins'
// junit-10.xsd, which is the strictest of the common schemas: a case has no file and no line there, so both are in its text.
import type { PolicyTestResult } from '../../core/policy/tests.js'
import { formatMessage, formatPlace, plain } from './messages.js'
import { fails, messagesIn, type TestedFile, type TestRun, wasRun } from './test-run.js'

export function formatJUnit(run: TestRun, pathOf: (file: string) => string): string {
  const suites = run.files.map(file => suiteOf(file, run, pathOf))
  const sum = (of: 'tests' | 'failures' | 'errors') => suites.reduce((total, suite) => total + suite[of], 0)
  const counts = attributes({ tests: sum('tests'), failures: sum('failures'), errors: sum('errors') })
  const body = suites.map(({ xml }) => xml).join('')
  return `<?xml version="1.0" encoding="UTF-8"?>\n<testsuites name="tunless policy test"${counts}>\n${body}</testsuites>\n`
}

function suiteOf(tested: TestedFile, run: TestRun, pathOf: (file: string) => string) {
  const path = pathOf(tested.file)
  const isUsable = wasRun(tested, run)
  const cases = isUsable ? tested.tests.map(test => caseOf(test, path, run)) : [unusable(tested, run, path)]
  const failures = isUsable ? tested.tests.filter(test => fails(test, run)).length : 0
  const skipped = isUsable ? tested.tests.filter(test => test.outcome !== 'passed' && !fails(test, run)).length : 0
  const errors = isUsable ? 0 : 1
  const counts = { name: path, tests: cases.length, failures, errors, skipped }
  const xml = `  <testsuite${attributes(counts)}>\n${cases.join('')}  </testsuite>\n`
  return { tests: cases.length, failures, errors, xml }
}

function caseOf(test: PolicyTestResult, path: string, run: TestRun): string {
  const { line, column, name, outcome, reasons } = test
  const text = reasons.map(reason => `${formatPlace({ file: path, line, column })}: ${plain(reason)}`).join('\n')
  const message = reasons.map(plain).join('; ')
  const inner = fails(test, run)
    ? element('failure', { type: outcome, message }, text)
    : outcome !== 'passed'
      ? element('skipped', { message }, text)
      : reasons.length > 0
        ? element('system-out', {}, text)
        : ''
  return testCase(name, path, inner)
}

/** A file that cannot be used is one case with an error, so that no report looks as if all were well. */
function unusable({ messages }: TestedFile, run: TestRun, path: string): string {
  const own = messages.length > 0 ? messages : messagesIn(run)
  const errors = [...own, ...run.netmap].filter(({ severity }) => severity === 'error')
  const text = [...new Set(errors.map(formatMessage))].join('\n')
  const message = `${path} cannot be used: ${plain(errors[0]?.message ?? '')}`
  return testCase('the files can be used', path, element('error', { type: 'invalid', message }, text))
}

function testCase(name: string, path: string, inner: string): string {
  const head = `    <testcase${attributes({ classname: path, name: plain(name) })}`
  return inner === '' ? `${head}/>\n` : `${head}>\n      ${inner}\n    </testcase>\n`
}

function element(name: string, given: Readonly<Record<string, string>>, text: string): string {
  return `<${name}${attributes(given)}>${escaped(text)}</${name}>`
}

function attributes(given: Readonly<Record<string, string | number>>): string {
  return Object.entries(given)
    .map(([name, value]) => ` ${name}="${escaped(String(value))}"`)
    .join('')
}

/** XML 1.0, 2.4; characters that it has no place for (2.2) are gone already: {@link plain}. */
function escaped(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replace(/[\ufffe\uffff]/g, '\ufffd')
}

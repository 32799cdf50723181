// Test results at their lines in a review: GitHub's workflow commands, and GitLab's Code Quality report (a subset of Code Climate's
// issues). GitLab shows tests from JUnit XML, and annotates a merge request's changes from this report alone.
import { createHash } from 'node:crypto'
import { type Message, plain } from './messages.js'
import { fails, messagesIn, type TestRun } from './test-run.js'

interface Annotation {
  readonly severity: 'error' | 'warning'
  readonly path: string
  readonly line: number
  readonly column: number
  readonly title: string
  readonly check: string
  readonly message: string
}

/** What a reviewer has to see: diagnostics, and tests that did not pass. */
function annotationsOf(run: TestRun, pathOf: (file: string) => string): Annotation[] {
  const fromMessage = ({ severity, file, line = 1, column = 1, code, message }: Message): Annotation => ({
    severity,
    path: pathOf(file),
    line,
    column,
    title: code,
    check: code,
    message: plain(message),
  })
  const fromTests = run.files.flatMap(({ file, tests }) =>
    tests
      .filter(({ outcome }) => outcome === 'failed' || outcome === 'undecided')
      .flatMap(test =>
        test.reasons.map((reason): Annotation => {
          const { line, column, name, outcome } = test
          const severity = fails(test, run) ? 'error' : 'warning'
          const title = `${plain(name)} ${outcome === 'failed' ? 'failed' : 'is undecided'}`
          return { severity, path: pathOf(file), line, column, title, check: `test-${outcome}`, message: plain(reason) }
        }),
      ),
  )
  return [...messagesIn(run).map(fromMessage), ...fromTests]
}

/** `::error file=…,line=…,col=…,title=…::…`, a line each. Errors come first: GitHub shows the first ten of a step. */
export function formatGitHub(run: TestRun, pathOf: (file: string) => string): string {
  const all = annotationsOf(run, pathOf).toSorted((a, b) => order(a) - order(b))
  return all
    .map(({ severity, path, line, column, title, message }) => {
      const place = `file=${property(path)},line=${line},col=${column},title=${property(title)}`
      return `::${severity} ${place}::${data(message)}\n`
    })
    .join('')
}

function order({ severity }: Annotation): number {
  return severity === 'error' ? 0 : 1
}

/** As actions/toolkit's core writes them. */
function data(text: string): string {
  return text.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A')
}

function property(text: string): string {
  return data(text).replaceAll(':', '%3A').replaceAll(',', '%2C')
}

/** A fingerprint is the finding without its line, so that the same one is known again when lines above it change. */
export function formatCodeQuality(run: TestRun, pathOf: (file: string) => string): string {
  const seen = new Map<string, number>()
  const issues = annotationsOf(run, pathOf).map(({ severity, path, line, title, check, message }) => {
    const description = check.startsWith('test-') ? `${title}: ${message}` : message
    const key = JSON.stringify([path, check, description])
    const before = seen.get(key) ?? 0
    seen.set(key, before + 1)
    return {
      description,
      check_name: `tunless/${check}`,
      fingerprint: createHash('sha256').update(`${key}${before}`).digest('hex'),
      severity: severity === 'error' ? 'critical' : 'minor',
      location: { path, lines: { begin: line } },
    }
  })
  return `${JSON.stringify(issues, null, 2)}\n`
}

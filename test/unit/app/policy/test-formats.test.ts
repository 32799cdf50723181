import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { formatCodeQuality, formatGitHub } from '../../../../src/app/policy/test-annotations.js'
import { formatJUnit } from '../../../../src/app/policy/test-junit.js'
import { exitCodeOf, type TestedFile, type TestRun } from '../../../../src/app/policy/test-run.js'
import { formatTests } from '../../../../src/app/policy/test-text.js'
import type { PolicyTestResult } from '../../../../src/core/policy/tests.js'

const passed: PolicyTestResult = { line: 3, column: 5, name: 'tests[0] from tag:ci', outcome: 'passed', reasons: [] }
const failed: PolicyTestResult = {
  line: 4,
  column: 5,
  name: 'tests[1] from <&">',
  outcome: 'failed',
  reasons: ['accept a:22: no "rule" <allows> it & 100 %', 'deny b:22: line 7 allows it'],
}
const undecided: PolicyTestResult = {
  line: 5,
  column: 5,
  name: 'tests[2] from a,b',
  outcome: 'undecided',
  reasons: ['accept a:22: depends on the rule at line 8'],
}
const notRun: PolicyTestResult = { line: 9, column: 3, name: 'sshTests[0]', outcome: 'not-run', reasons: ['none here'] }
const warning = {
  file: 'policy.hujson',
  line: 8,
  column: 1,
  severity: 'warning',
  code: 'no-effect',
  message: 'ssh has no effect',
} as const
const error = { ...warning, severity: 'error', code: 'syntax', message: 'a comma is missing' } as const

const pathOf = (file: string) => `config/${file}`

function runOf(
  tests: readonly PolicyTestResult[],
  more: Partial<TestRun> & { messages?: TestedFile['messages'] } = {},
) {
  const { messages = [], ...rest } = more
  return { files: [{ file: 'policy.hujson', messages, tests }], netmap: [], allowUndecided: false, ...rest }
}

const all = runOf([passed, failed, undecided, notRun], { messages: [warning] })
const unusable = runOf([], { messages: [error, warning] })

describe('the exit code', () => {
  it('is 0 where all passed, and where what is not run is all that is left', () => {
    expect(exitCodeOf(runOf([passed]))).toBe(0)
    expect(exitCodeOf(runOf([passed, notRun]))).toBe(0)
    expect(exitCodeOf(runOf([]))).toBe(0)
  })

  it('is 1 where one failed, or is undecided unless that is allowed', () => {
    expect(exitCodeOf(runOf([passed, failed]))).toBe(1)
    expect(exitCodeOf(runOf([undecided]))).toBe(1)
    expect(exitCodeOf(runOf([undecided], { allowUndecided: true }))).toBe(0)
    expect(exitCodeOf(runOf([undecided, failed], { allowUndecided: true }))).toBe(1)
  })

  it('is 2 where a file or the netmap cannot be used', () => {
    expect(exitCodeOf(unusable)).toBe(2)
    expect(exitCodeOf(runOf([passed], { netmap: [error] }))).toBe(2)
    expect(exitCodeOf(runOf([passed], { messages: [warning] }))).toBe(0)
  })
})

describe('as text', () => {
  it('each test is a line with its place, with the reasons below, and the counts come last', () => {
    expect(formatTests(all, false).split('\n')).toEqual([
      'ok         policy.hujson:3:5: tests[0] from tag:ci',
      'failed     policy.hujson:4:5: tests[1] from <&">',
      '           accept a:22: no "rule" <allows> it & 100 %',
      '           deny b:22: line 7 allows it',
      'undecided  policy.hujson:5:5: tests[2] from a,b',
      '           accept a:22: depends on the rule at line 8',
      'not run    policy.hujson:9:3: sshTests[0]',
      '           none here',
      '3 tests: 1 passed, 1 failed, 1 undecided; 1 of sshTests not run',
      '',
    ])
  })

  it('says that undecided ones were allowed, and that a file was not tested', () => {
    expect(formatTests(runOf([undecided], { allowUndecided: true }), false)).toMatch(
      /\n1 test: 0 passed, 1 undecided, which is allowed\n$/,
    )
    expect(formatTests(unusable, false)).toBe('0 tests: 0 passed; none run of 1 file, for the errors\n')
  })

  it('stays on its line whatever a file has in its names', () => {
    const evil = { ...failed, name: 'tests[0] from a\n::stop-commands::x\u001b[2J\u202e##[group]' }
    expect(formatTests(runOf([evil]), false)).toContain('tests[0] from a?::stop-commands::x?[2J?## [group]\n')
  })
})

const xmllint = spawnSync('xmllint', ['--version']).error === undefined

describe('as JUnit XML', () => {
  const cases: [string, TestRun][] = [
    ['of every outcome', all],
    ['with undecided ones allowed', { ...all, allowUndecided: true }],
    ['of a file with errors', unusable],
    ['of nothing', { files: [], netmap: [], allowUndecided: false }],
    ['of hostile names', runOf([{ ...failed, name: 'a\0\ud800\uffff]]>-->', reasons: ['\u0008\ud83d\ude00'] }])],
    ['of a broken netmap', runOf([], { netmap: [{ ...error, file: 'netmap.json' }] })],
  ]

  it.runIf(xmllint).each(cases)('%s, it is valid by the schema of Jenkins', (_what, run) => {
    const schema = join(import.meta.dirname, '../../../support/junit-10.xsd')
    const { status, stderr } = spawnSync('xmllint', ['--noout', '--schema', schema, '-'], {
      input: formatJUnit(run, pathOf),
      encoding: 'utf8',
    })
    expect([status, stderr]).toEqual([0, expect.stringContaining('validates')])
  })

  it('counts what failed, and what was not decided or run as skipped only where that does not fail', () => {
    expect(formatJUnit(all, pathOf)).toContain(
      '<testsuite name="config/policy.hujson" tests="4" failures="2" errors="0" skipped="1">',
    )
    expect(formatJUnit({ ...all, allowUndecided: true }, pathOf)).toContain(
      'tests="4" failures="1" errors="0" skipped="2"',
    )
    expect(formatJUnit(all, pathOf)).toContain(
      `<failure type="failed" message="accept a:22: no &quot;rule&quot; &lt;allows&gt; it &amp; 100 %; deny b:22: line 7 allows it">config/policy.hujson:4:5: accept a:22: no`,
    )
  })

  it('has an error in place of the tests of a file that cannot be used', () => {
    const text = formatJUnit(unusable, pathOf)
    expect(text).toContain('tests="1" failures="0" errors="1" skipped="0"')
    expect(text).toContain('>policy.hujson:8:1: error: a comma is missing</error>')
  })
})

describe('as commands of a GitHub workflow', () => {
  it('marks each reason and each message at its place, errors first, escaped', () => {
    expect(formatGitHub(all, pathOf).split('\n')).toEqual([
      '::error file=config/policy.hujson,line=4,col=5,title=tests[1] from <&"> failed::accept a:22: no "rule" <allows> it & 100 %25',
      '::error file=config/policy.hujson,line=4,col=5,title=tests[1] from <&"> failed::deny b:22: line 7 allows it',
      '::error file=config/policy.hujson,line=5,col=5,title=tests[2] from a%2Cb is undecided::accept a:22: depends on the rule at line 8',
      '::warning file=config/policy.hujson,line=8,col=1,title=no-effect::ssh has no effect',
      '',
    ])
  })

  it('warns of an undecided test that is allowed, and says nothing where all is well', () => {
    expect(formatGitHub(runOf([undecided], { allowUndecided: true }), pathOf)).toMatch(/^::warning /)
    expect(formatGitHub(runOf([passed, notRun]), pathOf)).toBe('')
  })
})

describe('as a Code Quality report of GitLab', () => {
  const issues = (run: TestRun) => JSON.parse(formatCodeQuality(run, pathOf)) as Record<string, unknown>[]

  it('has an issue for each message and reason, with what GitLab asks for', () => {
    expect(issues(all).map(({ fingerprint, ...issue }) => issue)).toEqual([
      {
        description: 'ssh has no effect',
        check_name: 'tunless/no-effect',
        severity: 'minor',
        location: { path: 'config/policy.hujson', lines: { begin: 8 } },
      },
      {
        description: expect.stringMatching(/^tests\[1\] from <&"> failed: accept a:22/),
        check_name: 'tunless/test-failed',
        severity: 'critical',
        location: { path: 'config/policy.hujson', lines: { begin: 4 } },
      },
      expect.objectContaining({ description: expect.stringMatching(/deny b:22/) }),
      expect.objectContaining({ check_name: 'tunless/test-undecided' }),
    ])
  })

  it('knows an issue again after lines were added above, and tells two of the same words apart', () => {
    const fingerprints = (run: TestRun) => issues(run).map(({ fingerprint }) => fingerprint)
    expect(fingerprints(runOf([failed]))).toEqual(fingerprints(runOf([{ ...failed, line: 40 }])))
    expect(new Set(fingerprints(runOf([failed, { ...failed, line: 12 }]))).size).toBe(4)
  })

  it('is an empty list where all is well, so that GitLab sees what was resolved', () => {
    expect(issues(runOf([passed]))).toEqual([])
  })
})

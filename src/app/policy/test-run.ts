// The outcome of `tunless policy test`, for its formats: files, what is wrong in them, and one result for each test.
import type { PolicyTestOutcome, PolicyTestResult } from '../../core/policy/tests.js'
import { hasError, type Message } from './messages.js'

export interface TestedFile {
  readonly file: string
  /** With an error among them no test was run. */
  readonly messages: readonly Message[]
  readonly tests: readonly PolicyTestResult[]
}

export interface TestRun {
  readonly files: readonly TestedFile[]
  /** What is wrong with the netmap. */
  readonly netmap: readonly Message[]
  readonly allowUndecided: boolean
}

export type Counts = Readonly<Record<PolicyTestOutcome, number>>

/** 0; 1 where a test failed or is undecided; 2 where a file cannot be used. */
export function exitCodeOf(run: TestRun): 0 | 1 | 2 {
  if (messagesIn(run).some(({ severity }) => severity === 'error')) return 2
  const { failed, undecided } = countsOf(run)
  return failed > 0 || (undecided > 0 && !run.allowUndecided) ? 1 : 0
}

export function messagesIn({ files, netmap }: TestRun): Message[] {
  return [...files.flatMap(({ messages }) => messages), ...netmap]
}

export function countsOf({ files }: Pick<TestRun, 'files'>): Counts {
  const counts = { passed: 0, failed: 0, undecided: 0, 'not-run': 0 }
  for (const { tests } of files) for (const { outcome } of tests) counts[outcome]++
  return counts
}

/** Whether its tests could be run. */
export function wasRun({ messages }: TestedFile, { netmap }: TestRun): boolean {
  return !hasError(messages) && !hasError(netmap)
}

/** Whether this result alone makes the run fail. */
export function fails({ outcome }: PolicyTestResult, { allowUndecided }: TestRun): boolean {
  return outcome === 'failed' || (outcome === 'undecided' && !allowUndecided)
}

// Micro benchmarks: what each task does is compared with vectors before any of them is timed; then tinybench times them by
// turns, round by round, so that a busy machine is as busy for each.
import { TunnelError } from '../../errors.js'
import type { Effort, Recorder } from './report.js'

/** Compares a result with what it has to be. Bytes are compared as hexadecimal. */
export type Expect = (
  what: string,
  actual: Uint8Array | number | boolean | undefined,
  expected: string | number | boolean,
) => void

export interface Task {
  readonly id: string
  /** Compares what will be timed with vectors, or with what vectors hold. Whatever it throws means that it is wrong. */
  check(expect: Expect): void
  /** What is timed; or, where only a part of it counts, it returns the ms which that part took. */
  run(): number | undefined
  /** Operations in one run. */
  readonly operations: number
  readonly unit?: 'us' | 'ms'
}

/** Rounds, and how long each task has in one of them, ms. */
const timing: Record<Effort, { rounds: number; time: number }> = {
  quick: { rounds: 5, time: 15 },
  short: { rounds: 5, time: 40 },
  full: { rounds: 7, time: 120 },
}

/** Left out, since the compiler has not done its best yet. */
const compilerRounds = 2

/** Returns the rounds of each id. Rejects with BENCH_WRONG_RESULT, and has timed nothing then. */
export async function timeTasks(tasks: readonly Task[], recorder: Recorder): Promise<Map<string, readonly number[]>> {
  const wanted = tasks.filter(({ id }) => recorder.wants(id))
  recorder.checked(checkTasks(wanted))
  const { rounds, time } = timing[recorder.effort]
  const { Bench } = await import('tinybench')
  const timed = wanted.map(task => {
    const bench = new Bench({ time, iterations: 1, warmup: false, throws: true })
    bench.add(task.id, () => measure(task))
    return { task, bench, values: [] as number[] }
  })
  for (let round = -compilerRounds; round < rounds; round++) {
    for (const { task, bench, values } of timed) {
      recorder.say(task.id)
      bench.reset() // else it keeps what it has
      bench.runSync()
      const result = bench.tasks[0]?.result
      if (result?.state !== 'completed') throw new Error(`${task.id} was not timed`)
      if (round >= 0) values.push((result.latency.p50 / task.operations) * (task.unit === 'ms' ? 1 : 1000))
      await new Promise(resolve => setImmediate(resolve))
    }
  }
  for (const { task, values } of timed) recorder.add(task.id, values, task.unit ?? 'us', 'lower')
  return new Map(timed.map(({ task, values }) => [task.id, values]))
}

function measure(task: Task): { overriddenDuration: number; overriddenIterationCost: number } {
  const began = performance.now()
  const part = task.run()
  const whole = performance.now() - began
  return { overriddenDuration: part ?? whole, overriddenIterationCost: whole }
}

/** How many results were compared. Throws BENCH_WRONG_RESULT at the first that is wrong. */
export function checkTasks(tasks: readonly Pick<Task, 'id' | 'check'>[]): number {
  let count = 0
  for (const task of tasks) {
    const expect: Expect = (what, actual, expected) => {
      const got = actual instanceof Uint8Array ? Buffer.from(actual).toString('hex') : actual
      if (got !== expected) throw new Error(`${what} is ${shorten(got)} and not ${shorten(expected)}`)
      count++
    }
    try {
      task.check(expect)
    } catch (cause) {
      throw wrongResult(task.id, cause)
    }
  }
  return count
}

export function wrongResult(id: string, cause: unknown): TunnelError {
  const why = cause instanceof Error ? cause.message : String(cause)
  return new TunnelError('BENCH_WRONG_RESULT', `${id} is wrong: ${why}; it was not timed`, { cause })
}

function shorten(value: unknown): string {
  const text = String(value)
  return text.length > 40 ? `${text.slice(0, 40)}…` : text
}

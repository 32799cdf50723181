// Programs run by tests: one to its end, or one that stays and is stopped by its process group. Whatever happens to
// the test, no program outlives the worker that started it.
import { type ChildProcess, spawn } from 'node:child_process'

export interface RunOptions {
  cwd?: string
  /** The whole environment; by default that of the tests. */
  env?: NodeJS.ProcessEnv
  /** Written to standard input, which is then closed. Without it standard input is empty. */
  input?: string | Uint8Array
  /** Milliseconds until the program is killed and the call fails. */
  timeout?: number
}

export interface Result {
  /** Exit status; null after a signal. */
  code: number | null
  signal: NodeJS.Signals | null
  stdout: string
  stderr: string
}

const defaultTimeout = 60_000
const alive = new Set<ChildProcess>()
process.on('exit', () => {
  for (const child of alive) signalGroup(child, 'SIGKILL')
})

/** Runs a program to its end, whatever its exit status is. */
export async function run(command: string, args: string[], options: RunOptions = {}): Promise<Result> {
  const program = start(command, args, options)
  if (options.input === undefined) program.child.stdin?.end()
  else program.child.stdin?.end(options.input)
  return program.ended(options.timeout)
}

/** Runs a program that must succeed; returns its standard output. */
export async function must(command: string, args: string[], options: RunOptions = {}): Promise<string> {
  const result = await run(command, args, options)
  if (result.code !== 0) throw new Error(describeResult(command, args, result))
  return result.stdout
}

function describeResult(command: string, args: string[], result: Result): string {
  const end = result.signal === null ? `exit status ${result.code}` : `signal ${result.signal}`
  return `${[command, ...args].join(' ')}: ${end}\n${result.stdout.slice(-4000)}\n${result.stderr.slice(-4000)}`
}

/** A program that runs beside the test. */
export class Program {
  readonly child: ChildProcess
  stdout = ''
  stderr = ''
  readonly #name: string
  readonly #ended: Promise<Result>
  #changed: () => void = () => {}

  constructor(child: ChildProcess, name: string) {
    this.child = child
    this.#name = name
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.stdout += text
      this.#changed()
    })
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text
      this.#changed()
    })
    child.stdin?.on('error', () => {}) // EPIPE: the program ended first, which its result tells
    this.#ended = new Promise((resolve, reject) => {
      child.once('error', reject)
      child.once('close', (code, signal) => {
        alive.delete(child)
        this.#changed()
        resolve({ code, signal, stdout: this.stdout, stderr: this.stderr })
      })
    })
    this.#ended.catch(() => alive.delete(child))
  }

  get pid(): number {
    if (this.child.pid === undefined) throw new Error(`${this.#name} did not start`)
    return this.child.pid
  }

  /** Waits for the end; past the timeout the program is killed and this fails. */
  async ended(timeout = defaultTimeout): Promise<Result> {
    return this.#within(timeout, 'still runs', this.#ended)
  }

  /** Waits until what was printed on both streams matches; fails when the program ends first. */
  async prints(pattern: RegExp, timeout = 20_000): Promise<RegExpMatchArray> {
    const found = new Promise<RegExpMatchArray>((resolve, reject) => {
      this.#changed = () => {
        const match = `${this.stdout}\n${this.stderr}`.match(pattern)
        if (match !== null) resolve(match)
        else if (this.child.exitCode !== null || this.child.signalCode !== null)
          reject(new Error(`${this.#name} ended and never printed ${pattern}\n${this.stdout}\n${this.stderr}`))
      }
    })
    this.#changed()
    return this.#within(timeout, `did not print ${pattern}`, found)
  }

  /** Ends the program and all that it started. */
  async stop(signal: NodeJS.Signals = 'SIGTERM', timeout = 10_000): Promise<Result> {
    if (alive.has(this.child)) signalGroup(this.child, signal)
    return this.ended(timeout)
  }

  async #within<T>(timeout: number, failure: string, result: Promise<T>): Promise<T> {
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        signalGroup(this.child, 'SIGKILL')
        reject(new Error(`${this.#name} ${failure} after ${timeout} ms\n${this.stdout.slice(-4000)}\n${this.stderr}`))
      }, timeout)
    })
    try {
      return await Promise.race([result, late])
    } finally {
      clearTimeout(timer)
    }
  }
}

/** Starts a program in a process group of its own. */
export function start(command: string, args: string[], options: Omit<RunOptions, 'input' | 'timeout'> = {}): Program {
  const child = spawn(command, args, {
    cwd: options.cwd,
    env: options.env ?? process.env,
    detached: true,
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  alive.add(child)
  return new Program(child, [command, ...args].join(' '))
}

/** Asks until it is so; for what offers no event. */
export async function until(what: string, holds: () => Promise<boolean> | boolean, timeout = 10_000): Promise<void> {
  const deadline = performance.now() + timeout
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`not within ${timeout} ms: ${what}`)
    await new Promise(resolve => setTimeout(resolve, 25))
  }
}

/** Stops every program that this worker started and that still runs. */
export async function stopAll(): Promise<void> {
  await Promise.all(
    [...alive].map(child => {
      const closed = new Promise(resolve => child.once('close', resolve))
      signalGroup(child, 'SIGKILL')
      return closed
    }),
  )
}

/** Whether a process with this id is there. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

function signalGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined) return
  try {
    process.kill(-child.pid, signal)
  } catch {
    // ESRCH: the group has ended
  }
}

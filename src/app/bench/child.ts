// The processes of a macro benchmark: started with an order, asked for figures while they work, and gone when this one is.
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { hrtime, memoryUsage } from 'node:process'

/** What a process has used, and when that was asked. */
export interface Usage {
  /** s of a monotonic clock. */
  readonly at: number
  /** s. */
  readonly cpu: number
  /** Bytes. */
  readonly rss: number
  /** Bytes of payload that came in, where the process counts them. */
  readonly bytes: number
}

/** How long a process may take to answer, and to end, ms. */
const answerTimeout = 20_000
const endTimeout = 5000

interface Question {
  readonly id: number
  readonly what: string
  readonly argument?: number
}

type Answers = Readonly<Record<string, (argument: number) => unknown>>

export class Child {
  readonly #name: string
  readonly #process: ChildProcess
  readonly #exited: Promise<unknown>
  #nextId = 0

  private constructor(name: string, process: ChildProcess) {
    this.#name = name
    this.#process = process
    this.#exited = once(process, 'exit')
  }

  /** Starts `script`, whose {@link serve} gets the order, and waits for what it returns. */
  static async start<Started>(
    script: URL,
    order: unknown,
    env: Readonly<Record<string, string>> = {},
  ): Promise<[Child, Started]> {
    const name = script.pathname.slice(script.pathname.lastIndexOf('/') + 1)
    const process = fork(script, {
      env: { ...ownEnvironment(), ...env },
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    })
    const child = new Child(name, process)
    process.send({ order })
    try {
      return [child, (await child.ask('started')) as Started]
    } catch (error) {
      await child.stop()
      throw error
    }
  }

  /** Rejects if the process ends first, or does not answer in time. */
  async ask(what: string, argument?: number): Promise<unknown> {
    const id = this.#nextId++
    const controller = new AbortController()
    const timer = setTimeout(() => controller.abort(), answerTimeout)
    const { signal } = controller
    try {
      const answered = this.#answerTo(id, signal)
      this.#process.send({ id, what, argument } satisfies { id: number; what: string; argument: number | undefined })
      return await answered
    } catch (cause) {
      if (!signal.aborted) throw cause
      throw new Error(`${this.#name} did not answer within ${answerTimeout / 1000} s: ${what}`, { cause })
    } finally {
      clearTimeout(timer)
    }
  }

  #answerTo(id: number, signal: AbortSignal): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const done = () => {
        this.#process.off('message', hear).off('exit', end)
        signal.removeEventListener('abort', end)
      }
      const hear = (message: { id: number; answer?: unknown; error?: string }) => {
        if (message.id !== id) return
        done()
        if (message.error === undefined) resolve(message.answer)
        else reject(new Error(`${this.#name}: ${message.error}`))
      }
      const end = () => {
        done()
        reject(new Error(`${this.#name} ended`))
      }
      this.#process.on('message', hear).on('exit', end)
      signal.addEventListener('abort', end)
    })
  }

  async usage(): Promise<Usage> {
    return (await this.ask('usage')) as Usage
  }

  async stop(): Promise<void> {
    if (this.#process.exitCode === null && this.#process.signalCode === null) {
      const timer = setTimeout(() => this.#process.kill('SIGKILL'), endTimeout)
      this.#process.kill('SIGTERM')
      await this.#exited
      clearTimeout(timer)
    }
  }
}

/** Whatever is set for the tunnels of whoever runs this is not for ours. */
export function ownEnvironment(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('TUNLESS_')))
}

/**
 * In such a process: `start` gets the order, and what it returns is the answer to whoever started it. `answers`: what else may be
 * asked. `bytes`: what {@link Usage} has of them.
 */
export function serve<Order>(
  start: (order: Order) => unknown,
  answers: Answers = {},
  bytes: () => number = () => 0,
): void {
  let started: Promise<unknown> | undefined
  const all: Answers = { ...answers, started: () => started, usage: () => ownUsage(bytes()) }
  process.on('disconnect', () => process.exit())
  process.on('message', (message: Question | { order: Order }) => {
    if ('order' in message) started = Promise.resolve(message.order).then(start)
    else void answer(message, all)
  })
}

async function answer({ id, what, argument = 0 }: Question, answers: Answers): Promise<void> {
  try {
    process.send?.({ id, answer: await answers[what]?.(argument) })
  } catch (error) {
    process.send?.({ id, error: (error as Error).message })
  }
}

function ownUsage(bytes: number): Usage {
  const { user, system } = process.cpuUsage()
  return { at: monotonic(), cpu: (user + system) / 1e6, rss: memoryUsage.rss(), bytes }
}

/** s; the same clock in every process of a machine. */
export function monotonic(): number {
  return Number(hrtime.bigint()) / 1e9
}

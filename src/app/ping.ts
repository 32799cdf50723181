// `tunless ping`: ping(8) through the tunnel, with iputils' output and exit codes.
import { setTimeout as sleep } from 'node:timers/promises'
import { longestConfig } from '../core/config/lines.js'
import { TunnelError } from '../errors.js'
import { type ConfOptions, readConf } from './conf.js'
import { createLog, type Log, type LogLevel } from './log.js'
import { type OpenOptions, openOptions } from './open-options.js'
import { formatFailure, formatHeading, formatReply, PingStatistics, type PingTarget } from './ping-format.js'
import { print } from './print.js'
import { endings, type Reach, withReach } from './reach.js'
import { readStdin } from './stdin.js'
import { aborted } from './stop.js'

export interface PingCommandOptions extends ConfOptions, PolicyChoice {
  readonly host: string
  /** Without it until a signal. */
  readonly count?: number
  /** Between two requests, and for each answer, ms. */
  readonly interval: number
  readonly wait: number
  /** Bytes of payload. */
  readonly size: number
  /** Of the target's address; any without it. */
  readonly family?: 4 | 6
  /** For the handshake, ms; 0 waits without end. */
  readonly timeout: number
  /** Nothing but the first and the last lines. */
  readonly quiet: boolean
  readonly level: LogLevel
}

type PolicyChoice = Pick<OpenOptions, 'policy' | 'netmap' | 'policyMode'>

/** Its family is the target's, not that of endpoints. */
function policyOf({ family: _, ...options }: PingCommandOptions): OpenOptions {
  return options
}

/** ping(8)'s: 0 for an answer, 1 for none, 2 for everything else. */
export type PingExit = 0 | 1 | 2

export async function pingHost(options: PingCommandOptions): Promise<PingExit> {
  const log = createLog(options.level)
  const ending = endings()
  const { signal, cut } = ending
  try {
    const conf = async () => {
      const sources = { env: process.env, readStdin: () => readStdin(longestConfig), warn: log.warn }
      return readConf(options, sources)
    }
    return await withReach({ ...openOptions(policyOf(options)), readConf: conf, log, signal, cut }, reach =>
      new Pinging(options, reach, signal, log).run(),
    )
  } catch (error) {
    if (!signal.aborted) tell(error, log)
    return 2
  } finally {
    ending.done()
  }
}

function tell(error: unknown, log: Log): void {
  const { message } = error as Error
  log.error(error instanceof TunnelError ? `${message} (${error.code})` : message)
}

class Pinging {
  readonly #options: PingCommandOptions
  readonly #reach: Reach
  readonly #signal: AbortSignal
  readonly #log: Log
  readonly #statistics = new PingStatistics()
  readonly #pending = new Set<Promise<void>>()
  #fatal: unknown

  constructor(options: PingCommandOptions, reach: Reach, signal: AbortSignal, log: Log) {
    this.#options = options
    this.#reach = reach
    this.#signal = signal
    this.#log = log
  }

  async run(): Promise<PingExit> {
    const { host, size, count = Number.POSITIVE_INFINITY, interval, timeout } = this.#options
    const address = await this.#find(host)
    await this.#reach.ready({ timeout, signal: this.#signal })
    const target = { host, address, size }
    print(`${formatHeading(target)}\n`)
    const brief = () => process.stderr.write(`\r${this.#statistics.brief}\n`)
    process.on('SIGQUIT', brief)
    const began = performance.now()
    const stop = new AbortController()
    const until = AbortSignal.any([this.#signal, stop.signal])
    try {
      for (let sequence = 1; sequence <= count && !this.#isOver; sequence++) {
        this.#send(target, sequence, until)
        if (sequence < count) await sleep(interval, undefined, { signal: until }).catch(() => {})
      }
      await Promise.race([Promise.all(this.#pending), sleep(this.#lastWait, undefined, { ref: false }), aborted(until)])
    } finally {
      stop.abort()
      process.off('SIGQUIT', brief)
    }
    print(`${this.#statistics.summary(host, performance.now() - began)}\n`)
    if (this.#fatal !== undefined) tell(this.#fatal, this.#log)
    return this.#fatal !== undefined ? 2 : this.#statistics.received > 0 ? 0 : 1
  }

  get #isOver(): boolean {
    return this.#signal.aborted || this.#fatal !== undefined
  }

  /** For what is still under way after the last request: twice the longest round trip, or all the time that one has. */
  get #lastWait(): number {
    const { received, most } = this.#statistics
    const { interval, wait } = this.#options
    return received > 0 ? Math.min(wait, Math.max(2 * most, interval)) : wait
  }

  async #find(host: string): Promise<string> {
    const addresses = await this.#reach.lookup(host, this.#signal)
    const { family } = this.#options
    const found = addresses.find(address => family === undefined || address.includes(':') === (family === 6))
    if (found !== undefined) return found
    throw new TunnelError('UNKNOWN_HOST', `${host} has no IPv${family} address: leave out -${family}`)
  }

  #send(target: PingTarget, sequence: number, signal: AbortSignal): void {
    const { size, wait, quiet } = this.#options
    const statistics = this.#statistics
    statistics.transmitted++
    const ping = this.#reach.ping(target.address, { size, timeout: wait, signal }).then(
      result => {
        statistics.add(result.rtt)
        if (!quiet) print(`${formatReply(target, sequence, result)}\n`)
      },
      error => {
        const { code } = error as NodeJS.ErrnoException
        if (signal.aborted || code === 'ETIMEDOUT') return
        const line = formatFailure(target, sequence, String(code))
        // Without a route no packet ever leaves, and the tunnel's own errors do not go away either.
        if (line === undefined || code === 'ENETUNREACH' || code === 'EACCES') this.#fatal ??= reasonOf(error, target)
        else {
          statistics.errors++
          if (!quiet) print(`${line}\n`)
        }
      },
    )
    const settled = ping.finally(() => this.#pending.delete(settled))
    this.#pending.add(settled)
  }
}

function reasonOf(error: unknown, { address }: PingTarget): unknown {
  const { cause } = error as Error
  if (cause instanceof TunnelError) return cause
  if ((error as NodeJS.ErrnoException).code !== 'ENETUNREACH') return error
  return new TunnelError(
    'NO_ROUTE',
    `no peer's AllowedIPs cover ${address}, or this tunnel has no address of its family`,
  )
}

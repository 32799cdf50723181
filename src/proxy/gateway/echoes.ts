// Pings through the gateway. Without root there are no ICMP sockets in Node, so this host's own ping(8) asks the target, and a
// peer's echo is answered if that was. One process a target at a time, few in all; an answer holds for a moment.
import { spawn } from 'node:child_process'
import type { ForwardedPing } from '../../node/forwarder.js'
import type { Verdict } from './targets.js'

export interface EchoOptions {
  /** Whether the address answers an echo. Rejects where that cannot be found out on this host. */
  readonly ask: (address: string, signal: AbortSignal) => Promise<boolean>
  /** Pings that are asked for at a time; echoes for others are dropped. */
  readonly atOnce?: number
  /** How long an answer holds, ms. */
  readonly holds?: number
  /** It cannot be found out. */
  readonly onError?: (error: Error) => void
}

const defaultAtOnce = 16
const defaultHolds = 1000
/** After it could not be found out, nobody is asked again for so long, ms. */
const brokenFor = 60_000
/** Echoes that wait for one target. */
const longestWait = 64

interface Asked {
  readonly waiting: ForwardedPing[]
  until: number
}

export class GatewayEchoes {
  readonly #target: (address: string) => Verdict
  readonly #options: EchoOptions
  readonly #asked = new Map<string, Asked>()
  readonly #closing = new AbortController()
  #running = 0
  #brokenUntil = Number.NEGATIVE_INFINITY

  constructor(target: (address: string) => Verdict, options: EchoOptions) {
    this.#target = target
    this.#options = options
  }

  handle(echo: ForwardedPing): void {
    const now = performance.now()
    const verdict = this.#target(echo.localAddress)
    if ('denied' in verdict) {
      echo.refuse('prohibited')
      return
    }
    const known = this.#asked.get(verdict.host)
    if (known !== undefined && now < known.until) {
      echo.answer()
    } else if (known !== undefined && known.waiting.length > 0) {
      if (known.waiting.length < longestWait) known.waiting.push(echo)
      else echo.refuse('drop')
    } else if (now < this.#brokenUntil || this.#running >= (this.#options.atOnce ?? defaultAtOnce)) {
      echo.refuse('drop')
    } else void this.#ask(verdict.host, echo)
  }

  async #ask(host: string, echo: ForwardedPing): Promise<void> {
    const asked: Asked = { waiting: [echo], until: Number.NEGATIVE_INFINITY }
    this.#asked.set(host, asked)
    this.#running++
    let answers = false
    try {
      answers = await this.#options.ask(host, this.#closing.signal)
    } catch (error) {
      if (!this.#closing.signal.aborted) {
        this.#brokenUntil = performance.now() + brokenFor
        this.#options.onError?.(error as Error)
      }
    }
    this.#running--
    for (const each of asked.waiting.splice(0)) {
      if (answers) each.answer()
      else each.refuse('drop')
    }
    if (!answers) {
      this.#asked.delete(host)
      return
    }
    const holds = this.#options.holds ?? defaultHolds
    asked.until = performance.now() + holds
    setTimeout(() => {
      if (this.#asked.get(host) === asked && asked.waiting.length === 0) this.#asked.delete(host)
    }, holds).unref()
  }

  close(): void {
    this.#closing.abort()
  }
}

/** Seconds that ping(8) waits for an answer. */
const patience = 4

/**
 * Asks by this host's ping(8), of iputils, busybox or macOS. Rejects where there is none, or it may not.
 */
export function askByProgram(address: string, signal: AbortSignal): Promise<boolean> {
  const isMac = process.platform === 'darwin'
  const program = isMac && address.includes(':') ? 'ping6' : 'ping'
  const wait = isMac ? (address.includes(':') ? [] : ['-t', String(patience)]) : ['-W', String(patience)]
  return new Promise((resolve, reject) => {
    const child = spawn(program, ['-c', '1', ...wait, address], { stdio: ['ignore', 'ignore', 'pipe'], signal })
    let said = ''
    child.stderr.setEncoding('utf8').on('data', text => {
      if (said.length < 500) said += text
    })
    const timer = setTimeout(() => child.kill('SIGKILL'), (patience + 1) * 1000)
    child.on('error', error => {
      clearTimeout(timer)
      reject(error)
    })
    child.on('close', code => {
      clearTimeout(timer)
      if (code === 0) resolve(true)
      else if (/permi|denied|raw socket|usage|option/i.test(said)) reject(new Error(said.trim().split('\n')[0]))
      else resolve(false)
    })
  })
}

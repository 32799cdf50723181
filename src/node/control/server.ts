// The side of the control socket that runs the tunnel: answers requests and carries the connections of those who joined.
import { randomBytes } from 'node:crypto'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { type ServedDatagrams, serveDatagrams } from './datagrams.js'
import { Lease } from './lease.js'
import {
  type DialRequest,
  longestRequest,
  parseRequest,
  type Question,
  type Reply,
  readLine,
  refusal,
  writeLine,
} from './protocol.js'
import { breakOff, relay } from './relay.js'

export interface ControlDialOptions {
  /** Aborts when the client went away. */
  readonly signal: AbortSignal
  /** Bounds the dial, ms; 0 waits forever. Where the client gave none, the dialer's own default holds. */
  readonly timeout?: number
}

/** What the tunnel does for those who join it. */
export interface ControlHandlers {
  /** Resolves with the connected stream; rejects with an error whose `code` and `message` the client gets. */
  dial(host: string, port: number, options: ControlDialOptions): Promise<Duplex>
  /** Plain data for `status`. */
  status(): Record<string, unknown> | Promise<Record<string, unknown>>
  /** Plain data; rejects as dial does. Without it such questions are refused. */
  answer?(question: Question, signal: AbortSignal): Promise<Record<string, unknown>>
  /** A UDP socket; without it such requests are refused. */
  datagrams?(): Promise<ServedDatagrams>
  /** Ends the tunnel and its process; false, and nothing happens, where that is not for others to do. */
  stop?(): boolean
}

export interface ControlLimits {
  /** Connections to the control socket at once. */
  readonly clients: number
  /** How long a client may take to send its request, ms. */
  readonly requestTimeout: number
}

export const defaultLimits: ControlLimits = { clients: 4096, requestTimeout: 10_000 }

/** How long a client may take to close a dial that it was told is broken, ms. */
const noticeTimeout = 2000

export class ControlServer {
  readonly #handlers: ControlHandlers
  readonly #limits: ControlLimits
  readonly #clients = new Set<Duplex>()
  readonly #leases = new Map<string, Lease>()
  readonly #waiting = new Set<() => void>()
  #joined = 0

  constructor(handlers: ControlHandlers, limits: ControlLimits = defaultLimits) {
    this.#handlers = handlers
    this.#limits = limits
  }

  /** Clients that hold the tunnel: joined, dialing or connected. */
  get joined(): number {
    return this.#joined
  }

  /** Resolves when no client holds the tunnel; at once if none does. */
  async idle(): Promise<void> {
    while (this.#joined > 0) await new Promise<void>(resolve => this.#waiting.add(resolve))
  }

  /** Breaks off every client, and resolves when they are closed. Who asked to stop the process stays: its end is the answer. */
  async close(): Promise<void> {
    const clients = [...this.#clients]
    for (const client of clients) client.destroy()
    await Promise.all(clients.map(closed))
  }

  /** Serves one client until it is gone. The stream must keep its writable side open after a read end (`allowHalfOpen`). */
  async serve(stream: Duplex): Promise<void> {
    stream.on('error', () => {})
    if (stream.destroyed) return
    this.#clients.add(stream)
    stream.once('close', () => this.#clients.delete(stream))
    if (this.#clients.size > this.#limits.clients)
      finish(stream, { ok: false, code: 'EMFILE', message: 'too many clients at once on the control socket' })
    else await this.#answer(stream)
  }

  async #answer(stream: Duplex): Promise<void> {
    const line = await readLine(stream, longestRequest, AbortSignal.timeout(this.#limits.requestTimeout))
    const request = line === undefined ? undefined : parseRequest(line)
    if (request === undefined) {
      finish(stream, {
        ok: false,
        code: 'USAGE',
        message: 'not a request of this protocol; is the other side another version of tunless?',
      })
    } else if (request.op === 'status') {
      finish(stream, { ...(await this.#handlers.status()), ok: true, pid: process.pid })
    } else if (request.op === 'stop') {
      this.#stop(stream)
    } else if (request.op === 'join') {
      await this.#hold(() => this.#keep(stream))
    } else if (request.op === 'dial') {
      await this.#hold(() => this.#dial(stream, request))
    } else if (request.op === 'udp') {
      await this.#hold(() => this.#datagrams(stream))
    } else {
      await this.#hold(() => this.#answerQuestion(stream, request))
    }
  }

  async #answerQuestion(stream: Duplex, question: Question): Promise<void> {
    const gone = new AbortController()
    const abort = () => gone.abort(new Error('who asked is gone'))
    const look = () => stream.read(0)
    stream.on('readable', look).on('end', abort).on('close', abort)
    try {
      if (this.#handlers.answer === undefined) {
        throw Object.assign(new Error('this tunnel takes dials alone'), { code: 'USAGE' })
      }
      finish(stream, { ...(await this.#handlers.answer(question, gone.signal)), ok: true })
    } catch (error) {
      finish(stream, refusal(error))
    }
  }

  async #datagrams(stream: Duplex): Promise<void> {
    try {
      if (this.#handlers.datagrams === undefined) {
        throw Object.assign(new Error('this tunnel takes dials alone'), { code: 'USAGE' })
      }
      const far = await this.#handlers.datagrams()
      if (stream.destroyed) {
        far.close()
        return
      }
      writeLine(stream, { ok: true })
      serveDatagrams(stream, far)
    } catch (error) {
      finish(stream, refusal(error))
    }
    await closed(stream)
  }

  #stop(stream: Duplex): void {
    if (this.#handlers.stop?.() !== true) {
      const message = `process ${process.pid} runs it as a part of something else: end that`
      finish(stream, { ok: false, code: 'TUNNEL_NOT_STOPPED', message })
      return
    }
    this.#clients.delete(stream)
    writeLine(stream, { ok: true, pid: process.pid })
    ;(stream as Partial<Socket>).unref?.()
  }

  async #hold(serve: () => Promise<void>): Promise<void> {
    this.#joined++
    try {
      await serve()
    } finally {
      this.#joined--
      if (this.#joined === 0) {
        for (const wake of this.#waiting) wake()
        this.#waiting.clear()
      }
    }
  }

  async #keep(stream: Duplex): Promise<void> {
    const name = randomBytes(8).toString('hex')
    writeLine(stream, { ok: true, pid: process.pid, lease: name })
    this.#leases.set(name, new Lease(stream))
    await closed(stream)
    this.#leases.delete(name)
  }

  async #dial(stream: Duplex, { host, port, timeout, lease: name, dial }: DialRequest): Promise<void> {
    const gone = new AbortController()
    const abort = () => gone.abort()
    const look = () => stream.read(0) // An end is noticed only while reading.
    stream.on('readable', look).on('end', abort).on('close', abort)
    let far: Duplex
    try {
      const options = { signal: gone.signal, ...(timeout !== undefined && { timeout }) }
      far = await this.#handlers.dial(host, port, options)
    } catch (error) {
      finish(stream, refusal(error))
      return
    }
    stream.off('readable', look).off('end', abort).off('close', abort)
    if (gone.signal.aborted) {
      breakOff(far)
      stream.destroy()
      return
    }
    const lease = name === undefined ? undefined : this.#leases.get(name)
    writeLine(stream, { ok: true })
    await this.#carry(stream, far, lease, dial)
  }

  async #carry(near: Duplex, far: Duplex, lease: Lease | undefined, dial = 0): Promise<void> {
    let endIsMeant = lease === undefined
    let passEnd: (() => void) | undefined
    let timer: NodeJS.Timeout | undefined
    lease?.add(dial, {
      cut() {
        breakOff(far)
        near.destroy()
      },
      ended() {
        endIsMeant = true
        passEnd?.()
      },
    })
    await relay(near, far, {
      endFar(end) {
        if (endIsMeant) end()
        else passEnd = end
      },
      breakNear() {
        if (near.destroyed) return
        if (lease === undefined) {
          near.destroy()
          return
        }
        // The client closes it when it has read the notice: an end that came before that would be taken for a good one.
        lease.tell('cut', dial)
        timer = setTimeout(() => near.destroy(), noticeTimeout).unref()
      },
    })
    clearTimeout(timer)
    lease?.remove(dial, false)
  }
}

/** The last word: the client gets the line if its socket takes it, and no time. */
function finish(stream: Duplex, reply: Reply): void {
  if (stream.destroyed) return
  const timer = setTimeout(() => stream.destroy(), noticeTimeout).unref()
  stream.once('close', () => clearTimeout(timer))
  writeLine(stream, reply)
  stream.end(() => stream.destroy())
}

function closed(stream: Duplex): Promise<void> {
  return new Promise(resolve => {
    if (stream.closed) resolve()
    else stream.once('close', () => resolve())
  })
}

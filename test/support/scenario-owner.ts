// Who owns a connection of a scenario: writes our stream, reads the peer's and looks at each of its bytes.
import { expect } from 'vitest'
import type { SocketCode, TcpConnection, TcpEvents } from '../../src/core/netstack/stack.js'
import { streamByteAt } from './tcp-script.js'

export class ScenarioOwner implements TcpEvents {
  connection: TcpConnection | undefined
  readonly #now: () => number
  readonly #log: string[] = []
  #reading = true
  #received = 0
  #wrongAt: number | undefined
  #written = 0
  /** Bytes to write when there is room again. */
  #left = 0
  #ended = false

  constructor(now: () => number) {
    this.#now = now
  }

  connected(): void {
    this.#log.push('connected')
  }

  readable(): void {
    if (this.#reading) this.#readAll()
  }

  writable(): void {
    this.write(0)
  }

  allSent(): void {
    this.#log.push('allSent')
  }

  closed(error?: SocketCode): void {
    this.#log.push(error === undefined ? 'closed' : `closed ${error}`)
  }

  write(count: number): void {
    this.#left += count
    const chunk = Uint8Array.from({ length: this.#left }, (_, i) => streamByteAt(1 + this.#written + i))
    const taken = this.connection?.write(chunk, 0, this.#now()) ?? 0
    this.#written += taken
    this.#left -= taken
  }

  pause(): void {
    this.#reading = false
  }

  resume(): void {
    this.#reading = true
    this.#readAll()
  }

  /** Reads what one read() gives. True if there may be more. */
  readOnce(): boolean {
    const slab = this.connection?.read()
    if (slab === undefined) return false
    if (slab === null) {
      this.#ended = true
      return false
    }
    for (const [i, byte] of slab.entries())
      if (byte !== streamByteAt(1 + this.#received + i)) this.#wrongAt ??= 1 + this.#received + i
    this.#received += slab.length
    return true
  }

  #readAll(): void {
    while (this.readOnce());
  }

  /** Every byte read is the one that the peer's stream has there. */
  verify(): void {
    expect(this.#wrongAt, 'the first wrong byte').toBeUndefined()
  }

  /** That `what` is `value`; without a value, that it is so. */
  check(what: string, value: string | undefined): void {
    this.verify()
    const { state, bytesReadable, bytesQueued, stats } = this.connection as TcpConnection
    const end = this.#log.find(event => event.startsWith('closed'))
    const facts: Record<string, string | number | boolean | undefined> = {
      state,
      connected: this.#log.includes('connected'),
      open: end === undefined,
      /** Why, or nothing. */
      closed: end?.split(' ')[1] ?? end !== undefined,
      received: this.#received,
      ended: this.#ended,
      readable: bytesReadable,
      queued: bytesQueued,
      /** Our FIN was acknowledged. */
      sent: this.#log.includes('allSent'),
      rtt: Math.round(stats.rtt),
      cwnd: stats.congestionWindow,
      timeouts: stats.timeouts,
      retransmits: stats.retransmits,
    }
    if (!(what in facts)) throw new Error(`nothing to check: ${what}`)
    expect(String(facts[what]), what).toBe(value ?? 'true')
  }
}

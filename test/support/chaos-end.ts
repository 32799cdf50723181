// One end of a connection in chaos: it writes, reads and leaves as its plan says, looks at each byte, and knows what may
// happen to it.
import type { StackLimits } from '../../src/core/netstack/limits.js'
import type { SocketCode, TcpConnection, TcpEvents } from '../../src/core/netstack/stack.js'
import type { SeededRandom, SimulatedHost, VirtualClock } from '../../src/testing/index.js'

/** What the owner of an end does. */
export interface Plan {
  /** Bytes to write, how many at a time, and ms between two writes. */
  readonly total: number
  readonly chunk: number
  readonly pause: number
  /** Ms before the first read and between two; Infinity: never. */
  readonly readAfter: number
  readonly readPause: number
  /**
   * `end`: FIN after the last byte, and reads on. `leave`: lets go after the last byte. `destroy` and `reset`: at a time of
   * their own, whatever was written. `stay`: does not end its side.
   */
  readonly close: 'end' | 'leave' | 'destroy' | 'reset' | 'stay'
  /** Of `destroy` and `reset`, ms after the connection stands. */
  readonly closeAfter: number
  readonly keepAlive: boolean
}

export function drawPlan(random: SeededRandom, small: boolean): Plan {
  const pick = <T>(...choices: readonly T[]): T => choices[random.integer(choices.length)] as T
  const chunk = pick(1, 7, 1000, 65536, 65536, 65536)
  const most = small ? 20_000 : random.next() < 0.1 ? 2_000_000 : 300_000
  const total = pick(0, 1, 1 + random.integer(3000), 1 + random.integer(most), 1 + random.integer(most))
  const slow = random.next() < 0.2
  return {
    total: Math.min(total, 2000 * chunk),
    chunk,
    pause: chunk < 100 ? random.next() * 5 : slow ? random.next() * 2000 : 0,
    readAfter: random.next() < 0.1 ? Infinity : random.next() < 0.1 ? random.next() * 200_000 : 0,
    readPause: random.next() < 0.2 ? random.next() * 500 : 0,
    close: pick('end', 'end', 'end', 'end', 'leave', 'destroy', 'reset', 'stay'),
    closeAfter: random.next() ** 3 * 90_000,
    keepAlive: random.next() < 0.2,
  }
}

export class ChaosEnd implements TcpEvents {
  readonly host: SimulatedHost
  readonly plan: Plan
  other!: ChaosEnd
  connection: TcpConnection | undefined
  /** Bytes that were taken, and bytes that were read. */
  sent = 0
  received = 0
  /** Said end(), or let go with everything written. */
  finished = false
  /** Read the other side's end. */
  ended = false
  /** Let go, or reset. */
  left = false
  /** Let go by its own plan, and not by the end of the test. */
  leftByPlan = false
  established = false
  error: SocketCode | undefined
  #closings = 0
  readonly #clock: VirtualClock
  readonly #salt: number
  readonly #buffer: Uint8Array
  #mayRead = false
  #readPending = false
  #writePending = false

  constructor(clock: VirtualClock, host: SimulatedHost, plan: Plan, salt: number) {
    this.#clock = clock
    this.host = host
    this.plan = plan
    this.#salt = salt
    this.#buffer = new Uint8Array(Math.min(plan.chunk, 65536))
  }

  /** Nothing more will happen to it: closed and read, or never accepted, the dialer being gone. */
  get isDone(): boolean {
    if (this.connection === undefined) return this.other.isOver
    return this.isOver && (this.ended || this.left || this.error !== undefined || this.plan.readAfter === Infinity)
  }

  get isOver(): boolean {
    return this.#closings > 0
  }

  /** Ends its side, and reads what comes. */
  get isOrderly(): boolean {
    return this.plan.close === 'end' && this.plan.readAfter !== Infinity && !this.plan.keepAlive
  }

  start(connection: TcpConnection): void {
    this.connection = connection
    if (this.plan.keepAlive) connection.setKeepAlive(true, 10_000, this.#clock.now)
    this.connected()
  }

  /** Lets go, if it has not yet. */
  leave(): void {
    if (this.left || this.connection === undefined) return
    this.left = true
    this.connection.destroy(this.#clock.now)
    this.host.changed()
  }

  connected(): void {
    const { plan } = this
    this.established = true
    if (plan.readAfter !== Infinity)
      this.#later(plan.readAfter, () => {
        this.#mayRead = true
        this.readable()
      })
    if (plan.close === 'destroy')
      this.#later(plan.closeAfter, () => {
        this.leftByPlan = true
        this.leave()
      })
    if (plan.close === 'reset')
      this.#later(plan.closeAfter, () => {
        if (this.left) return
        this.left = true
        this.leftByPlan = true
        this.connection?.reset(this.#clock.now)
        this.host.changed()
      })
    this.writable()
  }

  writable(): void {
    const { plan } = this
    if (this.left || this.#writePending) return
    while (this.sent < plan.total) {
      const chunk = this.#buffer.subarray(0, Math.min(plan.chunk, plan.total - this.sent))
      this.#fill(chunk, this.sent, this.#salt)
      const taken = this.#attached.write(chunk, 0, this.#clock.now)
      this.host.changed()
      this.sent += taken
      if (taken < chunk.length) return
      if (plan.pause > 0 && this.sent < plan.total) {
        this.#writePending = true
        this.#later(plan.pause, () => {
          this.#writePending = false
          if (this.#closings === 0) this.writable()
        })
        return
      }
    }
    if (this.finished) return
    if (plan.close === 'end') {
      this.finished = true
      this.#attached.end(this.#clock.now)
    } else if (plan.close === 'leave') {
      this.finished = true
      this.leftByPlan = true
      this.leave()
    }
    this.host.changed()
  }

  readable(): void {
    if (!this.#mayRead || this.#readPending || this.left || this.ended) return
    for (let slab = this.#attached.read(); slab !== undefined; slab = this.#attached.read()) {
      this.host.changed()
      if (slab === null) {
        this.ended = true
        return
      }
      this.#check(slab)
      this.received += slab.length
      if (this.plan.readPause > 0) {
        this.#readPending = true
        this.#later(this.plan.readPause, () => {
          this.#readPending = false
          this.readable()
        })
        return
      }
    }
  }

  closed(error?: SocketCode): void {
    this.#closings++
    this.error = error
    if (this.#closings > 1) throw new Error(`${this.describe()} was closed twice`)
  }

  checkBounds(limits: StackLimits): void {
    const { connection } = this
    if (connection === undefined) return
    if (connection.bytesQueued > limits.maxSendBuffer) throw new Error(`${connection.bytesQueued} bytes are queued`)
    if (connection.bytesReadable > limits.maxReceiveBuffer)
      throw new Error(`${connection.bytesReadable} bytes wait for a reader`)
  }

  /** After everybody has let go. */
  checkClosed(): void {
    if (this.connection === undefined) return
    if (this.#closings !== 1) throw new Error(`${this.describe()} heard closed() ${this.#closings} times`)
    if (this.connection.state !== 'closed') throw new Error(`${this.describe()} is in ${this.connection.state}`)
  }

  describe(): string {
    const { plan, sent, received, finished, ended, left, error, established, connection } = this
    const what = { ...plan, sent, received, finished, ended, left, error, established, state: connection?.state }
    return `the end on ${this.host.name} ${JSON.stringify(what, (_, value) => (value === Infinity ? 'never' : value))}`
  }

  get #attached(): TcpConnection {
    return this.connection as TcpConnection
  }

  #later(ms: number, event: () => void): void {
    if (ms === 0) event()
    else this.#clock.schedule(this.#clock.now + ms, event)
  }

  #check(slab: Uint8Array): void {
    const expected = new Uint8Array(slab.length)
    this.#fill(expected, this.received, this.other.#salt)
    for (let i = 0; i < slab.length; i++) {
      if (slab[i] !== expected[i]) throw new Error(`byte ${this.received + i} is wrong at ${this.describe()}`)
    }
  }

  /** Byte `position` of the stream of `salt`: cheap, and wrong if anything is lost, repeated or moved. */
  #fill(target: Uint8Array, position: number, salt: number): void {
    for (let i = 0; i < target.length; i++) {
      const at = position + i
      target[i] = Math.imul(at ^ (at >>> 7) ^ (salt * 977), 0x9e3779b1) >>> 24
    }
  }
}

/** What may have become of a connection by the time when everything that ends by itself has ended. */
export function checkEnding(dialer: ChaosEnd, acceptor: ChaosEnd): void {
  for (const [end, other] of [
    [dialer, acceptor],
    [acceptor, dialer],
  ] as const) {
    const fail = (what: string) => {
      throw new Error(`${what}: ${end.describe()}, and ${other.describe()}`)
    }
    if (end.received > other.sent) fail('more was read than was written')
    if (end.ended && !((other.finished || other.left) && end.received === other.sent))
      fail('an end before the last byte')
    const isGone = other.leftByPlan || other.error !== undefined || other.connection === undefined
    if (end.error === 'ECONNRESET' && !isGone && other.plan.readAfter !== Infinity) fail('a reset that nobody sent')
    if (end.error === 'ETIMEDOUT' && end.established && !end.plan.keepAlive && !isGone) fail('a timeout')
    if (end.error !== undefined && end.established && !['ECONNRESET', 'ETIMEDOUT'].includes(end.error))
      fail('a wrong code')
    // Who lets go after the last byte of what it sends has it delivered, if nothing comes from the other side.
    if (other.plan.close === 'leave' && end.ended && end.received !== other.plan.total) fail('cut short')
  }
  if (!dialer.established || !dialer.isOrderly || !acceptor.isOrderly) return
  for (const end of [dialer, acceptor]) {
    const whole = end.isOver && end.error === undefined && end.ended && end.received === end.other.plan.total
    if (!whole) throw new Error(`not whole after an hour: ${end.describe()}, and ${end.other.describe()}`)
  }
}

// A connection between two simulated hosts that carries known bytes as fast as it can, each end checking what arrives. It
// works by the core's own events, without a promise a chunk, so that a simulation of gigabytes takes seconds.
import type { SocketCode, TcpConnection, TcpEvents } from '../core/netstack/stack.js'
import { createSeededRandom } from './random.js'
import type { SimulatedHost } from './simulated-host.js'
import type { VirtualClock } from './virtual-clock.js'

export interface TransferOptions {
  /** Who dials, and who listens, on a port of its own. */
  readonly from: SimulatedHost
  readonly to: SimulatedHost
  /** Bytes from the dialer to the listener, Infinity for as long as the simulation runs; 0 without it. */
  readonly there?: number
  /** Bytes from the listener to the dialer; 0 without it. */
  readonly back?: number
  /** Over IPv6. */
  readonly v6?: boolean
  /** Whether each byte is looked at, true without it. It costs as much as the rest of a packet's way. */
  readonly check?: boolean
}

/** One end; all of it may be read at any time. */
export interface TransferEnd {
  /** Undefined before the connection is there. */
  readonly connection: TcpConnection | undefined
  /** Bytes received, and as far as they were looked at, found right. */
  readonly received: number
  /** The other side's end was reached. */
  readonly ended: boolean
  readonly closed: boolean
  readonly error: SocketCode | undefined
  /** Position of the first wrong byte. */
  readonly wrongAt: number | undefined
}

export interface Transfer {
  readonly dialer: TransferEnd
  readonly acceptor: TransferEnd
  /** Both ends are closed. */
  readonly done: boolean
}

/** Starts one; it goes on as the clock runs. Each end ends its side when it has sent everything. */
export function createTransfer(clock: VirtualClock, options: TransferOptions): Transfer {
  const { from, to, check = true } = options
  const dialer = createEnd(clock, from, options.there ?? 0, 0, check)
  const acceptor = createEnd(clock, to, options.back ?? 0, 1, check)
  const server = to.host.stack.listen({ port: 0 }, connection => {
    server.close()
    acceptor.start(connection)
    return acceptor.events
  })
  const address = options.v6 ? to.address6 : to.address
  dialer.state.connection = from.host.stack.connect({ address, port: server.port }, dialer.events, clock.now)
  from.changed()
  return {
    dialer: dialer.state,
    acceptor: acceptor.state,
    get done() {
      return dialer.state.closed && acceptor.state.closed
    },
  }
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] }

interface End {
  readonly state: Mutable<TransferEnd>
  readonly events: TcpEvents
  start(connection: TcpConnection): void
}

/** `direction` says which bytes it sends; the other end sends the other ones. */
function createEnd(clock: VirtualClock, host: SimulatedHost, total: number, direction: 0 | 1, check: boolean): End {
  let sent = 0
  let ended = false
  const state: Mutable<TransferEnd> = {
    connection: undefined,
    received: 0,
    ended: false,
    closed: false,
    error: undefined,
    wrongAt: undefined,
  }

  function send(): void {
    const connection = state.connection as TcpConnection
    while (sent < total) {
      const chunk = contentAt(sent, Math.min(maxSlab, total - sent), direction)
      const taken = connection.write(chunk, 0, clock.now)
      sent += taken
      if (taken < chunk.length) break
    }
    if (sent === total && !ended) {
      ended = true
      connection.end(clock.now)
    }
    host.changed()
  }

  function receive(): void {
    const connection = state.connection as TcpConnection
    for (let slab = connection.read(); slab !== undefined; slab = connection.read()) {
      if (slab === null) {
        state.ended = true
        break
      }
      if (check && state.wrongAt === undefined) {
        const wrong = firstDifference(slab, contentAt(state.received, slab.length, direction ^ 1))
        if (wrong >= 0) state.wrongAt = state.received + wrong
      }
      state.received += slab.length
    }
    host.changed()
  }

  return {
    state,
    start(connection) {
      state.connection = connection
      send()
    },
    events: {
      connected: send,
      writable: send,
      readable: receive,
      closed(error?: SocketCode) {
        receive()
        state.closed = true
        state.error = error
      },
    },
  }
}

/** What read() gives at most. */
const maxSlab = 65536
/** A prime, so that nothing that a stack counts in divides it: what is lost, repeated or moved is seen. */
const period = 65521
let content: Uint8Array | undefined

/** The bytes from `position` on that go in `direction`. */
function contentAt(position: number, length: number, direction: number): Uint8Array {
  if (content === undefined) {
    content = new Uint8Array(period + maxSlab)
    createSeededRandom(0).fill(content.subarray(0, period))
    for (let i = 0; i < maxSlab; i++) content[period + i] = content[i] as number
  }
  const start = (position + direction * (period >> 1)) % period
  return content.subarray(start, start + length)
}

function firstDifference(bytes: Uint8Array, expected: Uint8Array): number {
  for (let i = 0; i < bytes.length; i++) if (bytes[i] !== expected[i]) return i
  return -1
}

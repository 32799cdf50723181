// A connection between two simulated hosts that carries known bytes in both directions, each end checking each byte.
import type { SocketCode, TcpConnection } from '../../src/core/netstack/stack.js'
import type { Network, SimulatedHost } from '../../src/testing/index.js'

/** Byte `position` of the stream that `seed` names: cheap, and wrong if anything is lost, repeated or moved. */
function fill(target: Uint8Array, position: number, seed: number): void {
  for (let i = 0; i < target.length; i++) {
    const at = position + i
    target[i] = Math.imul(at ^ (at >>> 7) ^ seed, 0x9e3779b1) >>> 24
  }
}

export interface TransferEnd {
  /** Bytes received and found right. */
  received: number
  ended: boolean
  closed: boolean
  error: SocketCode | undefined
  /** Position of the first wrong byte. */
  wrongAt: number | undefined
}

export interface Transfer {
  readonly dialer: TransferEnd
  readonly acceptor: TransferEnd
  readonly done: boolean
}

/** Starts a connection from `network.a` to `network.b`; each end sends `bytes` and then ends its side. */
export function startTransfer(
  network: Network,
  bytes: number,
  options: { v6?: boolean; seed?: number } = {},
): Transfer {
  const { a, b, clock } = network
  const seed = options.seed ?? 1
  const listener = b.host.stack.listen({ port: 0 }, connection => {
    const end = drive(b, connection, acceptor, bytes, seed + 1, seed)
    end.send()
    return end
  })
  const dialer = newEnd()
  const acceptor = newEnd()
  const events = drive(a, undefined, dialer, bytes, seed, seed + 1)
  events.connection = a.host.stack.connect(
    { address: options.v6 ? b.address6 : b.address, port: listener.port },
    events,
    clock.now,
  )
  a.changed()

  function drive(
    side: SimulatedHost,
    connection: TcpConnection | undefined,
    end: TransferEnd,
    total: number,
    sendSeed: number,
    expectSeed: number,
  ) {
    let sent = 0
    const chunk = new Uint8Array(64 * 1024)
    const expected = new Uint8Array(64 * 1024)
    const driven = {
      connection,
      send() {
        const connection = driven.connection as TcpConnection
        while (sent < total) {
          const next = chunk.subarray(0, Math.min(chunk.length, total - sent))
          fill(next, sent, sendSeed)
          const taken = connection.write(next, 0, clock.now)
          sent += taken
          if (taken < next.length) break
        }
        if (sent === total) {
          sent++ // once
          connection.end(clock.now)
        }
        side.changed()
      },
      connected: () => driven.send(),
      writable: () => driven.send(),
      readable() {
        const connection = driven.connection as TcpConnection
        for (let slab = connection.read(); slab !== undefined; slab = connection.read()) {
          if (slab === null) {
            end.ended = true
            break
          }
          fill(expected, end.received, expectSeed)
          for (let i = 0; i < slab.length && end.wrongAt === undefined; i++) {
            if (slab[i] !== expected[i]) end.wrongAt = end.received + i
          }
          end.received += slab.length
        }
        side.changed()
      },
      closed(error?: SocketCode) {
        end.closed = true
        end.error = error
      },
    }
    return driven
  }

  return {
    dialer,
    acceptor,
    get done() {
      return dialer.closed && acceptor.closed
    },
  }
}

function newEnd(): TransferEnd {
  return { received: 0, ended: false, closed: false, error: undefined, wrongAt: undefined }
}

// A TCP connection of a simulated host, with promises that are settled on the virtual clock.
import type { SocketCode, TcpConnection, TcpEvents, TcpStats } from '../core/netstack/stack.js'
import type { VirtualClock } from './virtual-clock.js'

/** One end of a connection. As with `allowHalfOpen`, the end of the other direction ends nothing here. */
export interface SimulatedSocket {
  /** Segments, retransmissions, timeouts, round trip, window. */
  readonly stats: TcpStats
  /** Bytes that read() gave. */
  readonly bytesRead: number
  /** Resolves once all of `bytes` is in the send queue; they may then be used again. */
  write(bytes: Uint8Array): Promise<void>
  /** FIN once all that was written has left; reading goes on. */
  end(): void
  /** The next bytes in order; null at the end of what the other side sends. One read at a time. */
  read(): Promise<Uint8Array | null>
  /** Everything up to that end. */
  readAll(): Promise<Uint8Array>
  /** RST, gone. */
  reset(): void
  /** Lets go, as close(2) does: RST if bytes are unread, else what was written and a FIN leave without an owner. */
  destroy(): void
  /** Resolves once both directions have ended or the socket was let go, to an error's code where there was one. */
  readonly closed: Promise<string | undefined>
  /** The core's view of it. */
  readonly connection: TcpConnection
}

/** `code` is Node's: ECONNREFUSED, ECONNRESET, ETIMEDOUT …; EPIPE of a write after end(), ECONNABORTED after destroy(). */
export class SimulatedSocketError extends Error {
  override readonly name = 'SimulatedSocketError'
  readonly code: string

  constructor(code: string, message: string) {
    super(`${message}: ${code}`)
    this.code = code
  }
}

interface PendingWrite {
  readonly bytes: Uint8Array
  offset: number
  resolve(): void
  reject(error: Error): void
}

interface PendingRead {
  resolve(bytes: Uint8Array | null): void
  reject(error: Error): void
}

/** A socket before it has its connection, and what the core tells it. */
export interface SocketParts {
  readonly socket: SimulatedSocket
  readonly events: TcpEvents
  /** Resolves to the socket once a dial has succeeded. */
  readonly established: Promise<SimulatedSocket>
  attach(connection: TcpConnection): void
}

export function createSocket(clock: VirtualClock, changed: () => void): SocketParts {
  const writes: PendingWrite[] = []
  let connection: TcpConnection | undefined
  let reading: PendingRead | undefined
  let failure: SimulatedSocketError | undefined
  let bytesRead = 0
  let ended = false
  const established = promise<SimulatedSocket>()
  const closed = promise<string | undefined>()

  function attached(): TcpConnection {
    if (connection === undefined) throw new Error('the socket has no connection yet')
    return connection
  }

  function pump(): void {
    const to = attached()
    for (let first = writes[0]; first !== undefined; first = writes[0]) {
      first.offset += to.write(first.bytes, first.offset, clock.now)
      if (first.offset < first.bytes.length) break
      writes.shift()
      first.resolve()
      clock.wake()
    }
    if (ended && writes.length === 0) to.end(clock.now)
    changed()
  }

  function give(): void {
    const pending = reading
    if (pending === undefined) return
    const slab = attached().read()
    if (slab === undefined && failure === undefined) return
    reading = undefined
    if (slab === undefined) pending.reject(failure as Error)
    else {
      if (slab !== null) bytesRead += slab.length
      pending.resolve(slab)
    }
    changed()
    clock.wake()
  }

  const events: TcpEvents = {
    connected() {
      established.resolve(socket)
      clock.wake()
    },
    readable: give,
    writable: pump,
    closed(code?: SocketCode) {
      failure = new SimulatedSocketError(code ?? 'ECONNABORTED', code ? 'the connection failed' : 'it is closed')
      established.reject(failure)
      for (const write of writes.splice(0)) write.reject(failure)
      give()
      closed.resolve(code)
      clock.wake()
    },
  }

  const socket: SimulatedSocket = {
    get stats() {
      return attached().stats
    },
    get bytesRead() {
      return bytesRead
    },
    get connection() {
      return attached()
    },
    closed: closed.promise,
    write(bytes) {
      const refusal = failure ?? (ended ? new SimulatedSocketError('EPIPE', 'write after end') : undefined)
      if (refusal !== undefined) return Promise.reject(refusal)
      return new Promise((resolve, reject) => {
        writes.push({ bytes, offset: 0, resolve, reject })
        pump()
      })
    },
    end() {
      if (ended) return
      ended = true
      pump()
    },
    read() {
      if (reading !== undefined) return Promise.reject(new Error('a read is pending already'))
      return new Promise((resolve, reject) => {
        reading = { resolve, reject }
        give()
      })
    },
    async readAll() {
      const parts: Uint8Array[] = []
      for (let part = await socket.read(); part !== null; part = await socket.read()) parts.push(part)
      return joined(parts)
    },
    reset() {
      attached().reset(clock.now)
      changed()
    },
    destroy() {
      attached().destroy(clock.now)
      changed()
    },
  }
  return {
    socket,
    events,
    established: established.promise,
    attach(to) {
      connection = to
    },
  }
}

interface Settleable<T> {
  readonly promise: Promise<T>
  resolve(value: T): void
  reject(error: Error): void
}

/** One that may fail without anybody waiting for it. */
function promise<T>(): Settleable<T> {
  let [resolve, reject]: [(value: T) => void, (error: Error) => void] = [() => {}, () => {}]
  const promise = new Promise<T>((onValue, onError) => {
    resolve = onValue
    reject = onError
  })
  promise.catch(() => {})
  return { promise, resolve, reject }
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let offset = 0
  for (const part of parts) {
    whole.set(part, offset)
    offset += part.length
  }
  return whole
}

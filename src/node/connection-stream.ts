// A TcpConnection as a Duplex: the stream's inner side. It pulls from the stack only while push() asks for more, calls a
// write back once its bytes are queued in the stack, and hands slabs on without a copy. socket.ts puts net.Socket's face on it.
import type { SocketCode, TcpConnection } from '../core/netstack/stack.js'
import { EventDuplex } from './event-duplex.js'
import { ioError, usageError } from './socket-error.js'
import type { ConnectionEvents } from './socket-events.js'
import type { StackPort } from './stack-port.js'

type WriteCallback = (error?: Error | null) => void

/** What waits for the connection, or for room in its send queue. */
interface Unsent {
  readonly chunks: readonly Uint8Array[]
  index: number
  offset: number
  readonly callback: WriteCallback
}

/** A connection's addresses; they outlive it. */
export type Ends = Pick<TcpConnection, 'localAddress' | 'localPort' | 'remoteAddress' | 'remotePort'>

export abstract class ConnectionStream extends EventDuplex {
  connecting = false
  bytesRead = 0
  /** @internal */
  protected readonly stackPort: StackPort
  /** @internal */
  protected connection: TcpConnection | undefined
  /** @internal Of the connection that is there, else of the last one. */
  protected ends: Ends | undefined
  /** @internal The next _destroy sends a RST. */
  protected resetting = false
  #events: ConnectionEvents | undefined
  #wanted = false
  #pulling = false
  #endDue = false
  /** Bytes given to _write so far. */
  #dispatched = 0
  /** … and how many of them in the call that is not called back yet. */
  #inFlight = 0
  #unsent: Unsent | undefined
  #finalCallback: WriteCallback | undefined

  /** @internal */
  constructor(stackPort: StackPort, allowHalfOpen: boolean, highWaterMark: number) {
    super({ allowHalfOpen, highWaterMark, emitClose: false })
    this.stackPort = stackPort
  }

  /** @internal Bytes went one way or the other. */
  protected abstract touch(): void

  /** @internal The stream is being destroyed; whatever was under way besides the connection ends now. */
  protected abstract letGo(): void

  /** @internal */
  protected adopt(connection: TcpConnection, events: ConnectionEvents): void {
    this.connection = connection
    this.ends = connection
    this.#events = events
    events.owner = this
  }

  /** @internal What was written and ended before the connection stood goes out; then the first read. */
  protected start(): void {
    this.#sendUnsent()
    if (this.#finalCallback !== undefined && this.connection !== undefined) this._final(this.#finalCallback)
    if (this.readable && !this.isPaused()) this.read(0)
  }

  /** @internal As new, for another connection. */
  protected revive(): void {
    ;(this as unknown as { _undestroy(): void })._undestroy()
    this.ends = undefined
    this.bytesRead = 0
    this.#wanted = false
    this.#dispatched = 0
    this.#inFlight = 0
  }

  /** Written so far, what still waits included. */
  get bytesWritten(): number {
    return this.#dispatched + this.writableLength - this.#inFlight
  }

  /** @internal */
  handleConnected(): void {}

  /** @internal */
  handleReadable(): void {
    if (this.#wanted) this.#pull()
  }

  /** @internal */
  handleWritable(): void {
    this.#sendUnsent()
  }

  /** @internal */
  handleClosed(code: SocketCode | undefined): void {
    if (code === undefined) return
    // The tunnel was closed under it, and who closes it knows: as when a server closes its connections, that is no error.
    if (code === 'ECONNABORTED') this.destroy()
    else if (!this.readableEnded) this.destroy(ioError(code, 'read'))
    // As Linux has it, a reset after the peer's end is a broken pipe.
    else this.destroy(ioError(code === 'ECONNRESET' ? 'EPIPE' : code, 'write'))
  }

  /** @internal */
  override _read(): void {
    this.#wanted = true
    this.#pull()
  }

  #pull(): void {
    if (this.#pulling || this.#endDue) return
    let taken = false
    let whole = false
    this.#pulling = true
    try {
      while (this.#wanted) {
        const slab = this.connection?.read()
        if (slab === undefined) break
        if (slab === null && taken) {
          // The end is a read of its own, as it is of a system's socket: what the data brings about comes first.
          this.#endDue = true
          setImmediate(() => {
            this.#endDue = false
            this.#pull()
          })
          break
        }
        taken = true
        this.#wanted = false
        if (slab === null) {
          this.push(null)
          this.read(0) // as net does: with nothing buffered, 'end' comes even if nobody reads
        } else {
          this.bytesRead += slab.length
          this.#push(slab)
        }
      }
      whole = true
    } finally {
      this.#pulling = false
      if (!whole) process.nextTick(() => this.#pull()) // a listener threw; the rest is still to be read
      if (taken) {
        this.touch()
        this.stackPort.changed()
      }
    }
  }

  /** A listener may ask for more while push() still runs, which must not be forgotten, or throw, which changes nothing. */
  #push(slab: Uint8Array): void {
    let more = true
    try {
      more = this.push(slab)
    } finally {
      if (more) this.#wanted = true
    }
  }

  /** @internal */
  override _write(chunk: Uint8Array, _encoding: BufferEncoding, callback: WriteCallback): void {
    const { connection } = this
    if (connection === undefined) {
      this.#postpone([chunk], chunk.length, callback)
      return
    }
    const taken = connection.write(chunk, 0, this.stackPort.now())
    this.touch()
    this.stackPort.changed()
    if (taken < chunk.length) {
      this.#unsent = { chunks: [chunk], index: 0, offset: taken, callback }
      this.#dispatch(chunk.length)
    } else {
      this.#dispatched += taken
      callback()
    }
  }

  /** @internal Many small writes cost one call back and one word to the loop; the send queue is where they are joined. */
  override _writev(chunks: { chunk: Uint8Array }[], callback: WriteCallback): void {
    const bytes: Uint8Array[] = []
    let length = 0
    for (const { chunk } of chunks) {
      bytes.push(chunk)
      length += chunk.length
    }
    this.#postpone(bytes, length, callback)
    this.#sendUnsent()
  }

  #postpone(chunks: readonly Uint8Array[], length: number, callback: WriteCallback): void {
    if (this.connection === undefined && !this.connecting) {
      callback(usageError('ERR_SOCKET_CLOSED', 'Socket is closed'))
    } else {
      this.#unsent = { chunks, index: 0, offset: 0, callback }
      this.#dispatch(length)
    }
  }

  #dispatch(length: number): void {
    this.#dispatched += length
    this.#inFlight = length
  }

  #sendUnsent(): void {
    const unsent = this.#unsent
    const { connection } = this
    if (unsent === undefined || connection === undefined) return
    const { chunks } = unsent
    const now = this.stackPort.now()
    while (unsent.index < chunks.length) {
      const chunk = chunks[unsent.index] as Uint8Array
      unsent.offset += connection.write(chunk, unsent.offset, now)
      if (unsent.offset < chunk.length) break
      unsent.index++
      unsent.offset = 0
    }
    this.touch()
    this.stackPort.changed()
    if (unsent.index < chunks.length) return
    this.#unsent = undefined
    this.#inFlight = 0
    unsent.callback()
  }

  /** @internal As a system's shutdown, it is not done at once: what is destroyed meanwhile never finishes. */
  override _final(callback: WriteCallback): void {
    if (this.connection === undefined) {
      this.#finalCallback = callback
      return
    }
    this.#finalCallback = undefined
    this.connection.end(this.stackPort.now())
    this.stackPort.changed()
    process.nextTick(afterMicrotasks, callback)
  }

  /** @internal */
  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    const { connection, connecting, resetting } = this
    const unsent = this.#unsent
    this.connecting = false
    this.connection = undefined
    this.resetting = false
    this.#unsent = undefined
    this.#finalCallback = undefined
    this.#events?.detach()
    this.#events = undefined
    if (connection !== undefined) {
      const { localAddress, localPort, remoteAddress, remotePort } = connection
      this.ends = { localAddress, localPort, remoteAddress, remotePort }
      if (resetting) connection.reset(this.stackPort.now())
      else connection.destroy(this.stackPort.now())
      this.stackPort.changed()
    }
    this.letGo()
    callback(error)
    // As net's: a turn after 'error' where there was a connection or a dial, else at once and without a word of errors. A
    // write that was under way is not told of the error, only one that waited for the connection.
    if (!connecting && connection === undefined) {
      process.nextTick(() => this.emit('close'))
      return
    }
    setImmediate(() => {
      this.#inFlight = 0
      unsent?.callback(connecting ? closedEarly() : null)
      this.emit('close', error !== null)
    })
  }
}

/** When all has run that was scheduled by now, and before the stack tells of anything new. */
function afterMicrotasks(callback: () => void): void {
  queueMicrotask(() => process.nextTick(callback))
}

function closedEarly(): Error {
  return usageError('ERR_SOCKET_CLOSED_BEFORE_CONNECTION', 'Socket closed before the connection was established')
}

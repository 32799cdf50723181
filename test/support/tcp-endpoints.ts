// Owners of connections for tests: one records what happens, one sends a stream of known bytes and checks the other's.
import type { SocketCode, TcpConnection, TcpEvents } from '../../src/core/netstack/stack.js'

/** What happened to a connection, in order, and the bytes it gave. */
export class Recorder implements TcpEvents {
  readonly log: string[] = []
  connection: TcpConnection | undefined
  received = new Uint8Array(0)
  ended = false
  isClosed = false
  error: SocketCode | undefined
  /** Whether readable() reads at once. */
  reading = true

  connected(): void {
    this.log.push('connected')
  }

  readable(): void {
    this.log.push('readable')
    if (this.reading) this.readAll()
  }

  writable(): void {
    this.log.push('writable')
  }

  allSent(): void {
    this.log.push('allSent')
  }

  closed(error?: SocketCode): void {
    this.log.push(error === undefined ? 'closed' : `closed ${error}`)
    this.isClosed = true
    this.error = error
  }

  readAll(): void {
    for (;;) {
      const slab = this.connection?.read()
      if (slab === undefined) return
      if (slab === null) {
        this.ended = true
        return
      }
      const grown = new Uint8Array(this.received.length + slab.length)
      grown.set(this.received)
      grown.set(slab, this.received.length)
      this.received = grown
    }
  }

  get text(): string {
    return new TextDecoder().decode(this.received)
  }
}

export function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text)
}

/** The byte at a position of stream number `stream`. */
export function streamByte(stream: number, position: number): number {
  return (Math.imul(position + stream * 7919, 0x9e3779b1) >>> 24) & 0xff
}

/** Sends `total` bytes of its stream, then ends, and checks every byte that comes of the other's. */
export class StreamOwner implements TcpEvents {
  connection: TcpConnection | undefined
  written = 0
  read = 0
  ended = false
  isClosed = false
  error: SocketCode | undefined
  wrong = -1
  reading = true
  readonly #stream: number
  readonly #total: number
  readonly #peerStream: number
  readonly #now: () => number
  readonly #chunk: Uint8Array

  constructor(stream: number, peerStream: number, total: number, now: () => number, chunkSize = 65536) {
    this.#stream = stream
    this.#peerStream = peerStream
    this.#total = total
    this.#now = now
    this.#chunk = new Uint8Array(chunkSize)
  }

  start(connection: TcpConnection): this {
    this.connection = connection
    this.pump()
    return this
  }

  pump(): void {
    const c = this.connection
    if (c === undefined) return
    while (this.written < this.#total) {
      const size = Math.min(this.#chunk.length, this.#total - this.written)
      const chunk = size === this.#chunk.length ? this.#chunk : this.#chunk.subarray(0, size)
      for (let i = 0; i < size; i++) chunk[i] = streamByte(this.#stream, this.written + i)
      const taken = c.write(chunk, 0, this.#now())
      this.written += taken
      if (taken < size) return
    }
    c.end(this.#now())
  }

  drain(): void {
    for (;;) {
      const slab = this.connection?.read()
      if (slab === undefined) return
      if (slab === null) {
        this.ended = true
        return
      }
      for (let i = 0; i < slab.length; i++) {
        if (slab[i] !== streamByte(this.#peerStream, this.read + i) && this.wrong < 0) this.wrong = this.read + i
      }
      this.read += slab.length
    }
  }

  connected(): void {
    this.pump()
  }

  readable(): void {
    if (this.reading) this.drain()
  }

  writable(): void {
    this.pump()
  }

  closed(error?: SocketCode): void {
    this.isClosed = true
    this.error = error
  }
}

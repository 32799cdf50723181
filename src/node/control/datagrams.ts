// UDP over a control socket: after the accepted request, frames each way. A frame is its length, a kind, a port and a host, which
// are where it goes to or came from, and the payload. What a slow side does not take is dropped, as UDP is.
import { EventEmitter } from 'node:events'
import type { Duplex } from 'node:stream'
import { parseObject } from './protocol.js'

/** Bytes: a whole datagram with the longest name. */
const longestFrame = 8 + 255 + 65_535
/** Bytes that may wait for the other side. */
const mostQueued = 256 * 1024
/** Datagrams that may wait until the other side has answered. */
const mostWaiting = 16

const kinds = { data: 0, error: 1 } as const

interface Frame {
  readonly kind: number
  readonly host: string
  readonly port: number
  readonly payload: Buffer
}

/** A UDP socket of a tunnel, as far as its process needs one for others. */
export interface ServedDatagrams {
  send(message: Uint8Array, port: number, host: string, callback: (error: Error | null) => void): void
  on(event: 'message', listener: (message: Uint8Array, from: { address: string; port: number }) => void): unknown
  on(event: 'error', listener: (error: Error) => void): unknown
  close(): unknown
}

/** Joins a client that asked for it with a socket, until either is closed. The reply is out already. */
export function serveDatagrams(stream: Duplex, far: ServedDatagrams): void {
  let isOpen = true
  const close = () => {
    if (!isOpen) return
    isOpen = false
    far.close()
    stream.destroy()
  }
  const tell = (error: Error, host: string, port: number) => {
    const { code, message } = (error.cause ?? error) as NodeJS.ErrnoException
    const payload = JSON.stringify({ code, message: String(message).slice(0, 1000) })
    if (isOpen) write(stream, kinds.error, host, port, Buffer.from(payload))
  }
  // Of another process again, where this one has joined its tunnel.
  far.on('error', (error: DatagramError) => error.target && tell(error, error.target.host, error.target.port))
  far.on('message', (message, { address, port }) => write(stream, kinds.data, address, port, message))
  readFrames(stream, ({ host, port, payload }) => {
    try {
      if (isOpen) far.send(payload, port, host, error => error && tell(error, host, port))
    } catch (error) {
      tell(error as Error, host, port)
    }
  })
  stream.on('end', close).on('close', close)
}

/** What became of one datagram; `target` is where it was to go. */
export interface DatagramError extends Error {
  readonly target?: { readonly host: string; readonly port: number }
}

/** A UDP socket in a tunnel that another process runs. 'message' and 'error' as of dgram; an error ends nothing. */
export class JoinedDatagrams extends EventEmitter {
  readonly #waiting: { message: Uint8Array; port: number; host: string }[] = []
  #stream: Duplex | undefined
  #target: { port: number; host: string } | undefined
  #isClosed = false

  /** `opening`: the control connection, once the request is accepted. */
  constructor(opening: Promise<Duplex>) {
    super()
    opening.then(
      stream => this.#use(stream),
      error => this.#emitError(error),
    )
  }

  /** What is sent from now on without an address goes there. */
  connect(port: number, host: string, callback: () => void): void {
    this.#target = { port, host }
    queueMicrotask(callback)
  }

  send(message: Uint8Array, port: number, host: string, callback: (error: Error | null) => void): void
  send(message: Uint8Array, callback: (error: Error | null) => void): void
  send(message: Uint8Array, ...rest: readonly unknown[]): void {
    const callback = rest.at(-1) as (error: Error | null) => void
    const [port, host] = rest.length === 1 ? [this.#target?.port, this.#target?.host] : (rest as [number, string])
    if (this.#isClosed || port === undefined || host === undefined) {
      callback(new Error('the socket is closed, or has no target'))
    } else if (this.#stream !== undefined) {
      const isTaken = write(this.#stream, kinds.data, host, port, message)
      callback(isTaken ? null : new Error('the other process does not keep up'))
    } else {
      if (this.#waiting.length < mostWaiting) this.#waiting.push({ message, port, host })
      callback(null)
    }
  }

  close(): void {
    this.#isClosed = true
    this.#stream?.destroy()
  }

  #use(stream: Duplex): void {
    if (this.#isClosed) {
      stream.destroy()
      return
    }
    this.#stream = stream
    readFrames(stream, ({ kind, host, port, payload }) => {
      if (this.#isClosed) return
      if (kind === kinds.data) {
        this.emit('message', payload, { address: host, port, family: host.includes(':') ? 'IPv6' : 'IPv4' })
        return
      }
      const { code, message } = parseObject(payload.toString()) ?? {}
      this.#emitError(Object.assign(new Error(String(message)), { code, target: { host, port } }))
    })
    stream.once('end', () => stream.destroy())
    stream.once('close', () => {
      if (!this.#isClosed) this.#emitError(new Error("the process that ran this key's tunnel has ended"))
    })
    for (const { message, port, host } of this.#waiting.splice(0)) write(stream, kinds.data, host, port, message)
  }

  #emitError(error: unknown): void {
    if (!this.#isClosed && this.listenerCount('error') > 0) this.emit('error', error)
  }
}

/** False, and nothing is written, where the other side does not keep up. */
function write(stream: Duplex, kind: number, host: string, port: number, payload: Uint8Array): boolean {
  const name = Buffer.from(host)
  if (stream.destroyed || stream.writableLength > mostQueued || name.length > 255) return false
  const head = Buffer.alloc(8)
  head.writeUInt32BE(4 + name.length + payload.length)
  head.writeUInt8(kind, 4)
  head.writeUInt16BE(port, 5)
  head.writeUInt8(name.length, 7)
  stream.write(Buffer.concat([head, name, payload]))
  return true
}

/** Calls `take` for each whole frame; a stream with another one is destroyed. */
function readFrames(stream: Duplex, take: (frame: Frame) => void): void {
  let rest: Buffer = Buffer.alloc(0)
  stream.on('data', (chunk: Buffer) => {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
    while (rest.length >= 8) {
      const end = 4 + rest.readUInt32BE()
      const payloadAt = 8 + rest.readUInt8(7)
      if (end > longestFrame || payloadAt > end) {
        stream.destroy()
        return
      }
      if (rest.length < end) return
      const host = rest.toString('utf8', 8, payloadAt)
      take({ kind: rest.readUInt8(4), host, port: rest.readUInt16BE(5), payload: rest.subarray(payloadAt, end) })
      rest = rest.subarray(end)
    }
  })
  stream.resume()
}

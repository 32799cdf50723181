// A UDP socket on the tunnel's own addresses with the face of Node's dgram.Socket, as far as it goes: bind, connect, send,
// 'message', close. Multicast and broadcast have no meaning in a tunnel of peers.
import { EventEmitter } from 'node:events'
import type { IpAddress } from '../core/base/address.js'
import type { SocketCode, UdpSocket } from '../core/netstack/stack.js'
import { type AddressInfo, addressInfo } from './dial.js'
import { checkPort, connectError, ioError, localCode, localError, lookupError, usageError } from './socket-error.js'
import type { StackPort } from './stack-port.js'

/** Whom a message came from; `size` is its length in bytes. */
export interface RemoteInfo extends AddressInfo {
  size: number
}

interface DatagramEvents {
  message: [message: Buffer, from: RemoteInfo]
  listening: []
  connect: []
  error: [error: Error]
  close: []
}

type SendCallback = (error: Error | null, bytes?: number) => void
type Message = string | Uint8Array | readonly (string | Uint8Array)[]

/** See {@link https://nodejs.org/api/dgram.html#class-dgramsocket}. Both families at once. */
export class DatagramSocket extends EventEmitter<DatagramEvents> {
  readonly #stackPort: StackPort
  #socket: UdpSocket | undefined
  #local: IpAddress | undefined
  #remote: { address: IpAddress; port: number } | undefined
  #closed = false
  #ref = true
  #held = false

  /** @internal */
  constructor(stackPort: StackPort) {
    super()
    this.#stackPort = stackPort
  }

  /** 'listening' or 'error' (EADDRINUSE, EADDRNOTAVAIL) follows. Port 0, the default, takes a free one. */
  bind(options: { port?: number; address?: string }, callback?: () => void): this
  bind(port?: number, address?: string, callback?: () => void): this
  bind(port: number, callback?: () => void): this
  bind(callback?: () => void): this
  bind(...args: unknown[]): this {
    this.#mustBeOpen()
    if (this.#socket !== undefined) throw usageError('ERR_SOCKET_ALREADY_BOUND', 'Socket is already bound')
    const [first, second] = args
    const options = typeof first === 'object' ? (first as { port?: number; address?: string }) : {}
    const port = checkPort(typeof first === 'number' ? first : (options.port ?? 0), 0)
    const address = typeof second === 'string' ? second : options.address
    const callback = args.at(-1)
    if (typeof callback === 'function') this.once('listening', callback as () => void)
    try {
      this.#bind(port, address)
    } catch (error) {
      const shaped = isShaped(error) ? error : localError(localCode(error), 'bind', address ?? '::', port)
      process.nextTick(() => this.emit('error', shaped))
    }
    return this
  }

  #bind(port: number, address: string | undefined): void {
    this.#local =
      address === undefined || address === '::' || address === '0.0.0.0' ? undefined : this.#resolve(address)
    this.#socket = this.#stackPort.stack.bindUdp(
      { port, ...(this.#local && { address: this.#local }) },
      {
        message: (bytes, from, fromPort) => this.#handleMessage(bytes, from, fromPort),
        error: code => this.#handleError(code),
      },
    )
    if (this.#ref) this.#hold()
    process.nextTick(() => {
      if (!this.#closed) this.emit('listening')
    })
  }

  #handleMessage(bytes: Uint8Array, address: IpAddress, port: number): void {
    if (this.#closed) return
    const message = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
    this.#emitOutside(() => this.emit('message', message, { ...addressInfo(address, port), size: bytes.length }))
  }

  #handleError(code: SocketCode): void {
    if (!this.#closed) this.#emitOutside(() => this.emit('error', ioError(code, 'recvmsg')))
  }

  /** What a listener throws must not unwind the stack in the middle of a turn. */
  #emitOutside(emit: () => void): void {
    try {
      emit()
    } catch (error) {
      process.nextTick(() => {
        throw error
      })
    }
  }

  /** From now on only that peer is heard, and sent to; its ICMP errors come as 'error' (ECONNREFUSED). */
  connect(port: number, address: string, callback?: () => void): this {
    this.#mustBeOpen()
    if (this.#remote !== undefined) throw usageError('ERR_SOCKET_DGRAM_IS_CONNECTED', 'Already connected')
    const remote = { address: this.#resolve(address), port: checkPort(port, 1) }
    if (this.#socket === undefined) this.#bind(0, undefined)
    this.#socket?.connect(remote.address, remote.port)
    this.#remote = remote
    if (callback !== undefined) this.once('connect', callback)
    process.nextTick(() => {
      if (!this.#closed) this.emit('connect')
    })
    return this
  }

  /**
   * Sends a message, an array as one; binds to a free port first if need be. The callback, else 'error', is told of a
   * failure: EMSGSIZE or ENOBUFS when the message is too long for the path or the queue is full, ENETUNREACH, ENOTFOUND.
   */
  send(message: Message, port: number, address: string, callback?: SendCallback): void
  send(
    message: string | Uint8Array,
    offset: number,
    length: number,
    port: number,
    address: string,
    callback?: SendCallback,
  ): void
  send(message: Message, callback?: SendCallback): void
  send(message: Message, ...args: unknown[]): void {
    this.#mustBeOpen()
    const callback = typeof args.at(-1) === 'function' ? (args.pop() as SendCallback) : undefined
    let bytes = joined(message)
    if (typeof args[0] === 'number' && typeof args[1] === 'number') {
      const [offset, length] = args.splice(0, 2) as [number, number]
      if (offset < 0 || length < 0 || offset + length > bytes.length) {
        throw usageError('ERR_BUFFER_OUT_OF_BOUNDS', '"offset" or "length" is outside of buffer bounds', RangeError)
      }
      bytes = bytes.subarray(offset, offset + length)
    }
    if (this.#remote !== undefined && args.length > 0) {
      throw usageError('ERR_SOCKET_DGRAM_IS_CONNECTED', 'Already connected')
    }
    const port = this.#remote?.port ?? checkPort(args[0], 1)
    const error = this.#send(bytes, port, args[1] as string)
    if (callback !== undefined) process.nextTick(callback, error ?? null, bytes.length)
    else if (error !== undefined) process.nextTick(() => this.emit('error', error))
  }

  #send(bytes: Uint8Array, port: number, host: string): Error | undefined {
    let address: IpAddress | undefined
    try {
      address = this.#remote?.address ?? this.#resolve(host)
      if (this.#socket === undefined) this.#bind(0, undefined)
      const sent = (this.#socket as UdpSocket).send(bytes, address, port, this.#stackPort.now())
      this.#stackPort.changed()
      if (sent) return undefined
      const fits = bytes.length <= this.#stackPort.stack.mtu - (address.length === 4 ? 28 : 48)
      return ioError(fits ? 'ENOBUFS' : 'EMSGSIZE', 'send')
    } catch (error) {
      if (isShaped(error)) return error
      const target = { address: address as IpAddress, port }
      const code = localCode(error)
      return connectError(code, target, this.#stackPort.explain?.(code, target), 'send')
    }
  }

  #resolve(host: string): IpAddress {
    try {
      return this.#stackPort.lookup(host)[0] as IpAddress
    } catch (cause) {
      throw lookupError(host, cause)
    }
  }

  /** Throws ERR_SOCKET_DGRAM_NOT_RUNNING when it is not bound. */
  address(): AddressInfo {
    if (this.#socket === undefined) throw notRunning()
    const { port } = this.#socket
    return this.#local === undefined ? { address: '::', family: 'IPv6', port } : addressInfo(this.#local, port)
  }

  close(callback?: () => void): this {
    this.#mustBeOpen()
    if (callback !== undefined) this.once('close', callback)
    this.#closed = true
    this.#socket?.close()
    this.#socket = undefined
    this.#release()
    this.#stackPort.changed()
    process.nextTick(() => this.emit('close'))
    return this
  }

  #mustBeOpen(): void {
    if (this.#closed) throw notRunning()
  }

  ref(): this {
    this.#ref = true
    if (this.#socket !== undefined) this.#hold()
    return this
  }

  unref(): this {
    this.#ref = false
    this.#release()
    return this
  }

  #hold(): void {
    if (this.#held) return
    this.#held = true
    this.#stackPort.addRef()
  }

  #release(): void {
    if (!this.#held) return
    this.#held = false
    this.#stackPort.release()
  }
}

function joined(message: Message): Uint8Array {
  if (typeof message === 'string') return Buffer.from(message)
  if (message instanceof Uint8Array) return message
  return Buffer.concat(message.map(part => (typeof part === 'string' ? Buffer.from(part) : part)))
}

function notRunning(): Error {
  return usageError('ERR_SOCKET_DGRAM_NOT_RUNNING', 'Not running')
}

/** Already in the shape that a socket's error has. */
function isShaped(error: unknown): error is Error {
  return error instanceof Error && 'syscall' in error
}

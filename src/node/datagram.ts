// A UDP socket on the tunnel's own addresses with the face of Node's dgram.Socket.
import type { IpAddress } from '../core/base/address.js'
import type { SocketCode, UdpSocket } from '../core/netstack/stack.js'
import {
  type DatagramOptions,
  type Message,
  readBind,
  readDatagramOptions,
  readSend,
  type SendArguments,
  type SendCallback,
} from './datagram-arguments.js'
import { DatagramNames, type FoundAddress } from './datagram-names.js'
import { DatagramSettings, type RemoteInfo } from './datagram-settings.js'
import { type AddressInfo, addressInfo } from './dial.js'
import { checkPort, connectError, ioError, localCode, localError, lookupError, usageError } from './socket-error.js'
import type { StackPort } from './stack-port.js'

/** See {@link https://nodejs.org/api/dgram.html#class-dgramsocket}. Both families at once unless it is told otherwise. */
export class DatagramSocket extends DatagramSettings {
  readonly type: 'udp4' | 'udp6' | undefined
  readonly #stackPort: StackPort
  readonly #names: DatagramNames
  #socket: UdpSocket | undefined
  #local: IpAddress | undefined
  #remote: { address: IpAddress; port: number } | undefined
  #connecting = false
  #closed = false

  /** @internal Use {@link Tunnel.createSocket}. */
  constructor(
    stackPort: StackPort,
    options: DatagramOptions | 'udp4' | 'udp6' = {},
    onMessage?: (message: Buffer, from: RemoteInfo) => void,
  ) {
    const read = readDatagramOptions(options)
    super(stackPort, read)
    if (onMessage !== undefined) this.on('message', onMessage)
    this.#stackPort = stackPort
    const { type, signal, lookupQueue, lookup } = read
    this.type = type
    this.#names = new DatagramNames(stackPort, type, lookupQueue, lookup)
    if (signal !== undefined) this.#closeWith(signal)
  }

  #closeWith(signal: AbortSignal): void {
    const close = () => {
      if (!this.#closed) this.close()
    }
    if (signal.aborted) {
      close()
      return
    }
    signal.addEventListener('abort', close, { once: true })
    this.once('close', () => signal.removeEventListener('abort', close))
  }

  /** 'listening' or 'error' (EADDRINUSE, EADDRNOTAVAIL, ENOTFOUND) follows. Port 0, the default, takes a free one. */
  bind(options: { port?: number; address?: string; exclusive?: boolean }, callback?: () => void): this
  bind(port?: number, address?: string, callback?: () => void): this
  bind(port: number, callback?: () => void): this
  bind(callback?: () => void): this
  bind(...args: unknown[]): this {
    this.#mustBeOpen()
    if (this.#socket !== undefined) throw usageError('ERR_SOCKET_ALREADY_BOUND', 'Socket is already bound')
    const { port, address, callback } = readBind(args)
    if (callback !== undefined) this.once('listening', callback)
    try {
      this.#bind(port, address)
    } catch (error) {
      const shaped = isShaped(error) ? error : localError(localCode(error), 'bind', address ?? this.#anyAddress, port)
      process.nextTick(() => {
        if (callback !== undefined) this.off('listening', callback)
        this.emit('error', shaped)
      })
    }
    return this
  }

  #bind(port: number, address: string | undefined): void {
    const isAny = address === undefined || address === '::' || address === '0.0.0.0'
    this.#local = isAny ? undefined : this.#ownAddress(address)
    this.#socket = this.#stackPort.stack.bindUdp(
      { port, ...(this.#local && { address: this.#local }) },
      {
        message: (bytes, from, fromPort) => this.#handleMessage(bytes, from, fromPort),
        error: code => this.#handleError(code),
      },
    )
    this.hold()
    process.nextTick(() => {
      if (!this.#closed) this.emit('listening')
    })
  }

  #handleMessage(bytes: Uint8Array, address: IpAddress, port: number): void {
    if (this.#closed || !this.#isOfType(address)) return
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

  /**
   * From now on only that peer is heard, and sent to; its ICMP errors come as 'error' (ECONNREFUSED). 'connect' follows,
   * or the callback, else 'error', is told why not. Without an address it is ourselves.
   */
  connect(port: number, address?: string, callback?: (error?: Error) => void): this
  connect(port: number, callback?: (error?: Error) => void): this
  connect(port: number, ...args: unknown[]): this {
    this.#mustBeOpen()
    const callback = args.find(argument => typeof argument === 'function') as ((error?: Error) => void) | undefined
    const checked = checkPort(port, 1)
    if (this.#remote !== undefined || this.#connecting) {
      throw usageError('ERR_SOCKET_DGRAM_IS_CONNECTED', 'Already connected')
    }
    const connected = callback && (() => callback())
    if (connected !== undefined) this.once('connect', connected)
    this.#connecting = true
    this.#whenFound(typeof args[0] === 'string' ? args[0] : undefined, 'connect', (failure, address) => {
      const error = failure ?? this.#tryConnect(checked, address as IpAddress)
      process.nextTick(() => {
        this.#connecting = false
        if (this.#closed) return
        if (error === undefined) this.emit('connect')
        else if (connected === undefined || callback === undefined) this.emit('error', error)
        else {
          this.off('connect', connected)
          callback(error)
        }
      })
    })
    return this
  }

  #whenFound(host: string | undefined, syscall: string, found: FoundAddress): void {
    const bind = () => {
      if (this.#socket === undefined) this.#bind(0, undefined)
    }
    this.#names.whenFound(host, syscall, bind, found)
  }

  #tryConnect(port: number, address: IpAddress): Error | undefined {
    try {
      if (this.#socket === undefined) this.#bind(0, undefined)
      this.#socket?.connect(address, port)
      this.#remote = { address, port }
      return undefined
    } catch (error) {
      return this.#shape(error, address, port, 'connect')
    }
  }

  /** Everybody is heard, and may be sent to, again. */
  disconnect(): void {
    this.#mustBeOpen()
    if (this.#remote === undefined) throw notConnected()
    this.#remote = undefined
    this.#socket?.disconnect()
  }

  /**
   * Sends a message, an array as one; binds to a free port first if need be. Larger messages than the path's MTU leave in
   * fragments. The callback, else 'error', is told of a failure: EMSGSIZE beyond 65507 bytes (65527 over IPv6), ENOBUFS when
   * the queue is full, ENETUNREACH, ENOTFOUND. Without an address it is sent to ourselves.
   */
  send(message: Message, port: number, address?: string, callback?: SendCallback): void
  send(message: Message, port: number, callback?: SendCallback): void
  send(message: Message, callback?: SendCallback): void
  send(
    message: string | NodeJS.ArrayBufferView,
    offset: number,
    length: number,
    port: number,
    address?: string,
    callback?: SendCallback,
  ): void
  send(
    message: string | NodeJS.ArrayBufferView,
    offset: number,
    length: number,
    port: number,
    callback?: SendCallback,
  ): void
  send(message: string | NodeJS.ArrayBufferView, offset: number, length: number, callback?: SendCallback): void
  send(message: Message, ...args: unknown[]): void {
    const read = readSend(message, args, this.#remote !== undefined)
    this.#mustBeOpen()
    const { callback, bytes } = read
    const send: FoundAddress = (failure, address) => {
      const error = failure ?? this.#send(read, address as IpAddress)
      if (callback !== undefined) process.nextTick(callback, error ?? null, bytes.length)
      else if (error !== undefined) process.nextTick(() => this.emit('error', error))
    }
    if (this.#remote !== undefined) send(undefined, this.#remote.address)
    else this.#whenFound(read.address, 'send', send)
  }

  #send({ bytes, port = this.#remote?.port as number }: SendArguments, address: IpAddress): Error | undefined {
    try {
      if (this.#socket === undefined) this.#bind(0, undefined)
      const isSent = (this.#socket as UdpSocket).send(bytes, address, port, this.#stackPort.now())
      this.#stackPort.changed()
      return isSent ? undefined : connectError('ENOBUFS', { address, port }, undefined, 'send')
    } catch (error) {
      return this.#shape(error, address, port, 'send')
    }
  }

  #shape(error: unknown, address: IpAddress, port: number, syscall: string): Error {
    if (isShaped(error)) return error
    const code = localCode(error)
    const target = { address, port }
    return connectError(code, target, this.#stackPort.explain?.(code, target), syscall)
  }

  #ownAddress(host: string): IpAddress {
    const address = this.#names.find(host)
    if (address !== undefined) return address
    throw lookupError(host, new Error(`${host} is no name of this tunnel's own`))
  }

  #isOfType(address: IpAddress): boolean {
    return this.type === undefined || (address.length === 4) === (this.type === 'udp4')
  }

  get #anyAddress(): string {
    return this.type === 'udp4' ? '0.0.0.0' : '::'
  }

  /** Throws EBADF when it is not bound. */
  address(): AddressInfo {
    this.#mustBeOpen()
    if (this.#socket === undefined) throw ioError('EBADF', 'getsockname')
    const { port } = this.#socket
    if (this.#local !== undefined) return addressInfo(this.#local, port)
    return { address: this.#anyAddress, family: this.type === 'udp4' ? 'IPv4' : 'IPv6', port }
  }

  /** Throws ERR_SOCKET_DGRAM_NOT_CONNECTED when it is not connected. */
  remoteAddress(): AddressInfo {
    this.#mustBeOpen()
    if (this.#remote === undefined) throw notConnected()
    return addressInfo(this.#remote.address, this.#remote.port)
  }

  close(callback?: () => void): this {
    this.#mustBeOpen()
    this.#closed = true
    this.#names.close()
    this.#socket?.close()
    this.#socket = undefined
    this.release()
    this.#stackPort.changed()
    this.tellClosed(callback)
    return this
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closed) return
    await new Promise<void>(resolve => this.close(() => resolve()))
  }

  protected boundSocket(): UdpSocket | undefined {
    this.#mustBeOpen()
    return this.#socket
  }

  #mustBeOpen(): void {
    if (this.#closed) throw usageError('ERR_SOCKET_DGRAM_NOT_RUNNING', 'Not running')
  }
}

function notConnected(): Error {
  return usageError('ERR_SOCKET_DGRAM_NOT_CONNECTED', 'Not connected')
}

/** Already in the shape that a socket's error has. */
function isShaped(error: unknown): error is Error {
  return error instanceof Error && 'syscall' in error
}

// A TCP connection through the tunnel with the face of Node's net.Socket: same states, events and their order, errors and
// options. Behaviour follows Node 20's lib/net.js; one test runs the same assertions against both.
import type { SocketConnectOpts } from 'node:net'
import { addAbortSignal } from 'node:stream'
import { type Endpoint, formatAddress, type IpAddress } from '../core/base/address.js'
import type { TcpConnection } from '../core/netstack/stack.js'
import { readConnectArguments, refuseOptions, type TunnelConnectOptions } from './connect-options.js'
import { addressFamily, Dial } from './dial.js'
import { NamedStream } from './named-stream.js'
import type { TagConnectOptions } from './policy/tag-connect.js'
import { type ConnectMessage, publishError, publishStart, publishSuccess } from './socket-channels.js'
import { checkTimeout, ioError, type SocketError, usageError } from './socket-error.js'
import type { ConnectionEvents } from './socket-events.js'
import type { TunnelSocketOptions } from './socket-options.js'
import type { StackPort } from './stack-port.js'

/** A slab of the stack fills it; net's own 16 KiB would push back four times a slab. */
const defaultHighWaterMark = 64 * 1024
/** What a Node timer holds, ms. */
const longestTimeout = 2 ** 31 - 1
/** How long Linux waits before it probes an idle connection, ms: `setKeepAlive(true)` without a delay. */
const defaultKeepAliveDelay = 7_200_000

export type { TunnelSocketOptions } from './socket-options.js'

/** Told when a socket that it accepted is gone. */
export interface SocketParent {
  handleSocketGone(): void
}

/**
 * See {@link https://nodejs.org/api/net.html#class-netsocket}. What differs: Nagle's delay is off by default; the addresses
 * stay readable after 'close'; a reset behind the other's end is told at once; a signal aborted before connect() keeps the
 * socket closed; and TLS, where a side is to answer after the other's end, wants `allowHalfOpen`.
 */
export class TunnelSocket extends NamedStream {
  /** As set by {@link TunnelSocket.setTimeout}, ms. */
  declare timeout?: number
  /** For http, which sets it on the sockets it is given. */
  server: unknown = null
  readonly #signal: AbortSignal | undefined
  #parent: SocketParent | undefined
  #dial: Dial | undefined
  #ref = true
  #held = false
  #noDelay: boolean | undefined
  #keepAliveDelay: number | undefined
  #timer: NodeJS.Timeout | undefined
  #queuedBefore = 0
  #attempts: Endpoint[] = []
  #message: ConnectMessage | undefined

  /** @internal Not connected yet. */
  constructor(stackPort: StackPort, options: TunnelSocketOptions = {}) {
    refuseOptions(options)
    super(stackPort, options.allowHalfOpen ?? false, options.highWaterMark ?? defaultHighWaterMark)
    this.#signal = options.signal
    this.#noDelay = options.noDelay
    if (options.keepAlive) this.setKeepAlive(true, options.keepAliveInitialDelay)
    if (options.signal !== undefined) addAbortSignal(options.signal, this)
  }

  /** @internal A socket over a connection that a listener accepted. */
  static accepted(
    stackPort: StackPort,
    connection: TcpConnection,
    events: ConnectionEvents,
    parent: SocketParent,
    options: TunnelSocketOptions & { pause: boolean },
  ): TunnelSocket {
    const socket = new TunnelSocket(stackPort, options)
    socket.#parent = parent
    socket.adopt(connection, events)
    if (options.pause) socket.pause()
    socket.start()
    return socket
  }

  /**
   * Dials. Misuse throws; a failure comes as 'error'. The signatures are net.Socket's, so that a socket can be handed to whoever
   * connects one; without a host it throws ERR_MISSING_ARGS, as nothing in a tunnel is `localhost`, and for a path
   * ERR_INVALID_ARG_VALUE.
   */
  connect(options: TunnelConnectOptions | TagConnectOptions | SocketConnectOpts, listener?: () => void): this
  connect(port: number | string, host: string, listener?: () => void): this
  connect(port: number | string, listener?: () => void): this
  connect(...args: unknown[]): this {
    const { options, listener } = readConnectArguments(args)
    const dial = new Dial(this.stackPort, options, this)
    if (this.destroyed) {
      // As in net, a destroyed socket may be used again; one that was aborted stays so.
      if (this.#signal?.aborted) return this
      this.revive()
    }
    if (listener !== undefined) this.once('connect', listener)
    if (this.connecting) return this.destroy(ioError('EALREADY', 'connect'))
    if (this.connection !== undefined) return this.destroy(ioError('EISCONN', 'connect'))
    this.connecting = true
    this.#dial = dial
    this.#attempts = []
    this.#message = publishStart(this, options.host, Number(options.port))
    this.#hold()
    this.touch()
    process.nextTick(() => {
      if (this.#dial === dial) dial.start()
    })
    return this
  }

  /** @internal */
  protected override adopt(connection: TcpConnection, events: ConnectionEvents): void {
    super.adopt(connection, events)
    if (this.#noDelay !== undefined) connection.setNoDelay(this.#noDelay)
    if (this.#keepAliveDelay !== undefined) connection.setKeepAlive(true, this.#keepAliveDelay, this.stackPort.now())
    this.#hold()
  }

  /** @internal */
  protected override letGo(): void {
    clearTimeout(this.#timer)
    this.#dial?.cancel()
    this.#dial = undefined
    if (this.#message !== undefined) publishError(this.#message, this.errored ?? undefined)
    this.#message = undefined
    this.#release()
    this.#parent?.handleSocketGone()
    this.#parent = undefined
  }

  /** @internal */
  handleLookup(error: SocketError | null, address: IpAddress | undefined, host: string): void {
    this.emit('lookup', error, address && formatAddress(address), address && addressFamily(address), host)
  }

  /** @internal */
  handleAttempt(target: Endpoint): void {
    this.#attempts.push(target)
    const { address, port } = target
    this.emit('connectionAttempt', formatAddress(address), port, addressFamily(address))
  }

  /** @internal */
  handleFailedAttempt({ address, port }: Endpoint, error: SocketError): void {
    this.emit('connectionAttemptFailed', formatAddress(address), port, addressFamily(address), error)
  }

  /** @internal */
  handleFailed(error: SocketError): void {
    this.#dial = undefined
    this.destroy(error)
  }

  /** @internal */
  handleDialed(connection: TcpConnection, events: ConnectionEvents): void {
    this.#dial = undefined
    this.connecting = false
    this.adopt(connection, events)
    this.touch()
    if (this.#message !== undefined) publishSuccess(this.#message)
    this.#message = undefined
    this.emit('connect')
    this.emit('ready')
    this.start()
  }

  /** `ADDRESS:PORT` of each address that the last connect() tried. */
  get autoSelectFamilyAttemptedAddresses(): string[] {
    return this.#attempts.map(({ address, port }) => `${formatAddress(address)}:${port}`)
  }

  override write(chunk: unknown, callback?: (error?: Error | null) => void): boolean
  override write(chunk: unknown, encoding?: BufferEncoding, callback?: (error?: Error | null) => void): boolean
  override write(chunk: unknown, second?: unknown, third?: (error?: Error | null) => void): boolean {
    if (this.writableEnded && this.readableEnded && !this.allowHalfOpen) {
      const error = usageError('EPIPE', 'This socket has been ended by the other party')
      const callback = typeof second === 'function' ? second : third
      if (callback !== undefined) process.nextTick(callback, error)
      this.destroy(error)
      return false
    }
    return super.write(chunk, second as BufferEncoding, third)
  }

  /** Ends, and destroys once everything written was queued. */
  destroySoon(): void {
    if (this.writable) this.end()
    if (this.writableFinished) this.destroy()
    else this.once('finish', this.destroy)
  }

  /** Closes with a RST; a dial under way is awaited first. */
  resetAndDestroy(): this {
    if (this.connecting) return this.once('connect', this.resetAndDestroy)
    if (this.pending) return this.destroy(usageError('ERR_SOCKET_CLOSED', 'Socket is closed'))
    this.resetting = true
    return this.destroy()
  }

  /** 'timeout' after `ms` without traffic; 0 turns it off. The socket goes on: it is the listener who ends it. */
  setTimeout(ms: number, listener?: () => void): this {
    if (this.destroyed) return this
    checkTimeout(ms)
    this.timeout = ms
    clearTimeout(this.#timer)
    this.#timer = ms > 0 ? setTimeout(handleIdle, Math.min(ms, longestTimeout), this).unref() : undefined
    if (listener === undefined) return this
    return ms > 0 ? this.once('timeout', listener) : this.off('timeout', listener)
  }

  /** @internal A send queue that drains is traffic too. */
  handleIdle(): void {
    const queued = this.connection?.bytesQueued ?? 0
    if (queued > 0 && queued !== this.#queuedBefore) {
      this.#queuedBefore = queued
      this.touch()
    } else {
      this.emit('timeout')
    }
  }

  /** @internal */
  protected override touch(): void {
    this.#timer?.refresh()
  }

  setNoDelay(on = true): this {
    this.#noDelay = Boolean(on)
    this.connection?.setNoDelay(this.#noDelay)
    return this
  }

  /** Probes after `initialDelay` ms of silence, two hours by default. */
  setKeepAlive(on = false, initialDelay = 0): this {
    const delay = initialDelay > 0 ? initialDelay : defaultKeepAliveDelay
    this.#keepAliveDelay = on ? delay : undefined
    this.connection?.setKeepAlive(Boolean(on), delay, this.stackPort.now())
    if (!this.pending) this.stackPort.changed()
    return this
  }

  ref(): this {
    this.#ref = true
    if (this.connecting || !this.pending) this.#hold()
    return this
  }

  unref(): this {
    this.#ref = false
    this.#release()
    return this
  }

  #hold(): void {
    if (this.#held || !this.#ref) return
    this.#held = true
    this.stackPort.addRef()
  }

  #release(): void {
    if (!this.#held) return
    this.#held = false
    this.stackPort.release()
  }
}

function handleIdle(socket: TunnelSocket): void {
  socket.handleIdle()
}

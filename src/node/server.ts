// A TCP server on the tunnel's own addresses with the face of Node's net.Server.
import { EventEmitter } from 'node:events'
import type { IpAddress } from '../core/base/address.js'
import type { TcpConnection, TcpEvents, TcpListener } from '../core/netstack/stack.js'
import { refuseOptions } from './connect-options.js'
import { type AddressInfo, addressInfo } from './dial.js'
import { TunnelSocket } from './socket.js'
import { checkPort, localCode, localError, lookupError, usageError } from './socket-error.js'
import { ConnectionEvents } from './socket-events.js'
import type { StackPort } from './stack-port.js'

/** Every own address, as net writes it. */
const anyAddress = '::'

export interface TunnelServerOptions {
  allowHalfOpen?: boolean | undefined
  /** Accepted sockets are paused and read nothing until resumed. */
  pauseOnConnect?: boolean | undefined
  noDelay?: boolean | undefined
  keepAlive?: boolean | undefined
  /** ms. */
  keepAliveInitialDelay?: number | undefined
  /** Bytes buffered each way in accepted sockets. */
  highWaterMark?: number | undefined
}

export interface TunnelListenOptions {
  /** 0, the default, takes a free one. */
  port?: number | string | undefined
  /** One of the tunnel's own addresses, or a name of one; all of them by default. */
  host?: string | undefined
  /** Connections established and not yet accepted; the stack's default otherwise. */
  backlog?: number | undefined
  /** Closes the server when aborted. */
  signal?: AbortSignal | undefined
}

/** What a 'drop' event tells of a connection beyond maxConnections. */
export interface DroppedConnection {
  localAddress: string
  localPort: number
  localFamily: 'IPv4' | 'IPv6'
  remoteAddress: string
  remotePort: number
  remoteFamily: 'IPv4' | 'IPv6'
}

export interface TunnelServerEvents {
  connection: [socket: TunnelSocket]
  listening: []
  close: []
  error: [error: Error]
  drop: [connection: DroppedConnection]
}

/** See {@link https://nodejs.org/api/net.html#class-netserver}. */
export class TunnelServer extends EventEmitter<TunnelServerEvents> {
  readonly #stackPort: StackPort
  readonly #options: TunnelServerOptions
  #listener: TcpListener | undefined
  #host: IpAddress | undefined
  #unwatch: (() => void) | undefined
  #connections = 0
  #ref = true
  #held = false
  /** Connections beyond it are closed at once, with a 'drop' event; without bound by default, as in net. */
  maxConnections: number | undefined = undefined

  /** @internal Not listening yet. */
  constructor(stackPort: StackPort, options: TunnelServerOptions = {}, listener?: (socket: TunnelSocket) => void) {
    super()
    this.#stackPort = stackPort
    this.#options = options
    if (listener !== undefined) this.on('connection', listener)
  }

  /** Listens from now on; 'listening' or 'error' (EADDRINUSE, EADDRNOTAVAIL, ENOTFOUND) follows. Misuse throws. */
  listen(options: TunnelListenOptions, callback?: () => void): this
  listen(port?: number | string, host?: string, backlog?: number, callback?: () => void): this
  listen(port: number | string, host: string, callback?: () => void): this
  listen(port: number | string, callback?: () => void): this
  listen(callback?: () => void): this
  listen(...args: unknown[]): this {
    if (this.#listener !== undefined) {
      throw usageError('ERR_SERVER_ALREADY_LISTEN', 'Listen method has been called more than once without closing.')
    }
    const listenOptions = readListenArguments(args)
    refuseOptions(listenOptions)
    const { host, backlog, signal, ...options } = listenOptions
    const port = checkPort(options.port ?? 0, 0)
    const callback = args.at(-1)
    if (typeof callback === 'function') this.once('listening', callback as () => void)
    if (signal?.aborted) {
      process.nextTick(() => this.close())
      return this
    }
    try {
      this.#host = host === undefined || host === anyAddress || host === '0.0.0.0' ? undefined : this.#resolve(host)
      this.#listener = this.#stackPort.stack.listen(
        { port, ...(this.#host && { address: this.#host }), ...(backlog !== undefined && { backlog }) },
        connection => this.#accept(connection),
      )
    } catch (error) {
      const shaped =
        'syscall' in (error as object) ? error : localError(localCode(error), 'listen', host ?? anyAddress, port)
      process.nextTick(() => this.emit('error', shaped as Error))
      return this
    }
    if (signal !== undefined) {
      const abort = () => this.close()
      signal.addEventListener('abort', abort, { once: true })
      this.once('close', () => signal.removeEventListener('abort', abort))
    }
    this.#hold()
    this.#unwatch = this.#stackPort.whenClosed?.(() => this.close())
    this.#stackPort.changed()
    process.nextTick(() => {
      if (this.#listener !== undefined) this.emit('listening')
    })
    return this
  }

  #resolve(host: string): IpAddress {
    let addresses: readonly IpAddress[] | undefined
    try {
      addresses = this.#stackPort.lookup(host)
    } catch (cause) {
      throw lookupError(host, cause)
    }
    const [address] = addresses ?? []
    if (address === undefined) throw lookupError(host, new Error(`${host} is no name of this tunnel's own`))
    return address
  }

  #accept(connection: TcpConnection): TcpEvents {
    const events = new ConnectionEvents()
    const { maxConnections } = this
    if (maxConnections !== undefined && this.#connections >= maxConnections) {
      connection.destroy(this.#stackPort.now())
      events.run(() => this.emit('drop', describe(connection)))
      return events
    }
    this.#connections++
    events.run(() => {
      const { pauseOnConnect = false, ...options } = this.#options
      const socket = TunnelSocket.accepted(this.#stackPort, connection, events, this, {
        ...options,
        pause: pauseOnConnect,
      })
      this.emit('connection', socket)
    })
    return events
  }

  /** @internal */
  handleSocketGone(): void {
    this.#connections--
    this.#closeIfDrained()
  }

  get listening(): boolean {
    return this.#listener !== undefined
  }

  /** `::` where every own address is listened on; null when not listening. */
  address(): AddressInfo | null {
    if (this.#listener === undefined) return null
    const { port } = this.#listener
    return this.#host === undefined ? { address: anyAddress, family: 'IPv6', port } : addressInfo(this.#host, port)
  }

  getConnections(callback: (error: Error | null, count: number) => void): this {
    process.nextTick(callback, null, this.#connections)
    return this
  }

  /** Accepts no more; 'close' comes when the last accepted socket is gone. */
  close(callback?: (error?: Error) => void): this {
    const listener = this.#listener
    if (callback !== undefined) {
      const error = usageError('ERR_SERVER_NOT_RUNNING', 'Server is not running.')
      this.once('close', () => callback(...(listener === undefined ? [error] : [])))
    }
    this.#listener = undefined
    this.#unwatch?.()
    listener?.close()
    this.#release()
    this.#stackPort.changed()
    this.#closeIfDrained()
    return this
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#listener !== undefined) await new Promise<void>(resolve => this.close(() => resolve()))
  }

  #closeIfDrained(): void {
    if (this.#listener === undefined && this.#connections === 0) process.nextTick(() => this.emit('close'))
  }

  ref(): this {
    this.#ref = true
    if (this.#listener !== undefined) this.#hold()
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
    this.#stackPort.addRef()
  }

  #release(): void {
    if (!this.#held) return
    this.#held = false
    this.#stackPort.release()
  }
}

function readListenArguments(args: unknown[]): TunnelListenOptions {
  const [first, second, third] = args
  if (typeof first === 'object' && first !== null) return first
  // As net has it, text that is no number is a path.
  if (typeof first === 'string' && !(Number(first) >= 0)) return { path: first } as TunnelListenOptions
  return {
    ...((typeof first === 'number' || typeof first === 'string') && { port: first }),
    ...(typeof second === 'string' && second !== '' && { host: second }),
    ...(typeof second === 'number' ? { backlog: second } : typeof third === 'number' && { backlog: third }),
  }
}

function describe({ localAddress, localPort, remoteAddress, remotePort }: TcpConnection): DroppedConnection {
  const local = addressInfo(localAddress, localPort)
  const remote = addressInfo(remoteAddress, remotePort)
  return {
    localAddress: local.address,
    localPort,
    localFamily: local.family,
    remoteAddress: remote.address,
    remotePort,
    remoteFamily: remote.family,
  }
}

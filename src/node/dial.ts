// One dial: a name becomes addresses, and they are tried in order until one answers.
import { isIP } from 'node:net'
import { type Endpoint, formatAddress, type IpAddress, parseAddress } from '../core/base/address.js'
import type { SocketCode, TcpConnection } from '../core/netstack/stack.js'
import { checkPort, connectError, localCode, lookupError, type SocketError, usageError } from './socket-error.js'
import { ConnectionEvents, type ConnectionOwner } from './socket-events.js'
import type { StackPort } from './stack-port.js'

/** No address of several gets less of the timeout than this, ms; Go's net.Dialer divides it the same way. */
const leastShare = 2000

/** Where to, as net.connect takes it. */
export interface TunnelConnectOptions {
  /** A name that the tunnel knows, or an address. */
  host: string
  port: number | string
  /** Only addresses of this family; both by default. */
  family?: 0 | 4 | 6 | undefined
  /** One of the tunnel's own addresses; chosen by the target by default. */
  localAddress?: string | undefined
  /** A free port by default. */
  localPort?: number | undefined
  /** Bounds the whole dial, ms; ETIMEDOUT afterwards. By default only the retries of the SYN bound it, some two minutes. */
  timeout?: number | undefined
}

/** Who asked for a dial. */
export interface Dialing {
  /** @internal */
  handleLookup(error: SocketError | null, address: IpAddress | undefined, host: string): void
  /** @internal */
  handleAttempt(target: Endpoint): void
  /** @internal */
  handleFailedAttempt(target: Endpoint, error: SocketError): void
  /** @internal */
  handleDialed(connection: TcpConnection, events: ConnectionEvents): void
  /** @internal */
  handleFailed(error: SocketError): void
}

/** Checked when the call is made: misuse throws there, as it does in net. */
export class Dial implements ConnectionOwner {
  readonly #stackPort: StackPort
  readonly #dialing: Dialing
  readonly #host: string
  readonly #port: number
  readonly #family: number
  readonly #localAddress: IpAddress | undefined
  readonly #localPort: number | undefined
  readonly #timeout: number
  readonly #errors: SocketError[] = []
  #deadline = Number.POSITIVE_INFINITY
  #addresses: IpAddress[] = []
  #next = 0
  #target: Endpoint | undefined
  #connection: TcpConnection | undefined
  #events: ConnectionEvents | undefined

  constructor(stackPort: StackPort, options: TunnelConnectOptions, dialing: Dialing) {
    const { host, localAddress } = options
    if (typeof host !== 'string' || host === '') {
      throw usageError('ERR_MISSING_ARGS', 'The "options.host" argument must be specified', TypeError)
    }
    if (options.port === undefined) {
      throw usageError('ERR_MISSING_ARGS', 'The "options.port" argument must be specified', TypeError)
    }
    if (options.localPort !== undefined && typeof options.localPort !== 'number') {
      throw usageError('ERR_INVALID_ARG_TYPE', 'The "options.localPort" property must be of type number.', TypeError)
    }
    this.#stackPort = stackPort
    this.#dialing = dialing
    this.#host = host
    this.#port = checkPort(options.port, 1)
    this.#family = options.family ?? 0
    this.#timeout = options.timeout ?? 0
    this.#localPort = options.localPort === undefined ? undefined : checkPort(options.localPort, 0)
    this.#localAddress = localAddress === undefined ? undefined : parseAddress(localAddress)
    if (localAddress !== undefined && this.#localAddress === undefined) {
      throw usageError('ERR_INVALID_IP_ADDRESS', `Invalid IP address: ${localAddress}`, TypeError)
    }
  }

  start(): void {
    const length = this.#family === 4 ? 4 : this.#family === 6 ? 16 : 0
    const named = isIP(this.#host) === 0
    try {
      const found = this.#stackPort.lookup(this.#host)
      this.#addresses = length === 0 ? found : found.filter(address => address.length === length)
      if (this.#addresses.length === 0) throw new Error(`${this.#host} has no IPv${this.#family} address`)
    } catch (cause) {
      const error = lookupError(this.#host, cause)
      if (named) this.#dialing.handleLookup(error, undefined, this.#host)
      this.#dialing.handleFailed(error)
      return
    }
    if (named) this.#dialing.handleLookup(null, this.#addresses[0], this.#host)
    if (this.#timeout > 0) this.#deadline = this.#stackPort.now() + this.#timeout
    this.#attempt()
  }

  #attempt(): void {
    while (this.#next < this.#addresses.length) {
      const now = this.#stackPort.now()
      const left = this.#addresses.length - this.#next
      const address = this.#addresses[this.#next++] as IpAddress
      const target = { address, port: this.#port }
      const remaining = this.#deadline - now
      if (remaining <= 0) break
      this.#target = target
      this.#dialing.handleAttempt(target)
      const events = new ConnectionEvents(this)
      this.#events = events
      try {
        this.#connection = this.#stackPort.stack.connect(
          {
            address,
            port: this.#port,
            ...(this.#localAddress !== undefined && { localAddress: this.#localAddress }),
            ...(this.#localPort !== undefined && this.#localPort !== 0 && { localPort: this.#localPort }),
            ...(remaining < Number.POSITIVE_INFINITY && {
              timeout: Math.max(remaining / left, Math.min(remaining, leastShare)),
            }),
          },
          events,
          now,
        )
      } catch (error) {
        events.detach()
        this.#failed(target, localCode(error))
        continue
      }
      this.#stackPort.changed()
      return
    }
    this.#dialing.handleFailed(this.#verdict())
  }

  #failed(target: Endpoint, code: string): void {
    const error = connectError(code, target, this.#stackPort.explain?.(code, target))
    this.#errors.push(error)
    this.#dialing.handleFailedAttempt(target, error)
  }

  /** One error alone as it is; several as net has them, told by the one that came farthest: from a host, not from our routes. */
  #verdict(): SocketError {
    const [first, ...others] = this.#errors
    if (first === undefined)
      return connectError('ETIMEDOUT', { address: this.#addresses[0] as IpAddress, port: this.#port })
    if (others.length === 0) return first
    const telling = this.#errors.find(error => error.code !== 'ENETUNREACH') ?? first
    const { code, errno, syscall, address, port, cause } = telling
    const told = { errno, code, syscall, address, port, ...(cause !== undefined && { cause }) }
    return Object.assign(new AggregateError(this.#errors, telling.message), told) as SocketError
  }

  handleConnected(events: ConnectionEvents): void {
    const connection = this.#connection as TcpConnection
    this.#connection = undefined
    this.#events = undefined
    this.#dialing.handleDialed(connection, events)
  }

  handleClosed(code: SocketCode | undefined): void {
    this.#events?.detach()
    this.#events = undefined
    this.#connection = undefined
    this.#failed(this.#target as Endpoint, code ?? 'ECONNABORTED')
    this.#attempt()
  }

  handleReadable(): void {}

  handleWritable(): void {}

  /** Gives up quietly; the attempt under way leaves no half-open connection behind. */
  cancel(): void {
    this.#events?.detach()
    this.#connection?.destroy(this.#stackPort.now())
    this.#connection = undefined
    this.#next = this.#addresses.length
    this.#stackPort.changed()
  }
}

/** What net calls an address. */
export interface AddressInfo {
  address: string
  family: 'IPv4' | 'IPv6'
  port: number
}

export function addressInfo(address: IpAddress, port: number): AddressInfo {
  return { address: formatAddress(address), family: addressFamily(address) === 4 ? 'IPv4' : 'IPv6', port }
}

export function addressFamily(address: IpAddress): 4 | 6 {
  return address.length === 4 ? 4 : 6
}

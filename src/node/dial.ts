// One dial: a name becomes addresses, which are tried as they come (RFC 8305).
import { isIP } from 'node:net'
import { type Endpoint, formatAddress, type IpAddress, parseAddress } from '../core/base/address.js'
import type { TcpConnection } from '../core/netstack/stack.js'
import { Race, type RaceOwner } from './race.js'
import { checkPort, ioError, lookupError, type SocketError, usageError } from './socket-error.js'
import type { ConnectionEvents } from './socket-events.js'
import type { NameListener, StackPort } from './stack-port.js'

/** Resolution Delay, ms (RFC 8305, section 8). */
const resolutionDelay = 50

/** Where to, as net.connect takes it. */
export interface TunnelConnectOptions {
  /** A name that the configuration or DNS in the tunnel knows, or an address. */
  host: string
  port: number | string
  /** Only addresses of this family; both by default. */
  family?: 0 | 4 | 6 | undefined
  /** One of the tunnel's own addresses; chosen by the target by default. */
  localAddress?: string | undefined
  /** A free port by default. */
  localPort?: number | undefined
  /** Bounds the whole dial, the look-up included, ms; ETIMEDOUT afterwards. By default only the retries of the SYN bound it, some two minutes. */
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
export class Dial implements NameListener, RaceOwner {
  readonly #stackPort: StackPort
  readonly #dialing: Dialing
  readonly #host: string
  readonly #port: number
  readonly #family: 0 | 4 | 6
  readonly #localAddress: IpAddress | undefined
  readonly #localPort: number | undefined
  readonly #timeout: number
  #race: Race | undefined
  #endLookup: (() => void) | undefined
  /** Families whose addresses are still to come. */
  #awaited = new Set<4 | 6>()
  /** IPv4 addresses that wait a moment for IPv6. */
  #held: readonly IpAddress[] = []
  #timer: NodeJS.Timeout | undefined

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
    const deadline = this.#timeout > 0 ? this.#stackPort.now() + this.#timeout : Number.POSITIVE_INFINITY
    const local = { localAddress: this.#localAddress, localPort: this.#localPort }
    this.#race = new Race(this.#stackPort, { port: this.#port, deadline, ...local }, this)
    let known: IpAddress[] | undefined
    try {
      known = this.#stackPort.lookup(this.#host)
    } catch (cause) {
      this.handleEnd(cause as Error)
      return
    }
    if (known === undefined) this.#ask()
    else this.#tryKnown(known)
  }

  #tryKnown(known: readonly IpAddress[]): void {
    const family = this.#family
    const usable = family === 0 ? known : known.filter(address => addressFamily(address) === family)
    if (usable.length === 0) this.handleEnd(new Error(`${this.#host} has no IPv${family} address`))
    else {
      this.#tell(usable)
      this.#race?.add(usable)
      this.#race?.complete()
    }
  }

  /** Of a family that the tunnel has no address of, nothing is wanted. */
  #ask(): void {
    const own = new Set(this.#stackPort.stack.ownAddresses.map(addressFamily))
    const [first] = own
    const family = this.#family === 0 && own.size === 1 ? (first as 4 | 6) : this.#family
    this.#awaited = new Set(family === 0 ? [4, 6] : [family])
    this.#endLookup = this.#stackPort.resolve(this.#host, { family, timeout: this.#timeout }, this)
  }

  #tell(addresses: readonly IpAddress[]): void {
    if (isIP(this.#host) !== 0) return
    for (const address of addresses) this.#dialing.handleLookup(null, address, this.#host)
  }

  /** IPv6 begins at once; IPv4 alone waits for it, but not for long (RFC 8305, section 3). */
  handleAddresses(family: 4 | 6, addresses: readonly IpAddress[]): void {
    this.#tell(addresses)
    this.#awaited.delete(family)
    if (family === 4 && this.#awaited.has(6)) {
      this.#held = addresses
      this.#timer = setTimeout(() => this.#release(), resolutionDelay).unref()
      return
    }
    this.#race?.add(addresses)
    this.#release()
  }

  #release(): void {
    clearTimeout(this.#timer)
    const held = this.#held
    this.#held = []
    this.#race?.add(held)
  }

  handleEnd(cause: Error | undefined): void {
    this.#endLookup = undefined
    if (cause === undefined) {
      this.#release()
      this.#race?.complete()
      return
    }
    const error = lookupError(this.#host, cause)
    if (isIP(this.#host) === 0) this.#dialing.handleLookup(error, undefined, this.#host)
    this.#dialing.handleFailed(error)
  }

  handleAttempt(target: Endpoint): void {
    this.#dialing.handleAttempt(target)
  }

  handleFailedAttempt(target: Endpoint, error: SocketError): void {
    this.#dialing.handleFailedAttempt(target, error)
  }

  handleWon(connection: TcpConnection, events: ConnectionEvents): void {
    this.cancel()
    this.#dialing.handleDialed(connection, events)
  }

  /** One error alone as it is; several as net has them, told by the one that came farthest: from a host, not from our routes. */
  handleLost(errors: readonly SocketError[]): void {
    this.cancel()
    const [first, ...others] = errors
    if (first === undefined || others.length === 0) {
      this.#dialing.handleFailed(first ?? Object.assign(ioError('ETIMEDOUT', 'connect'), { port: this.#port }))
      return
    }
    const telling = errors.find(error => error.code !== 'ENETUNREACH') ?? first
    const { code, errno, syscall, address, port, cause } = telling
    const told = { errno, code, syscall, address, port, ...(cause !== undefined && { cause }) }
    this.#dialing.handleFailed(Object.assign(new AggregateError(errors, telling.message), told) as SocketError)
  }

  /** Gives up quietly; what is under way leaves no half-open connection behind. */
  cancel(): void {
    clearTimeout(this.#timer)
    this.#endLookup?.()
    this.#endLookup = undefined
    this.#race?.cancel()
    this.#race = undefined
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

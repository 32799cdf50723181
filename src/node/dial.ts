// One dial: a name becomes addresses, which are tried as they come (RFC 8305).
import { isIP, type LookupFunction } from 'node:net'
import { type Endpoint, formatAddress, type IpAddress } from '../core/base/address.js'
import type { TcpConnection } from '../core/netstack/stack.js'
import { type DialOptions, readConnectOptions, type TunnelConnectOptions } from './connect-options.js'
import { askOther } from './other-lookup.js'
import { Race, type RaceOwner } from './race.js'
import { ioError, lookupError, type SocketError } from './socket-error.js'
import type { ConnectionEvents } from './socket-events.js'
import type { NameListener, StackPort } from './stack-port.js'

/** Resolution Delay, ms (RFC 8305, section 8). */
const resolutionDelay = 50

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
  readonly #options: DialOptions
  #race: Race | undefined
  #endLookup: (() => void) | undefined
  /** Families whose addresses are still to come. */
  #awaited = new Set<4 | 6>()
  /** IPv4 addresses that wait a moment for IPv6. */
  #held: readonly IpAddress[] = []
  #timer: NodeJS.Timeout | undefined

  constructor(stackPort: StackPort, options: TunnelConnectOptions, dialing: Dialing) {
    this.#options = readConnectOptions(options)
    this.#stackPort = stackPort
    this.#dialing = dialing
  }

  start(): void {
    const { host, port, localAddress, localPort, connectTimeout, attemptDelay, blockList, lookup } = this.#options
    const deadline = connectTimeout > 0 ? this.#stackPort.now() + connectTimeout : Number.POSITIVE_INFINITY
    const race = { port, deadline, localAddress, localPort, attemptDelay, blockList }
    this.#race = new Race(this.#stackPort, race, this)
    let known: IpAddress[] | undefined
    try {
      if (lookup !== undefined && isIP(host) === 0) {
        this.#askOther(lookup)
        return
      }
      known = this.#stackPort.lookup(host)
    } catch (cause) {
      this.handleEnd(cause as Error)
      return
    }
    if (known === undefined) this.#ask()
    else this.#tryKnown(known)
  }

  #tryKnown(known: readonly IpAddress[]): void {
    const { host, family, autoSelectFamily } = this.#options
    const usable = family === 0 ? known : known.filter(address => addressFamily(address) === family)
    if (usable.length === 0) this.handleEnd(new Error(`${host} has no IPv${family} address`))
    else {
      const tried = autoSelectFamily ? usable : usable.slice(0, 1)
      this.#tell(tried)
      this.#race?.add(tried)
      this.#race?.complete()
    }
  }

  /** Of a family that the tunnel has no address of, nothing is wanted. */
  #ask(): void {
    const { host, connectTimeout } = this.#options
    const own = new Set(this.#stackPort.stack.ownAddresses.map(addressFamily))
    const [first] = own
    const family = this.#options.family === 0 && own.size === 1 ? (first as 4 | 6) : this.#options.family
    this.#awaited = new Set(family === 0 ? [4, 6] : [family])
    this.#endLookup = this.#stackPort.resolve(host, { family, timeout: connectTimeout }, this)
  }

  /** What it says of a failure is the socket's error as it stands. */
  #askOther(lookup: LookupFunction): void {
    const { host, family, hints, autoSelectFamily, connectTimeout } = this.#options
    if (connectTimeout > 0) this.#timer = setTimeout(() => this.handleLost([]), connectTimeout).unref()
    const options = { family, hints, all: autoSelectFamily && family === 0 }
    this.#endLookup = askOther(lookup, host, options, (error, addresses) => {
      clearTimeout(this.#timer)
      if (error === undefined) {
        this.#tryKnown(addresses)
        return
      }
      this.#dialing.handleLookup(error, undefined, host)
      this.#dialing.handleFailed(error)
    })
  }

  #tell(addresses: readonly IpAddress[]): void {
    const { host } = this.#options
    if (isIP(host) !== 0) return
    for (const address of addresses) this.#dialing.handleLookup(null, address, host)
  }

  /** IPv6 begins at once; IPv4 alone waits for it, but not for long (RFC 8305, section 3). */
  handleAddresses(family: 4 | 6, addresses: readonly IpAddress[]): void {
    this.#awaited.delete(family)
    if (!this.#options.autoSelectFamily) {
      this.#held = family === 6 ? [...addresses, ...this.#held] : [...this.#held, ...addresses]
      return
    }
    this.#tell(addresses)
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
    const { host, autoSelectFamily } = this.#options
    if (cause === undefined) {
      if (!autoSelectFamily) {
        this.#held = this.#held.slice(0, 1)
        this.#tell(this.#held)
      }
      this.#release()
      this.#race?.complete()
      return
    }
    const error = lookupError(host, cause)
    if (isIP(host) === 0) this.#dialing.handleLookup(error, undefined, host)
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
      this.#dialing.handleFailed(first ?? Object.assign(ioError('ETIMEDOUT', 'connect'), { port: this.#options.port }))
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

// Happy eyeballs (RFC 8305, section 5): a host's addresses are tried one after the other without waiting for each to fail, the
// families in turn. The first that answers has won, and the others are reset.
import type { BlockList } from 'node:net'
import { type Endpoint, formatAddress, type IpAddress } from '../core/base/address.js'
import type { SocketCode, TcpConnection } from '../core/netstack/stack.js'
import { connectError, localCode, type SocketError } from './socket-error.js'
import { ConnectionEvents, type ConnectionOwner } from './socket-events.js'
import type { StackPort } from './stack-port.js'

/** Connection Attempt Delay, ms (RFC 8305, section 8), and the least of it where a short timeout has to do for many addresses. */
const attemptDelay = 250
const leastAttemptDelay = 10

export interface RaceOptions {
  readonly port: number
  readonly localAddress: IpAddress | undefined
  readonly localPort: number | undefined
  /** Of the stack's clock; Infinity for none. */
  readonly deadline: number
  /** ms; undefined for {@link attemptDelay}. */
  readonly attemptDelay: number | undefined
  /** Addresses that are not dialled. */
  readonly blockList: BlockList | undefined
}

export interface RaceOwner {
  handleAttempt(target: Endpoint): void
  handleFailedAttempt(target: Endpoint, error: SocketError): void
  handleWon(connection: TcpConnection, events: ConnectionEvents): void
  /** Every address failed, in the order in which they did. */
  handleLost(errors: readonly SocketError[]): void
}

export class Race {
  readonly #stackPort: StackPort
  readonly #options: RaceOptions
  readonly #owner: RaceOwner
  readonly #running = new Set<Attempt>()
  readonly #errors: SocketError[] = []
  readonly #waiting: Record<4 | 16, IpAddress[]> = { 4: [], 16: [] }
  /** The family whose turn it is. */
  #turn: 4 | 16 | undefined
  #nextAt = 0
  #timer: NodeJS.Timeout | undefined
  #complete = false
  #over = false

  constructor(stackPort: StackPort, options: RaceOptions, owner: RaceOwner) {
    this.#stackPort = stackPort
    this.#options = options
    this.#owner = owner
  }

  /** More addresses, best first; the first decides which family begins. */
  add(addresses: readonly IpAddress[]): void {
    for (const address of addresses) this.#waiting[address.length as 4 | 16].push(address)
    this.#turn ??= addresses[0]?.length as 4 | 16 | undefined
    this.#goOn()
  }

  /** No more will come. */
  complete(): void {
    this.#complete = true
    this.#goOn()
  }

  get #isWaiting(): boolean {
    return this.#waiting[4].length + this.#waiting[16].length > 0
  }

  /** Starts what may be started, and sees whether it is all over. */
  #goOn(): void {
    clearTimeout(this.#timer)
    while (!this.#over && this.#isWaiting) {
      const now = this.#stackPort.now()
      if (now >= this.#options.deadline) break
      if (this.#running.size > 0 && now < this.#nextAt) {
        this.#timer = setTimeout(() => this.#goOn(), Math.ceil(this.#nextAt - now)).unref()
        return
      }
      this.#start(this.#takeNext(), now)
    }
    if (this.#over || this.#running.size > 0 || !(this.#complete || this.#isWaiting)) return
    this.#over = true
    this.#owner.handleLost(this.#errors)
  }

  #takeNext(): IpAddress {
    const turn = this.#turn as 4 | 16
    const other = turn === 4 ? 16 : 4
    this.#turn = other
    return (this.#waiting[turn].shift() ?? this.#waiting[other].shift()) as IpAddress
  }

  #start(address: IpAddress, now: number): void {
    const { port, localAddress, localPort, deadline, blockList } = this.#options
    const target = { address, port }
    const left = this.#waiting[4].length + this.#waiting[16].length + 1
    this.#nextAt =
      now + Math.max(leastAttemptDelay, Math.min(this.#options.attemptDelay ?? attemptDelay, (deadline - now) / left))
    this.#owner.handleAttempt(target)
    if (this.#over) return
    if (blockList?.check(formatAddress(address), address.length === 4 ? 'ipv4' : 'ipv6')) {
      this.#note(target, 'ERR_IP_BLOCKED')
      return
    }
    const attempt = new Attempt(this, target)
    try {
      attempt.connection = this.#stackPort.stack.connect(
        {
          address,
          port,
          ...(localAddress && { localAddress }),
          ...(localPort !== undefined && localPort !== 0 && { localPort }),
          ...(deadline < Number.POSITIVE_INFINITY && { timeout: deadline - now }),
        },
        attempt.events,
        now,
      )
    } catch (error) {
      attempt.events.detach()
      this.#note(target, localCode(error))
      return
    }
    this.#running.add(attempt)
    this.#stackPort.changed()
  }

  #note(target: Endpoint, code: string): void {
    const error = connectError(code, target, this.#stackPort.explain?.(code, target))
    this.#errors.push(error)
    this.#owner.handleFailedAttempt(target, error)
  }

  /** @internal */
  handleConnected(attempt: Attempt): void {
    this.#running.delete(attempt)
    this.cancel()
    this.#owner.handleWon(attempt.connection as TcpConnection, attempt.events)
  }

  /** @internal The next need not wait then. */
  handleClosed(attempt: Attempt, code: SocketCode | undefined): void {
    attempt.events.detach()
    this.#running.delete(attempt)
    this.#nextAt = 0
    this.#note(attempt.target, code ?? 'ECONNABORTED')
    this.#goOn()
  }

  /** Ends quietly; what is under way leaves no half-open connection behind. */
  cancel(): void {
    this.#over = true
    clearTimeout(this.#timer)
    for (const { connection, events } of this.#running) {
      events.detach()
      connection?.reset(this.#stackPort.now())
    }
    if (this.#running.size > 0) this.#stackPort.changed()
    this.#running.clear()
  }
}

class Attempt implements ConnectionOwner {
  readonly #race: Race
  readonly target: Endpoint
  readonly events = new ConnectionEvents(this)
  connection: TcpConnection | undefined

  constructor(race: Race, target: Endpoint) {
    this.#race = race
    this.target = target
  }

  handleConnected(): void {
    this.#race.handleConnected(this)
  }

  handleClosed(code: SocketCode | undefined): void {
    this.#race.handleClosed(this, code)
  }

  handleReadable(): void {}

  handleWritable(): void {}
}

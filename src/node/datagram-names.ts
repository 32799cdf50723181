// Names that a datagram socket sends to: those of the configuration at once, those of DNS a moment later, as in dgram.
import { isIP, type LookupFunction } from 'node:net'
import type { IpAddress } from '../core/base/address.js'
import type { DatagramOptions } from './datagram-arguments.js'
import { askOther } from './other-lookup.js'
import { ioError, localCode, lookupError } from './socket-error.js'
import type { StackPort } from './stack-port.js'

/** Messages that wait for their name, by default. */
const defaultLookupQueue = 64

/** Gets the address, or the socket's error. */
export type FoundAddress = (error: Error | undefined, address: IpAddress | undefined) => void

export class DatagramNames {
  readonly #stackPort: StackPort
  readonly #family: 0 | 4 | 6
  readonly #most: number
  readonly #lookup: LookupFunction | undefined
  readonly #waiting = new Set<() => void>()

  constructor(
    stackPort: StackPort,
    type: 'udp4' | 'udp6' | undefined,
    most = defaultLookupQueue,
    lookup?: DatagramOptions['lookup'],
  ) {
    this.#stackPort = stackPort
    this.#lookup = lookup as LookupFunction | undefined
    this.#family = type === undefined ? 0 : type === 'udp4' ? 4 : 6
    this.#most = most
  }

  /** Without a host it is ourselves. Undefined where DNS has to be asked first. Throws ENOTFOUND, as a socket's error. */
  find(host: string | undefined): IpAddress | undefined {
    if (this.#lookup !== undefined && host !== undefined && isIP(host) === 0) return undefined
    let addresses: readonly IpAddress[] | undefined
    try {
      addresses = host === undefined ? this.#stackPort.stack.ownAddresses : this.#stackPort.lookup(host)
    } catch (cause) {
      throw lookupError(host as string, cause)
    }
    if (addresses === undefined) return undefined
    const address = addresses.find(each => this.#isUsable(each))
    if (address === undefined) throw lookupError(host ?? 'localhost', new Error(`no IPv${this.#family} address`))
    return address
  }

  #isUsable({ length }: IpAddress): boolean {
    return this.#family === 0 || (length === 4) === (this.#family === 4)
  }

  /**
   * Calls `found` at once for an address and a name of the configuration, after DNS has told otherwise, and not at all once the
   * socket was closed. `hold` is called before the wait.
   */
  whenFound(host: string | undefined, syscall: string, hold: () => void, found: FoundAddress): void {
    let address: IpAddress | undefined
    try {
      address = this.find(host)
      if (address === undefined) {
        if (this.#waiting.size >= this.#most) throw ioError('ENOBUFS', syscall)
        hold()
      }
    } catch (error) {
      found('syscall' in (error as Error) ? (error as Error) : ioError(localCode(error), syscall), undefined)
      return
    }
    if (address === undefined) this.#ask(host as string, found)
    else found(undefined, address)
  }

  #ask(host: string, found: FoundAddress): void {
    if (this.#lookup === undefined) this.#askTunnel(host, found)
    else this.#askOther(this.#lookup, host, found)
  }

  #askOther(lookup: LookupFunction, host: string, found: FoundAddress): void {
    const waiting = () => cancel()
    this.#waiting.add(waiting)
    const cancel = askOther(lookup, host, { family: this.#family }, (error, addresses) => {
      // A lookup that answers at once must not overtake what it was called from.
      process.nextTick(() => {
        if (!this.#waiting.delete(waiting)) return
        const address = addresses.find(each => this.#isUsable(each))
        const failure = address === undefined ? lookupError(host, new Error('no usable address')) : undefined
        found(error ?? failure, address)
      })
    })
  }

  #askTunnel(host: string, found: FoundAddress): void {
    const own = this.#stackPort.stack.ownAddresses
    let best: IpAddress | undefined
    const cancel = this.#stackPort.resolve(
      host,
      { family: this.#family },
      {
        handleAddresses: (_family, addresses) => {
          const isBetter = best === undefined || !own.some(({ length }) => length === best?.length)
          if (isBetter) best = addresses[0] ?? best
        },
        handleEnd: cause => {
          this.#waiting.delete(cancel)
          found(cause && lookupError(host, cause), best)
        },
      },
    )
    this.#waiting.add(cancel)
  }

  close(): void {
    for (const cancel of this.#waiting) cancel()
    this.#waiting.clear()
  }
}

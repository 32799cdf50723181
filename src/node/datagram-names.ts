// Names that a datagram socket sends to: those of the configuration at once, those of DNS a moment later, as in dgram.
import type { IpAddress } from '../core/base/address.js'
import { ioError, lookupError } from './socket-error.js'
import type { StackPort } from './stack-port.js'

/** Messages that wait for their name, by default. */
const defaultLookupQueue = 64

export class DatagramNames {
  readonly #stackPort: StackPort
  readonly #family: 0 | 4 | 6
  readonly #most: number
  readonly #waiting = new Set<() => void>()

  constructor(stackPort: StackPort, type: 'udp4' | 'udp6' | undefined, most = defaultLookupQueue) {
    this.#stackPort = stackPort
    this.#family = type === undefined ? 0 : type === 'udp4' ? 4 : 6
    this.#most = most
  }

  /** Without a host it is ourselves. Undefined where DNS has to be asked first. Throws ENOTFOUND, as a socket's error. */
  find(host: string | undefined): IpAddress | undefined {
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

  /** Asks DNS. `found` gets the address, or the socket's error; it is not called any more once the socket was closed. */
  ask(host: string, syscall: string, found: (error: Error | undefined, address: IpAddress | undefined) => void): void {
    if (this.#waiting.size >= this.#most) {
      process.nextTick(found, ioError('ENOBUFS', syscall), undefined)
      return
    }
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

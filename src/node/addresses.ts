// All addresses of a name at once, for whoever does not race them.
import type { IpAddress } from '../core/base/address.js'
import type { StackPort } from './stack-port.js'

export interface AddressesOptions {
  /** Both by default, IPv6 first where DNS tells. */
  readonly family?: 0 | 4 | 6
  readonly signal?: AbortSignal | undefined
  readonly timeout?: number
}

/**
 * Resolves with at least one address of a literal, of a name of the configuration or of DNS in the tunnel, those first that a
 * source address is there for. Rejects with a TunnelError (UNKNOWN_HOST, DNS_UNAVAILABLE …) or the signal's reason.
 */
export function findAddresses(
  port: Pick<StackPort, 'lookup' | 'resolve' | 'stack'>,
  host: string,
  options: AddressesOptions = {},
): Promise<IpAddress[]> {
  const { family = 0, signal, timeout = 0 } = options
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted()
    const known = port.lookup(host)
    if (known !== undefined) {
      resolve(known)
      return
    }
    const found: Record<4 | 6, readonly IpAddress[]> = { 4: [], 6: [] }
    const abort = () => {
      cancel()
      reject(signal?.reason)
    }
    const cancel = port.resolve(
      host,
      { family, timeout },
      {
        handleAddresses: (of, addresses) => {
          found[of] = addresses
        },
        handleEnd: error => {
          signal?.removeEventListener('abort', abort)
          if (error !== undefined) reject(error)
          else resolve(reachableFirst([...found[6], ...found[4]], port))
        },
      },
    )
    signal?.addEventListener('abort', abort)
  })
}

function reachableFirst(addresses: IpAddress[], { stack }: Pick<StackPort, 'stack'>): IpAddress[] {
  const isReachable = ({ length }: IpAddress) => stack.ownAddresses.some(own => own.length === length)
  return [...addresses.filter(isReachable), ...addresses.filter(address => !isReachable(address))]
}

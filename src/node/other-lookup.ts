// A `lookup` that the caller of connect() brought along, asked as net asks it; what it gives is dialled through the tunnel.
import type { LookupAddress, LookupOptions } from 'node:dns'
import type { LookupFunction } from 'node:net'
import { type IpAddress, parseAddress } from '../core/base/address.js'
import { usageError } from './socket-error.js'

/** Tells once, unless what it returns was called before: addresses, or the error as it was given. */
export function askOther(
  lookup: LookupFunction,
  host: string,
  options: LookupOptions,
  told: (error: Error | undefined, addresses: readonly IpAddress[]) => void,
): () => void {
  let isOver = false
  const tell = (error: Error | undefined, addresses: readonly IpAddress[]) => {
    if (isOver) return
    isOver = true
    told(error, addresses)
  }
  const answer = (error: Error | null | undefined, found: string | LookupAddress[]) => {
    if (error) {
      tell(error, [])
      return
    }
    const addresses: IpAddress[] = []
    for (const text of Array.isArray(found) ? found.map(one => one.address) : [found]) {
      const address = typeof text === 'string' ? parseAddress(text) : undefined
      if (address === undefined) {
        tell(usageError('ERR_INVALID_IP_ADDRESS', `Invalid IP address: ${String(text)}`, TypeError), [])
        return
      }
      addresses.push(address)
    }
    tell(undefined, addresses)
  }
  try {
    lookup(host, options, answer)
  } catch (error) {
    tell(error as Error, [])
  }
  return () => {
    isOver = true
  }
}

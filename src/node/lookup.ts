// tunnel.lookup: dns.lookup's shape over the tunnel's names, with a callback or as a promise, so that it can be handed to what
// takes a `lookup` (net, http, undici, pg …).
import type { LookupAddress, LookupAllOptions, LookupOneOptions, LookupOptions } from 'node:dns'
import { isIP } from 'node:net'
import { promisify } from 'node:util'
import { formatAddress } from '../core/base/address.js'
import { findAddresses } from './addresses.js'
import { addressFamily } from './dial.js'
import { lookupError, usageError } from './socket-error.js'
import type { StackPort } from './stack-port.js'

type OneCallback = (error: NodeJS.ErrnoException | null, address: string, family: number) => void
type AllCallback = (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void
type AnyCallback = (error: NodeJS.ErrnoException | null, address: string | LookupAddress[], family?: number) => void

/** What dns.lookup's options are given beside. */
interface Abortable {
  /** Ends it with the signal's reason. */
  signal?: AbortSignal | undefined
}

/**
 * See {@link https://nodejs.org/api/dns.html#dnslookuphostname-options-callback}: `family`, `all`, `order` and `verbatim` are
 * heeded, `hints` are not; a `signal` is new. Fails with ENOTFOUND, or EAI_AGAIN where no server gave an answer; the `cause` is a
 * TunnelError. Needs no `this`.
 */
export interface TunnelLookup {
  (hostname: string, callback: OneCallback): void
  (hostname: string, options: (LookupOneOptions & Abortable) | number, callback: OneCallback): void
  (hostname: string, options: LookupAllOptions & Abortable, callback: AllCallback): void
  (hostname: string, options: LookupOptions & Abortable, callback: AnyCallback): void
  (hostname: string, options?: (LookupOneOptions & Abortable) | number): Promise<LookupAddress>
  (hostname: string, options: LookupAllOptions & Abortable): Promise<LookupAddress[]>
  (hostname: string, options: LookupOptions & Abortable): Promise<LookupAddress | LookupAddress[]>
}

export function createLookup(port: StackPort): TunnelLookup {
  function lookup(
    hostname: string,
    second?: (LookupOptions & Abortable) | number | AnyCallback,
    third?: AnyCallback,
  ): Promise<LookupAddress | LookupAddress[]> | undefined {
    const callback = typeof second === 'function' ? second : third
    const options: LookupOptions & Abortable =
      typeof second === 'number' ? { family: second } : typeof second === 'object' ? second : {}
    const { all, family, order } = readOptions(hostname, options, callback)
    const found = find(port, hostname, family, order, options.signal)
    if (callback === undefined) return found.then(addresses => (all ? addresses : (addresses[0] as LookupAddress)))
    found.then(
      addresses => {
        const [first] = addresses as [LookupAddress]
        if (all) process.nextTick(callback, null, addresses)
        else process.nextTick(callback, null, first.address, first.family)
      },
      error => process.nextTick(callback, error),
    )
    return undefined
  }
  // As that of dns.lookup gives an object, not the address alone.
  return Object.assign(lookup as TunnelLookup, { [promisify.custom]: lookup })
}

type Order = 'verbatim' | 'ipv4first' | 'ipv6first'

function readOptions(
  hostname: unknown,
  { all = false, family = 0, order, verbatim = true }: LookupOptions,
  callback: unknown,
): { all: boolean; family: 0 | 4 | 6; order: Order } {
  if (typeof hostname !== 'string') {
    throw usageError('ERR_INVALID_ARG_TYPE', 'The "hostname" argument must be of type string.', TypeError)
  }
  if (callback !== undefined && typeof callback !== 'function') {
    throw usageError('ERR_INVALID_ARG_TYPE', 'The "callback" argument must be of type function.', TypeError)
  }
  const number = family === 'IPv4' ? 4 : family === 'IPv6' ? 6 : family
  if (number !== 0 && number !== 4 && number !== 6) {
    const message = `The property 'options.family' must be one of: 0, 4, 6. Received ${String(family)}`
    throw usageError('ERR_INVALID_ARG_VALUE', message, TypeError)
  }
  const wanted = order ?? (verbatim ? 'verbatim' : 'ipv4first')
  if (wanted !== 'verbatim' && wanted !== 'ipv4first' && wanted !== 'ipv6first') {
    const message = `The property 'options.order' must be one of: 'verbatim', 'ipv4first', 'ipv6first'. Received ${String(order)}`
    throw usageError('ERR_INVALID_ARG_VALUE', message, TypeError)
  }
  return { all, family: number, order: wanted }
}

async function find(
  port: StackPort,
  hostname: string,
  family: 0 | 4 | 6,
  order: Order,
  signal: AbortSignal | undefined,
): Promise<LookupAddress[]> {
  port.addRef()
  try {
    const found = await findAddresses(port, hostname, { family, signal })
    // As dns.lookup has it, an address is itself, of whatever family.
    const isAny = family === 0 || isIP(hostname) !== 0
    const usable = isAny ? found : found.filter(one => addressFamily(one) === family)
    if (usable.length === 0) throw new Error(`${hostname} has no IPv${family} address`)
    const addresses = usable.map(address => ({ address: formatAddress(address), family: addressFamily(address) }))
    if (order === 'verbatim') return addresses
    const first = order === 'ipv4first' ? 4 : 6
    return [...addresses.filter(one => one.family === first), ...addresses.filter(one => one.family !== first)]
  } catch (cause) {
    if (signal?.aborted && cause === signal.reason) throw cause
    throw lookupError(hostname, cause)
  } finally {
    port.release()
  }
}

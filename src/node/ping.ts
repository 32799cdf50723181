// One ICMP or ICMPv6 echo through the tunnel, as a promise with Node's error codes.
import { formatAddress, type IpAddress } from '../core/base/address.js'
import type { Ping } from '../core/netstack/stack.js'
import { findAddresses } from './addresses.js'
import { localCode, usageError } from './socket-error.js'
import type { StackPort } from './stack-port.js'

/** How long an answer is waited for by default, ms. */
const defaultPingTimeout = 10_000
const maxTimeout = 0x7fffffff
/** What an IPv4 packet carries beside its header and ICMP's. */
const maxSize = 65_507

export interface PingOptions {
  /** Bytes of payload, 56 by default as ping(8) has it. */
  size?: number
  /** ms. */
  timeout?: number
  signal?: AbortSignal
  /** Never in fragments: EMSGSIZE if it does not fit in one packet of the tunnel's MTU. */
  whole?: boolean
}

export interface PingResult {
  /** ms. */
  readonly rtt: number
  /** Time to live, or hop limit, of the answer. */
  readonly ttl: number
  /** The address that answered. */
  readonly address: string
}

export function ping(port: StackPort, host: string, options: PingOptions): Promise<PingResult> {
  const { signal, timeout = defaultPingTimeout, size = 56 } = options
  check('timeout', timeout, Number.MIN_VALUE, maxTimeout)
  check('size', size, 0, maxSize)
  return findAddresses(port, host, { signal }).then(([address]) => echo(port, address as IpAddress, options))
}

function echo(port: StackPort, address: IpAddress, options: PingOptions): Promise<PingResult> {
  const { signal, timeout = defaultPingTimeout, size = 56, whole = false } = options
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted()
    const onAbort = () => {
      request.cancel()
      reject(signal?.reason)
    }
    const fail = (code: string) => reject(pingError(code, address, port))
    let request: Ping
    try {
      request = port.stack.ping(
        address,
        { size, timeout, whole },
        result => {
          signal?.removeEventListener('abort', onAbort)
          if ('error' in result) fail(result.error)
          else resolve({ rtt: result.rtt, ttl: result.ttl, address: formatAddress(address) })
        },
        port.now(),
      )
    } catch (error) {
      if (localCode(error) !== 'EACCES') throw error
      fail('EACCES')
      return
    }
    signal?.addEventListener('abort', onAbort)
    port.changed()
  })
}

function check(name: string, value: unknown, least: number, most: number): void {
  if (typeof value !== 'number') {
    throw usageError('ERR_INVALID_ARG_TYPE', `The "${name}" option must be of type number`, TypeError)
  }
  if (value >= least && value <= most && (name !== 'size' || Number.isInteger(value))) return
  throw usageError('ERR_OUT_OF_RANGE', `The value of "${name}" is out of range. Received ${value}`, RangeError)
}

function pingError(code: string, address: IpAddress, port: StackPort): Error {
  const text = formatAddress(address)
  const cause = code === 'EACCES' ? port.explain?.(code, { address, port: 0 }) : undefined
  const error = new Error(`ping ${code} ${text}`, cause && { cause })
  return Object.assign(error, { code, syscall: 'ping', address: text })
}

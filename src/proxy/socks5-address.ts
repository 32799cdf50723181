// Addresses as SOCKS5 writes them (RFC 1928, section 5), and the datagrams that begin with one (section 7).
import { formatAddress, parseAddress } from '../core/base/address.js'
import type { Target } from './dialer.js'

export const addressType = { ipv4: 1, name: 3, ipv6: 4 } as const
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

export interface ReadAddress {
  /** An address or a name; undefined where that cannot be one. */
  readonly host: string | undefined
  readonly port: number
  /** Where it ends. */
  readonly end: number
}

/** ATYP at `at`, address and port. 'more': it is cut; 'type': of a type that does not exist. */
export function readAddress(bytes: Uint8Array, at: number): ReadAddress | 'more' | 'type' {
  const type = bytes[at]
  let start = at + 1
  let end: number
  if (type === undefined) return 'more'
  if (type === addressType.ipv4) end = start + 4
  else if (type === addressType.ipv6) end = start + 16
  else if (type === addressType.name) {
    if (bytes.length <= start) return 'more'
    end = start + 1 + (bytes[start] as number)
    start++
  } else return 'type'
  if (bytes.length < end + 2) return 'more'
  const address = bytes.subarray(start, end)
  const host = type === addressType.name ? readName(address) : formatAddress(address)
  return { host, port: ((bytes[end] as number) << 8) | (bytes[end + 1] as number), end: end + 2 }
}

/** A name as text; undefined when it is empty, is not UTF-8, or has spaces or control characters. */
function readName(bytes: Uint8Array): string | undefined {
  try {
    const name = utf8.decode(bytes)
    return /^[^\p{C}\p{Z}]+$/u.test(name) ? name : undefined
  } catch {
    return undefined
  }
}

export interface SocksDatagram {
  readonly target: Target
  /** On the same bytes. */
  readonly data: Uint8Array
}

/** What a client sends to be sent on. 'fragment': a part of a larger one, which is not served; 'malformed': anything else. */
export function readDatagram(bytes: Uint8Array): SocksDatagram | 'fragment' | 'malformed' {
  if (bytes.length < 4 || bytes[0] !== 0 || bytes[1] !== 0) return 'malformed'
  if (bytes[2] !== 0) return 'fragment'
  const address = readAddress(bytes, 3)
  if (typeof address === 'string' || address.host === undefined || address.port === 0) return 'malformed'
  return { target: { host: address.host, port: address.port }, data: bytes.subarray(address.end) }
}

/** What came from `source`, an address, for the client. */
export function formatDatagram(source: Target, data: Uint8Array): Uint8Array {
  const address = parseAddress(source.host) ?? new Uint8Array(4)
  const header = 4 + address.length + 2
  const bytes = new Uint8Array(header + data.length)
  bytes[3] = address.length === 4 ? addressType.ipv4 : addressType.ipv6
  bytes.set(address, 4)
  new DataView(bytes.buffer).setUint16(4 + address.length, source.port)
  bytes.set(data, header)
  return bytes
}

// IP addresses as bytes: 4 for IPv4, 16 for IPv6, in network order. IPv6's text is read and written by ipaddr.js; IPv4's is not, as
// a proxied connection reads and writes several.
import ipaddr from 'ipaddr.js'

/** 4 or 16 bytes. */
export type IpAddress = Uint8Array

/** Reads an address in canonical text (no zone, no octal, four parts in IPv4); undefined if it is none. */
export function parseAddress(text: string): IpAddress | undefined {
  if (!text.includes(':')) return parseIpv4(text)
  if (text.includes('%') || !ipaddr.IPv6.isValid(text)) return undefined
  return Uint8Array.from(ipaddr.IPv6.parse(text).toByteArray())
}

function parseIpv4(text: string): IpAddress | undefined {
  const { length } = text
  if (length < 7 || length > 15) return undefined
  const address = new Uint8Array(4)
  let part = 0
  let digits = 0
  let value = 0
  for (let i = 0; i <= length; i++) {
    const digit = i === length ? dot : text.charCodeAt(i) - zero
    if (digit === dot) {
      if (digits === 0 || part === 4) return undefined
      address[part++] = value
      digits = 0
      value = 0
    } else {
      if (digit < 0 || digit > 9 || (digits > 0 && value === 0)) return undefined
      value = value * 10 + digit
      digits++
      if (value > 255) return undefined
    }
  }
  return part === 4 ? address : undefined
}

/** Of ASCII; the dot seen from there. */
const zero = 0x30
const dot = -2

/** `10.7.0.1` or RFC 5952's form of an IPv6 address. */
export function formatAddress(address: IpAddress): string {
  if (address.length === 4) return `${address[0]}.${address[1]}.${address[2]}.${address[3]}`
  const parsed = ipaddr.fromByteArray(Array.from(address))
  return parsed instanceof ipaddr.IPv6 ? parsed.toRFC5952String() : parsed.toString()
}

export function sameAddress(a: IpAddress, b: IpAddress): boolean {
  if (a.length !== b.length) return false
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false
  return true
}

/** `::ffff:a.b.c.d` as the four bytes a.b.c.d; any other address as it is. */
export function unmapAddress(address: IpAddress): IpAddress {
  if (address.length !== 16) return address
  for (let i = 0; i < 10; i++) if (address[i] !== 0) return address
  return address[10] === 0xff && address[11] === 0xff ? address.slice(12) : address
}

/** Where a datagram came from or goes to. Immutable; compared by value, never by identity. */
export interface Endpoint {
  readonly address: IpAddress
  readonly port: number
}

export function sameEndpoint(a: Endpoint, b: Endpoint): boolean {
  return a === b || (a.port === b.port && sameAddress(a.address, b.address))
}

/** `192.0.2.1:51820` or `[2001:db8::1]:51820`. */
export function formatEndpoint(endpoint: Endpoint): string {
  const host = formatAddress(endpoint.address)
  return endpoint.address.length === 16 ? `[${host}]:${endpoint.port}` : `${host}:${endpoint.port}`
}

/** An address range: the address's bits after `length` are zero. */
export interface Prefix {
  readonly address: IpAddress
  readonly length: number
}

/** Reads `10.7.0.0/24`, or an address alone as a prefix of its full length; host bits are masked. */
export function parsePrefix(text: string): Prefix | undefined {
  const slash = text.indexOf('/')
  const address = parseAddress(slash < 0 ? text : text.slice(0, slash))
  if (address === undefined) return undefined
  const bits = address.length * 8
  if (slash < 0) return { address, length: bits }
  const digits = text.slice(slash + 1)
  const length = Number(digits)
  if (!/^\d{1,3}$/.test(digits) || length > bits) return undefined
  return { address: maskAddress(address, length), length }
}

export function formatPrefix(prefix: Prefix): string {
  return `${formatAddress(prefix.address)}/${prefix.length}`
}

export function maskAddress(address: IpAddress, length: number): IpAddress {
  return address.map((byte, i) => {
    const kept = Math.min(8, Math.max(0, length - i * 8))
    return byte & (0xff00 >> kept)
  })
}

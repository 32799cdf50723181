// Sets of addresses as sorted ranges: what CIDRs, hosts and IP sets are once their names are resolved. BigInt is fine here:
// this runs when a policy is read, never for a packet.
import { type IpAddress, type Prefix, parseAddress, unmapAddress } from '../base/address.js'
import type { AddressRange } from './types.js'

type Family = 4 | 6

/** The address as an unsigned integer; an IPv4-mapped one is the IPv4 address in it. */
export function addressValue(address: IpAddress): { family: Family; value: bigint } {
  const bytes = unmapAddress(address)
  let value = 0n
  for (const byte of bytes) value = (value << 8n) | BigInt(byte)
  return { family: bytes.length === 4 ? 4 : 6, value }
}

export function bitsOf(family: Family): number {
  return family === 4 ? 32 : 128
}

export function lastOf(family: Family): bigint {
  return (1n << BigInt(bitsOf(family))) - 1n
}

export function rangeOf(prefix: Prefix): AddressRange {
  const mapped = prefix.length >= 96 && unmapAddress(prefix.address).length < prefix.address.length
  const { family, value } = mapped ? addressValue(prefix.address) : plainValue(prefix.address)
  const size = 1n << BigInt(bitsOf(family) - (mapped ? prefix.length - 96 : prefix.length))
  return { family, first: value, last: value + size - 1n }
}

function plainValue(address: IpAddress): { family: Family; value: bigint } {
  let value = 0n
  for (const byte of address) value = (value << 8n) | BigInt(byte)
  return { family: address.length === 4 ? 4 : 6, value }
}

/** An address, a CIDR or, with `first-last`, a range; else why it is none, as `cause: remedy`. */
export function parseRange(text: string, withDash: boolean): AddressRange | string {
  const dash = text.indexOf('-')
  if (dash >= 0) {
    const [first, last] = [parseAddress(text.slice(0, dash)), parseAddress(text.slice(dash + 1))]
    if (first === undefined || last === undefined) return notAnAddress
    if (!withDash) return 'a range of addresses stands only in an IP set: define one in ipsets, or write a CIDR'
    const [from, to] = [addressValue(first), addressValue(last)]
    if (from.family !== to.family) return 'the range mixes IPv4 and IPv6: write one for each'
    if (from.value > to.value) return 'the range ends before it starts: write the lower address first'
    return { family: from.family, first: from.value, last: to.value }
  }
  const slash = text.indexOf('/')
  const address = parseAddress(slash < 0 ? text : text.slice(0, slash))
  if (address === undefined) return notAnAddress
  const bits = address.length * 8
  if (slash < 0) return rangeOf({ address, length: bits })
  const digits = text.slice(slash + 1)
  const length = Number(digits)
  if (!/^\d{1,3}$/.test(digits) || length > bits) return `a prefix length is 0 to ${bits} here`
  const range = rangeOf({ address, length })
  const size = range.last - range.first + 1n
  if (range.first % size !== 0n)
    return `the address has bits behind /${length}: write ${text.slice(0, slash)} alone, or the network’s first address`
  return range
}

const notAnAddress = 'it is no IPv4 or IPv6 address or CIDR'

/** Sorted, joined where they touch. */
export function normalise(ranges: readonly AddressRange[]): AddressRange[] {
  const sorted = ranges.toSorted((a, b) => a.family - b.family || (a.first < b.first ? -1 : a.first > b.first ? 1 : 0))
  const joined: { family: Family; first: bigint; last: bigint }[] = []
  for (const range of sorted) {
    const before = joined.at(-1)
    if (before !== undefined && before.family === range.family && range.first <= before.last + 1n) {
      if (range.last > before.last) before.last = range.last
    } else joined.push({ ...range })
  }
  return joined
}

/** What is in `from` and not in `removed`; both normalised. */
export function subtract(from: readonly AddressRange[], removed: readonly AddressRange[]): AddressRange[] {
  const left: AddressRange[] = []
  let at = 0
  for (const range of from) {
    let { first } = range
    while (at < removed.length && before(removed[at] as AddressRange, range)) at++
    for (let i = at; i < removed.length && first <= range.last; i++) {
      const hole = removed[i] as AddressRange
      if (hole.family !== range.family || hole.first > range.last) break
      if (hole.first > first) left.push({ family: range.family, first, last: hole.first - 1n })
      if (hole.last >= first) first = hole.last + 1n
    }
    if (first <= range.last) left.push({ family: range.family, first, last: range.last })
  }
  return left
}

/** Whether `a` ends before `b` starts. */
function before(a: AddressRange, b: AddressRange): boolean {
  return a.family < b.family || (a.family === b.family && a.last < b.first)
}

/** Whether an address is in normalised ranges. */
export function inRanges(ranges: readonly AddressRange[], family: Family, value: bigint): boolean {
  let [low, high] = [0, ranges.length - 1]
  while (low <= high) {
    const middle = (low + high) >> 1
    const range = ranges[middle] as AddressRange
    if (range.family > family || (range.family === family && range.first > value)) high = middle - 1
    else if (range.family < family || range.last < value) low = middle + 1
    else return true
  }
  return false
}

/** Whether normalised `inner` lies in normalised `outer` whole. */
export function coversRanges(outer: readonly AddressRange[], inner: readonly AddressRange[]): boolean {
  return subtract(inner, outer).length === 0
}

/** The fewest prefixes that make up a range. */
export function prefixesOf(range: AddressRange): Prefix[] {
  const bits = bitsOf(range.family)
  const prefixes: Prefix[] = []
  for (let { first } = range; first <= range.last; ) {
    let free = 0
    while (
      free < bits &&
      (first & ((2n << BigInt(free)) - 1n)) === 0n &&
      first + (2n << BigInt(free)) - 1n <= range.last
    )
      free++
    prefixes.push({ address: addressOf(range.family, first), length: bits - free })
    first += 1n << BigInt(free)
  }
  return prefixes
}

export function addressOf(family: Family, value: bigint): IpAddress {
  const bytes = new Uint8Array(family === 4 ? 4 : 16)
  let rest = value
  for (let i = bytes.length - 1; i >= 0; i--, rest >>= 8n) bytes[i] = Number(rest & 255n)
  return bytes
}

/** Private, shared, loopback, link-local and multicast addresses: no exit node brings anyone there (RFC 1918, 6598, 6890). */
const notPublic = [
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.168.0.0/16',
  '224.0.0.0/3',
]

let internet: AddressRange[] | undefined

/** Public addresses: IPv4 but for what is private, and IPv6's global unicast 2000::/3 (RFC 4291). */
export function internetRanges(): readonly AddressRange[] {
  const parse = (text: string) => parseRange(text, false) as AddressRange
  internet ??= subtract([parse('0.0.0.0/0'), parse('2000::/3')], normalise(notPublic.map(parse)))
  return internet
}

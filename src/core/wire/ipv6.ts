// IPv6 headers (RFC 8200) in packet memory. Extension headers are walked to the upper layer; ours carry none but the
// fragment header. What must be answered with a Parameter Problem says so in the header's `problem`.
import type { PacketMemory } from '../base/packet-memory.js'
import type { AddressWords, IpDrop, IpHeader } from './ip.js'

const headerLength = 40
export const fragmentHeaderLength = 8

const hopByHop = 0
const routing = 43
export const protocolFragment = 44
const destinationOptions = 60

/** RFC 8200 sets no bound; a packet with more is not one that a host sends. */
const maxExtensionHeaders = 8

/** Codes of a Parameter Problem (RFC 4443, 3.4); 1, an unknown next header, is ICMP's own affair. */
export const problemField = 0
const problemOption = 2

const pad1 = 0

export function parseIpv6(memory: PacketMemory, offset: number, length: number, header: IpHeader): IpDrop | undefined {
  if (length < headerLength) return 'ipTruncated'
  const { u8, view } = memory
  const end = offset + headerLength + view.getUint16(offset + 4)
  if (end > offset + length) return 'ipTruncated'
  header.version = 6
  header.start = offset
  header.hopLimit = u8[offset + 7] as number
  header.problem = -1
  header.fragment = false
  header.fragmentOffset = 0
  header.moreFragments = false
  header.fragmentId = 0
  readWords(view, offset + 8, header.source)
  readWords(view, offset + 24, header.destination)
  if (looksMapped(header.source) || looksMapped(header.destination)) return 'ipMapped'
  return walkExtensions(memory, u8[offset + 6] as number, offset + headerLength, end, header)
}

function walkExtensions(
  memory: PacketMemory,
  firstProtocol: number,
  from: number,
  end: number,
  header: IpHeader,
): IpDrop | undefined {
  const { u8 } = memory
  let protocol = firstProtocol
  header.protocolAt = 6
  let at = from
  for (let count = 0; isExtension(protocol, count); count++) {
    if (count === maxExtensionHeaders) return 'ipHeader'
    if (at + 8 > end) return 'ipTruncated'
    const size = protocol === protocolFragment ? fragmentHeaderLength : ((u8[at + 1] as number) + 1) * 8
    if (at + size > end) return 'ipTruncated'
    header.payload = at
    header.payloadLength = end - at
    if (protocol === protocolFragment) readFragment(memory, at, header)
    else if (protocol === routing) {
      // Nothing is routed on from here; with no segment left the header says nothing (RFC 8200, 4.4).
      if (u8[at + 3] !== 0) return problem(header, 'ipRouting', problemField, at + 2)
    } else if (!walkOptions(u8, at + 2, at + size, header)) return 'ipOption'
    protocol = u8[at] as number
    header.protocolAt = at - header.start
    at += size
    // The rest of a fragment is a part of something, not the next header.
    if (header.fragment) break
  }
  header.protocol = protocol
  header.payload = at
  header.payloadLength = end - at
  return undefined
}

function isExtension(protocol: number, count: number): boolean {
  switch (protocol) {
    case hopByHop:
      return count === 0
    case routing:
    case protocolFragment:
    case destinationOptions:
      return true
    default:
      return false
  }
}

function readFragment({ view }: PacketMemory, at: number, header: IpHeader): void {
  const field = view.getUint16(at + 2)
  header.fragmentOffset = field & 0xfff8
  header.moreFragments = (field & 1) !== 0
  header.fragmentId = view.getUint32(at + 4)
  // An atomic fragment (RFC 6946) is whole.
  header.fragment = header.fragmentOffset !== 0 || header.moreFragments
}

/** Options of hop-by-hop and destination headers: none is known, and each says itself what to do then (RFC 8200, 4.2). */
function walkOptions(u8: Uint8Array, from: number, end: number, header: IpHeader): boolean {
  for (let at = from; at < end; ) {
    const type = u8[at] as number
    if (type === pad1) {
      at++
      continue
    }
    const size = at + 1 < end ? (u8[at + 1] as number) + 2 : 0
    if (size === 0 || at + size > end) return false
    const action = type >> 6
    if (action >= 2) problem(header, 'ipOption', problemOption, at)
    if (action !== 0) return false
    at += size
  }
  return true
}

function problem(header: IpHeader, drop: IpDrop, code: number, at: number): IpDrop {
  header.problem = code
  header.problemAt = at - header.start
  return drop
}

/** Writes a fragment header (RFC 8200, 4.5). */
export function writeFragmentHeader(
  { view }: PacketMemory,
  offset: number,
  protocol: number,
  id: number,
  fragmentOffset: number,
  more: boolean,
): void {
  view.setInt32(offset, (protocol << 24) | fragmentOffset | (more ? 1 : 0))
  view.setInt32(offset + 4, id)
}

export function writeIpv6Header(
  memory: PacketMemory,
  offset: number,
  payloadLength: number,
  protocol: number,
  hopLimit: number,
  source: AddressWords,
  destination: AddressWords,
): void {
  const { view } = memory
  view.setInt32(offset, 0x60000000)
  view.setInt32(offset + 4, (payloadLength << 16) | (protocol << 8) | hopLimit)
  writeWords(view, offset + 8, source)
  writeWords(view, offset + 24, destination)
}

function readWords(view: DataView, at: number, words: AddressWords): void {
  words.w0 = view.getInt32(at)
  words.w1 = view.getInt32(at + 4)
  words.w2 = view.getInt32(at + 8)
  words.w3 = view.getInt32(at + 12)
}

function writeWords(view: DataView, at: number, words: AddressWords): void {
  view.setInt32(at, words.w0)
  view.setInt32(at + 4, words.w1)
  view.setInt32(at + 8, words.w2)
  view.setInt32(at + 12, words.w3)
}

/** IPv4-mapped addresses never appear on the wire (RFC 4942, 2.2); here they would pass for IPv4 ones. */
function looksMapped(words: AddressWords): boolean {
  return words.w0 === 0 && words.w1 === 0 && words.w2 === 0xffff
}

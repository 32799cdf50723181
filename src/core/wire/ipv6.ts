// IPv6 headers (RFC 8200) in packet memory. Extension headers are walked to the upper layer; ours carry none.
import type { PacketMemory } from '../base/packet-memory.js'
import type { AddressWords, IpDrop, IpHeader } from './ip.js'

const headerLength = 40

const hopByHop = 0
const routing = 43
const fragmentHeader = 44
const authentication = 51
const destinationOptions = 60
const mobility = 135
const hostIdentity = 139
const shim6 = 140

/** RFC 8200 sets no bound; a packet with more is not one that a host sends. */
const maxExtensionHeaders = 8

export function parseIpv6(memory: PacketMemory, offset: number, length: number, header: IpHeader): IpDrop | undefined {
  if (length < headerLength) return 'ipTruncated'
  const { u8, view } = memory
  const end = offset + headerLength + view.getUint16(offset + 4)
  if (end > offset + length) return 'ipTruncated'
  header.version = 6
  header.start = offset
  header.hopLimit = u8[offset + 7] as number
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
  const { u8, view } = memory
  let protocol = firstProtocol
  let at = from
  for (let count = 0; isExtension(protocol); count++) {
    if (count === maxExtensionHeaders) return 'ipHeader'
    if (at + 8 > end) return 'ipTruncated'
    const units = u8[at + 1] as number
    let size = (units + 1) * 8
    if (protocol === fragmentHeader) {
      const field = view.getUint16(at + 2)
      header.fragmentOffset = field & 0xfff8
      header.moreFragments = (field & 1) !== 0
      header.fragmentId = view.getUint32(at + 4)
      // An atomic fragment (RFC 6946) is whole.
      header.fragment = header.fragmentOffset !== 0 || header.moreFragments
      size = 8
    } else if (protocol === authentication) size = (units + 2) * 4
    else if (protocol === routing && u8[at + 3] !== 0) return 'ipRouting'
    if (at + size > end) return 'ipTruncated'
    protocol = u8[at] as number
    at += size
    // What follows a fragment header that is not the first belongs to the middle of a packet.
    if (header.fragmentOffset !== 0) break
  }
  header.protocol = protocol
  header.payload = at
  header.payloadLength = end - at
  return undefined
}

function isExtension(protocol: number): boolean {
  switch (protocol) {
    case hopByHop:
    case routing:
    case fragmentHeader:
    case authentication:
    case destinationOptions:
    case mobility:
    case hostIdentity:
    case shim6:
      return true
    default:
      return false
  }
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

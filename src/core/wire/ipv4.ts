// IPv4 headers (RFC 791) in packet memory. Ours carry no options; whole datagrams have DF set and ID 0 (RFC 6864: an
// atomic datagram's ID says nothing), fragments neither.
import type { PacketMemory } from '../base/packet-memory.js'
import { checksumOf, onesSum, sumIsValid } from './checksum.js'
import type { AddressWords, IpDrop, IpHeader } from './ip.js'

const headerLength = 20
const dontFragment = 0x4000
const moreFragments = 0x2000

const optionEnd = 0
const optionNothing = 1
const looseSourceRoute = 131
const strictSourceRoute = 137

export function parseIpv4(memory: PacketMemory, offset: number, length: number, header: IpHeader): IpDrop | undefined {
  if (length < headerLength) return 'ipTruncated'
  const { u8, view } = memory
  // Whatever comes of this packet, nothing that was said of the one before holds.
  header.version = 4
  header.problem = -1
  const optionsEnd = ((u8[offset] as number) & 15) * 4
  const totalLength = view.getUint16(offset + 2)
  if (optionsEnd < headerLength || totalLength < optionsEnd) return 'ipHeader'
  if (totalLength > length) return 'ipTruncated'
  if (!sumIsValid(onesSum(memory, offset, optionsEnd))) return 'ipChecksum'
  if (optionsEnd > headerLength) {
    const drop = walkOptions(u8, offset + headerLength, offset + optionsEnd)
    if (drop !== undefined) return drop
  }
  const fragment = view.getUint16(offset + 6)
  header.start = offset
  header.hopLimit = u8[offset + 8] as number
  header.protocol = u8[offset + 9] as number
  header.protocolAt = 9
  setMapped(header.source, view.getInt32(offset + 12))
  setMapped(header.destination, view.getInt32(offset + 16))
  header.payload = offset + optionsEnd
  header.payloadLength = totalLength - optionsEnd
  header.fragment = (fragment & 0x3fff) !== 0
  header.fragmentOffset = (fragment & 0x1fff) * 8
  header.moreFragments = (fragment & 0x2000) !== 0
  header.fragmentId = view.getUint16(offset + 4)
  return undefined
}

/** Options are skipped; a host that is no router takes part in no source route (RFC 6274, 3.13.2.3). */
function walkOptions(u8: Uint8Array, from: number, end: number): IpDrop | undefined {
  for (let at = from; at < end; ) {
    const type = u8[at] as number
    if (type === optionEnd) return undefined
    if (type === optionNothing) {
      at++
      continue
    }
    const size = at + 1 < end ? (u8[at + 1] as number) : 0
    if (size < 2 || at + size > end) return 'ipHeader'
    if (type === looseSourceRoute || type === strictSourceRoute) return 'ipRouting'
    at += size
  }
  return undefined
}

export function writeIpv4Header(
  memory: PacketMemory,
  offset: number,
  payloadLength: number,
  protocol: number,
  hopLimit: number,
  source: AddressWords,
  destination: AddressWords,
): void {
  const { view } = memory
  view.setInt32(offset, (0x45 << 24) | (headerLength + payloadLength))
  view.setInt32(offset + 4, dontFragment)
  view.setInt32(offset + 8, (hopLimit << 24) | (protocol << 16))
  view.setInt32(offset + 12, source.w3)
  view.setInt32(offset + 16, destination.w3)
  view.setUint16(offset + 10, checksumOf(onesSum(memory, offset, headerLength)))
}

/** Makes the header in front of a fragment's `payloadLength` bytes say which part of datagram `id` they are. */
export function setIpv4Fragment(
  memory: PacketMemory,
  offset: number,
  id: number,
  fragmentOffset: number,
  more: boolean,
): void {
  const { view } = memory
  view.setUint16(offset + 4, id)
  view.setUint16(offset + 6, (more ? moreFragments : 0) | (fragmentOffset >> 3))
  view.setUint16(offset + 10, 0)
  view.setUint16(offset + 10, checksumOf(onesSum(memory, offset, headerLength)))
}

function setMapped(words: AddressWords, address: number): void {
  words.w0 = 0
  words.w1 = 0
  words.w2 = 0xffff
  words.w3 = address
}

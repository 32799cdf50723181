// UDP datagrams (RFC 768, RFC 8200 8.1) in packet memory.
import type { PacketMemory } from '../base/packet-memory.js'
import { checksumOf, onesSum, sumIsValid } from './checksum.js'
import { type AddressWords, type IpHeader, protocolUdp, pseudoHeaderSum } from './ip.js'

export const udpHeaderLength = 8

/** A parsed datagram. Offsets are into packet memory. */
export interface UdpHeader {
  sourcePort: number
  destinationPort: number
  payload: number
  payloadLength: number
}

export function createUdpHeader(): UdpHeader {
  return { sourcePort: 0, destinationPort: 0, payload: 0, payloadLength: 0 }
}

/** Reads and checks the datagram that `ip` carries; undefined if it is good, else the reason to count. */
export function parseUdp(
  memory: PacketMemory,
  ip: IpHeader,
  header: UdpHeader,
): 'udpMalformed' | 'udpChecksum' | undefined {
  if (ip.payloadLength < udpHeaderLength) return 'udpMalformed'
  const { view } = memory
  const offset = ip.payload
  const length = view.getUint16(offset + 4)
  if (length < udpHeaderLength || length > ip.payloadLength) return 'udpMalformed'
  if (view.getUint16(offset + 6) === 0) {
    if (ip.version === 6) return 'udpChecksum'
  } else if (
    !sumIsValid(pseudoHeaderSum(ip.source, ip.destination, protocolUdp, length) + onesSum(memory, offset, length))
  ) {
    return 'udpChecksum'
  }
  header.sourcePort = view.getUint16(offset)
  header.destinationPort = view.getUint16(offset + 2)
  header.payload = offset + udpHeaderLength
  header.payloadLength = length - udpHeaderLength
  return undefined
}

/** Writes header and checksum in front of `payloadLength` bytes that are in place already. */
export function writeUdpHeader(
  memory: PacketMemory,
  offset: number,
  sourcePort: number,
  destinationPort: number,
  payloadLength: number,
  source: AddressWords,
  destination: AddressWords,
): void {
  const { view } = memory
  const length = udpHeaderLength + payloadLength
  view.setInt32(offset, (sourcePort << 16) | destinationPort)
  view.setInt32(offset + 4, length << 16)
  const sum = checksumOf(pseudoHeaderSum(source, destination, protocolUdp, length) + onesSum(memory, offset, length))
  view.setUint16(offset + 6, sum === 0 ? 0xffff : sum)
}

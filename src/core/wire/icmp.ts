// ICMP (RFC 792) and ICMPv6 (RFC 4443) messages in packet memory: type, code, checksum, four bytes that depend on the
// type, body. The two differ in numbers and in ICMPv6's pseudo header.
import type { PacketMemory } from '../base/packet-memory.js'
import { checksumOf, onesSum, sumIsValid } from './checksum.js'
import { type AddressWords, type IpHeader, protocolIcmp, protocolIcmpv6, pseudoHeaderSum, wordsOf } from './ip.js'
import { fragmentHeaderLength, protocolFragment } from './ipv6.js'

export const icmpHeaderLength = 8

/** What a message says, the same for both families. */
export type IcmpKind =
  | 'echo-request'
  | 'echo-reply'
  | 'net-unreachable'
  | 'host-unreachable'
  | 'prohibited'
  | 'protocol-unreachable'
  | 'port-unreachable'
  | 'packet-too-big'
  | 'time-exceeded'
  | 'parameter-problem'
  | 'other'

/** A parsed message. Offsets are into packet memory. */
export interface IcmpHeader {
  kind: IcmpKind
  type: number
  code: number
  /** Echo: the identifier. */
  identifier: number
  /** Echo: the sequence number. */
  sequence: number
  /** Packet too big: the next hop's MTU; 0 where an old IPv4 router gives none. */
  mtu: number
  /** After the first eight bytes: an echo's data, or the packet that an error is about. */
  body: number
  bodyLength: number
}

export function createIcmpHeader(): IcmpHeader {
  return { kind: 'other', type: 0, code: 0, identifier: 0, sequence: 0, mtu: 0, body: 0, bodyLength: 0 }
}

/** Reads and checks the message that `ip` carries; undefined if it is good, else the reason to count. */
export function parseIcmp(
  memory: PacketMemory,
  ip: IpHeader,
  header: IcmpHeader,
): 'icmpMalformed' | 'icmpChecksum' | undefined {
  if (ip.payloadLength < icmpHeaderLength) return 'icmpMalformed'
  if (ip.protocol !== (ip.version === 4 ? protocolIcmp : protocolIcmpv6)) return 'icmpMalformed'
  const { u8, view } = memory
  const offset = ip.payload
  const pseudo = ip.version === 6 ? pseudoHeaderSum(ip.source, ip.destination, protocolIcmpv6, ip.payloadLength) : 0
  if (!sumIsValid(pseudo + onesSum(memory, offset, ip.payloadLength))) return 'icmpChecksum'
  header.type = u8[offset] as number
  header.code = u8[offset + 1] as number
  header.kind = ip.version === 4 ? kindOf4(header.type, header.code) : kindOf6(header.type, header.code)
  header.identifier = view.getUint16(offset + 4)
  header.sequence = view.getUint16(offset + 6)
  header.mtu = ip.version === 4 ? header.sequence : view.getUint32(offset + 4)
  header.body = offset + icmpHeaderLength
  header.bodyLength = ip.payloadLength - icmpHeaderLength
  return undefined
}

function kindOf4(type: number, code: number): IcmpKind {
  switch (type) {
    case 0:
      return 'echo-reply'
    case 8:
      return 'echo-request'
    case 11:
      return 'time-exceeded'
    case 12:
      return 'parameter-problem'
    case 3:
      if (code === 2) return 'protocol-unreachable'
      if (code === 3) return 'port-unreachable'
      if (code === 4) return 'packet-too-big'
      if (code === 9 || code === 10 || code === 13) return 'prohibited'
      return code === 0 || code === 6 || code === 11 ? 'net-unreachable' : 'host-unreachable'
    default:
      return 'other'
  }
}

function kindOf6(type: number, code: number): IcmpKind {
  switch (type) {
    case 128:
      return 'echo-request'
    case 129:
      return 'echo-reply'
    case 2:
      return 'packet-too-big'
    case 3:
      return 'time-exceeded'
    case 4:
      // Code 1, an unrecognised next header, is what IPv4 calls protocol unreachable.
      return code === 1 ? 'protocol-unreachable' : 'parameter-problem'
    case 1:
      if (code === 4) return 'port-unreachable'
      if (code === 0) return 'net-unreachable'
      return code === 1 || code === 5 || code === 6 ? 'prohibited' : 'host-unreachable'
    default:
      return 'other'
  }
}

/** Type numbers of what we send. */
export function echoType(version: 4 | 6, reply: boolean): number {
  if (version === 4) return reply ? 0 : 8
  return reply ? 129 : 128
}

/** An error that we send, by what it says. */
export type IcmpError = 'port' | 'protocol' | 'host' | 'prohibited' | 'reassembly-time' | 'parameter'

const errors4: Record<IcmpError, number> = {
  port: (3 << 8) | 3,
  protocol: (3 << 8) | 2,
  host: (3 << 8) | 1,
  prohibited: (3 << 8) | 13,
  'reassembly-time': (11 << 8) | 1,
  parameter: 12 << 8,
}

const errors6: Record<IcmpError, number> = {
  port: (1 << 8) | 4,
  protocol: (4 << 8) | 1,
  host: (1 << 8) | 3,
  prohibited: (1 << 8) | 1,
  'reassembly-time': (3 << 8) | 1,
  parameter: 4 << 8,
}

/** Type << 8 | code of an error that we send. */
export function errorType(version: 4 | 6, error: IcmpError): number {
  return version === 4 ? errors4[error] : errors6[error]
}

/** Writes the first eight bytes and the checksum in front of a body that is in place already. `rest` is bytes 4 to 7. */
export function writeIcmpHeader(
  memory: PacketMemory,
  offset: number,
  version: 4 | 6,
  typeAndCode: number,
  rest: number,
  bodyLength: number,
  source: AddressWords,
  destination: AddressWords,
): void {
  const { view } = memory
  const length = icmpHeaderLength + bodyLength
  view.setInt32(offset, typeAndCode << 16)
  view.setInt32(offset + 4, rest)
  const pseudo = version === 6 ? pseudoHeaderSum(source, destination, protocolIcmpv6, length) : 0
  view.setUint16(offset + 2, checksumOf(pseudo + onesSum(memory, offset, length)))
}

/** The start of the packet that an ICMP error is about: one of ours, if it is what it says. */
export interface QuotedPacket {
  readonly version: 4 | 6
  readonly protocol: number
  readonly source: AddressWords
  readonly destination: AddressWords
  /** Bytes that the whole packet had. */
  readonly length: number
  /** The first four bytes of the upper layer: the ports of TCP and UDP … */
  readonly sourcePort: number
  readonly destinationPort: number
  /** … and the next four: TCP's sequence number, UDP's length and checksum, an echo's identifier and number. */
  readonly word: number
}

/**
 * Reads what an error quotes; undefined if it is too little, or the later part of a datagram. Our packets have neither
 * options nor extension headers, but for the fragment header.
 */
export function parseQuoted(memory: PacketMemory, icmp: IcmpHeader): QuotedPacket | undefined {
  const { u8, view } = memory
  const start = icmp.body
  const end = start + icmp.bodyLength
  if (icmp.bodyLength < 28) return undefined
  const version = (u8[start] as number) >> 4
  if (version !== 4 && version !== 6) return undefined
  if (version === 6 && icmp.bodyLength < 48) return undefined
  const addresses = version === 4 ? start + 12 : start + 8
  const size = version === 4 ? 4 : 16
  let payload = start + 40
  let protocol = u8[start + 6] as number
  let length = 40 + view.getUint16(start + 4)
  if (version === 4) {
    payload = start + ((u8[start] as number) & 15) * 4
    protocol = u8[start + 9] as number
    length = view.getUint16(start + 2)
    if (payload < start + 20 || (view.getUint16(start + 6) & 0x1fff) !== 0) return undefined
  } else if (protocol === protocolFragment) {
    if ((view.getUint16(payload + 2) & 0xfff8) !== 0) return undefined
    protocol = u8[payload] as number
    payload += fragmentHeaderLength
  }
  if (payload + 8 > end) return undefined
  return {
    version,
    protocol,
    source: wordsOf(u8.subarray(addresses, addresses + size)),
    destination: wordsOf(u8.subarray(addresses + size, addresses + 2 * size)),
    length,
    sourcePort: view.getUint16(payload),
    destinationPort: view.getUint16(payload + 2),
    word: view.getInt32(payload + 4),
  }
}

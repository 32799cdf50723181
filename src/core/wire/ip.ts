// What IPv4 and IPv6 have in common: one record that a parser fills again and again, addresses as four 32-bit words
// (IPv4 in its mapped form, ::ffff:a.b.c.d), and the pseudo header of RFC 9293, 3.1 and RFC 8200, 8.1.
import type { IpAddress } from '../base/address.js'
import type { PacketMemory } from '../base/packet-memory.js'
import { parseIpv4, writeIpv4Header } from './ipv4.js'
import { parseIpv6, writeIpv6Header } from './ipv6.js'

/** An address as four signed 32-bit words, so that one compare serves both families and none allocates. */
export interface AddressWords {
  w0: number
  w1: number
  w2: number
  w3: number
}

/** A parsed IP header. Offsets are into packet memory. */
export interface IpHeader {
  version: 4 | 6
  /** The upper layer's protocol number, past IPv6 extension headers; in a fragment, what its header names. */
  protocol: number
  /** Where in the packet the protocol is named, bytes from its start. */
  protocolAt: number
  hopLimit: number
  source: AddressWords
  destination: AddressWords
  /** Offset of the IP header. */
  start: number
  /** Offset of the upper layer's first byte; in a fragment, of its part. */
  payload: number
  payloadLength: number
  /** Of a packet that is dropped: the code of the Parameter Problem it is answered with (RFC 8200, 4), −1 for none … */
  problem: number
  /** … and where in the packet the problem is. */
  problemAt: number
  /** A part of a larger packet; `fragmentOffset` (bytes), `moreFragments` and `fragmentId` hold then. */
  fragment: boolean
  fragmentOffset: number
  moreFragments: boolean
  fragmentId: number
}

/** Why an IP packet was dropped: the name of its counter. */
export type IpDrop = 'ipTruncated' | 'ipVersion' | 'ipHeader' | 'ipChecksum' | 'ipOption' | 'ipRouting' | 'ipMapped'

export const protocolIcmp = 1
export const protocolTcp = 6
export const protocolUdp = 17
export const protocolIcmpv6 = 58
/** RFC 8200, 4.7: nothing follows. */
export const protocolNone = 59

export const ipv4HeaderLength = 20
export const ipv6HeaderLength = 40

export function createIpHeader(): IpHeader {
  return {
    version: 4,
    protocol: 0,
    protocolAt: 0,
    hopLimit: 0,
    source: { w0: 0, w1: 0, w2: 0, w3: 0 },
    destination: { w0: 0, w1: 0, w2: 0, w3: 0 },
    start: 0,
    payload: 0,
    payloadLength: 0,
    problem: -1,
    problemAt: 0,
    fragment: false,
    fragmentOffset: 0,
    moreFragments: false,
    fragmentId: 0,
  }
}

/** Reads the packet at `offset` into `header`; undefined if it is well-formed, else the reason to count. */
export function parseIp(memory: PacketMemory, offset: number, length: number, header: IpHeader): IpDrop | undefined {
  if (length < ipv4HeaderLength) return 'ipTruncated'
  const version = (memory.u8[offset] as number) >> 4
  if (version === 4) return parseIpv4(memory, offset, length, header)
  if (version === 6) return parseIpv6(memory, offset, length, header)
  return 'ipVersion'
}

export function ipHeaderLength(version: 4 | 6): number {
  return version === 4 ? ipv4HeaderLength : ipv6HeaderLength
}

/** Writes a header without options or extensions in front of `payloadLength` bytes; no router may fragment the packet. */
export function writeIpHeader(
  memory: PacketMemory,
  offset: number,
  version: 4 | 6,
  payloadLength: number,
  protocol: number,
  hopLimit: number,
  source: AddressWords,
  destination: AddressWords,
): void {
  if (version === 4) writeIpv4Header(memory, offset, payloadLength, protocol, hopLimit, source, destination)
  else writeIpv6Header(memory, offset, payloadLength, protocol, hopLimit, source, destination)
}

/**
 * Unfolded sum of the pseudo header. The mapped form serves IPv4 too: its word 0xffff is zero in one's complement.
 */
export function pseudoHeaderSum(
  source: AddressWords,
  destination: AddressWords,
  protocol: number,
  length: number,
): number {
  return wordsSum(source) + wordsSum(destination) + protocol + length
}

function wordsSum(words: AddressWords): number {
  const { w0, w1, w2, w3 } = words
  return (
    (w0 >>> 16) +
    (w0 & 0xffff) +
    (w1 >>> 16) +
    (w1 & 0xffff) +
    (w2 >>> 16) +
    (w2 & 0xffff) +
    (w3 >>> 16) +
    (w3 & 0xffff)
  )
}

const mapped = 0xffff

export function wordsOf(address: IpAddress): AddressWords {
  if (address.length === 4) return { w0: 0, w1: 0, w2: mapped, w3: word(address, 0) }
  return { w0: word(address, 0), w1: word(address, 4), w2: word(address, 8), w3: word(address, 12) }
}

export function addressOf(words: AddressWords): IpAddress {
  const isIpv4 = isMapped(words)
  const address = new Uint8Array(isIpv4 ? 4 : 16)
  if (isIpv4) putWord(address, 0, words.w3)
  else {
    putWord(address, 0, words.w0)
    putWord(address, 4, words.w1)
    putWord(address, 8, words.w2)
    putWord(address, 12, words.w3)
  }
  return address
}

/** Whether the words stand for an IPv4 address. */
export function isMapped(words: AddressWords): boolean {
  return words.w2 === mapped && words.w1 === 0 && words.w0 === 0
}

export function sameWords(a: AddressWords, b: AddressWords): boolean {
  return a.w3 === b.w3 && a.w2 === b.w2 && a.w1 === b.w1 && a.w0 === b.w0
}

export function copyWords(from: AddressWords): AddressWords {
  return { w0: from.w0, w1: from.w1, w2: from.w2, w3: from.w3 }
}

function word(bytes: Uint8Array, at: number): number {
  return (
    ((bytes[at] as number) << 24) |
    ((bytes[at + 1] as number) << 16) |
    ((bytes[at + 2] as number) << 8) |
    (bytes[at + 3] as number)
  )
}

function putWord(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24
  bytes[at + 1] = value >>> 16
  bytes[at + 2] = value >>> 8
  bytes[at + 3] = value
}

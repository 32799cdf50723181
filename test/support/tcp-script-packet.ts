// What a scripted peer puts on the wire: segments, fragments of them, and what a router says of ours.
import { createPacketMemory } from '../../src/core/base/packet-memory.js'
import { checksumOf, onesSum } from '../../src/core/wire/checksum.js'
import { ipHeaderLength, protocolTcp, pseudoHeaderSum, wordsOf, writeIpHeader } from '../../src/core/wire/ip.js'
import { tcpChecksumOffset, writeTcpHeader } from '../../src/core/wire/tcp.js'
import { icmpPacket, ipPacket } from './packets.js'

/** Who sends to whom. */
export interface Ends {
  from: Uint8Array
  fromPort: number
  to: Uint8Array
  toPort: number
}

export interface RawSegment {
  flags: number
  sequence: number
  acknowledgment: number
  window: number
  options: Uint8Array
  payload: Uint8Array
}

const memory = createPacketMemory(new ArrayBuffer(65536), 65536)

export function tcpPacket(ends: Ends, segment: RawSegment): Uint8Array {
  const { options, payload } = segment
  const { u8, view } = memory
  const headerLength = 20 + options.length
  const length = headerLength + payload.length
  const version = ends.from.length === 4 ? 4 : 6
  const at = ipHeaderLength(version)
  const { sequence, acknowledgment, flags, window } = segment
  writeTcpHeader(memory, at, ends.fromPort, ends.toPort, sequence, acknowledgment, headerLength, flags, window)
  u8.set(options, at + 20)
  u8.set(payload, at + headerLength)
  const from = wordsOf(ends.from)
  const to = wordsOf(ends.to)
  const sum = pseudoHeaderSum(from, to, protocolTcp, length) + onesSum(memory, at, length)
  view.setUint16(at + tcpChecksumOffset, checksumOf(sum))
  writeIpHeader(memory, 0, version, length, protocolTcp, 64, from, to)
  return u8.slice(0, at + length)
}

/** The packet in fragments, each with the bytes from … to of the payload; all but the last end at a multiple of 8. */
export function fragmentsOf(packet: Uint8Array, id: number, ranges: [number, number][]): Uint8Array[] {
  const version = (packet[0] as number) >> 4 === 4 ? 4 : 6
  const header = ipHeaderLength(version)
  const total = packet.length - header
  return ranges.map(([from, to]) => {
    const body = packet.subarray(header + from, header + to)
    const more = to < total ? 1 : 0
    return version === 4 ? fragment4(packet, id, from, more, body) : fragment6(packet, id, from, more, body)
  })
}

function fragment4(packet: Uint8Array, id: number, offset: number, more: number, body: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(20 + body.length)
  bytes.set(packet.subarray(0, 20))
  bytes.set(body, 20)
  const view = new DataView(bytes.buffer)
  view.setUint16(2, bytes.length)
  view.setUint16(4, id)
  view.setUint16(6, (more << 13) | (offset / 8))
  view.setUint16(10, 0)
  memory.u8.set(bytes)
  view.setUint16(10, checksumOf(onesSum(memory, 0, 20)))
  return bytes
}

function fragment6(packet: Uint8Array, id: number, offset: number, more: number, body: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(48 + body.length)
  bytes.set(packet.subarray(0, 40))
  bytes.set(body, 48)
  const view = new DataView(bytes.buffer)
  view.setUint16(4, bytes.length - 40)
  bytes[40] = packet[6] as number
  bytes[6] = 44
  view.setUint16(42, offset | more)
  view.setUint32(44, id)
  return bytes
}

/** A router at `ends.from` says that the segment of `ends.to` at `sequence`, which need not exist, was too big. */
export function tooBigPacket(ends: Ends, sequence: number, mtu: number): Uint8Array {
  const quoted = new Uint8Array(28)
  const view = new DataView(quoted.buffer)
  view.setUint16(0, ends.toPort)
  view.setUint16(2, ends.fromPort)
  view.setInt32(4, sequence)
  const packet = ipPacket(ends.to, ends.from, protocolTcp, quoted)
  const [type, code] = ends.from.length === 4 ? [3, 4] : [2, 0]
  return icmpPacket(ends.from, ends.to, type, code, mtu, packet)
}

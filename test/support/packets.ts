// Packets for tests, built by hand: what a stack is given, and what it gave, as plain objects.
import { createPacketMemory } from '../../src/core/base/packet-memory.js'
import { createIcmpHeader, type IcmpHeader, parseIcmp, writeIcmpHeader } from '../../src/core/wire/icmp.js'
import {
  addressOf,
  createIpHeader,
  type IpHeader,
  ipHeaderLength,
  parseIp,
  protocolIcmp,
  protocolIcmpv6,
  protocolUdp,
  wordsOf,
  writeIpHeader,
} from '../../src/core/wire/ip.js'
import { createUdpHeader, parseUdp, udpHeaderLength, writeUdpHeader } from '../../src/core/wire/udp.js'

export function scratchMemory() {
  return createPacketMemory(new ArrayBuffer(131072), 131072)
}

function versionOf(address: Uint8Array): 4 | 6 {
  return address.length === 4 ? 4 : 6
}

/** An IP packet around a payload. */
export function ipPacket(
  source: Uint8Array,
  destination: Uint8Array,
  protocol: number,
  payload: Uint8Array,
): Uint8Array {
  const memory = scratchMemory()
  const header = ipHeaderLength(versionOf(source))
  memory.u8.set(payload, header)
  const from = wordsOf(source)
  writeIpHeader(memory, 0, versionOf(source), payload.length, protocol, 64, from, wordsOf(destination))
  return memory.u8.slice(0, header + payload.length)
}

export function udpPacket(
  source: Uint8Array,
  sourcePort: number,
  destination: Uint8Array,
  destinationPort: number,
  payload: Uint8Array,
): Uint8Array {
  const memory = scratchMemory()
  memory.u8.set(payload, udpHeaderLength)
  const from = wordsOf(source)
  writeUdpHeader(memory, 0, sourcePort, destinationPort, payload.length, from, wordsOf(destination))
  return ipPacket(source, destination, protocolUdp, memory.u8.slice(0, udpHeaderLength + payload.length))
}

export function icmpPacket(
  source: Uint8Array,
  destination: Uint8Array,
  type: number,
  code: number,
  rest: number,
  body: Uint8Array,
): Uint8Array {
  const memory = scratchMemory()
  memory.u8.set(body, 8)
  const version = versionOf(source)
  const from = wordsOf(source)
  writeIcmpHeader(memory, 0, version, (type << 8) | code, rest, body.length, from, wordsOf(destination))
  const protocol = version === 4 ? protocolIcmp : protocolIcmpv6
  return ipPacket(source, destination, protocol, memory.u8.slice(0, 8 + body.length))
}

export interface Decoded {
  ip: IpHeader
  source: Uint8Array
  destination: Uint8Array
  udp?: { sourcePort: number; destinationPort: number; payload: Uint8Array }
  icmp?: IcmpHeader & { content: Uint8Array }
}

export function decode(packet: Uint8Array): Decoded {
  const memory = scratchMemory()
  memory.u8.set(packet)
  const ip = createIpHeader()
  const drop = parseIp(memory, 0, packet.length, ip)
  if (drop !== undefined) throw new Error(drop)
  const decoded: Decoded = { ip, source: addressOf(ip.source), destination: addressOf(ip.destination) }
  if (ip.fragment) return decoded
  if (ip.protocol === protocolUdp) {
    const header = createUdpHeader()
    const bad = parseUdp(memory, ip, header)
    if (bad !== undefined) throw new Error(bad)
    const payload = memory.u8.slice(header.payload, header.payload + header.payloadLength)
    decoded.udp = { sourcePort: header.sourcePort, destinationPort: header.destinationPort, payload }
  }
  if (ip.protocol === protocolIcmp || ip.protocol === protocolIcmpv6) {
    const header = createIcmpHeader()
    const bad = parseIcmp(memory, ip, header)
    if (bad !== undefined) throw new Error(bad)
    decoded.icmp = { ...header, content: memory.u8.slice(header.body, header.body + header.bodyLength) }
  }
  return decoded
}

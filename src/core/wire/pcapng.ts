// Capture files in the PCAP Next Generation format (draft-ietf-opsawg-pcapng): a section header, an interface description for
// each layer that is captured, and enhanced packet blocks. Packets are bare IP (LINKTYPE_RAW); times are microseconds.
import { utf8Bytes } from '../base/text.js'

const blockType = { sectionHeader: 0x0a0d0d0a, interface: 1, enhancedPacket: 6 } as const
const byteOrderMagic = 0x1a2b3c4d
/** LINKTYPE_RAW: the packet begins with its IPv4 or IPv6 header. */
const linkTypeRaw = 101
const option = { application: 4, interfaceName: 2, packetFlags: 2 } as const
const direction = { inbound: 1, outbound: 2 } as const
/** Type, length, and the length again behind the body. */
const blockOverhead = 12
const enhancedPacketHeader = 20
/** epb_flags with its header, then opt_endofopt. */
const packetOptions = 12

export interface CapturedPacket {
  /** Number of the interface, in the order in which they were described. */
  readonly interface: number
  /** Microseconds since 1970. */
  readonly time: number
  readonly outbound: boolean
  readonly bytes: Uint8Array
}

/** What a file begins with: the section and one description for each name. */
export function serialiseCaptureHeader(application: string, interfaceNames: readonly string[]): Uint8Array {
  const section = new Uint8Array(16)
  const view = new DataView(section.buffer)
  view.setUint32(0, byteOrderMagic, true)
  view.setUint16(4, 1, true) // version 1.0
  view.setBigInt64(8, -1n, true) // the section's length is not known
  const blocks = [serialiseBlock(blockType.sectionHeader, [section, serialiseOption(option.application, application)])]
  for (const name of interfaceNames) {
    const description = new Uint8Array(8)
    new DataView(description.buffer).setUint16(0, linkTypeRaw, true)
    blocks.push(serialiseBlock(blockType.interface, [description, serialiseOption(option.interfaceName, name)]))
  }
  return join(blocks)
}

/** One packet's block. */
export function serialiseCapturedPacket(packet: CapturedPacket): Uint8Array {
  const { bytes, time } = packet
  const padded = roundUp(bytes.length)
  const block = new Uint8Array(blockOverhead + enhancedPacketHeader + padded + packetOptions)
  const view = new DataView(block.buffer)
  view.setUint32(0, blockType.enhancedPacket, true)
  view.setUint32(4, block.length, true)
  view.setUint32(8, packet.interface, true)
  view.setUint32(12, Math.floor(time / 0x1_0000_0000), true)
  view.setUint32(16, time >>> 0, true)
  view.setUint32(20, bytes.length, true)
  view.setUint32(24, bytes.length, true)
  block.set(bytes, 28)
  const options = 28 + padded
  view.setUint16(options, option.packetFlags, true)
  view.setUint16(options + 2, 4, true)
  view.setUint32(options + 4, packet.outbound ? direction.outbound : direction.inbound, true)
  view.setUint32(block.length - 4, block.length, true)
  return block
}

/** The packets of a capture in this module's form, up to the first block that is cut short; undefined if it is none. */
export function parseCapture(bytes: Uint8Array): CapturedPacket[] | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  if (bytes.length < 28 || view.getUint32(0, true) !== blockType.sectionHeader) return undefined
  if (view.getUint32(8, true) !== byteOrderMagic) return undefined
  const packets: CapturedPacket[] = []
  for (let at = 0; at + blockOverhead <= bytes.length; ) {
    const length = view.getUint32(at + 4, true)
    if (length < blockOverhead || length % 4 !== 0 || at + length > bytes.length) break
    if (view.getUint32(at, true) === blockType.enhancedPacket) {
      const packet = parsePacket(bytes, view, at, length)
      if (packet === undefined) return undefined
      packets.push(packet)
    }
    at += length
  }
  return packets
}

function parsePacket(bytes: Uint8Array, view: DataView, at: number, length: number): CapturedPacket | undefined {
  if (length < blockOverhead + enhancedPacketHeader) return undefined
  const captured = view.getUint32(at + 20, true)
  if (captured > length) return undefined
  const options = at + 28 + roundUp(captured)
  const end = at + length - 4
  if (options > end) return undefined
  const hasFlags = options + 8 <= end && view.getUint16(options, true) === option.packetFlags
  return {
    interface: view.getUint32(at + 8, true),
    time: view.getUint32(at + 12, true) * 0x1_0000_0000 + view.getUint32(at + 16, true),
    outbound: hasFlags && (view.getUint32(options + 4, true) & 3) === direction.outbound,
    bytes: new Uint8Array(bytes.subarray(at + 28, at + 28 + captured)),
  }
}

function serialiseBlock(type: number, parts: readonly Uint8Array[]): Uint8Array {
  const body = join(parts)
  const block = new Uint8Array(blockOverhead + body.length)
  const view = new DataView(block.buffer)
  view.setUint32(0, type, true)
  view.setUint32(4, block.length, true)
  block.set(body, 8)
  view.setUint32(block.length - 4, block.length, true)
  return block
}

/** One option with text, and the end of options behind it. */
function serialiseOption(code: number, text: string): Uint8Array {
  const value = utf8Bytes(text)
  const bytes = new Uint8Array(4 + roundUp(value.length) + 4)
  const view = new DataView(bytes.buffer)
  view.setUint16(0, code, true)
  view.setUint16(2, value.length, true)
  bytes.set(value, 4)
  return bytes
}

function roundUp(length: number): number {
  return (length + 3) & ~3
}

function join(parts: readonly Uint8Array[]): Uint8Array {
  const joined = new Uint8Array(parts.reduce((length, part) => length + part.length, 0))
  let at = 0
  for (const part of parts) {
    joined.set(part, at)
    at += part.length
  }
  return joined
}

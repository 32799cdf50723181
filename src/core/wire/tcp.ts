// TCP segments (RFC 9293, 3.1) in packet memory, with the options of RFC 7323 (window scale, timestamps) and RFC 2018
// (SACK). One record is filled again and again; sequence numbers are signed 32-bit, so that V8 holds them unboxed.
import type { PacketMemory } from '../base/packet-memory.js'

export const flagFin = 1
export const flagSyn = 2
export const flagRst = 4
export const flagPsh = 8
export const flagAck = 16

export const tcpHeaderLength = 20

const optionEnd = 0
const optionNop = 1
const optionMss = 2
const optionWindowScale = 3
const optionSackPermitted = 4
const optionSack = 5
const optionTimestamps = 8

/** RFC 7323, 2.3: a larger shift is taken as 14. */
const maxWindowScale = 14

/** A parsed segment. Offsets are into packet memory. */
export interface TcpHeader {
  sourcePort: number
  destinationPort: number
  sequence: number
  acknowledgment: number
  flags: number
  /** As sent, before scaling. */
  window: number
  payload: number
  payloadLength: number
  /** 0: absent. */
  mss: number
  /** −1: absent. */
  windowScale: number
  sackPermitted: boolean
  hasTimestamps: boolean
  timestamp: number
  timestampEcho: number
  /** SACK blocks; block i lies in `sackEdges[2i … 2i + 1]`. */
  sackCount: number
  readonly sackEdges: Int32Array
}

export function createTcpHeader(): TcpHeader {
  return {
    sourcePort: 0,
    destinationPort: 0,
    sequence: 0,
    acknowledgment: 0,
    flags: 0,
    window: 0,
    payload: 0,
    payloadLength: 0,
    mss: 0,
    windowScale: -1,
    sackPermitted: false,
    hasTimestamps: false,
    timestamp: 0,
    timestampEcho: 0,
    sackCount: 0,
    sackEdges: new Int32Array(8),
  }
}

/** Reads the segment of `length` bytes at `offset`, its checksum apart; false if it is malformed. */
export function parseTcp(memory: PacketMemory, offset: number, length: number, header: TcpHeader): boolean {
  if (length < tcpHeaderLength) return false
  const { u8, view } = memory
  const headerLength = ((u8[offset + 12] as number) >> 4) * 4
  if (headerLength < tcpHeaderLength || headerLength > length) return false
  header.sourcePort = view.getUint16(offset)
  header.destinationPort = view.getUint16(offset + 2)
  header.sequence = view.getInt32(offset + 4)
  header.acknowledgment = view.getInt32(offset + 8)
  header.flags = (u8[offset + 13] as number) & 0x3f
  header.window = view.getUint16(offset + 14)
  header.payload = offset + headerLength
  header.payloadLength = length - headerLength
  header.mss = 0
  header.windowScale = -1
  header.sackPermitted = false
  header.sackCount = 0
  // What nearly every segment carries: two NOPs and timestamps (RFC 7323, appendix A).
  if (headerLength === 32 && view.getInt32(offset + 20) === 0x0101080a) {
    header.hasTimestamps = true
    header.timestamp = view.getInt32(offset + 24)
    header.timestampEcho = view.getInt32(offset + 28)
    return true
  }
  header.hasTimestamps = false
  if (headerLength > tcpHeaderLength) parseOptions(memory, offset + tcpHeaderLength, offset + headerLength, header)
  return true
}

/** Reads options up to the first malformed one; a segment is not worth less for a bad option. */
function parseOptions(memory: PacketMemory, from: number, end: number, header: TcpHeader): void {
  const { u8, view } = memory
  let at = from
  while (at < end) {
    const kind = u8[at] as number
    if (kind === optionEnd) return
    if (kind === optionNop) {
      at++
      continue
    }
    if (at + 2 > end) return
    const size = u8[at + 1] as number
    if (size < 2 || at + size > end) return
    switch (kind) {
      case optionMss:
        if (size === 4) header.mss = view.getUint16(at + 2)
        break
      case optionWindowScale:
        if (size === 3) header.windowScale = Math.min(maxWindowScale, u8[at + 2] as number)
        break
      case optionSackPermitted:
        if (size === 2) header.sackPermitted = true
        break
      case optionTimestamps:
        if (size === 10) {
          header.hasTimestamps = true
          header.timestamp = view.getInt32(at + 2)
          header.timestampEcho = view.getInt32(at + 6)
        }
        break
      case optionSack:
        if ((size & 7) === 2 && size >= 10) {
          header.sackCount = (size - 2) >> 3
          for (let i = 0; i < header.sackCount * 2; i++) header.sackEdges[i] = view.getInt32(at + 2 + i * 4)
        }
        break
    }
    at += size
  }
}

/** Writes the 20 fixed bytes, checksum and urgent pointer zero. `headerLength` counts the options. */
export function writeTcpHeader(
  memory: PacketMemory,
  offset: number,
  sourcePort: number,
  destinationPort: number,
  sequence: number,
  acknowledgment: number,
  headerLength: number,
  flags: number,
  window: number,
): void {
  const { view } = memory
  view.setInt32(offset, (sourcePort << 16) | destinationPort)
  view.setInt32(offset + 4, sequence)
  view.setInt32(offset + 8, acknowledgment)
  view.setInt32(offset + 12, (headerLength << 26) | (flags << 16) | window)
  view.setInt32(offset + 16, 0)
}

/** Offset of the checksum field in a header. */
export const tcpChecksumOffset = 16

/** Two NOPs and timestamps, 12 bytes. */
export const timestampsLength = 12
export function writeTimestamps(memory: PacketMemory, at: number, timestamp: number, echo: number): void {
  const { view } = memory
  view.setInt32(at, 0x0101080a)
  view.setInt32(at + 4, timestamp)
  view.setInt32(at + 8, echo)
}

export const mssOptionLength = 4
export function writeMss(memory: PacketMemory, at: number, mss: number): void {
  memory.view.setInt32(at, (optionMss << 24) | (4 << 16) | mss)
}

/** A NOP and the shift, 4 bytes. */
export const windowScaleLength = 4
export function writeWindowScale(memory: PacketMemory, at: number, shift: number): void {
  memory.view.setInt32(at, (optionNop << 24) | (optionWindowScale << 16) | (3 << 8) | shift)
}

/** Two NOPs and SACK-permitted, 4 bytes. */
export const sackPermittedLength = 4
export function writeSackPermitted(memory: PacketMemory, at: number): void {
  memory.view.setInt32(at, (optionNop << 24) | (optionNop << 16) | (optionSackPermitted << 8) | 2)
}

/** Two NOPs and `count` blocks, 4 + 8 × count bytes. */
export function sackLength(count: number): number {
  return 4 + 8 * count
}
export function writeSack(memory: PacketMemory, at: number, edges: Int32Array, count: number): void {
  const { view } = memory
  view.setInt32(at, (optionNop << 24) | (optionNop << 16) | (optionSack << 8) | (2 + 8 * count))
  for (let i = 0; i < count * 2; i++) view.setInt32(at + 4 + i * 4, edges[i] as number)
}

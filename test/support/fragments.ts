// Fragments for tests, cut by hand from whole packets.
import { checksumOf, onesSum } from '../../src/core/wire/checksum.js'
import { scratchMemory } from './packets.js'

export interface Cut {
  /** Of the bytes behind the IP header; the last one up to the end. */
  readonly from: number
  readonly to: number
  readonly more?: boolean
  readonly id?: number
}

/** One fragment of a packet without options or extension headers. */
export function fragmentOf(packet: Uint8Array, { from, to, more, id = 7 }: Cut): Uint8Array {
  const isIpv4 = (packet[0] as number) >> 4 === 4
  const header = isIpv4 ? 20 : 40
  const body = packet.subarray(header)
  const part = body.subarray(from, to)
  const isMore = more ?? to < body.length
  const memory = scratchMemory()
  const { u8, view } = memory
  u8.set(packet.subarray(0, header))
  if (isIpv4) {
    u8.set(part, header)
    view.setUint16(2, header + part.length)
    view.setUint16(4, id)
    view.setUint16(6, (isMore ? 0x2000 : 0) | (from >> 3))
    view.setUint16(10, 0)
    view.setUint16(10, checksumOf(onesSum(memory, 0, header)))
    return u8.slice(0, header + part.length)
  }
  view.setUint16(4, 8 + part.length)
  u8[6] = 44
  view.setUint32(header, ((packet[6] as number) << 24) | (from & 0xfff8) | (isMore ? 1 : 0))
  view.setUint32(header + 4, id)
  u8.set(part, header + 8)
  return u8.slice(0, header + 8 + part.length)
}

/** The fragments of a packet, each with at most `size` bytes, a multiple of 8. */
export function fragmentsOf(packet: Uint8Array, size: number, id = 7): Uint8Array[] {
  const length = packet.length - ((packet[0] as number) >> 4 === 4 ? 20 : 40)
  const fragments: Uint8Array[] = []
  for (let from = 0; from < length; from += size) {
    fragments.push(fragmentOf(packet, { from, to: Math.min(length, from + size), id }))
  }
  return fragments
}

// Packets larger than a slot: put together from fragments, or to be cut into them (RFC 791, 3.2; RFC 8200, 4.5).
import { createPacketMemory, noSlot, type PacketMemory } from '../base/packet-memory.js'
import { type AddressWords, ipHeaderLength, writeIpHeader } from '../wire/ip.js'
import { setIpv4Fragment } from '../wire/ipv4.js'
import { fragmentHeaderLength, protocolFragment, writeFragmentHeader } from '../wire/ipv6.js'
import type { StackContext } from './context.js'
import { defaultHopLimit, packetHeadroom } from './output.js'

/** A slot for one packet of the largest size there is. */
const largeSlot = 65_536 + 128

/** What IP carries at most behind a header without options. */
export function maxPayload(version: 4 | 6): number {
  return version === 4 ? 65_515 : 65_535
}

export function createLargeMemory(): PacketMemory {
  return createPacketMemory(new ArrayBuffer(largeSlot), largeSlot)
}

/**
 * Enqueues `length` bytes of `memory` as one datagram, in fragments if need be; false if they do not all fit in the queue. `isReply`:
 * others provoked it, and have their own queue.
 */
export function sendInFragments(
  context: StackContext,
  memory: PacketMemory,
  offset: number,
  length: number,
  protocol: number,
  source: AddressWords,
  destination: AddressWords,
  version: 4 | 6,
  path: number,
  now: number,
  isReply = false,
  hopLimit = defaultHopLimit,
): boolean {
  const { output, counters } = context
  const mtu = context.paths.mtu(path, now)
  const isWhole = ipHeaderLength(version) + length <= mtu
  const headers = ipHeaderLength(version) + (version === 6 && !isWhole ? fragmentHeaderLength : 0)
  const step = isWhole ? length : (mtu - headers) & ~7
  const count = Math.ceil(length / step)
  if (!isReply && output.room < count) return false
  const id = output.nextFragmentId++ | 0
  for (let i = 0; i < count; i++) {
    const slot = context.memory.alloc()
    if (slot === noSlot) {
      counters.noSlot++
      return false
    }
    const packet = slot + packetHeadroom
    const start = i * step
    const part = Math.min(step, length - start)
    const more = i + 1 < count
    context.memory.u8.set(memory.u8.subarray(offset + start, offset + start + part), packet + headers)
    if (isWhole) writeIpHeader(context.memory, packet, version, part, protocol, hopLimit, source, destination)
    else if (version === 4) {
      writeIpHeader(context.memory, packet, 4, part, protocol, hopLimit, source, destination)
      setIpv4Fragment(context.memory, packet, id & 0xffff, start, more)
    } else {
      const behind = fragmentHeaderLength + part
      writeIpHeader(context.memory, packet, 6, behind, protocolFragment, hopLimit, source, destination)
      writeFragmentHeader(context.memory, packet + ipHeaderLength(6), protocol, id, start, more)
    }
    if (!isWhole) counters.fragmentsOut++
    const enqueued = isReply
      ? output.enqueueReply(slot, headers + part, path)
      : output.enqueue(slot, headers + part, path)
    if (!enqueued) return false
  }
  return true
}

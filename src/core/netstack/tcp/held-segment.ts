// A received segment that waits in its slot. Its record lies in the slot's first 16 bytes, where WireGuard's header was,
// so holding a segment costs nothing but the slot: four words, the slots linked into chains.
import type { PacketMemory } from '../../base/packet-memory.js'

export function nextHeld(memory: PacketMemory, slot: number): number {
  return (memory.u32[slot >> 2] as number) | 0
}

export function setNextHeld(memory: PacketMemory, slot: number, next: number): void {
  memory.u32[slot >> 2] = next
}

export function heldSequence(memory: PacketMemory, slot: number): number {
  return (memory.u32[(slot >> 2) + 1] as number) | 0
}

/** Offset of the payload in packet memory. */
export function heldPayload(memory: PacketMemory, slot: number): number {
  return memory.u32[(slot >> 2) + 2] as number
}

export function heldLength(memory: PacketMemory, slot: number): number {
  return memory.u32[(slot >> 2) + 3] as number
}

/** Writes the record; the chain ends here. */
export function hold(memory: PacketMemory, slot: number, sequence: number, payload: number, length: number): void {
  const word = slot >> 2
  memory.u32[word] = -1
  memory.u32[word + 1] = sequence
  memory.u32[word + 2] = payload
  memory.u32[word + 3] = length
}

export function trimFront(memory: PacketMemory, slot: number, count: number): void {
  const word = slot >> 2
  memory.u32[word + 1] = heldSequence(memory, slot) + count
  memory.u32[word + 2] = heldPayload(memory, slot) + count
  memory.u32[word + 3] = heldLength(memory, slot) - count
}

/** Appends the payload of `slot` to the one of `before` if it fits there; then `slot` is free to go. */
export function mergeHeld(memory: PacketMemory, before: number, payload: number, length: number): boolean {
  const end = heldPayload(memory, before) + heldLength(memory, before)
  if (end + length > before + memory.slotSize) return false
  memory.u8.copyWithin(end, payload, payload + length)
  memory.u32[(before >> 2) + 3] = heldLength(memory, before) + length
  return true
}

/** Frees a chain and says how many slots it had. */
export function freeChain(memory: PacketMemory, head: number): number {
  let count = 0
  for (let slot = head; slot >= 0; count++) {
    const next = nextHeld(memory, slot)
    memory.free(slot)
    slot = next
  }
  return count
}

// Packets that wait for a peer's session: the newest few, in order. Who stages a packet gives its slot away.
import type { PacketMemory } from '../base/packet-memory.js'

export class StagedQueue {
  readonly #memory: PacketMemory
  readonly #limit: number
  /** Slot and length of each packet, one after the other. */
  readonly #packets: number[] = []

  constructor(memory: PacketMemory, limit: number) {
    this.#memory = memory
    this.#limit = limit
  }

  get size(): number {
    return this.#packets.length / 2
  }

  /** Takes a packet in; returns how many old ones had to go for it. */
  push(slot: number, length: number): number {
    this.#packets.push(slot, length)
    let dropped = 0
    for (; this.size > this.#limit; dropped++) this.#dropFirst()
    return dropped
  }

  /** Hands out all packets, their slots with them. Those that `send` stages again come in after them. */
  drain(send: (slot: number, length: number) => void): void {
    const packets = this.#packets.splice(0)
    for (let i = 0; i < packets.length; i += 2) send(packets[i] as number, packets[i + 1] as number)
  }

  /** Drops everything; returns how many packets that were. */
  clear(): number {
    const dropped = this.size
    while (this.#packets.length > 0) this.#dropFirst()
    return dropped
  }

  #dropFirst(): void {
    this.#memory.free(this.#packets.shift() as number)
    this.#packets.shift()
  }
}

// Packets on their way out. TCP's leave straight from flush(); datagrams and small replies wait here for it, in a bounded
// ring, because inputs must not send: a reply may be provoked from inside the device.
import type { PacketMemory } from '../base/packet-memory.js'
import type { StackCounters } from './counters.js'
import { loopbackPath, type PathTable } from './paths.js'
import type { StackSink } from './types.js'

/** Bytes before an IP packet in its slot: room for WireGuard's header. */
export const packetHeadroom = 16

/** RFC 1700's default, Linux's too. */
export const defaultHopLimit = 64

const stride = 3

export class PacketOutput {
  readonly memory: PacketMemory
  readonly #sink: StackSink
  readonly #paths: PathTable
  readonly #counters: StackCounters
  readonly #limit: number
  #ring: number[] = []
  #first = 0
  /** Packets to ourselves: slot and length by turns. */
  #loop: number[] = []

  constructor(memory: PacketMemory, sink: StackSink, paths: PathTable, counters: StackCounters, limit: number) {
    this.memory = memory
    this.#sink = sink
    this.#paths = paths
    this.#counters = counters
    this.#limit = limit
  }

  /** Packets that wait for a flush. */
  get waiting(): number {
    return (this.#ring.length - this.#first) / stride + this.#loop.length / 2
  }

  /** Sends now. Only from inside flush(). Takes the slot. */
  send(slot: number, length: number, path: number, now: number): void {
    this.#counters.packetsOut++
    if (path === loopbackPath) this.#loop.push(slot, length)
    else this.#sink.sendPacket(slot, slot + packetHeadroom, length, path, now)
  }

  get full(): boolean {
    return (this.#ring.length - this.#first) / stride >= this.#limit
  }

  /** Leaves at the next flush, once the path is up. Takes the slot; false if it had to be dropped. */
  enqueue(slot: number, length: number, path: number): boolean {
    if (this.full) {
      this.#counters.outputQueueFull++
      this.memory.free(slot)
      return false
    }
    this.#ring.push(slot, length, path)
    return true
  }

  /** Sends what waits, at most `budget` packets; returns how many. */
  drain(now: number, budget: number): number {
    let count = 0
    while (count < budget && this.#first < this.#ring.length) {
      const slot = this.#ring[this.#first] as number
      const length = this.#ring[this.#first + 1] as number
      const path = this.#ring[this.#first + 2] as number
      this.#first += stride
      if (this.#paths.ready(path)) {
        this.send(slot, length, path, now)
        count++
      } else this.#paths.hold(path, slot, length, now)
    }
    if (this.#first * 2 > this.#ring.length) {
      this.#ring.splice(0, this.#first)
      this.#first = 0
    }
    return count
  }

  /** Hands the packets to ourselves that wait now to `receive`, which takes the slots. */
  loop(receive: (slot: number, length: number) => void): void {
    if (this.#loop.length === 0) return
    const packets = this.#loop
    this.#loop = []
    for (let i = 0; i < packets.length; i += 2) receive(packets[i] as number, packets[i + 1] as number)
  }

  clear(): void {
    for (let i = this.#first; i < this.#ring.length; i += stride) this.memory.free(this.#ring[i] as number)
    for (let i = 0; i < this.#loop.length; i += 2) this.memory.free(this.#loop[i] as number)
    this.#ring = []
    this.#loop = []
    this.#first = 0
  }
}

// Packets on their way out. TCP's leave straight from flush(); datagrams and small replies wait here for it, in bounded
// rings, because inputs must not send: a reply may be provoked from inside the device. What others provoke has a ring of
// its own, so that it crowds out nothing of ours.
import type { PacketMemory } from '../base/packet-memory.js'
import type { StackCounters } from './counters.js'
import { FairCount } from './fair-count.js'
import { PacketRing } from './packet-ring.js'
import { loopbackPath, type PathTable } from './paths.js'
import type { StackSink } from './types.js'

/** Bytes before an IP packet in its slot: room for WireGuard's header. */
export const packetHeadroom = 16

/** RFC 1700's default, Linux's too. */
export const defaultHopLimit = 64

export class PacketOutput {
  readonly memory: PacketMemory
  /** Counted up, so that it comes again as late as can be (RFC 4963). */
  nextFragmentId: number
  readonly #sink: StackSink
  readonly #paths: PathTable
  readonly #counters: StackCounters
  readonly #own: PacketRing
  readonly #replies: PacketRing
  readonly #replyShares: FairCount
  /** Packets to ourselves: slot and length by turns. */
  #loop: number[] = []

  constructor(
    memory: PacketMemory,
    sink: StackSink,
    paths: PathTable,
    counters: StackCounters,
    limits: { readonly outputQueue: number; readonly replyQueue: number },
    firstFragmentId: number,
  ) {
    this.memory = memory
    this.#sink = sink
    this.#paths = paths
    this.#counters = counters
    this.nextFragmentId = firstFragmentId
    this.#own = new PacketRing(limits.outputQueue)
    this.#replies = new PacketRing(limits.replyQueue)
    this.#replyShares = new FairCount(limits.replyQueue)
  }

  /** Packets that wait for a flush. */
  get waiting(): number {
    return this.#own.count + this.#replies.count + this.#loop.length / 2
  }

  /** Packets of ours that may still be enqueued. */
  get room(): number {
    return this.#own.room
  }

  /** Sends now. Only from inside flush(). Takes the slot. */
  send(slot: number, length: number, path: number, now: number): void {
    this.#counters.packetsOut++
    if (path === loopbackPath) this.#loop.push(slot, length)
    else this.#sink.sendPacket(slot, slot + packetHeadroom, length, path, now)
  }

  /** Leaves at the next flush, once the path is up. Takes the slot; false if it had to be dropped. */
  enqueue(slot: number, length: number, path: number): boolean {
    if (this.#own.room <= 0) {
      this.#counters.outputQueueFull++
      this.memory.free(slot)
      return false
    }
    this.#own.push(slot, length, path)
    return true
  }

  /** As {@link enqueue}, for what others provoke: each path has its share. */
  enqueueReply(slot: number, length: number, path: number): boolean {
    if (!this.#replyShares.take(path)) {
      this.#counters.replyQueueFull++
      this.memory.free(slot)
      return false
    }
    this.#replies.push(slot, length, path)
    return true
  }

  /** Sends what waits, ours and replies by turns, at most `budget` packets; returns how many. */
  drain(now: number, budget: number): number {
    let count = 0
    while (count < budget && this.#own.count + this.#replies.count > 0) {
      if (this.#own.count > 0 && this.#drainOne(this.#own, now)) count++
      if (this.#replies.count > 0 && count < budget) {
        this.#replyShares.give(this.#replies.path)
        if (this.#drainOne(this.#replies, now)) count++
      }
    }
    return count
  }

  #drainOne(ring: PacketRing, now: number): boolean {
    const { slot, length, path } = ring
    ring.shift()
    if (this.#paths.ready(path)) {
      this.send(slot, length, path, now)
      return true
    }
    this.#paths.hold(path, slot, length, now)
    return false
  }

  /** Hands the packets to ourselves that wait now to `receive`, which takes the slots. */
  loop(receive: (slot: number, length: number) => void): void {
    if (this.#loop.length === 0) return
    const packets = this.#loop
    this.#loop = []
    for (let i = 0; i < packets.length; i += 2) receive(packets[i] as number, packets[i + 1] as number)
  }

  clear(): void {
    for (; this.#own.count > 0; this.#own.shift()) this.memory.free(this.#own.slot)
    for (; this.#replies.count > 0; this.#replies.shift()) {
      this.#replyShares.give(this.#replies.path)
      this.memory.free(this.#replies.slot)
    }
    for (let i = 0; i < this.#loop.length; i += 2) this.memory.free(this.#loop[i] as number)
    this.#loop = []
  }
}

// Bytes received in order and not yet read. Within a turn segments stay in their slots; they are copied once, into one
// slab of the right size, when they are read or, at the latest, when the turn ends.
import type { PacketMemory } from '../../base/packet-memory.js'
import type { PathShare } from '../shared-budget.js'
import { slabSize } from './constants.js'
import { freeChain, heldLength, heldPayload, nextHeld, setNextHeld, trimFront } from './held-segment.js'

/** Slots that a connection holds before they are copied in the middle of a turn. */
const maxHeld = 64
const smallestUnreadSlab = 4096

export class ReceiveQueue {
  /** Bytes held. */
  length = 0
  readonly #memory: PacketMemory
  #head = -1
  #tail = -1
  #held = 0
  #heldBytes = 0
  #slabs: Uint8Array[] | undefined
  /** Bytes in the last slab; the ones before are full or as long as they are. */
  #lastUsed = 0
  /** Where what is held here is counted: bytes in slots, and slabs whole. */
  #share: PathShare | undefined
  #counted = 0

  constructor(memory: PacketMemory, share: PathShare) {
    this.#memory = memory
    this.#share = share
  }

  /** Whether slots wait to be copied. */
  get holdsSlots(): boolean {
    return this.#held > 0
  }

  /** Takes a held segment whose bytes come next. */
  push(slot: number): void {
    const memory = this.#memory
    setNextHeld(memory, slot, -1)
    if (this.#head < 0) this.#head = slot
    else setNextHeld(memory, this.#tail, slot)
    this.#tail = slot
    const count = heldLength(memory, slot)
    this.length += count
    this.#heldBytes += count
    this.#count(count)
    if (++this.#held < maxHeld) return
    if (this.#heldBytes < slabSize) this.settle()
    else this.#fillSlab(slabSize)
  }

  /** At most 64 KiB, the caller's own; undefined if there is nothing. */
  read(): Uint8Array | undefined {
    const slabs = this.#slabs
    if (slabs === undefined) {
      if (this.#held === 0) return undefined
      const slab = new Uint8Array(Math.min(this.#heldBytes, slabSize))
      this.#fill(slab, 0)
      this.length -= slab.length
      return slab
    }
    let slab = slabs.shift() as Uint8Array
    this.#count(-slab.length)
    if (slabs.length === 0) {
      if (this.#lastUsed < slab.length) slab = slab.subarray(0, this.#lastUsed)
      this.#slabs = undefined
    }
    this.length -= slab.length
    return slab
  }

  /** Copies what is held in slots to slabs and frees the slots. */
  settle(): void {
    while (this.#held > 0) {
      // The first slab is exact: most often it is read at once. While a reader lags, small arrivals share larger ones.
      const last = this.#slabs?.at(-1)
      const shared = last === undefined ? 0 : Math.max(smallestUnreadSlab, this.#isShort ? 0 : 2 * last.length)
      this.#fillSlab(Math.min(slabSize, Math.max(this.#heldBytes, shared)))
    }
  }

  /** Moves held bytes to the last slab, or to a new one of `size` if it is full. */
  #fillSlab(size: number): void {
    this.#slabs ??= []
    let slab = this.#slabs.at(-1)
    if (slab === undefined || this.#lastUsed === slab.length) {
      slab = new Uint8Array(size)
      this.#count(size)
      this.#slabs.push(slab)
      this.#lastUsed = 0
    }
    this.#lastUsed += this.#fill(slab, this.#lastUsed)
  }

  /** Forgets everything. */
  clear(): void {
    freeChain(this.#memory, this.#head)
    this.#head = -1
    this.#tail = -1
    this.#held = 0
    this.#heldBytes = 0
    this.#slabs = undefined
    this.length = 0
    this.#count(-this.#counted)
  }

  /** The connection is over: what is left is its owner's, and counted no more. */
  disown(): void {
    this.#count(-this.#counted)
    this.#share = undefined
  }

  /** Half of all memory is in use: slabs are made no larger than what comes. */
  get #isShort(): boolean {
    const budget = this.#share?.budget
    return budget !== undefined && 2 * budget.used > budget.limit
  }

  #count(bytes: number): void {
    if (this.#share === undefined) return
    this.#counted += bytes
    this.#share.take(bytes)
  }

  /** Moves held bytes to `slab[at …]` until it is full; returns how many. */
  #fill(slab: Uint8Array, at: number): number {
    const memory = this.#memory
    let to = at
    while (this.#held > 0 && to < slab.length) {
      const slot = this.#head
      const payload = heldPayload(memory, slot)
      const count = heldLength(memory, slot)
      const part = Math.min(count, slab.length - to)
      slab.set(memory.u8.subarray(payload, payload + part), to)
      to += part
      this.#heldBytes -= part
      this.#count(-part)
      if (part < count) {
        trimFront(memory, slot, part)
        break
      }
      this.#head = nextHeld(memory, slot)
      this.#held--
      memory.free(slot)
    }
    if (this.#held === 0) this.#tail = -1
    return to - at
  }
}

// Segments received out of order, in their slots (RFC 9293, 3.4; RFC 2018, 4). Contiguous ones form a range: start, end,
// first and last slot, in one sorted array of words. Nothing is ever walked but the slots that are delivered or dropped.
import type { PacketMemory } from '../../base/packet-memory.js'
import type { PathShare } from '../shared-budget.js'
import {
  freeChain,
  heldLength,
  heldSequence,
  hold,
  mergeHeld,
  nextHeld,
  setNextHeld,
  trimFront,
} from './held-segment.js'
import type { ReceiveQueue } from './receive-queue.js'
import { seqAtOrBefore, seqBefore, seqDiff } from './sequence.js'

const stride = 4
const startWord = 0
const endWord = 1
const headWord = 2
const tailWord = 3
const smallest = 8
const empty = new Int32Array(0)
/** Of a connection that holds nothing. */
const none: number[] = []

/** How many ranges are remembered as the most recent ones: SACK's four blocks. */
const recentRanges = 4

export class Reassembly {
  /** Ranges held, each followed by a hole. */
  count = 0
  readonly #memory: PacketMemory
  readonly #share: PathShare
  /** Slots of the budget that are held here. */
  #held = 0
  #ranges = empty
  /** A sequence number in each range that last changed, newest first. */
  #recent: number[] = none

  constructor(memory: PacketMemory, share: PathShare) {
    this.#memory = memory
    this.#share = share
  }

  /**
   * Takes the segment in `slot`, which starts behind RCV.NXT. 'kept': the slot is ours, or was merged into another and
   * freed. Else the caller frees it: 'duplicate' held nothing new, 'full' is over the budget.
   */
  insert(slot: number, sequence: number, payload: number, length: number): 'kept' | 'duplicate' | 'full' {
    const memory = this.#memory
    const before = this.#lastStartingAtOrBefore(sequence)
    let start = sequence
    let end = (sequence + length) | 0
    let from = payload
    if (before >= 0) {
      const beforeEnd = this.#word(before, endWord)
      if (seqAtOrBefore(end, beforeEnd)) {
        // The DSACK is known by the block behind it, which must be this one (RFC 2883, 4).
        this.#remember(sequence)
        return 'duplicate'
      }
      const overlap = seqDiff(beforeEnd, start)
      if (overlap > 0) {
        start = beforeEnd
        from += overlap
      }
    }
    let after = before + 1
    while (after < this.count && seqAtOrBefore(this.#word(after, endWord), end)) this.#drop(after)
    if (after < this.count && seqBefore(this.#word(after, startWord), end)) end = this.#word(after, startWord)
    const kept = seqDiff(end, start)
    const touchesBefore = before >= 0 && this.#word(before, endWord) === start
    if (touchesBefore && mergeHeld(memory, this.#word(before, tailWord), from, kept)) {
      memory.free(slot)
      this.#setWord(before, endWord, end)
    } else {
      // One connection may hold as much as it leaves free, a path three times that: neither is ever the reason why another
      // one gets nothing.
      const { budget } = this.#share
      const free = budget.limit - budget.used
      if (this.#held >= free || this.#share.used >= 3 * free) return 'full'
      this.#take(1)
      hold(memory, slot, start, from, kept)
      if (touchesBefore) {
        setNextHeld(memory, this.#word(before, tailWord), slot)
        this.#setWord(before, tailWord, slot)
        this.#setWord(before, endWord, end)
      } else this.#insertRange(after, start, end, slot)
    }
    if (touchesBefore) after = before
    this.#joinNext(after)
    this.#remember(start)
    return 'kept'
  }

  #take(slots: number): void {
    this.#held += slots
    this.#share.take(slots)
  }

  /** Moves what now follows `rcvNxt` to `queue`; returns the new RCV.NXT. */
  deliver(rcvNxt: number, queue: ReceiveQueue): number {
    const memory = this.#memory
    let next = rcvNxt
    while (this.count > 0 && seqAtOrBefore(this.#word(0, startWord), next)) {
      for (let slot = this.#word(0, headWord); slot >= 0; ) {
        const following = nextHeld(memory, slot)
        const length = heldLength(memory, slot)
        const overlap = seqDiff(next, heldSequence(memory, slot))
        this.#take(-1)
        if (overlap >= length) memory.free(slot)
        else {
          if (overlap > 0) trimFront(memory, slot, overlap)
          queue.push(slot)
          next = (next + length - overlap) | 0
        }
        slot = following
      }
      this.#removeRange(0)
    }
    return next
  }

  /** Writes SACK's blocks to `edges`, the range that changed last first; returns how many there are, at most `limit`. */
  blocks(edges: Int32Array, from: number, limit: number): number {
    let blocks = from
    for (const sequence of this.#recent) {
      if (blocks === limit) break
      const index = this.#lastStartingAtOrBefore(sequence)
      if (index < 0 || !seqBefore(sequence, this.#word(index, endWord))) continue
      const start = this.#word(index, startWord)
      let known = false
      for (let i = from; i < blocks; i++) known ||= edges[2 * i] === start
      if (known) continue
      edges[2 * blocks] = start
      edges[2 * blocks + 1] = this.#word(index, endWord)
      blocks++
    }
    return blocks
  }

  /** The range that holds the byte at `sequence`, or −1. */
  rangeOf(sequence: number): number {
    const index = this.#lastStartingAtOrBefore(sequence)
    return index >= 0 && seqBefore(sequence, this.#word(index, endWord)) ? index : -1
  }

  rangeStart(index: number): number {
    return this.#word(index, startWord)
  }

  rangeEnd(index: number): number {
    return this.#word(index, endWord)
  }

  clear(): void {
    while (this.count > 0) this.#drop(this.count - 1)
  }

  #word(index: number, word: number): number {
    return this.#ranges[index * stride + word] as number
  }

  #setWord(index: number, word: number, value: number): void {
    this.#ranges[index * stride + word] = value
  }

  /** The last range with start ≤ sequence, −1 if there is none. Most arrivals extend the last one. */
  #lastStartingAtOrBefore(sequence: number): number {
    let low = 0
    let high = this.count - 1
    if (high >= 0 && seqAtOrBefore(this.#word(high, startWord), sequence)) return high
    while (low <= high) {
      const middle = (low + high) >> 1
      if (seqAtOrBefore(this.#word(middle, startWord), sequence)) low = middle + 1
      else high = middle - 1
    }
    return high
  }

  #insertRange(index: number, start: number, end: number, slot: number): void {
    const needed = (this.count + 1) * stride
    if (needed > this.#ranges.length) {
      const grown = new Int32Array(Math.max(smallest * stride, this.#ranges.length * 2))
      grown.set(this.#ranges)
      this.#ranges = grown
    }
    this.#ranges.copyWithin((index + 1) * stride, index * stride, this.count * stride)
    this.count++
    this.#setWord(index, startWord, start)
    this.#setWord(index, endWord, end)
    this.#setWord(index, headWord, slot)
    this.#setWord(index, tailWord, slot)
  }

  #joinNext(index: number): void {
    const next = index + 1
    if (next >= this.count || this.#word(index, endWord) !== this.#word(next, startWord)) return
    setNextHeld(this.#memory, this.#word(index, tailWord), this.#word(next, headWord))
    this.#setWord(index, tailWord, this.#word(next, tailWord))
    this.#setWord(index, endWord, this.#word(next, endWord))
    this.#removeRange(next)
  }

  #drop(index: number): void {
    this.#take(-freeChain(this.#memory, this.#word(index, headWord)))
    this.#removeRange(index)
  }

  #removeRange(index: number): void {
    this.#ranges.copyWithin(index * stride, (index + 1) * stride, this.count * stride)
    this.count--
    if (this.count === 0) {
      this.#ranges = empty
      this.#recent = none
    }
  }

  #remember(sequence: number): void {
    if (this.#recent === none) this.#recent = []
    const recent = this.#recent
    const range = this.rangeOf(sequence)
    for (let i = 0; i < recent.length; i++) {
      if (this.rangeOf(recent[i] as number) !== range) continue
      recent.splice(i, 1)
      i--
    }
    recent.unshift(sequence)
    if (recent.length > recentRanges) recent.length = recentRanges
  }
}

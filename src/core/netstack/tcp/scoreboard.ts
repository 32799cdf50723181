// What is in flight: one record a segment, in flat arrays that exist only while something is (RFC 6675's scoreboard, kept
// incrementally). Records are numbered on and on; a number's place is its low bits. A record that is neither delivered nor
// lost is in the list of those under way, by time sent; a lost one waits in the list of the lost, by sequence.

import type { PathShare } from '../shared-budget.js'
import { lostFlag, retransmittedFlag, sackedFlag, tally } from './ack-tally.js'
import {
  copyRecord,
  deliveredAtStamp,
  flagsWord,
  inFlightWord,
  type Lanes,
  type LanesPool,
  nextWord,
  previousWord,
  sentAtStamp,
  sequenceWord,
  skipWord,
  stampsPerRecord,
  wordsPerRecord,
} from './lanes.js'
import { RecordList } from './record-list.js'
import { seqAtOrBefore, seqBefore, seqDiff } from './sequence.js'

export class Scoreboard {
  /** Numbers of the first record and of the one after the last. */
  head = 0
  tail = 0
  /** What SACK reported. */
  sackedBytes = 0
  sackedSegments = 0
  /** Bytes found lost and not sent again yet. */
  lostBytes = 0
  lanes: Lanes | undefined
  readonly underWay = new RecordList()
  readonly lost = new RecordList()
  readonly #pool: LanesPool
  readonly #share: PathShare
  /** Sequence number after the last record. */
  #end = 0
  /** The highest sequence number delivered (RFC 8985's RACK.fack). */
  #fack = 0

  constructor(pool: LanesPool, share: PathShare) {
    this.#pool = pool
    this.#share = share
  }

  /** Segments in flight. */
  get count(): number {
    return this.tail - this.head
  }

  /** The number of the record at a place. */
  at(place: number): number {
    return this.head + ((place - this.head) & ((this.lanes as Lanes).size - 1))
  }

  sequenceOf(record: number): number {
    return this.#word(record, sequenceWord)
  }

  endOf(record: number): number {
    return record + 1 === this.tail ? this.#end : this.#word(record + 1, sequenceWord)
  }

  lengthOf(record: number): number {
    return seqDiff(this.endOf(record), this.sequenceOf(record))
  }

  sentAt(record: number): number {
    const lanes = this.lanes as Lanes
    return lanes.stamps[(record & (lanes.size - 1)) * stampsPerRecord + sentAtStamp] as number
  }

  isSacked(record: number): boolean {
    return (this.#word(record, flagsWord) & sackedFlag) !== 0
  }

  isLost(record: number): boolean {
    return (this.#word(record, flagsWord) & lostFlag) !== 0
  }

  wasRetransmitted(record: number): boolean {
    return (this.#word(record, flagsWord) & retransmittedFlag) !== 0
  }

  /** A new segment of `length` sequence numbers left. */
  sent(sequence: number, length: number, now: number): void {
    if (this.lanes === undefined) {
      this.lanes = this.#pool.take(this.#share)
      this.#fack = sequence
    } else if (this.tail - this.head === this.lanes.size) this.#grow(this.lanes)
    const lanes = this.lanes as Lanes
    const place = this.tail & (lanes.size - 1)
    const at = place * wordsPerRecord
    lanes.words[at + sequenceWord] = sequence
    lanes.words[at + flagsWord] = 0
    lanes.words[at + skipWord] = 0
    lanes.words[at + inFlightWord] = 0
    lanes.stamps[place * stampsPerRecord + sentAtStamp] = now
    lanes.stamps[place * stampsPerRecord + deliveredAtStamp] = -1
    this.tail++
    this.#end = (sequence + length) | 0
    this.underWay.append(lanes, place)
  }

  /** A segment left once more. */
  resent(record: number, now: number): void {
    const lanes = this.lanes as Lanes
    const place = record & (lanes.size - 1)
    const at = place * wordsPerRecord + flagsWord
    const flags = lanes.words[at] as number
    lanes.words[at] = (flags & ~lostFlag) | retransmittedFlag
    lanes.stamps[place * stampsPerRecord + sentAtStamp] = now
    if ((flags & sackedFlag) !== 0) return
    if ((flags & lostFlag) !== 0) {
      this.lostBytes -= this.lengthOf(record)
      this.lost.remove(lanes, place)
    } else this.underWay.remove(lanes, place)
    this.underWay.append(lanes, place)
  }

  /** Everything before `ack` is acknowledged. What that delivers is added to the tally. */
  acknowledge(ack: number): void {
    const lanes = this.lanes
    if (lanes === undefined) return
    while (this.head < this.tail && seqAtOrBefore(this.endOf(this.head), ack)) {
      if (this.isSacked(this.head)) {
        this.sackedBytes -= this.lengthOf(this.head)
        this.sackedSegments--
      } else this.#deliver(lanes, this.head)
      this.head++
    }
    if (this.head === this.tail) {
      this.release()
      return
    }
    const at = (this.head & (lanes.size - 1)) * wordsPerRecord
    const cut = seqDiff(ack, lanes.words[at + sequenceWord] as number)
    if (cut <= 0) return
    const flags = lanes.words[at + flagsWord] as number
    if ((flags & sackedFlag) !== 0) this.sackedBytes -= cut
    else tally.delivered += cut
    if ((flags & lostFlag) !== 0) this.lostBytes -= cut
    lanes.words[at + sequenceWord] = ack
  }

  /** SACK reported the bytes from `start` to `end`; whole segments in between count. The tally gets them. */
  sack(start: number, end: number): void {
    const lanes = this.lanes
    if (lanes === undefined || !seqBefore(start, end) || seqBefore(this.#end, end)) return
    if (seqBefore(start, this.sequenceOf(this.head))) return
    for (let record = this.#open(this.#firstAtOrAfter(start)); record < this.tail; record = this.#open(record + 1)) {
      if (seqBefore(end, this.endOf(record))) break
      this.#deliver(lanes, record)
      const at = (record & (lanes.size - 1)) * wordsPerRecord
      lanes.words[at + flagsWord] = ((lanes.words[at + flagsWord] as number) & ~lostFlag) | sackedFlag
      lanes.words[at + skipWord] = 1
      this.sackedBytes += this.lengthOf(record)
      this.sackedSegments++
    }
  }

  /** Finds one segment lost, unless it was reported or is known as lost; returns its bytes. */
  markLost(record: number): number {
    const lanes = this.lanes as Lanes
    const place = record & (lanes.size - 1)
    const at = place * wordsPerRecord + flagsWord
    const flags = lanes.words[at] as number
    if ((flags & (sackedFlag | lostFlag)) !== 0) return 0
    lanes.words[at] = flags | lostFlag
    this.underWay.remove(lanes, place)
    this.lost.insert(lanes, place)
    const length = this.lengthOf(record)
    this.lostBytes += length
    return length
  }

  /** What was found lost and not sent again was not lost. Rare: goes through all that is in flight. */
  unmarkLost(): void {
    if (this.lostBytes === 0) return
    for (let record = this.head; record < this.tail; record++) this.#clearFlag(record, lostFlag)
    this.lostBytes = 0
    this.lost.clear()
    this.sortUnderWay()
  }

  /** The peer forgot what it had reported (RFC 2018, 8). Rare: goes through all that is in flight. */
  forgetSacks(): void {
    for (let record = this.head; record < this.tail; record++) {
      this.#clearFlag(record, sackedFlag)
      const lanes = this.lanes as Lanes
      lanes.words[(record & (lanes.size - 1)) * wordsPerRecord + skipWord] = 0
    }
    this.sackedBytes = 0
    this.sackedSegments = 0
    this.sortUnderWay()
  }

  /** Puts the list of those under way in order again, after records came back to it or were built anew. */
  sortUnderWay(): void {
    const lanes = this.lanes
    if (lanes === undefined) return
    const records = []
    for (let record = this.head; record < this.tail; record++) {
      if (!this.isSacked(record) && !this.isLost(record)) records.push(record)
    }
    records.sort((a, b) => this.sentAt(a) - this.sentAt(b) || a - b)
    this.underWay.clear()
    for (const record of records) this.underWay.append(lanes, record & (lanes.size - 1))
  }

  /** The lowest record that is lost and was not sent again yet, −1 if there is none. */
  nextLost(): number {
    return this.lost.first < 0 ? -1 : this.at(this.lost.first)
  }

  /** Gives the arrays back; nothing is in flight. */
  release(): void {
    if (this.lanes !== undefined) this.#pool.give(this.lanes, this.#share)
    this.lanes = undefined
    this.head = 0
    this.tail = 0
    this.sackedBytes = 0
    this.sackedSegments = 0
    this.lostBytes = 0
    this.underWay.clear()
    this.lost.clear()
  }

  #word(record: number, word: number): number {
    const lanes = this.lanes as Lanes
    return lanes.words[(record & (lanes.size - 1)) * wordsPerRecord + word] as number
  }

  #clearFlag(record: number, flag: number): void {
    const lanes = this.lanes as Lanes
    const at = (record & (lanes.size - 1)) * wordsPerRecord + flagsWord
    lanes.words[at] = (lanes.words[at] as number) & ~flag
  }

  /** A record is delivered, cumulatively or by SACK, for the first time. */
  #deliver(lanes: Lanes, record: number): void {
    const place = record & (lanes.size - 1)
    const end = this.endOf(record)
    const length = seqDiff(end, lanes.words[place * wordsPerRecord + sequenceWord] as number)
    if (((lanes.words[place * wordsPerRecord + flagsWord] as number) & lostFlag) !== 0) {
      this.lostBytes -= length
      this.lost.remove(lanes, place)
    } else this.underWay.remove(lanes, place)
    tally.add(lanes, place, end, length, this.#fack)
    if (seqBefore(this.#fack, end)) this.#fack = end
  }

  /** The first record that starts at or after a sequence number. */
  #firstAtOrAfter(sequence: number): number {
    let low = this.head
    let high = this.tail
    while (low < high) {
      const middle = Math.floor((low + high) / 2)
      if (seqBefore(this.sequenceOf(middle), sequence)) low = middle + 1
      else high = middle
    }
    return low
  }

  /** The first record from `record` on that SACK did not report yet. */
  #open(record: number): number {
    const { words, size } = this.lanes as Lanes
    const mask = size - 1
    let at = record
    while (at < this.tail) {
      const skip = words[(at & mask) * wordsPerRecord + skipWord] as number
      if (skip === 0) return at
      const next = at + skip
      if (next < this.tail)
        words[(at & mask) * wordsPerRecord + skipWord] =
          skip + (words[(next & mask) * wordsPerRecord + skipWord] as number)
      at = next
    }
    return at
  }

  #grow(old: Lanes): void {
    const lanes = this.#pool.larger(old, this.#share)
    const moved = (place: number) => (place < 0 ? -1 : this.at(place) & (lanes.size - 1))
    for (let record = this.head; record < this.tail; record++) {
      const place = record & (lanes.size - 1)
      copyRecord(old, record & (old.size - 1), lanes, place)
      const at = place * wordsPerRecord
      lanes.words[at + nextWord] = moved(lanes.words[at + nextWord] as number)
      lanes.words[at + previousWord] = moved(lanes.words[at + previousWord] as number)
    }
    this.underWay.move(moved)
    this.lost.move(moved)
    this.#pool.give(old, this.#share)
    this.lanes = lanes
  }
}

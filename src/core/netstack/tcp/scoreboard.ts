// What is in flight: one record a segment, in parallel typed arrays that exist only while something is (RFC 6675's
// scoreboard, kept incrementally). Records are numbered on and on; a number's place is its low bits.
import { createLanes, type Lanes, type LanesPool } from './lanes.js'
import { seqAtOrBefore, seqBefore, seqDiff } from './sequence.js'

const sackedFlag = 1
const lostFlag = 2
const retransmittedFlag = 4

export class Scoreboard {
  /** Numbers of the first record and of the one after the last. */
  head = 0
  tail = 0
  /** Bytes that SACK reported. */
  sackedBytes = 0
  /** Bytes found lost and not sent again yet. */
  lostBytes = 0
  /** When the newest of the segments delivered since {@link startAck}, sent once, was sent; −1 if there is none. */
  sampleSentAt = -1
  /** Bytes newly delivered since {@link startAck}. */
  deliveredBytes = 0
  readonly #pool: LanesPool
  #lanes: Lanes | undefined
  /** Sequence number after the last record. */
  #end = 0
  #sackedSegments = 0
  /** Number of the highest record that SACK reported. */
  #highestSacked = -1
  /** Records below were judged lost or not once. */
  #judged = 0
  /** No record below is lost and unsent. */
  #firstLost = 0

  constructor(pool: LanesPool) {
    this.#pool = pool
  }

  /** Segments in flight. */
  get count(): number {
    return this.tail - this.head
  }

  sequenceOf(record: number): number {
    const lanes = this.#lanes as Lanes
    return lanes.sequence[record & (lanes.size - 1)] as number
  }

  endOf(record: number): number {
    return record + 1 === this.tail ? this.#end : this.sequenceOf(record + 1)
  }

  lengthOf(record: number): number {
    return seqDiff(this.endOf(record), this.sequenceOf(record))
  }

  sentAt(record: number): number {
    const lanes = this.#lanes as Lanes
    return lanes.sentAt[record & (lanes.size - 1)] as number
  }

  isSacked(record: number): boolean {
    return (this.#flagsOf(record) & sackedFlag) !== 0
  }

  isLost(record: number): boolean {
    return (this.#flagsOf(record) & lostFlag) !== 0
  }

  wasRetransmitted(record: number): boolean {
    return (this.#flagsOf(record) & retransmittedFlag) !== 0
  }

  /** A new segment of `length` sequence numbers left. */
  sent(sequence: number, length: number, now: number): void {
    if (this.#lanes === undefined) this.#lanes = this.#pool.take()
    else if (this.tail - this.head === this.#lanes.size) this.#grow(this.#lanes)
    const lanes = this.#lanes as Lanes
    const at = this.tail & (lanes.size - 1)
    lanes.sequence[at] = sequence
    lanes.sentAt[at] = now
    lanes.skip[at] = 0
    lanes.flags[at] = 0
    this.tail++
    this.#end = (sequence + length) | 0
  }

  /** A segment left once more. */
  resent(record: number, now: number): void {
    const lanes = this.#lanes as Lanes
    const at = record & (lanes.size - 1)
    const flags = lanes.flags[at] as number
    if ((flags & lostFlag) !== 0) this.lostBytes -= this.lengthOf(record)
    lanes.flags[at] = (flags & ~lostFlag) | retransmittedFlag
    lanes.sentAt[at] = now
    if (record === this.#firstLost) this.#firstLost++
  }

  /** Starts the count of what one acknowledgement delivers. */
  startAck(): void {
    this.deliveredBytes = 0
    this.sampleSentAt = -1
  }

  /** Everything before `ack` is acknowledged. */
  acknowledge(ack: number): void {
    const lanes = this.#lanes
    if (lanes === undefined) return
    const mask = lanes.size - 1
    while (this.head < this.tail && seqAtOrBefore(this.endOf(this.head), ack)) {
      this.#delivered(lanes, this.head, this.lengthOf(this.head), true)
      this.head++
    }
    if (this.head === this.tail) {
      this.release()
      return
    }
    const cut = seqDiff(ack, lanes.sequence[this.head & mask] as number)
    if (cut > 0) {
      const flags = lanes.flags[this.head & mask] as number
      if ((flags & sackedFlag) !== 0) this.sackedBytes -= cut
      else this.deliveredBytes += cut
      if ((flags & lostFlag) !== 0) this.lostBytes -= cut
      lanes.sequence[this.head & mask] = ack
    }
    if (this.#judged < this.head) this.#judged = this.head
    if (this.#firstLost < this.head) this.#firstLost = this.head
    if (this.#highestSacked < this.head) this.#highestSacked = -1
  }

  /** SACK reported the bytes from `start` to `end`; whole segments in between count. */
  sack(start: number, end: number): void {
    const lanes = this.#lanes
    if (lanes === undefined || !seqBefore(start, end) || seqBefore(this.#end, end)) return
    if (seqBefore(start, this.sequenceOf(this.head))) return
    for (let record = this.#open(this.#firstAtOrAfter(start)); record < this.tail; record = this.#open(record + 1)) {
      if (seqBefore(end, this.endOf(record))) break
      const at = record & (lanes.size - 1)
      const length = this.lengthOf(record)
      this.#delivered(lanes, record, length, false)
      lanes.flags[at] = ((lanes.flags[at] as number) & ~lostFlag) | sackedFlag
      lanes.skip[at] = 1
      this.sackedBytes += length
      this.#sackedSegments++
      if (record > this.#highestSacked) this.#highestSacked = record
    }
  }

  /**
   * Finds lost what has `threshold` reported segments above it (RFC 6675, IsLost, by segments); returns the bytes.
   * A segment is judged once, so one that was resent is not found again here.
   */
  detectLost(threshold: number): number {
    if (this.#sackedSegments < threshold) return 0
    let record = this.#highestSacked
    for (let above = 1; above < threshold; above++) {
      do {
        if (--record <= this.#judged) return 0
      } while (!this.isSacked(record))
    }
    let lost = 0
    for (let below = this.#judged; below < record; below++) lost += this.markLost(below)
    this.#judged = record
    return lost
  }

  /** Finds one segment lost, unless it was reported or is known as lost; returns its bytes. */
  markLost(record: number): number {
    const lanes = this.#lanes as Lanes
    const at = record & (lanes.size - 1)
    const flags = lanes.flags[at] as number
    if ((flags & (sackedFlag | lostFlag)) !== 0) return 0
    lanes.flags[at] = flags | lostFlag
    const length = this.lengthOf(record)
    this.lostBytes += length
    if (record < this.#firstLost) this.#firstLost = record
    return length
  }

  /** After a timeout: everything that was not reported is lost. What was reported is forgotten if the peer reneged. */
  markAllLost(): void {
    if (this.head === this.tail) return
    if (this.isSacked(this.head)) this.#forgetSacks()
    for (let record = this.head; record < this.tail; record++) this.markLost(record)
    this.#firstLost = this.head
    this.#judged = this.tail
  }

  /** The first record that is lost and was not sent again yet, −1 if there is none. */
  nextLost(): number {
    if (this.lostBytes === 0) return -1
    while (this.#firstLost < this.tail && !this.isLost(this.#firstLost)) this.#firstLost++
    return this.#firstLost < this.tail ? this.#firstLost : -1
  }

  /** Gives the arrays back; nothing is in flight. */
  release(): void {
    if (this.#lanes !== undefined) this.#pool.give(this.#lanes)
    this.#lanes = undefined
    this.head = 0
    this.tail = 0
    this.sackedBytes = 0
    this.lostBytes = 0
    this.#sackedSegments = 0
    this.#highestSacked = -1
    this.#judged = 0
    this.#firstLost = 0
  }

  #flagsOf(record: number): number {
    const lanes = this.#lanes as Lanes
    return lanes.flags[record & (lanes.size - 1)] as number
  }

  /** Counts a record as delivered, cumulatively or by SACK. */
  #delivered(lanes: Lanes, record: number, length: number, cumulatively: boolean): void {
    const at = record & (lanes.size - 1)
    const flags = lanes.flags[at] as number
    if ((flags & lostFlag) !== 0) this.lostBytes -= length
    if ((flags & sackedFlag) !== 0) {
      if (!cumulatively) return
      this.sackedBytes -= length
      this.#sackedSegments--
      return
    }
    this.deliveredBytes += length
    if ((flags & retransmittedFlag) === 0) this.sampleSentAt = Math.max(this.sampleSentAt, lanes.sentAt[at] as number)
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
    const lanes = this.#lanes as Lanes
    const mask = lanes.size - 1
    let at = record
    while (at < this.tail) {
      const skip = lanes.skip[at & mask] as number
      if (skip === 0) return at
      const next = at + skip
      if (next < this.tail) lanes.skip[at & mask] = skip + (lanes.skip[next & mask] as number)
      at = next
    }
    return at
  }

  #forgetSacks(): void {
    const lanes = this.#lanes as Lanes
    lanes.skip.fill(0)
    for (let record = this.head; record < this.tail; record++) {
      const at = record & (lanes.size - 1)
      lanes.flags[at] = (lanes.flags[at] as number) & ~sackedFlag
    }
    this.sackedBytes = 0
    this.#sackedSegments = 0
    this.#highestSacked = -1
  }

  #grow(old: Lanes): void {
    const lanes = createLanes(old.size * 2)
    for (let record = this.head; record < this.tail; record++) {
      const from = record & (old.size - 1)
      const to = record & (lanes.size - 1)
      lanes.sequence[to] = old.sequence[from] as number
      lanes.sentAt[to] = old.sentAt[from] as number
      lanes.skip[to] = old.skip[from] as number
      lanes.flags[to] = old.flags[from] as number
    }
    this.#pool.give(old)
    this.#lanes = lanes
  }
}

// What one acknowledgement delivers, counted while the scoreboard goes through it. One record for all connections, started
// again for each acknowledgement: an idle connection need not hold it.
import {
  deliveredAtStamp,
  deliveredStamp,
  firstSentAtStamp,
  flagsWord,
  inFlightWord,
  type Lanes,
  lostStamp,
  sentAtStamp,
  stampsPerRecord,
  wordsPerRecord,
} from './lanes.js'
import { seqBefore } from './sequence.js'

export const sackedFlag = 1
export const lostFlag = 2
export const retransmittedFlag = 4
export const appLimitedFlag = 8

export class AckTally {
  /** Bytes newly delivered. */
  delivered = 0
  /** When the newest of the delivered segments that were sent once was sent; −1 if there is none. */
  onceSentAt = -1
  /** … and of those of at least `fullLength` bytes. */
  fullSentAt = -1
  fullLength = Infinity
  /** A segment that was thought lost, and never sent again, arrived. */
  thoughtLost = false
  /** A segment that was sent once is delivered after one above it (RFC 8985, 6.2, step 3). */
  reordered = false
  /** The newest delivered segment that RACK believes (RFC 8985, 6.2, step 2); −1 if there is none. */
  rackSentAt = -1
  rackEnd = 0
  /** The newest delivered segment and its stamps (draft-ietf-ccwg-bbr, 4.1); −1 if there is none. */
  sentAt = -1
  end = 0
  priorDelivered = 0
  deliveredAt = -1
  firstSentAt = 0
  priorLost = 0
  sentInFlight = 0
  appLimited = false
  /** A resent segment that left after this is acknowledged for its original. */
  believedUntil = Infinity

  start(believedUntil: number, fullLength = Infinity): void {
    this.delivered = 0
    this.onceSentAt = -1
    this.fullSentAt = -1
    this.fullLength = fullLength
    this.thoughtLost = false
    this.reordered = false
    this.rackSentAt = -1
    this.sentAt = -1
    this.deliveredAt = -1
    this.believedUntil = believedUntil
  }

  /** Counts a segment. Those of one acknowledgement come in ascending order. */
  add(lanes: Lanes, place: number, end: number, length: number, fack: number): void {
    const flags = lanes.words[place * wordsPerRecord + flagsWord] as number
    const sentAt = lanes.stamps[place * stampsPerRecord + sentAtStamp] as number
    this.delivered += length
    if ((flags & retransmittedFlag) === 0) {
      if ((flags & lostFlag) !== 0) this.thoughtLost = true
      if (sentAt > this.onceSentAt) this.onceSentAt = sentAt
      if (length >= this.fullLength && sentAt > this.fullSentAt) this.fullSentAt = sentAt
      if (seqBefore(end, fack)) this.reordered = true
    }
    // Ends ascend, so of two that left at once the later is the newer.
    if (sentAt >= this.rackSentAt && ((flags & retransmittedFlag) === 0 || sentAt <= this.believedUntil)) {
      this.rackSentAt = sentAt
      this.rackEnd = end
    }
    if (sentAt >= this.sentAt) {
      this.sentAt = sentAt
      this.end = end
      this.#newest(lanes, place, flags)
    }
  }

  #newest(lanes: Lanes, place: number, flags: number): void {
    const { stamps } = lanes
    const at = place * stampsPerRecord
    this.priorDelivered = stamps[at + deliveredStamp] as number
    this.deliveredAt = stamps[at + deliveredAtStamp] as number
    this.firstSentAt = stamps[at + firstSentAtStamp] as number
    this.priorLost = stamps[at + lostStamp] as number
    this.sentInFlight = lanes.words[place * wordsPerRecord + inFlightWord] as number
    this.appLimited = (flags & appLimitedFlag) !== 0
  }
}

export const tally = new AckTally()

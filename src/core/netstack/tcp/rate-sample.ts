// Delivery rate (draft-ietf-ccwg-bbr, 4.1): each transmission is stamped with what was delivered by then; its
// acknowledgement tells how much more was delivered, and in what time.
import type { AckSample } from '../congestion.js'
import { type AckTally, appLimitedFlag } from './ack-tally.js'
import { timerTick } from './constants.js'
import {
  deliveredAtStamp,
  deliveredStamp,
  firstSentAtStamp,
  flagsWord,
  inFlightWord,
  type Lanes,
  lostStamp,
  stampsPerRecord,
  wordsPerRecord,
} from './lanes.js'
import type { Tcb } from './tcb.js'

/** Stamps a record that left just now. `priorInFlight` is what was in flight without it. */
export function stampTransmission(c: Tcb, record: number, priorInFlight: number, now: number): void {
  const s = c.sender
  if (priorInFlight === 0) {
    s.firstSentAt = now
    s.deliveredAt = now
  }
  const lanes = c.board.lanes as Lanes
  const place = record & (lanes.size - 1)
  const word = place * wordsPerRecord
  const stamp = place * stampsPerRecord
  lanes.stamps[stamp + deliveredStamp] = s.delivered
  lanes.stamps[stamp + deliveredAtStamp] = s.deliveredAt
  lanes.stamps[stamp + firstSentAtStamp] = s.firstSentAt
  lanes.stamps[stamp + lostStamp] = s.lost
  lanes.words[word + inFlightWord] = c.inFlight
  const flags = lanes.words[word + flagsWord] as number
  lanes.words[word + flagsWord] = s.appLimitedUntil > 0 ? flags | appLimitedFlag : flags & ~appLimitedFlag
}

/** Counts what an acknowledgement delivered and fills the sample of the rate. */
export function sampleRate(c: Tcb, tally: AckTally, sample: AckSample, now: number): void {
  const s = c.sender
  if (tally.delivered > 0) {
    s.delivered += tally.delivered
    s.deliveredAt = now
  }
  if (s.appLimitedUntil > 0 && s.delivered > s.appLimitedUntil) s.appLimitedUntil = 0
  sample.totalDelivered = s.delivered
  sample.totalLost = s.lost
  sample.rateDelivered = 0
  sample.rateInterval = 0
  sample.priorDelivered = tally.priorDelivered
  sample.priorLost = tally.priorLost
  sample.sentInFlight = tally.sentInFlight
  sample.appLimited = tally.appLimited
  if (tally.deliveredAt < 0) {
    sample.priorDelivered = s.delivered
    sample.priorLost = s.lost
    sample.sentInFlight = 0
    sample.appLimited = s.appLimitedUntil > 0
    return
  }
  s.firstSentAt = tally.sentAt
  const interval = Math.max(tally.sentAt - tally.firstSentAt, now - tally.deliveredAt)
  // Shorter than a round trip: an ACK of the original was taken for one of the copy, or time is too coarse.
  if (interval < s.minRtt || interval < timerTick) return
  sample.rateDelivered = s.delivered - tally.priorDelivered
  sample.rateInterval = interval
}

/** What is in flight was all that there was to send: samples of it, and of what follows, may be too low. */
export function noteAppLimited(c: Tcb): void {
  c.sender.appLimitedUntil = Math.max(1, c.sender.delivered + c.inFlight)
}

// A segment is found lost: the scoreboard, the count and the congestion control hear of it.
import type { LostSegment } from '../congestion.js'
import { appLimitedFlag } from './ack-tally.js'
import {
  deliveredStamp,
  flagsWord,
  inFlightWord,
  type Lanes,
  lostStamp,
  stampsPerRecord,
  wordsPerRecord,
} from './lanes.js'
import type { Tcb } from './tcb.js'

/** The one record that controllers are handed. */
const lostSegment: LostSegment = { length: 0, sentInFlight: 0, lostSince: 0, priorDelivered: 0, appLimited: false }

/** Finds a segment lost, unless it is known as delivered or lost; returns its bytes. */
export function lose(c: Tcb, record: number, now: number): number {
  const length = c.board.markLost(record)
  if (length === 0 || c.congestion === undefined) return length
  const s = c.sender
  s.lost += length
  const { words, stamps, size } = c.board.lanes as Lanes
  const word = (record & (size - 1)) * wordsPerRecord
  const stamp = (record & (size - 1)) * stampsPerRecord
  lostSegment.length = length
  lostSegment.sentInFlight = words[word + inFlightWord] as number
  lostSegment.lostSince = s.lost - (stamps[stamp + lostStamp] as number)
  lostSegment.priorDelivered = stamps[stamp + deliveredStamp] as number
  lostSegment.appLimited = ((words[word + flagsWord] as number) & appLimitedFlag) !== 0
  c.congestion.onSegmentLost(lostSegment, now)
  return length
}

/** Everything in flight that was not reported is lost. */
export function loseAll(c: Tcb, now: number): void {
  const { board } = c
  for (let record = board.head; record < board.tail; record++) lose(c, record, now)
}

// How much more is acknowledged at once than the bandwidth explains: what the window needs on top to send on through the
// silence between two such ACKs (draft-ietf-ccwg-bbr, 5.5.9).
import type { AckSample } from '../congestion.js'
import { extraAckedFilterLength } from './parameters.js'
import type { BbrState } from './state.js'

/** UpdateACKAggregation(), with the maximum over two halves of the filter's length. */
export function updateAckAggregation(s: BbrState, sample: AckSample): void {
  const { now } = sample
  // It was our own turn that gathered them.
  if (sample.late) {
    restartAggregation(s, now)
    return
  }
  let expected = s.bw * (now - s.extraAckedStart)
  if (s.extraAckedDelivered <= expected) {
    restartAggregation(s, now)
    expected = 0
  }
  s.extraAckedDelivered += sample.delivered
  const extra = Math.min(s.extraAckedDelivered - expected, s.window)
  const half = s.fullBwReached ? extraAckedFilterLength / 2 : 1
  if (s.roundCount - s.extraAckedRound >= half) {
    s.extraAckedRound = s.roundCount
    s.extraAckedBefore = s.fullBwReached ? s.extraAckedNow : 0
    s.extraAckedNow = 0
  }
  if (extra > s.extraAckedNow) s.extraAckedNow = extra
}

export function restartAggregation(s: BbrState, now: number): void {
  s.extraAckedDelivered = 0
  s.extraAckedStart = now
}

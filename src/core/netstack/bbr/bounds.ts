// The bounds that loss sets: on bandwidth and flight for a while (short-term), and on flight until a probe raises it
// (long-term) (draft-ietf-ccwg-bbr, 5.5.10).
import type { AckSample } from '../congestion.js'
import { beta, headroomShare, policerRounds } from './parameters.js'
import { hasRttRisen } from './round-trip.js'
import { type BbrState, drain, probeBwDown } from './state.js'

/** UpdateLatestDeliverySignals() */
export function updateLatestDelivery(s: BbrState, sample: AckSample): void {
  s.bwLatest = Math.max(s.bwLatest, s.rate)
  s.inflightLatest = Math.max(s.inflightLatest, sample.rateDelivered)
  // The first loss of a round began a round of its own, with this very acknowledgement.
  if (s.lossRoundDelivered === Infinity) s.lossRoundDelivered = sample.totalDelivered
  s.lossRoundStart = sample.delivered > 0 && sample.priorDelivered >= s.lossRoundDelivered
  if (s.lossRoundStart) s.lossRoundDelivered = sample.totalDelivered
  if (sample.lost > 0) s.lossEventsInRound++
}

/** AdvanceLatestDeliverySignals(), and the end of the loss round. */
export function advanceLatestDelivery(s: BbrState, sample: AckSample): void {
  if (!s.lossRoundStart) return
  s.bwLatest = s.rate
  s.inflightLatest = sample.rateDelivered
  s.lossInRound = false
  s.lossWithRise = false
  s.lossEventsInRound = 0
}

/** AdaptLowerBoundsFromCongestion(): once a round trip the short-term bounds follow what is delivered. */
export function adaptShortTermModel(s: BbrState, sample: AckSample): void {
  if (!s.lossRoundStart) return
  const tooMuch = sample.sentInFlight * s.parameters.lossThreshWithoutRise
  s.heavyLossRounds = sample.totalLost - sample.priorLost > tooMuch ? s.heavyLossRounds + 1 : 0
  if (!s.lossInRound || s.isProbingBw) return
  // Loss without a longer round trip is the path's own, unless it is so much, round after round, that a policer is at work.
  if (!countsLoss(s) && s.heavyLossRounds < policerRounds) return
  if (s.bwShortterm === Infinity) s.bwShortterm = s.maxBw
  if (s.inflightShortterm === Infinity) s.inflightShortterm = s.window
  s.bwShortterm = Math.max(s.bwLatest, beta * s.bwShortterm)
  s.inflightShortterm = Math.max(s.inflightLatest, beta * s.inflightShortterm)
}

/** A queue that our own probe made, and that we drain, does not count; nor does the rate at which we drain it. */
function countsLoss(s: BbrState): boolean {
  return s.lossWithRise && (s.parameters.rttRise === 0 || (s.state !== probeBwDown && s.state !== drain))
}

export function resetShortTermModel(s: BbrState): void {
  s.bwShortterm = Infinity
  s.inflightShortterm = Infinity
}

export function resetCongestionSignals(s: BbrState): void {
  s.lossInRound = false
  s.lossWithRise = false
  s.bwLatest = 0
  s.inflightLatest = 0
}

/** IsInflightTooHigh() */
export function isInflightTooHigh(s: BbrState, lost: number, sentInFlight: number): boolean {
  const { lossThresh, lossThreshWithoutRise } = s.parameters
  return lost > sentInFlight * lossThreshWithoutRise || (lost > sentInFlight * lossThresh && hasRttRisen(s))
}

/** InflightWithHeadroom(): leaves room in the queue for others. */
export function inflightWithHeadroom(s: BbrState): number {
  if (s.inflightLongterm === Infinity) return Infinity
  const headroom = Math.max(s.segmentSize, headroomShare * s.inflightLongterm)
  return Math.max(s.inflightLongterm - headroom, s.minPipeWindow)
}

/** SaveStateUponLoss() */
export function saveUponLoss(s: BbrState): void {
  s.undoState = -1
  s.undoBwShortterm = s.bwShortterm
  s.undoInflightShortterm = s.inflightShortterm
  s.undoInflightLongterm = s.inflightLongterm
}

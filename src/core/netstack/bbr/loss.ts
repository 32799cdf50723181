// Loss where it ends a state: while Startup or ProbeBW put more in flight to see what the path takes, and the way back
// where the loss was none (draft-ietf-ccwg-bbr, 5.3.1.3, 5.5.10.2 and 5.5.11).
import type { AckSample, LostSegment } from '../congestion.js'
import { resetFullBw } from './bandwidth.js'
import { isInflightTooHigh, saveUponLoss } from './bounds.js'
import { beta, startupFullLossCount, upPacingGain } from './parameters.js'
import { startDown, startRefill } from './probe-bw.js'
import { hasRttRisen } from './round-trip.js'
import { targetInflight } from './rounds.js'
import { enterDrain, enterStartup } from './startup.js'
import { type BbrState, probeBwUp, probeRtt, startup } from './state.js'

/** HandleLostPacket() */
export function handleLostSegment(s: BbrState, segment: LostSegment, now: number): void {
  if (!s.lossInRound) {
    s.lossRoundDelivered = Infinity
    saveUponLoss(s)
  }
  s.lossInRound = true
  // What left before cruising was part of a queue that we made and drained.
  const isCurrent = segment.priorDelivered >= s.cruiseDelivered || s.parameters.rttRise === 0
  s.lossWithRise ||= isCurrent && hasRttRisen(s)
  if (!s.isBwProbeSample || !isInflightTooHigh(s, segment.lostSince, segment.sentInFlight)) return
  // HandleInflightTooHigh()
  s.prevProbeTooHigh = true
  s.isBwProbeSample = false
  if (!segment.appLimited) {
    s.inflightLongterm = Math.max(inflightAtLoss(s, segment), targetInflight(s) * beta, leastLongterm(s))
  }
  if (s.state !== probeBwUp) return
  s.undoState = probeBwUp
  startDown(s, now)
}

/** Where no queue stood, the rate was too high and not the volume: the bound leaves room for the rate, headroom and all. */
function leastLongterm(s: BbrState): number {
  return hasRttRisen(s) ? 0 : upPacingGain * s.bdp
}

/** What was in flight when losses passed the threshold: it may lie within the burst that the segment was part of. */
function inflightAtLoss(s: BbrState, segment: LostSegment): number {
  const { lossThresh } = s.parameters
  const inflightBefore = segment.sentInFlight - segment.length
  const lostBefore = segment.lostSince - segment.length
  return inflightBefore + Math.max(0, (lossThresh * inflightBefore - lostBefore) / (1 - lossThresh))
}

/** CheckStartupHighLoss(): a full round of recovery, and loss all over it. */
export function checkStartupHighLoss(s: BbrState, sample: AckSample): void {
  if (s.state !== startup || !s.recovering || !s.lossRoundStart) return
  if (s.lossEventsInRound < startupFullLossCount) return
  if (!isInflightTooHigh(s, sample.totalLost - sample.priorLost, sample.sentInFlight)) return
  s.undoState = startup
  s.fullBwReached = true
  s.inflightLongterm = Math.max(s.bdp, s.inflightLatest, leastLongterm(s))
  enterDrain(s)
}

/** HandleSpuriousLossDetection() */
export function handleSpuriousLoss(s: BbrState): void {
  s.window = Math.max(s.window, s.priorWindow)
  s.lossInRound = false
  resetFullBw(s)
  s.bwShortterm = Math.max(s.bwShortterm, s.undoBwShortterm)
  s.inflightShortterm = Math.max(s.inflightShortterm, s.undoInflightShortterm)
  s.inflightLongterm = Math.max(s.inflightLongterm, s.undoInflightLongterm)
  if (s.undoState === startup && s.state !== startup) {
    s.fullBwReached = false
    if (s.state !== probeRtt) enterStartup(s)
  } else if (s.undoState === probeBwUp && s.state !== probeBwUp && s.state !== probeRtt) startRefill(s)
  s.undoState = -1
}

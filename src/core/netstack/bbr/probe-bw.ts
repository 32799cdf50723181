// ProbeBW: slower to drain the queue, as fast as the path, a full pipe, faster to see whether there is more
// (draft-ietf-ccwg-bbr, 5.3.3).
import type { AckSample } from '../congestion.js'
import { advanceMaxBw, resetFullBw } from './bandwidth.js'
import { inflightWithHeadroom, isInflightTooHigh, resetCongestionSignals, resetShortTermModel } from './bounds.js'
import {
  cruiseQueuePacingGain,
  firstProbeWait,
  probeWait,
  probeWaitSpread,
  renoRounds,
  upPacingGain,
} from './parameters.js'
import { isQueueFrom, latestRtt } from './round-trip.js'
import { inflightFor, startRound, targetInflight } from './rounds.js'
import {
  acksInit,
  acksProbeFeedback,
  acksProbeStarting,
  acksProbeStopping,
  acksRefilling,
  type BbrState,
  probeBwCruise,
  probeBwDown,
  probeBwRefill,
  probeBwUp,
} from './state.js'

export function startDown(s: BbrState, now: number): void {
  resetCongestionSignals(s)
  s.probeUpAckedPerInc = Infinity
  // PickProbeWait(): flows that began together do not probe together.
  s.roundsSinceProbeUp = s.random() < 0.5 ? 0 : 1
  s.bwProbeWait = (s.hasProbed ? probeWait : firstProbeWait) + probeWaitSpread * s.random()
  s.cycleStamp = now
  s.ackPhase = acksProbeStopping
  startRound(s, s.delivered)
  s.state = probeBwDown
  s.pacingGain = s.parameters.downPacingGain
}

export function startCruise(s: BbrState): void {
  s.state = probeBwCruise
  s.pacingGain = 1
  s.cruiseDelivered = s.delivered
  s.lossWithRise = false
}

export function startRefill(s: BbrState): void {
  resetShortTermModel(s)
  s.bwProbeUpRounds = 0
  s.bwProbeUpAcked = 0
  s.prevProbePrecautionary = false
  s.ackPhase = acksRefilling
  startRound(s, s.delivered)
  s.state = probeBwRefill
  s.pacingGain = 1
}

function startUp(s: BbrState): void {
  s.ackPhase = acksProbeStarting
  startRound(s, s.delivered)
  resetFullBw(s)
  s.fullBw = s.rate
  s.hasProbed = true
  s.state = probeBwUp
  s.probeUpRtt = latestRtt(s)
  s.pacingGain = upPacingGain
  raiseSlope(s)
}

/** UpdateProbeBWCyclePhase() */
export function updateCyclePhase(s: BbrState, sample: AckSample): void {
  if (!s.fullBwReached) return
  if (adaptLongTermModel(s, sample) || !s.inProbeBw) return
  if (s.state === probeBwDown || s.state === probeBwCruise) {
    if (isTimeToProbe(s, sample.now)) startRefill(s)
    else if (s.state === probeBwDown && isTimeToCruise(s, sample.inFlight)) startCruise(s)
    else if (s.state === probeBwCruise) s.pacingGain = cruiseGain(s)
  } else if (s.state === probeBwRefill) {
    if (!s.roundStart) return
    s.isBwProbeSample = true
    startUp(s)
  } else if (isTimeToGoDown(s, sample)) {
    s.prevProbeTooHigh = false
    startDown(s, sample.now)
  }
}

/**
 * What is too much for the path since the last probe is a queue by now. One that grows although it is drained tells that
 * the bandwidth is more than a tenth too high.
 */
function cruiseGain(s: BbrState): number {
  const { cruiseQueue, downPacingGain } = s.parameters
  if (!isQueueFrom(s, s.minRtt, cruiseQueue)) return 1
  return isQueueFrom(s, s.minRtt, 3 * cruiseQueue) ? downPacingGain : cruiseQueuePacingGain
}

/** IsTimeToProbeBW(): by the clock, or as often as Reno with such a window would lose. */
function isTimeToProbe(s: BbrState, now: number): boolean {
  if (now > s.cycleStamp + s.bwProbeWait) return true
  return s.roundsSinceProbeUp >= Math.min(targetInflight(s) / s.segmentSize, renoRounds)
}

function isTimeToCruise(s: BbrState, inFlight: number): boolean {
  return inFlight <= inflightWithHeadroom(s) && inFlight <= inflightFor(s, 1)
}

function isTimeToGoDown(s: BbrState, sample: AckSample): boolean {
  if (s.prevProbeTooHigh && sample.inFlight >= s.inflightLongterm) {
    s.prevProbePrecautionary = true
    return true
  }
  if (isQueueFrom(s, s.probeUpRtt, s.parameters.probeQueue)) return true
  if (s.isWindowLimited && s.window >= s.inflightLongterm) {
    resetFullBw(s)
    s.fullBw = s.rate
    return false
  }
  return s.fullBwNow
}

/** RaiseInflightLongtermSlope(): twice as steep each round. */
function raiseSlope(s: BbrState): void {
  const growth = 2 ** s.bwProbeUpRounds
  s.bwProbeUpRounds = Math.min(s.bwProbeUpRounds + 1, 30)
  s.probeUpAckedPerInc = Math.max(s.window / growth, s.segmentSize)
}

/** ProbeInflightLongtermUpward() */
function probeUpward(s: BbrState, sample: AckSample): void {
  if (!s.isWindowLimited || s.window < s.inflightLongterm) return
  s.bwProbeUpAcked += sample.delivered
  if (s.bwProbeUpAcked >= s.probeUpAckedPerInc) {
    const steps = Math.floor(s.bwProbeUpAcked / s.probeUpAckedPerInc)
    s.bwProbeUpAcked -= steps * s.probeUpAckedPerInc
    s.inflightLongterm += steps * s.segmentSize
  }
  if (s.roundStart) raiseSlope(s)
}

/** AdaptLongTermModel(); true if it decided on a state. */
function adaptLongTermModel(s: BbrState, sample: AckSample): boolean {
  if (s.ackPhase === acksProbeStarting && s.roundStart) s.ackPhase = acksProbeFeedback
  if (s.ackPhase === acksProbeStopping && s.roundStart) {
    s.isBwProbeSample = false
    s.ackPhase = acksInit
    if (s.inProbeBw && !sample.appLimited) advanceMaxBw(s)
    if (s.inProbeBw && s.prevProbePrecautionary && !s.prevProbeTooHigh) {
      startRefill(s)
      return true
    }
  }
  if (s.inflightLongterm === Infinity) return false
  if (isInflightTooHigh(s, sample.totalLost - sample.priorLost, sample.sentInFlight)) return false
  if (sample.sentInFlight > s.inflightLongterm) s.inflightLongterm = sample.sentInFlight
  if (s.state === probeBwUp) probeUpward(s, sample)
  return false
}

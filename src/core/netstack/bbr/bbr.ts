// BBR, third version (draft-ietf-ccwg-bbr), in one event loop: paces at the bandwidth that the path was seen to give and
// keeps about twice what the path itself holds in flight. Loss alone is no reason to slow down (parameters.ts).
import type { AckSample, CongestionControl, CongestionStart, LostSegment } from '../congestion.js'
import { restartAggregation, updateAckAggregation } from './aggregation.js'
import { checkFullBwReached, updateMaxBw, updateRate } from './bandwidth.js'
import {
  adaptShortTermModel,
  advanceLatestDelivery,
  inflightWithHeadroom,
  saveUponLoss,
  updateLatestDelivery,
} from './bounds.js'
import { checkStartupHighLoss, handleLostSegment, handleSpuriousLoss } from './loss.js'
import {
  type BbrParameters,
  defaultCwndGain,
  defaultParameters,
  pacingMargin,
  probeRttCwndGain,
  startupPacingGain,
} from './parameters.js'
import { updateCyclePhase } from './probe-bw.js'
import { checkProbeRtt, checkProbeRttDone, exitProbeRtt, probeRttWindow, saveWindow } from './probe-rtt.js'
import { noteRecentRtt, standingRtt, updateMinRtt } from './round-trip.js'
import { observeTick, quantized, updateRound } from './rounds.js'
import { checkStartup } from './startup.js'
import { BbrState, probeBwCruise, probeBwUp, probeRtt } from './state.js'

export class Bbr implements CongestionControl {
  readonly name = 'bbr'
  readonly governsRecovery = true
  /** What it knows, for tests and benchmarks to look at. */
  readonly model: BbrState

  constructor(start: CongestionStart, parameters: BbrParameters) {
    this.model = new BbrState(start, parameters)
  }

  get window(): number {
    return Math.floor(this.model.window)
  }

  get pacingRate(): number {
    return this.model.pacingRate
  }

  get deadline(): number {
    return this.model.deadline
  }

  /** BBR has none. */
  get slowStartThreshold(): number {
    return Infinity
  }

  handleDeadline(now: number): void {
    const s = this.model
    if (now < s.deadline) return
    s.deadline = Infinity
    if (s.state !== probeRtt) return
    exitProbeRtt(s, now)
    boundWindow(s)
    setPacingRate(s, s.pacingGain)
  }

  onSent(bytes: number, inFlight: number, now: number): void {
    const s = this.model
    observeTick(s, now, inFlight === bytes)
    if (inFlight + s.segmentSize > s.window) s.windowLimitedRound = s.roundCount
  }

  onSegmentLost(segment: LostSegment, now: number): void {
    handleLostSegment(this.model, segment, now)
  }

  onLoss(): void {
    const s = this.model
    saveWindow(s)
    if (!s.lossInRound) saveUponLoss(s)
    s.recovering = true
  }

  onRecovered(): void {
    const s = this.model
    s.recovering = false
    s.window = Math.max(s.window, s.priorWindow)
    boundWindow(s)
  }

  onTimeout(): void {
    const s = this.model
    saveWindow(s)
    if (!s.lossInRound) saveUponLoss(s)
    s.recovering = true
    s.window = s.segmentSize
  }

  onSpurious(): void {
    handleSpuriousLoss(this.model)
    boundWindow(this.model)
  }

  onIdle(_idle: number, now: number): void {
    const s = this.model
    s.idleRestart = true
    restartAggregation(s, now)
    // As fast as the path was, and no faster: there is no queue to drain and nothing to probe.
    if (s.inProbeBw) setPacingRate(s, 1)
    else if (s.state === probeRtt) {
      checkProbeRttDone(s, now)
      setPacingRate(s, 1)
    }
  }

  onAck(sample: AckSample): void {
    const s = this.model
    s.delivered = sample.totalDelivered
    if (sample.rtt > 0 && s.minRtt === Infinity) initPacingRate(s, sample.rtt)
    updateRound(s, sample)
    updateRate(s, sample)
    noteRecentRtt(s, sample)
    updateLatestDelivery(s, sample)
    updateMaxBw(s, sample)
    adaptShortTermModel(s, sample)
    updateAckAggregation(s, sample)
    checkFullBwReached(s, sample)
    checkStartupHighLoss(s, sample)
    checkStartup(s, sample.inFlight, sample.now)
    updateCyclePhase(s, sample)
    updateMinRtt(s, sample)
    checkProbeRtt(s, sample)
    advanceLatestDelivery(s, sample)
    s.bw = Math.min(s.maxBw, s.bwShortterm)
    setPacingRate(s, s.pacingGain)
    setWindow(s, sample)
  }

  setSegmentSize(bytes: number): void {
    const s = this.model
    s.segmentSize = bytes
    s.window = Math.max(s.window, bytes)
  }
}

/** InitPacingRate(), once there is a round trip. */
function initPacingRate(s: BbrState, rtt: number): void {
  s.pacingRate = (startupPacingGain * s.initialWindow) / rtt
}

/** SetPacingRateWithGain() */
function setPacingRate(s: BbrState, gain: number): void {
  const rate = gain * s.bw * pacingMargin
  if (rate > 0 && (s.fullBwReached || rate > s.pacingRate)) s.pacingRate = rate
}

/** SetCwnd() */
function setWindow(s: BbrState, sample: AckSample): void {
  const most = quantized(s, modelledWindow(s))
  if (s.fullBwReached) s.window = Math.min(s.window + sample.delivered, most)
  else if (s.window < most || sample.totalDelivered < s.initialWindow) s.window += sample.delivered
  boundWindow(s)
}

function modelledWindow(s: BbrState): number {
  if (s.state === probeRtt) return probeRttCwndGain * s.bdp + s.extraAcked
  if (s.state !== probeBwUp) return defaultCwndGain * s.bdp + s.extraAcked
  const { upCwndGain } = s.parameters
  if (upCwndGain >= defaultCwndGain) return upCwndGain * s.bdp + s.extraAcked
  // Of what is on top of the path's own volume a silence between ACKs may take all, and need no more.
  const volume = s.bw * standingRtt(s)
  return volume + Math.max((upCwndGain - 1) * volume, s.extraAcked)
}

/** BoundCwndForProbeRTT() and BoundCwndForModel(). */
function boundWindow(s: BbrState): void {
  let cap = s.inflightShortterm
  if (s.state === probeRtt) cap = Math.min(cap, probeRttWindow(s), inflightWithHeadroom(s))
  else if (s.state === probeBwCruise) cap = Math.min(cap, inflightWithHeadroom(s))
  else if (s.inProbeBw) cap = Math.min(cap, s.inflightLongterm)
  s.window = Math.max(Math.min(s.window, cap), s.minPipeWindow)
}

/** BBR as it measures best here: see {@link defaultParameters}. */
export function createBbr(start: CongestionStart, parameters: BbrParameters = defaultParameters): Bbr {
  return new Bbr(start, parameters)
}

// ProbeRTT: for a moment so little in flight that the queue drains, to measure the shortest round trip
// (draft-ietf-ccwg-bbr, 5.3.4). It ends by a timer too: an application that stops meanwhile brings no more ACKs.
import type { AckSample } from '../congestion.js'
import { resetShortTermModel } from './bounds.js'
import { probeRttCwndGain, probeRttDuration } from './parameters.js'
import { startCruise, startDown } from './probe-bw.js'
import { startRound } from './rounds.js'
import { enterStartup } from './startup.js'
import { acksProbeStopping, type BbrState, probeRtt } from './state.js'

/** CheckProbeRTT() */
export function checkProbeRtt(s: BbrState, sample: AckSample): void {
  if (s.state !== probeRtt && s.probeRttExpired && !s.idleRestart) {
    saveWindow(s)
    s.state = probeRtt
    s.pacingGain = 1
    s.probeRttDoneStamp = 0
    s.ackPhase = acksProbeStopping
    startRound(s, s.delivered)
  }
  if (s.state !== probeRtt) return
  if (s.probeRttDoneStamp === 0) {
    if (sample.inFlight > probeRttWindow(s)) return
    s.probeRttDoneStamp = sample.now + probeRttDuration
    s.probeRttRoundDone = false
    // A round trip after the settling at least; nobody is to wait for an ACK that does not come.
    s.deadline = sample.now + Math.max(probeRttDuration, 2 * sample.smoothedRtt)
    startRound(s, s.delivered)
    return
  }
  if (s.roundStart) s.probeRttRoundDone = true
  if (s.probeRttRoundDone) checkProbeRttDone(s, sample.now)
}

/** CheckProbeRTTDone() */
export function checkProbeRttDone(s: BbrState, now: number): void {
  if (s.probeRttDoneStamp !== 0 && now > s.probeRttDoneStamp) exitProbeRtt(s, now)
}

export function exitProbeRtt(s: BbrState, now: number): void {
  s.deadline = Infinity
  s.probeRttDoneStamp = 0
  s.probeRttMinStamp = now
  s.window = Math.max(s.window, s.priorWindow)
  resetShortTermModel(s)
  if (s.fullBwReached) {
    startDown(s, now)
    startCruise(s)
  } else enterStartup(s)
}

export function probeRttWindow(s: BbrState): number {
  return Math.max(probeRttCwndGain * s.bdp, s.minPipeWindow)
}

/** SaveCwnd() */
export function saveWindow(s: BbrState): void {
  s.priorWindow = s.recovering || s.state === probeRtt ? Math.max(s.priorWindow, s.window) : s.window
}

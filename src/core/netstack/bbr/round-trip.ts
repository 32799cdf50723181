// The shortest round trip, when it is to be measured anew, and whether the present one is longer (draft-ietf-ccwg-bbr,
// 5.3.4.3 and 5.5.7).
import type { AckSample } from '../congestion.js'
import { longestTick, minRttFilterLength, probeRttInterval } from './parameters.js'
import type { BbrState } from './state.js'

/** Samples whose shortest stands for "now": jitter is out of it, a queue is not. */
const recentSamples = 16
/** Below this the clock, and the turns of two event loops, are the difference, ms. */
const riseFloor = 1

/** UpdateMinRTT(). A late turn's sample tells how busy this process is. */
export function updateMinRtt(s: BbrState, sample: AckSample): void {
  const { now, rtt } = sample
  s.probeRttExpired = now > s.probeRttMinStamp + probeRttInterval
  if (rtt > 0 && !sample.late) {
    if (rtt < s.probeRttMinDelay || s.probeRttExpired) {
      s.probeRttMinDelay = rtt
      s.probeRttMinStamp = now
    } else if (rtt <= s.probeRttMinDelay * (1 + s.parameters.rttTolerance)) s.probeRttMinStamp = now
    // The silence drained the queue: this sample is as good as one of ProbeRTT.
    if (s.idleRestart) s.probeRttExpired = false
    s.idleRestart = false
  }
  if (s.probeRttMinDelay < s.minRtt || now > s.minRttStamp + minRttFilterLength) {
    s.minRtt = s.probeRttMinDelay
    s.minRttStamp = s.probeRttMinStamp
  }
}

export function noteRecentRtt(s: BbrState, sample: AckSample): void {
  if (sample.rtt === 0 || sample.late) return
  if (sample.rtt < s.recentRtt) s.recentRtt = sample.rtt
  if (++s.recentRttCount < recentSamples && !s.roundStart) return
  s.recentRttBefore = s.recentRtt
  s.recentRtt = Infinity
  s.recentRttCount = 0
}

/** The latest round trip, jitter left out, ms; Infinity before the first. */
export function latestRtt(s: BbrState): number {
  return Math.min(s.recentRtt, s.recentRttBefore)
}

/** Whether the latest round trip is longer than `from` by a queue of that share of the shortest one. */
export function isQueueFrom(s: BbrState, from: number, share: number): boolean {
  const latest = latestRtt(s)
  return latest < Infinity && latest > from + s.minRtt * share + longestTick
}

/** The round trip of a probe upward, ms: the path's own, and of the queue what others keep there beyond ours that we drain. */
export function standingRtt(s: BbrState): number {
  const ownQueue = s.minRtt * s.parameters.cruiseQueue + longestTick
  return s.probeUpRtt < Infinity ? Math.max(s.minRtt, s.probeUpRtt - ownQueue) : s.minRtt
}

/** Whether a queue stands on the path, as far as the latest round trips tell. */
export function hasRttRisen(s: BbrState): boolean {
  const recent = latestRtt(s)
  return recent < Infinity && recent > s.minRtt * s.parameters.rttRise + (s.parameters.rttRise > 0 ? riseFloor : 0)
}

// The bandwidth that the path gave: the most in the last two cycles of probing, and whether it grows no more
// (draft-ietf-ccwg-bbr, 5.5.2 and 5.3.1.2).
import type { AckSample } from '../congestion.js'
import { fullBwGrowth, fullBwRounds, longestTick } from './parameters.js'
import { hasRttRisen } from './round-trip.js'
import { type BbrState, probeRtt, startup } from './state.js'

/**
 * The delivery rate that an acknowledgement shows, 0 if none. A round trip shorter than a tick of the clock is no interval
 * to measure in; several of them are.
 */
export function updateRate(s: BbrState, sample: AckSample): void {
  const elapsed = sample.now - s.rateSince
  const isDue = elapsed >= longestTick
  if (sample.rateInterval > 0) s.rate = sample.rateDelivered / sample.rateInterval
  else s.rate = isDue && s.minRtt < longestTick ? (sample.totalDelivered - s.rateSinceDelivered) / elapsed : 0
  if (!isDue) return
  s.rateSince = sample.now
  s.rateSinceDelivered = sample.totalDelivered
}

/** ProbeRTT sends too little on purpose; the draft marks what it sends as application-limited. */
function isLimited(s: BbrState, sample: AckSample): boolean {
  return sample.appLimited || s.state === probeRtt
}

/** UpdateMaxBw() */
export function updateMaxBw(s: BbrState, sample: AckSample): void {
  const { rate } = s
  if (rate > s.maxBwNow && (rate >= s.maxBw || !isLimited(s, sample))) s.maxBwNow = rate
}

/** AdvanceMaxBwFilter(): one cycle of ProbeBW is over. */
export function advanceMaxBw(s: BbrState): void {
  // A cycle without a sample of its own says nothing.
  if (s.maxBwNow === 0) return
  s.maxBwBefore = s.maxBwNow
  s.maxBwNow = 0
}

export function resetFullBw(s: BbrState): void {
  s.fullBw = 0
  s.fullBwCount = 0
  s.fullBwNow = false
}

/**
 * CheckFullBWReached(): three rounds in a row without a quarter more. In Startup a plateau without a queue, and without our
 * own window as the limit, is the peer's window's, which is still growing.
 */
export function checkFullBwReached(s: BbrState, sample: AckSample): void {
  if (s.fullBwNow || !s.roundStart || isLimited(s, sample)) return
  const { rate } = s
  if (rate === 0) return
  if (rate >= s.fullBw * fullBwGrowth) {
    resetFullBw(s)
    s.fullBw = rate
    return
  }
  if (s.state === startup && !s.isWindowLimited && !hasRttRisen(s)) return
  s.fullBwNow = ++s.fullBwCount >= fullBwRounds
  if (s.fullBwNow) s.fullBwReached = true
}

// Round trips counted by packets, and the volume that one round trip and one turn of the event loop need
// (draft-ietf-ccwg-bbr, 5.5.1 and 5.6.4.2).
import type { AckSample } from '../congestion.js'
import { longestTick, windowTicks } from './parameters.js'
import { type BbrState, probeBwUp } from './state.js'

/** UpdateRound(): an ACK of something that was sent after the round began ends it. */
export function updateRound(s: BbrState, sample: AckSample): void {
  s.roundStart = sample.priorDelivered >= s.nextRoundDelivered && sample.delivered > 0
  if (!s.roundStart) return
  startRound(s, sample.totalDelivered)
  s.roundCount++
  s.roundsSinceProbeUp++
}

export function startRound(s: BbrState, delivered: number): void {
  s.nextRoundDelivered = delivered
}

/** How far apart the turns are in which something is sent, while something is in flight. */
export function observeTick(s: BbrState, now: number, wasIdle: boolean): void {
  const elapsed = now - s.lastSentAt
  if (elapsed === 0) return
  if (!wasIdle && s.lastSentAt >= 0) s.tick += (Math.min(elapsed, longestTick) - s.tick) / 8
  s.lastSentAt = now
}

/** Inflight(gain) of the draft, with a floor of a few turns' worth instead of one of offload's. */
export function inflightFor(s: BbrState, gain: number): number {
  return quantized(s, gain * s.bdp)
}

export function quantized(s: BbrState, inflight: number): number {
  const floor = Math.max(windowTicks * s.bw * s.tick, s.minPipeWindow)
  const cap = inflight > floor ? inflight : floor
  return s.state === probeBwUp ? cap + 2 * s.segmentSize : cap
}

/** TargetInflight() */
export function targetInflight(s: BbrState): number {
  return Math.min(s.bdp, s.window)
}

// Startup doubles the rate each round trip until the pipe is full; Drain empties the queue that this made
// (draft-ietf-ccwg-bbr, 5.3.1 and 5.3.2).
import { drainPacingGain, drainRounds, startupPacingGain } from './parameters.js'
import { startDown } from './probe-bw.js'
import { inflightFor } from './rounds.js'
import { type BbrState, drain, startup } from './state.js'

export function enterStartup(s: BbrState): void {
  s.state = startup
  s.pacingGain = startupPacingGain
}

export function enterDrain(s: BbrState): void {
  s.state = drain
  s.pacingGain = drainPacingGain
  s.drainStartRound = s.roundCount
}

/** CheckStartupDone() and CheckDrainDone(). */
export function checkStartup(s: BbrState, inFlight: number, now: number): void {
  if (s.state === startup && s.fullBwReached) enterDrain(s)
  if (s.state !== drain) return
  if (inFlight <= inflightFor(s, 1) || s.roundCount > s.drainStartRound + drainRounds) startDown(s, now)
}

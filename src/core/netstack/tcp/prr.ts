// Proportional rate reduction (RFC 6937bis): in fast recovery so much leaves as is delivered, reduced to what the new
// threshold allows, for a controller that does not bound that by itself.
import { recoveryFast, type Tcb } from './tcb.js'

/** Whether PRR says how much may leave now. Without SACK nobody knows what is delivered, and NewReno's rule holds. */
export function prrGoverns(c: Tcb): boolean {
  return c.recovery === recoveryFast && c.sackOk && c.congestion !== undefined && !c.congestion.governsRecovery
}

/** A fast recovery begins; `flight` is what was sent, not acknowledged and not reported before it. */
export function startPrr(c: Tcb, flight: number): void {
  const s = c.sender
  s.prrDelivered = 0
  s.prrOut = 0
  s.recoverFs = Math.max(1, flight)
  s.prrRoom = 0
}

/** An acknowledgement in fast recovery delivered something. `safe`: it moved SND.UNA on, and no further loss showed. */
export function updatePrr(c: Tcb, delivered: number, safe: boolean): void {
  const s = c.sender
  if (delivered === 0 || c.congestion === undefined) return
  s.prrDelivered += delivered
  const threshold = c.congestion.slowStartThreshold
  const inFlight = c.inFlight
  if (inFlight > threshold) {
    s.prrRoom = Math.ceil((s.prrDelivered * threshold) / s.recoverFs) - s.prrOut
    return
  }
  const room = Math.max(s.prrDelivered - s.prrOut, delivered) + (safe ? c.segmentSize : 0)
  s.prrRoom = Math.min(threshold - inFlight, room)
}

/** Something left. */
export function spendPrr(c: Tcb, bytes: number): void {
  c.sender.prrOut += bytes
  c.sender.prrRoom -= bytes
}

/** Whether the congestion window, or in recovery PRR, lets `bytes` more into the network. */
export function hasRoom(c: Tcb, bytes: number): boolean {
  const inFlight = c.inFlight
  if (inFlight <= 0) return true
  if (prrGoverns(c)) return bytes <= c.sender.prrRoom
  return c.congestion !== undefined && inFlight + bytes <= c.congestion.window
}

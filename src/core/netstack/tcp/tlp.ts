// Tail loss probe (RFC 8985, 7): when the last segments of a flight go unanswered, one more is sent after two round trips,
// so that RACK finds what is missing and no retransmission timeout is needed.
import type { AckKind } from './ack-kind.js'
import { initialProbeTimeout, maxAckDelay, minProbeTimeout } from './constants.js'
import { seqAtOrBefore, seqBefore } from './sequence.js'
import { recoveryNone, type Tcb } from './tcb.js'

/** Sets the timer (7.2), after new data was sent or acknowledged; or switches it off where there is nothing to probe. */
export function armLossProbe(c: Tcb, now: number): void {
  const s = c.sender
  const due = c.sackOk && c.recovery === recoveryNone && !s.probing && c.outstanding > 0
  // A closed window has a probe of its own.
  if (!due || c.persisting || c.sndWnd === 0 || c.board.sackedSegments > 0 || c.board.lostBytes > 0) {
    s.lossProbeAt = Infinity
    return
  }
  let timeout = initialProbeTimeout
  if (c.rto.smoothed > 0) {
    timeout = Math.max(2 * c.rto.smoothed, minProbeTimeout)
    if (c.board.count === 1) timeout += maxAckDelay
  }
  // Not after the retransmission timer; it starts again with the probe.
  s.lossProbeAt = Math.min(now + timeout, c.retransmitAt)
}

/** The probe left (7.3); `resent`: it had been sent before. */
export function noteLossProbe(c: Tcb, resent: boolean): void {
  const s = c.sender
  s.lossProbeDue = false
  s.probing = true
  s.probeEnd = c.sndNxt
  s.probeWasResent = resent
}

/** No probe is out or due. */
export function forgetLossProbe(c: Tcb): void {
  const s = c.sender
  s.probing = false
  s.lossProbeDue = false
  s.lossProbeAt = Infinity
}

/** What an acknowledgement says of the probe (7.4): a loss that it repaired is told to the congestion control. */
export function judgeLossProbe(c: Tcb, kind: AckKind, now: number): void {
  const s = c.sender
  if (!s.probing || seqBefore(c.sndUna, s.probeEnd)) return
  if (!s.probeWasResent || kind.probeDuplicate) s.probing = false
  else if (!seqAtOrBefore(c.sndUna, s.probeEnd)) {
    // Both copies would have been acknowledged, or the second reported: only one arrived.
    s.probing = false
    if (c.recovery !== recoveryNone) return
    c.congestion?.onLoss(kind.priorInFlight, now)
    c.congestion?.onRecovered(now)
  } else if (kind.duplicate && !kind.hasSack) s.probing = false
}

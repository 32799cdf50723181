// What is due on a connection: retransmission (RFC 6298, 5.4 to 5.7), RACK-TLP's timers (RFC 8985), what pacing held back,
// probes of a closed window (RFC 9293, 3.8.6.1), a delayed ACK, keepalive (RFC 9293, 3.8.4), the end of a dial or an orphan.
import { abort, remove } from './close.js'
import { keepAliveInterval, keepAliveProbes, maxRetransmits, maxSynRetransmits, timerTick } from './constants.js'
import { handleReorderingTimeout, timeoutLoss } from './recovery.js'
import { suspectBlackHole } from './segment-size.js'
import { stateClosed, stateEstablished } from './states.js'
import type { Tcb } from './tcb.js'
import { startRetransmitTimer } from './transmit.js'

/** Meets what is due. Who may have answered, and was not read yet, is given another tick before a loss is seen in it. */
export function handleTcbDeadline(c: Tcb, now: number): void {
  if (c.stateCode === stateClosed) return
  if (c.lifetimeAt <= now) {
    expire(c, now)
    return
  }
  if (c.ackAt <= now) {
    c.ackAt = Infinity
    c.ackNow = true
    c.layer.wantSend(c)
  }
  const s = c.sender
  if (s.paceAt <= now) {
    s.paceAt = Infinity
    c.layer.wantSend(c)
  }
  if (c.congestion !== undefined && c.congestion.deadline <= now) {
    c.congestion.handleDeadline(now)
    c.layer.wantSend(c)
  }
  const { readUntil } = c.layer.context
  if (s.reorderAt <= now) {
    if (s.reorderAt <= readUntil) {
      handleReorderingTimeout(c, now)
      c.layer.wantSend(c)
    } else s.reorderAt = now + timerTick
  }
  if (s.lossProbeAt <= now) {
    if (s.lossProbeAt <= readUntil) {
      s.lossProbeAt = Infinity
      s.lossProbeDue = true
      // The probe starts the retransmission timer anew.
      c.retransmitAt = Math.max(c.retransmitAt, now + c.rto.interval)
      c.layer.wantSend(c)
    } else s.lossProbeAt = now + timerTick
  }
  if (c.retransmitAt <= now) {
    if (c.retransmitAt <= readUntil) retransmitTimeout(c, now)
    else c.retransmitAt = now + timerTick
  }
  if (c.keepAliveAt <= now) keepAlive(c, now)
  c.layer.schedule(c)
}

/** A dial took too long, or an orphan made no progress. */
function expire(c: Tcb, now: number): void {
  if (c.stateCode < stateEstablished) remove(c, 'ETIMEDOUT')
  else abort(c, 'ETIMEDOUT', now)
}

function retransmitTimeout(c: Tcb, now: number): void {
  c.retransmitAt = Infinity
  if (c.stateCode < stateEstablished) resendSyn(c)
  else if (c.persisting || c.sndWnd === 0) probeWindow(c, now)
  else if (c.outstanding > 0) timeout(c, now)
}

function resendSyn(c: Tcb): void {
  if (c.synRetransmits >= maxSynRetransmits) {
    remove(c, c.softError ?? 'ETIMEDOUT')
    return
  }
  c.synRetransmits++
  c.synResent = true
  c.staleAnswer = false
  c.rto.backoff++
  c.retransmits++
  c.synDue = true
  c.layer.context.counters.tcpRetransmits++
  c.layer.wantSend(c)
}

function timeout(c: Tcb, now: number): void {
  c.timeouts++
  c.layer.context.counters.tcpTimeouts++
  if (c.retransmitsInARow >= maxRetransmits) {
    abort(c, c.softError ?? 'ETIMEDOUT', now)
    return
  }
  suspectBlackHole(c, now)
  timeoutLoss(c, c.retransmitsInARow === 0, now)
  c.retransmitsInARow++
  c.rto.backoff++
  startRetransmitTimer(c, now)
  c.layer.wantSend(c)
}

/** The window is closed or silly: a probe is due. It sets the timer when it leaves. */
function probeWindow(c: Tcb, now: number): void {
  const hasUnsent = !c.finSent && (c.unsent > 0 || c.finQueued)
  if (c.outstanding === 0 && !hasUnsent) {
    c.persisting = false
    c.probes = 0
    c.probesUnanswered = 0
    return
  }
  if (c.probesUnanswered >= maxRetransmits) {
    abort(c, c.softError ?? 'ETIMEDOUT', now)
    return
  }
  c.persisting = true
  c.probeDue = true
  c.layer.wantSend(c)
}

function keepAlive(c: Tcb, now: number): void {
  // The sum is compared, not the difference: what is scheduled must not be due by rounding.
  const due = c.heardAt + c.keepAliveIdle
  if (due > now) {
    c.keepAliveSent = 0
    c.keepAliveAt = due
    return
  }
  if (c.keepAliveSent >= keepAliveProbes) {
    abort(c, 'ETIMEDOUT', now)
    return
  }
  c.keepAliveAt = now + keepAliveInterval
  // Data in flight asks the same question already.
  if (c.outstanding > 0) return
  c.keepAliveSent++
  c.keepAliveDue = true
  c.layer.wantSend(c)
}

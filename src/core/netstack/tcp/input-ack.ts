// The acknowledgement of a segment (RFC 9293, 3.10.7.4, "fifth"; RFC 5961, 5; RFC 6675): what it acknowledges, what it
// reports, the window it offers, a round trip.
import type { TcpHeader } from '../../wire/tcp.js'
import { flagFin, flagSyn } from '../../wire/tcp.js'
import { armOrphan } from './close.js'
import { type AckKind, ackSample, detectLoss, wasWindowLimited } from './recovery.js'
import { timestampNow } from './segment.js'
import { sendBufferOf } from './send-buffer.js'
import { seqAtOrBefore, seqBefore, seqDiff } from './sequence.js'
import { eventAllSent, eventWritable, recoveryFast, type Tcb } from './tcb.js'
import { startRetransmitTimer } from './transmit.js'

const kind: AckKind = { acknowledged: 0, duplicate: false }

/** Whether the ACK is one that this connection can have (RFC 5961, 5.2). */
export function isAcceptableAck(c: Tcb, acknowledgment: number): boolean {
  return seqAtOrBefore(acknowledgment, c.sndNxt) && seqDiff(acknowledgment, c.sndUna) >= -c.maxSndWnd
}

/** Takes in an acceptable ACK. True if it acknowledges our FIN. */
export function handleAck(c: Tcb, h: TcpHeader, now: number): boolean {
  const acknowledged = seqDiff(h.acknowledgment, c.sndUna)
  if (acknowledged < 0) return false
  const board = c.board
  const priorInFlight = c.inFlight
  const priorUna = c.sndUna
  const wasOutstanding = c.outstanding
  c.probesUnanswered = 0
  const offered = c.sndWnd
  const windowMoved = updateWindow(c, h)
  board.startAck()
  let finAcked = false
  if (acknowledged > 0) finAcked = advance(c, acknowledged, h.acknowledgment)
  if (c.sackOk && h.sackCount > 0) takeSacks(c, h)
  const rtt = sampleRoundTrip(c, h, acknowledged, now)
  kind.acknowledged = acknowledged
  kind.duplicate =
    acknowledged === 0 &&
    wasOutstanding > 0 &&
    h.payloadLength === 0 &&
    !windowMoved &&
    (h.flags & (flagFin | flagSyn)) === 0
  const wasRecovering = c.recovery === recoveryFast
  const lost = detectLoss(c, kind, now)
  if (board.deliveredBytes > 0 || lost > 0) {
    ackSample.now = now
    ackSample.delivered = board.deliveredBytes
    ackSample.acknowledged = acknowledged
    ackSample.rtt = rtt
    ackSample.smoothedRtt = c.rto.smoothed
    ackSample.priorInFlight = priorInFlight
    ackSample.inFlight = c.inFlight
    ackSample.lost = lost
    ackSample.windowLimited = wasWindowLimited(c, priorUna)
    ackSample.recovering = wasRecovering || c.recovery === recoveryFast
    c.congestion?.onAck(ackSample)
  }
  if (offered === 0 && c.sndWnd > 0) windowOpened(c)
  else if (c.persisting && c.outstanding === 0 && c.sndWnd > offered) stopPersisting(c)
  if (acknowledged > 0) restartTimer(c, now)
  if (c.outstanding > 0 || c.sendQueue.length > 0 || c.finQueued) c.layer.wantSend(c)
  return finAcked
}

/** Removes what is acknowledged from queue and scoreboard. */
function advance(c: Tcb, acknowledged: number, acknowledgment: number): boolean {
  c.board.acknowledge(acknowledgment)
  const finAcked = c.finSent && acknowledgment === c.sndNxt
  c.sendQueue.drop(finAcked ? acknowledged - 1 : acknowledged)
  c.sndUna = acknowledgment
  c.retransmitsInARow = 0
  c.rto.backoff = 0
  c.softError = undefined
  if (finAcked) c.layer.raise(c, eventAllSent)
  if (c.wroteShort) {
    const limit = sendBufferOf(c)
    if (limit - c.sendQueue.length >= Math.min(limit / 4, 65536)) {
      c.wroteShort = false
      c.layer.raise(c, eventWritable)
    }
  }
  return finAcked
}

function restartTimer(c: Tcb, now: number): void {
  if (c.outstanding === 0) {
    if (!c.persisting) c.retransmitAt = Infinity
  } else if (!c.persisting) startRetransmitTimer(c, now)
  if (c.orphan) armOrphan(c, now)
}

/** RFC 9293, 3.10.7.4: an old segment must not bring an old window. True if the window is another one now. */
export function updateWindow(c: Tcb, h: TcpHeader): boolean {
  if (!seqBefore(c.sndWl1, h.sequence) && !(c.sndWl1 === h.sequence && seqAtOrBefore(c.sndWl2, h.acknowledgment))) {
    return false
  }
  const window = h.window << c.sndShift
  const moved = window !== c.sndWnd
  c.sndWnd = window
  c.sndWl1 = h.sequence
  c.sndWl2 = h.acknowledgment
  if (window > c.maxSndWnd) c.maxSndWnd = window
  return moved
}

/** A closed window opened: a probe that was not taken goes again at once. */
function windowOpened(c: Tcb): void {
  stopPersisting(c)
  if (c.board.count === 0) return
  c.board.markLost(c.board.head)
  c.retransmitNow = true
}

function stopPersisting(c: Tcb): void {
  c.probes = 0
  c.probeDue = false
  if (!c.persisting) return
  c.persisting = false
  c.retransmitAt = Infinity
}

/** RFC 2018, 5. A block below SND.UNA is a DSACK, or old. */
function takeSacks(c: Tcb, h: TcpHeader): void {
  for (let i = 0; i < h.sackCount; i++) {
    c.board.sack(h.sackEdges[2 * i] as number, h.sackEdges[2 * i + 1] as number)
  }
}

/** Karn's rule by our own stamps; what was sent twice is measured by timestamps, where they tell which copy arrived. */
function sampleRoundTrip(c: Tcb, h: TcpHeader, acknowledged: number, now: number): number {
  const sentAt = c.board.sampleSentAt
  let rtt = 0
  if (sentAt >= 0) rtt = Math.max(now - sentAt, 0.001)
  else if (acknowledged > 0 && c.tsOk && h.hasTimestamps && h.timestampEcho !== 0) {
    const elapsed = seqDiff(timestampNow(c.tsOffset, now), h.timestampEcho)
    if (elapsed >= 0 && elapsed < 0x7fffffff) rtt = Math.max(elapsed, 1)
  }
  if (rtt > 0) c.rto.sample(rtt)
  return rtt
}

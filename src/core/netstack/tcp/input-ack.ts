// The acknowledgement of a segment (RFC 9293, 3.10.7.4, "fifth"; RFC 5961, 5; RFC 6675): what it acknowledges, what it
// reports, the window it offers, a round trip.

import type { TcpHeader } from '../../wire/tcp.js'
import { flagFin, flagSyn } from '../../wire/tcp.js'
import type { AckSample } from '../congestion.js'
import { ackKind as kind } from './ack-kind.js'
import { tally } from './ack-tally.js'
import { armOrphan } from './close.js'
import { renegedTimeout } from './constants.js'
import { sampleMinRtt } from './min-rtt.js'
import { prrGoverns, updatePrr } from './prr.js'
import { adaptReorderingWindow, believedByEcho, believedByRtt, updateRack } from './rack.js'
import { sampleRate } from './rate-sample.js'
import { detectLoss, wasWindowLimited } from './recovery.js'
import { takeSacks } from './sack-option.js'
import { timestampNow } from './segment.js'
import { sendBufferOf } from './send-buffer.js'
import { seqAtOrBefore, seqBefore, seqDiff } from './sequence.js'
import { undoIfSpurious } from './spurious.js'
import { eventAllSent, eventWritable, recoveryNone, type Tcb } from './tcb.js'
import { armLossProbe, judgeLossProbe } from './tlp.js'
import { startRetransmitTimer } from './transmit.js'

/** The one record that controllers are handed. */
const ackSample: AckSample = {
  now: 0,
  delivered: 0,
  acknowledged: 0,
  rtt: 0,
  smoothedRtt: 0,
  priorInFlight: 0,
  inFlight: 0,
  lost: 0,
  windowLimited: false,
  recovering: false,
  late: false,
  totalDelivered: 0,
  totalLost: 0,
  rateDelivered: 0,
  rateInterval: 0,
  priorDelivered: 0,
  priorLost: 0,
  sentInFlight: 0,
  appLimited: false,
}

/** Whether the ACK is one that this connection can have (RFC 5961, 5.2). */
export function isAcceptableAck(c: Tcb, acknowledgment: number): boolean {
  return seqAtOrBefore(acknowledgment, c.sndNxt) && seqDiff(acknowledgment, c.sndUna) >= -c.maxSndWnd
}

/** Takes in an acceptable ACK. True if it acknowledges our FIN. */
export function handleAck(c: Tcb, h: TcpHeader, now: number): boolean {
  const acknowledged = seqDiff(h.acknowledgment, c.sndUna)
  if (acknowledged < 0) return false
  const priorUna = c.sndUna
  const wasOutstanding = c.outstanding
  kind.acknowledged = acknowledged
  kind.priorInFlight = c.inFlight
  kind.priorFlight = wasOutstanding - c.board.sackedBytes
  kind.hasSack = c.sackOk && h.sackCount > 0
  kind.duplicateReported = false
  kind.probeDuplicate = false
  c.probesUnanswered = 0
  const offered = c.sndWnd
  const windowMoved = updateWindow(c, h)
  tally.start(acknowledged > 0 ? believedByEcho(c, h, now) : now, c.segmentSize)
  let finAcked = false
  if (acknowledged > 0) finAcked = advance(c, acknowledged, h.acknowledgment)
  if (kind.hasSack) {
    tally.believedUntil = believedByRtt(c, now)
    takeSacks(c, h, kind)
  }
  kind.duplicate =
    acknowledged === 0 &&
    wasOutstanding > 0 &&
    h.payloadLength === 0 &&
    !windowMoved &&
    (h.flags & (flagFin | flagSyn)) === 0
  if (tally.fullSentAt > c.sender.fullSentAt) c.sender.fullSentAt = tally.fullSentAt
  if (wasOutstanding > 0 || kind.hasSack) {
    repair(c, h, now)
    tellCongestion(c, priorUna, now)
  }
  if (offered === 0 && c.sndWnd > 0) windowOpened(c)
  else if (c.persisting && c.outstanding === 0 && c.sndWnd > offered) stopPersisting(c)
  if (acknowledged > 0) restartTimer(c, now)
  if (tally.delivered > 0) armLossProbe(c, now)
  if (c.outstanding > 0 || c.sendQueue.length > 0 || c.finQueued) c.layer.wantSend(c)
  else c.layer.schedule(c)
  return finAcked
}

let roundTrip = 0
let newlyLost = 0
let wasRecovering = false

/** What the acknowledgement says of losses, of earlier ones too. */
function repair(c: Tcb, h: TcpHeader, now: number): void {
  roundTrip = sampleRoundTrip(c, h, kind.acknowledged, now)
  if (c.sackOk) {
    updateRack(c, now)
    adaptReorderingWindow(c, kind.duplicateReported)
  }
  wasRecovering = c.recovery !== recoveryNone
  undoIfSpurious(c, h, kind, now)
  newlyLost = detectLoss(c, kind, now)
  judgeLossProbe(c, kind, now)
}

function tellCongestion(c: Tcb, priorUna: number, now: number): void {
  if (tally.delivered === 0 && newlyLost === 0) return
  ackSample.now = now
  ackSample.delivered = tally.delivered
  ackSample.acknowledged = kind.acknowledged
  ackSample.rtt = roundTrip
  ackSample.smoothedRtt = c.rto.smoothed
  ackSample.priorInFlight = kind.priorInFlight
  ackSample.inFlight = c.inFlight
  ackSample.lost = newlyLost
  ackSample.windowLimited = wasWindowLimited(c, priorUna)
  ackSample.recovering = wasRecovering || c.recovery !== recoveryNone
  ackSample.late = c.layer.context.late
  sampleRate(c, tally, ackSample, now)
  c.congestion?.onAck(ackSample)
  if (prrGoverns(c)) updatePrr(c, tally.delivered, kind.acknowledged > 0 && newlyLost === 0)
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
  } else if (!c.persisting) {
    startRetransmitTimer(c, now)
    // What was reported and is not acknowledged was forgotten (RFC 2018, 8): no use to wait for all of the timeout.
    if (c.board.sackedSegments > 0 && c.board.isSacked(c.board.head)) {
      c.retransmitAt = Math.min(c.retransmitAt, now + Math.max(c.rto.smoothed / 2, renegedTimeout))
    }
  }
  if (c.orphan) armOrphan(c, now)
}

/** RFC 9293, 3.10.7.4: an old segment must not bring an old window. True if the window is another one now. */
export function updateWindow(c: Tcb, h: TcpHeader): boolean {
  // One that was overtaken is old, though its numbers are not: its timestamp says so.
  if (c.tsOk && h.hasTimestamps && seqBefore(h.timestamp, c.tsRecent)) return false
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

/**
 * Karn's rule by our own stamps; what was sent twice is measured by timestamps, where they tell which copy arrived, and
 * for the timeout alone. Returns the sample by our own stamps, 0 if there is none.
 */
function sampleRoundTrip(c: Tcb, h: TcpHeader, acknowledged: number, now: number): number {
  if (tally.onceSentAt >= 0) {
    const rtt = Math.max(now - tally.onceSentAt, 0.001)
    c.rto.sample(rtt)
    sampleMinRtt(c.sender, rtt, now)
    return rtt
  }
  if (acknowledged > 0 && c.tsOk && h.hasTimestamps && h.timestampEcho !== 0) {
    const elapsed = seqDiff(timestampNow(c.tsOffset, now), h.timestampEcho)
    if (elapsed >= 0 && elapsed < 0x7fffffff) c.rto.sample(Math.max(elapsed, 1))
  }
  return 0
}

// Loss: found by duplicate ACKs or SACK (RFC 5681, 6675), repaired by fast recovery (RFC 6582, 6675) or after a timeout
// (RFC 6298). This decides which segments are lost and when a recovery begins and ends; the congestion control is told.
import type { AckSample } from '../congestion.js'
import { dupThreshold } from './constants.js'
import { seqAtOrBefore, seqBefore } from './sequence.js'
import { recoveryFast, recoveryNone, recoveryTimeout, type Tcb } from './tcb.js'

/** What an acknowledgement was, beside its number. */
export interface AckKind {
  /** Sequence numbers newly acknowledged. */
  acknowledged: number
  /** A duplicate by RFC 5681's rule. */
  duplicate: boolean
}

/** Judges what is lost after an acknowledgement; the scoreboard knows of it already. Returns the bytes newly found lost. */
export function detectLoss(c: Tcb, kind: AckKind, now: number): number {
  const board = c.board
  if (c.recovery !== recoveryNone && seqAtOrBefore(c.recoveryPoint, c.sndUna)) recovered(c, now)
  if (kind.acknowledged > 0) {
    c.dupAcks = 0
    // Of the segments that left, one filled the hole, and the others are acknowledged now (RFC 6582, 3.2).
    c.dupAckedBytes = Math.max(0, c.dupAckedBytes - kind.acknowledged + c.segmentSize)
    if (c.recovery === recoveryNone || c.outstanding === 0) c.dupAckedBytes = 0
  } else if (kind.duplicate) {
    c.dupAcks++
    if (!c.sackOk) noteDuplicate(c)
  }
  if (board.count === 0) return 0
  let lost = 0
  if (c.sackOk) lost += board.detectLost(dupThreshold)
  else if (c.recovery === recoveryNone && c.dupAcks >= dupThreshold) lost += board.markLost(board.head)
  if (c.recovery === recoveryFast && kind.acknowledged > 0) lost += partialAck(c, now)
  if (lost > 0 && c.recovery === recoveryNone) startRecovery(c, now)
  return lost
}

/** A segment left the network, and nobody said which. */
function noteDuplicate(c: Tcb): void {
  const limit = Math.max(0, c.outstanding - c.board.lostBytes - c.board.lengthOf(c.board.head))
  c.dupAckedBytes = Math.min(limit, c.dupAckedBytes + c.segmentSize)
}

/** What the ACK stops at was lost too (RFC 6582, 3.2), unless it left so late that it can't be judged yet. */
function partialAck(c: Tcb, now: number): number {
  const board = c.board
  const head = board.head
  c.retransmitNow = true
  if (board.isSacked(head) || board.isLost(head)) return 0
  if (board.wasRetransmitted(head)) return 0
  if (c.sackOk && now - board.sentAt(head) < c.rto.smoothed) return 0
  return board.markLost(head)
}

function startRecovery(c: Tcb, now: number): void {
  c.recovery = recoveryFast
  c.recoveryPoint = c.sndNxt
  c.retransmitNow = true
  c.layer.context.counters.tcpRecoveries++
  c.congestion?.onLoss(c.outstanding, now)
}

function recovered(c: Tcb, now: number): void {
  c.recovery = recoveryNone
  c.dupAckedBytes = 0
  c.retransmitNow = false
  c.congestion?.onRecovered(now)
}

/** The retransmission timer fired. `first`: since data was last acknowledged. */
export function timeoutLoss(c: Tcb, first: boolean, now: number): void {
  const board = c.board
  if (c.sackOk && board.isSacked(board.head)) c.layer.context.counters.tcpReneged++
  // RFC 5681, 3.1: the threshold falls once however often the same data times out.
  if (first) c.congestion?.onTimeout(c.outstanding, now)
  board.markAllLost()
  c.recovery = recoveryTimeout
  c.recoveryPoint = c.sndNxt
  c.dupAcks = 0
  c.dupAckedBytes = 0
  c.retransmitNow = true
}

/** Whether growth is due: what is acknowledged was sent while the window was the limit. */
export function wasWindowLimited(c: Tcb, acknowledgedUpTo: number): boolean {
  return seqBefore(acknowledgedUpTo, c.windowLimitedUntil)
}

/** The one record that controllers are handed. */
export const ackSample: AckSample = {
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
}

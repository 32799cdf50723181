// When a repair begins and ends: fast recovery (RFC 6675, 6582), repair after a timeout (RFC 6298). What is lost is found by
// RACK where there is SACK, else by duplicate ACKs (RFC 5681, 6582); the congestion control is told.
import type { AckKind } from './ack-kind.js'
import { dupThreshold } from './constants.js'
import { lose, loseAll } from './lose.js'
import { startPrr } from './prr.js'
import { countRecovery, detectByRack, loseExpired } from './rack.js'
import { seqAtOrBefore, seqBefore } from './sequence.js'
import { startUndo } from './spurious.js'
import { recoveryFast, recoveryNone, recoveryTimeout, type Tcb } from './tcb.js'
import { forgetLossProbe } from './tlp.js'

/** Judges what is lost after an acknowledgement; the scoreboard knows of it already. Returns the bytes newly found lost. */
export function detectLoss(c: Tcb, kind: AckKind, now: number): number {
  const board = c.board
  if (c.recovery !== recoveryNone && seqAtOrBefore(c.recoveryPoint, c.sndUna)) recovered(c, now)
  if (!c.sackOk) countDuplicates(c, kind)
  if (board.count === 0) {
    c.sender.reorderAt = Infinity
    return 0
  }
  let lost = 0
  if (c.sackOk) lost = detectByRack(c, now)
  else if (c.recovery === recoveryNone && c.dupAcks >= dupThreshold) lost = lose(c, board.head, now)
  else if (c.recovery === recoveryFast && kind.acknowledged > 0) lost = partialAck(c, now)
  if (lost > 0 && c.recovery === recoveryNone) startRecovery(c, kind.priorInFlight, kind.priorFlight, now)
  return lost
}

/** The reordering timer: what has had its time by now is lost (RFC 8985, 6.2, step 5). */
export function handleReorderingTimeout(c: Tcb, now: number): void {
  const inFlight = c.inFlight
  const flight = c.outstanding - c.board.sackedBytes
  const lost = detectByRack(c, now)
  if (lost > 0 && c.recovery === recoveryNone) startRecovery(c, inFlight, flight, now)
}

function countDuplicates(c: Tcb, kind: AckKind): void {
  if (kind.acknowledged > 0) {
    c.dupAcks = 0
    // Of the segments that left, one filled the hole, and the others are acknowledged now (RFC 6582, 3.2).
    c.dupAckedBytes = Math.max(0, c.dupAckedBytes - kind.acknowledged + c.segmentSize)
    if (c.recovery === recoveryNone || c.outstanding === 0) c.dupAckedBytes = 0
  } else if (kind.duplicate) {
    c.dupAcks++
    // A segment left the network, and nobody said which.
    const limit = Math.max(0, c.outstanding - c.board.lostBytes - c.board.lengthOf(c.board.head))
    c.dupAckedBytes = Math.min(limit, c.dupAckedBytes + c.segmentSize)
  }
}

/** What the ACK stops at was lost too (RFC 6582, 3.2). */
function partialAck(c: Tcb, now: number): number {
  const head = c.board.head
  c.retransmitNow = true
  return c.board.wasRetransmitted(head) ? 0 : lose(c, head, now)
}

function startRecovery(c: Tcb, inFlight: number, flight: number, now: number): void {
  c.recovery = recoveryFast
  c.recoveryPoint = c.sndNxt
  c.retransmitNow = true
  forgetLossProbe(c)
  startUndo(c)
  c.layer.context.counters.tcpRecoveries++
  c.congestion?.onLoss(inFlight, now)
  startPrr(c, flight)
}

function recovered(c: Tcb, now: number): void {
  c.recovery = recoveryNone
  c.dupAckedBytes = 0
  c.retransmitNow = false
  c.sender.frtoStep = 0
  countRecovery(c)
  c.congestion?.onRecovered(now)
}

/** The retransmission timer fired. `first`: since data was last acknowledged. */
export function timeoutLoss(c: Tcb, first: boolean, now: number): void {
  const inFlight = c.inFlight
  // Once a recovery, or while the same segment times out (as Linux): should F-RTO's own data be lost, the usual repair goes on.
  const asksFirst = c.sackOk && (c.recovery !== recoveryTimeout || !first)
  if (c.recovery === recoveryNone) startUndo(c)
  restartRepair(c, now)
  // RFC 5681, 3.1: the threshold falls once however often the same data times out.
  if (first) c.congestion?.onTimeout(inFlight, now)
  c.sender.frtoStep = asksFirst ? 1 : 0
}

/** Nothing that is in flight is waited for any longer: the head goes at once, the rest as ACKs come. */
export function restartRepair(c: Tcb, now: number): void {
  const board = c.board
  if (c.sackOk && board.isSacked(board.head)) {
    c.layer.context.counters.tcpReneged++
    board.forgetSacks()
  }
  if (c.sackOk) loseExpired(c, now)
  else loseAll(c, now)
  c.recovery = recoveryTimeout
  c.recoveryPoint = c.sndNxt
  c.dupAcks = 0
  c.dupAckedBytes = 0
  c.retransmitNow = true
  c.sender.frtoStep = 0
  forgetLossProbe(c)
}

/** Whether growth is due: what is acknowledged was sent while the window was the limit. */
export function wasWindowLimited(c: Tcb, acknowledgedUpTo: number): boolean {
  return seqBefore(acknowledgedUpTo, c.windowLimitedUntil)
}

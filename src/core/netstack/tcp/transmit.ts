// What a connection sends when it is its turn: SYN, lost segments, new data as the windows and the rate allow, ACKs
// (RFC 9293, 3.8.6; RFC 5681; RFC 6675's order).
import { flagFin, flagPsh } from '../../wire/tcp.js'
import { maxFlightSegments, maxOverride, minOverride } from './constants.js'
import { lastToJoin } from './join-lost.js'
import { earnCredit, mayLeave } from './pacing.js'
import { hasRoom, spendPrr } from './prr.js'
import { noteAppLimited, stampTransmission } from './rate-sample.js'
import { sendSegment, sendSyn } from './segment.js'
import { cutSegments, isTooLong, probeMtu } from './segment-size.js'
import { seqDiff } from './sequence.js'
import { noteResent } from './spurious.js'
import { startCongestion } from './start-congestion.js'
import {
  stateCloseWait,
  stateEstablished,
  stateFinWait1,
  stateLastAck,
  stateSynReceived,
  stateSynSent,
} from './states.js'
import { recoveryFast, recoveryNone, type Tcb } from './tcb.js'
import { armLossProbe, noteLossProbe } from './tlp.js'

/** Why {@link transmit} came to its end. */
export const transmitDone = 0
export const transmitMore = 1
export const transmitNoSlot = 2

const frtoSegments = 2 // RFC 5682, 3.1, step 2

let budgetLeft = 0
/** The controller's rate, bytes a millisecond, of the connection whose turn it is; Infinity: not paced. */
let rate = Infinity

/** Packets that the last call of {@link transmit} left of its budget. */
export function transmitBudgetLeft(): number {
  return budgetLeft
}

/** Sends at most `budget` packets of `c`. */
export function transmit(c: Tcb, budget: number, now: number): number {
  budgetLeft = budget
  if (c.stateCode < stateEstablished) return transmitHandshake(c, now)
  const sndNxt = c.sndNxt
  const retransmits = c.retransmits
  if (c.congestion === undefined && (c.unsent > 0 || c.finQueued)) startCongestion(c, now)
  rate = c.congestion === undefined ? Infinity : c.congestion.pacingRate
  c.sender.paceAt = Infinity
  if (rate !== Infinity) earnCredit(c, rate, now)
  // Duplicate ACKs and SACK leave as segments of their own: data carries neither.
  let result = c.ackNow && (c.acksDue > 0 || c.reassembly.count > 0) ? sendAcks(c, now) : transmitDone
  if (result === transmitDone && c.probeDue) result = sendProbe(c, now)
  if (result === transmitDone && c.sender.lossProbeDue) result = sendLossProbe(c, now)
  if (result === transmitDone && c.sender.frtoStep === 2) result = sendForFrto(c, now)
  if (result === transmitDone && c.sender.frtoStep !== 2) result = retransmitLost(c, now)
  if (result === transmitDone && c.keepAliveDue) result = sendKeepAlive(c, now)
  if (result === transmitDone && c.board.lostBytes === 0) result = sendNew(c, now)
  if (result === transmitDone && c.ackNow) result = sendAcks(c, now)
  if (c.outstanding > 0 && c.retransmitAt === Infinity) startRetransmitTimer(c, now)
  if (c.sndNxt !== sndNxt || c.retransmits !== retransmits) armLossProbe(c, now)
  if (result === transmitDone && c.board.lostBytes === 0 && c.unsent === 0) lookForAppLimit(c)
  c.layer.schedule(c)
  return result
}

/** Everything that was written is sent, and more could have been. Not so while the peer's window is the limit. */
function lookForAppLimit(c: Tcb): void {
  if (!hasRoom(c, c.segmentSize) || (rate !== Infinity && c.sender.credit < c.segmentSize)) return
  noteAppLimited(c)
}

function transmitHandshake(c: Tcb, now: number): number {
  if (!c.synDue) return c.ackNow && c.stateCode === stateSynReceived ? sendAcks(c, now) : transmitDone
  if (c.stateCode !== stateSynSent && c.stateCode !== stateSynReceived) return transmitDone
  if (!sendSyn(c, now)) return transmitNoSlot
  budgetLeft--
  c.synDue = false
  c.lastSentAt = now
  c.retransmitAt = now + c.rto.interval
  c.layer.schedule(c)
  return transmitDone
}

/** Starts the timer for what is in flight. */
export function startRetransmitTimer(c: Tcb, now: number): void {
  c.persisting = false
  c.retransmitAt = now + c.rto.interval
}

/** The ACK that is due, several where each duplicate counts. */
function sendAcks(c: Tcb, now: number): number {
  let due = Math.max(1, c.acksDue)
  while (due > 0) {
    if (budgetLeft <= 0) {
      c.acksDue = due
      c.ackNow = true
      return transmitMore
    }
    if (!sendSegment(c, c.sndNxt, 0, 0, 0, now)) {
      c.acksDue = due
      c.ackNow = true
      return transmitNoSlot
    }
    budgetLeft--
    due--
  }
  c.acksDue = 0
  return transmitDone
}

function retransmitLost(c: Tcb, now: number): number {
  const board = c.board
  // A closed window: the persist timer sends what is to be sent.
  while (board.lostBytes > 0 && c.sndWnd > 0) {
    if (budgetLeft <= 0) return transmitMore
    const record = board.nextLost()
    if (record < 0) return transmitDone
    if (isTooLong(c, record)) {
      cutSegments(c, now)
      continue
    }
    if (!c.retransmitNow && !mayLeaveNow(c, board.lengthOf(record), now)) return transmitDone
    if (!resend(c, record, now)) return transmitNoSlot
    c.retransmitNow = false
  }
  return transmitDone
}

/** Sends a segment in flight once more, with lost ones behind it that fit in the same packet. False if there is no slot. */
export function resend(c: Tcb, record: number, now: number): boolean {
  const board = c.board
  const sequence = board.sequenceOf(record)
  const last = lastToJoin(c, record)
  const end = board.endOf(last)
  const bytes = seqDiff(end, sequence)
  const hasFin = c.finSent && end === c.sndNxt
  const length = bytes - (hasFin ? 1 : 0)
  if (!sendSegment(c, sequence, hasFin ? flagFin | flagPsh : flagPsh, seqDiff(sequence, c.sndUna), length, now)) {
    return false
  }
  budgetLeft--
  for (let joined = record; joined <= last; joined++) {
    const priorInFlight = c.inFlight
    board.resent(joined, now)
    stampTransmission(c, joined, priorInFlight, now)
  }
  c.retransmits++
  c.layer.context.counters.tcpRetransmits++
  noteSent(c, bytes, now)
  noteResent(c, sequence, bytes, now)
  if (record === board.head) startRetransmitTimer(c, now)
  return true
}

/** `bytes` left in a segment, for the first time or again. */
function noteSent(c: Tcb, bytes: number, now: number): void {
  c.lastSentAt = now
  if (rate !== Infinity) c.sender.credit -= bytes
  if (c.recovery === recoveryFast) spendPrr(c, bytes)
  c.congestion?.onSent(bytes, c.inFlight, now)
}

/** Whether window and rate let `bytes` out now. If not, they, and not the application, are the limit. */
function mayLeaveNow(c: Tcb, bytes: number, now: number): boolean {
  if (hasRoom(c, bytes) && (rate === Infinity || mayLeave(c, bytes, rate, now))) return true
  c.windowLimitedUntil = c.sndNxt
  return false
}

function sendNew(c: Tcb, now: number): number {
  if (c.finSent || (c.stateCode !== stateEstablished && c.stateCode !== stateCloseWait)) return transmitDone
  if (c.outstanding === 0 && c.unsent > 0) c.congestion?.onIdle(now - Math.max(c.lastSentAt, c.sender.deliveredAt), now)
  if (now >= c.mtuProbeAt && !probeMtu(c, now)) return transmitNoSlot
  for (;;) {
    const outstanding = c.outstanding
    const unsent = c.unsent
    if ((unsent === 0 && !c.finQueued) || c.board.count >= maxFlightSegments) return transmitDone
    const room = c.sndWnd - outstanding
    let length = Math.min(unsent, c.segmentSize)
    if (length > room) {
      length = room
      // A silly window (RFC 9293, 3.8.6.2.1) waits for more, with a timer where nothing else would tell.
      if (length <= 0 || length < c.maxSndWnd / 2) {
        if (outstanding === 0) startPersistTimer(c, now, length > 0)
        return transmitDone
      }
    } else if (length === 0 && room <= 0) {
      if (outstanding === 0) startPersistTimer(c, now, false)
      return transmitDone
    }
    // Nagle (RFC 9293, 3.7.4), where it is asked for.
    if (length < c.segmentSize && length === unsent && outstanding > 0 && !c.noDelay && !c.finQueued)
      return transmitDone
    if (!mayLeaveNow(c, length, now)) return transmitDone
    if (budgetLeft <= 0) return transmitMore
    const fin = c.finQueued && length === unsent && room > length
    if (!sendData(c, length, fin, now)) return transmitNoSlot
    if (fin) return transmitDone
  }
}

/** Sends the next `length` bytes for the first time. False if there is no slot. */
export function sendData(c: Tcb, length: number, fin: boolean, now: number): boolean {
  const position = c.outstanding
  const flags = (fin ? flagFin : 0) | (position + length === c.sendQueue.length ? flagPsh : 0)
  const priorInFlight = c.inFlight
  if (!sendSegment(c, c.sndNxt, flags, position, length, now)) return false
  budgetLeft--
  const size = fin ? length + 1 : length
  c.board.sent(c.sndNxt, size, now)
  c.sndNxt = (c.sndNxt + size) | 0
  c.bytesSent += length
  stampTransmission(c, c.board.tail - 1, priorInFlight, now)
  noteSent(c, size, now)
  if (fin) {
    c.finSent = true
    c.stateCode = c.stateCode === stateCloseWait ? stateLastAck : stateFinWait1
    c.layer.finLeft(c, now)
  }
  return true
}

/** F-RTO (RFC 5682, 3.1): instead of what is thought lost, two new segments; if none may leave, the usual repair goes on. */
function sendForFrto(c: Tcb, now: number): number {
  if (c.sndNxt !== c.recoveryPoint) return transmitDone
  if (budgetLeft <= 0) return transmitMore
  const kept = Math.max(0, budgetLeft - frtoSegments)
  budgetLeft -= kept
  const result = sendNew(c, now)
  budgetLeft += kept
  if (result === transmitNoSlot) return result
  if (c.sndNxt === c.recoveryPoint) c.sender.frtoStep = 0
  return transmitDone
}

/** The tail of the flight went unanswered: new data asks for an answer, or the last segment once more (RFC 8985, 7.3). */
function sendLossProbe(c: Tcb, now: number): number {
  c.sender.lossProbeDue = false
  if (c.outstanding === 0 || c.sndWnd === 0 || c.recovery !== recoveryNone || c.board.sackedSegments > 0) {
    return transmitDone
  }
  if (budgetLeft <= 0) {
    c.sender.lossProbeDue = true
    return transmitMore
  }
  const length = Math.min(c.finSent ? 0 : c.unsent, c.segmentSize)
  const isNew = length > 0 && length <= c.sndWnd - c.outstanding && c.board.count < maxFlightSegments
  if (isNew ? !sendData(c, length, false, now) : !resend(c, c.board.tail - 1, now)) {
    c.sender.lossProbeDue = true
    return transmitNoSlot
  }
  noteLossProbe(c, !isNew)
  startRetransmitTimer(c, now)
  c.layer.context.counters.tcpLossProbes++
  return transmitDone
}

/** Nothing is in flight and the window lets nothing out: probe it, or send a small segment after a while. */
function startPersistTimer(c: Tcb, now: number, silly: boolean): void {
  if (c.persisting) return
  c.persisting = true
  const wait = silly ? Math.min(maxOverride, Math.max(minOverride, c.rto.interval)) : c.rto.doubled(c.probes)
  c.retransmitAt = now + wait
}

/**
 * Probes a closed window with a byte that counts as sent (peers limit their answers to empty probes), or sends what a
 * silly window lets through after all.
 */
function sendProbe(c: Tcb, now: number): number {
  if (budgetLeft <= 0) return transmitMore
  const unsent = c.finSent ? 0 : c.unsent
  if (c.outstanding > 0) {
    if (!resend(c, c.board.head, now)) return transmitNoSlot
  } else if (unsent > 0) {
    if (!sendData(c, Math.max(1, Math.min(unsent, c.sndWnd, c.segmentSize)), false, now)) return transmitNoSlot
  } else if (c.finQueued && !c.finSent) {
    if (!sendData(c, 0, true, now)) return transmitNoSlot
  }
  c.probeDue = false
  if (c.sndWnd > 0) {
    startRetransmitTimer(c, now)
    return transmitDone
  }
  c.probes++
  c.probesUnanswered++
  c.retransmitAt = now + c.rto.doubled(c.probes)
  return transmitDone
}

/** Asks an idle peer whether it is there, by a segment it must answer (RFC 9293, 3.8.4). */
function sendKeepAlive(c: Tcb, now: number): number {
  if (budgetLeft <= 0) return transmitMore
  if (!sendSegment(c, (c.sndUna - 1) | 0, 0, 0, 0, now)) return transmitNoSlot
  budgetLeft--
  c.keepAliveDue = false
  return transmitDone
}

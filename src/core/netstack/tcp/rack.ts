// RACK (RFC 8985, 6): a segment is lost if one that left after it was delivered and more than a round trip and the
// reordering window have passed since it left. Segments under way are kept by time sent, so that only those are looked at.
import type { TcpHeader } from '../../wire/tcp.js'
import { tally } from './ack-tally.js'
import { dupThreshold, reoWndPersist, timerTick } from './constants.js'
import { lose } from './lose.js'
import { timestampNow } from './segment.js'
import { seqAtOrBefore, seqBefore, seqDiff } from './sequence.js'
import { recoveryNone, type Tcb } from './tcb.js'

/** Sums and differences of times are compared with this much give, ms. */
const rounding = 1e-6

/** Step 2's second exception: a resent segment that left after this is delivered too soon for that copy. */
export function believedByRtt(c: Tcb, now: number): number {
  return c.sender.minRtt === Infinity ? now : now - c.sender.minRtt + rounding
}

/**
 * Both of step 2's exceptions, for what is acknowledged cumulatively: the ACK echoes an older timestamp than the copy's.
 * What SACK alone reports did not move the peer's TS.Recent, and the echo says nothing of it.
 */
export function believedByEcho(c: Tcb, h: TcpHeader, now: number): number {
  const until = believedByRtt(c, now)
  if (!c.tsOk || !h.hasTimestamps || h.timestampEcho === 0) return until
  const age = seqDiff(timestampNow(c.tsOffset, now), h.timestampEcho)
  // Timestamps count whole milliseconds: the segment left before the next one began.
  return age < 0 ? until : Math.min(until, Math.floor(now) - age + 1 - rounding)
}

/** Steps 2 and 3, from the tally of an acknowledgement. */
export function updateRack(c: Tcb, now: number): void {
  const s = c.sender
  if (tally.reordered) s.reorderingSeen = true
  if (tally.rackSentAt < 0) return
  s.rackRtt = now - tally.rackSentAt
  if (isSentAfter(tally.rackSentAt, tally.rackEnd, s.rackSentAt, s.rackEnd)) {
    s.rackSentAt = tally.rackSentAt
    s.rackEnd = tally.rackEnd
  }
}

function isSentAfter(at: number, end: number, otherAt: number, otherEnd: number): boolean {
  return at > otherAt || (at === otherAt && seqBefore(otherEnd, end))
}

/** Step 4: the window is widened by a quarter of the least round trip in each round that shows a DSACK. */
export function adaptReorderingWindow(c: Tcb, duplicateReported: boolean): void {
  const s = c.sender
  if (s.inDsackRound && seqAtOrBefore(s.dsackRoundEnd, c.sndUna)) s.inDsackRound = false
  if (!duplicateReported || s.inDsackRound) return
  s.inDsackRound = true
  s.dsackRoundEnd = c.sndNxt
  s.reoWndMult++
  s.reoWndPersist = reoWndPersist
}

/** A recovery ended: so many without a DSACK, and the window is as small as at first. */
export function countRecovery(c: Tcb): void {
  const s = c.sender
  if (s.reoWndPersist > 0 && --s.reoWndPersist === 0) s.reoWndMult = 1
}

/** RACK.reo_wnd, ms. */
export function reorderingWindow(c: Tcb): number {
  const s = c.sender
  if (!s.reorderingSeen && (c.recovery !== recoveryNone || c.board.sackedSegments >= dupThreshold)) return 0
  return s.minRtt === Infinity ? 0 : Math.min((s.reoWndMult * s.minRtt) / 4, c.rto.smoothed)
}

/** Step 5: finds lost what has had its time, and sets the timer for the next. Returns the bytes. */
export function detectByRack(c: Tcb, now: number): number {
  const { board, sender: s } = c
  s.reorderAt = Infinity
  const { lanes } = board
  if (lanes === undefined || s.rackSentAt < 0) return 0
  const patience = s.rackRtt + reorderingWindow(c)
  let lost = 0
  let place = board.underWay.first
  while (place >= 0) {
    const record = board.at(place)
    const sentAt = board.sentAt(record)
    if (sentAt > s.rackSentAt || !isSentAfter(s.rackSentAt, s.rackEnd, sentAt, board.endOf(record))) break
    if (sentAt + patience > now + rounding) {
      s.reorderAt = Math.max(sentAt + patience, now + timerTick)
      break
    }
    place = board.underWay.next(lanes, place)
    lost += lose(c, record, now)
  }
  return lost
}

/** 6.3: after a timeout the head is lost, and what has had its time. */
export function loseExpired(c: Tcb, now: number): void {
  const { board, sender: s } = c
  const until = now - s.rackRtt - reorderingWindow(c) + rounding
  for (let record = board.head; record < board.tail; record++) {
    if (record === board.head || board.sentAt(record) <= until) lose(c, record, now)
  }
  s.reorderAt = Infinity
}

// Reductions that turn out to have been for nothing: Eifel by timestamps (RFC 3522, 4015), DSACK of everything that was
// resent (RFC 3708), F-RTO after a timeout (RFC 5682, 3, with SACK). What was thought lost is not, and the congestion
// control goes back to where it was.
import type { TcpHeader } from '../../wire/tcp.js'
import type { AckKind } from './ack-kind.js'
import { tally } from './ack-tally.js'
import { timestampNow } from './segment.js'
import { seqAtOrBefore, seqBefore, seqDiff } from './sequence.js'
import { recoveryFast, recoveryNone, type Tcb } from './tcb.js'

/** So many copies are known one by one: the network may duplicate what was never resent. */
const knownCopies = 16

/** A recovery begins, of which nothing was resent yet. */
export function startUndo(c: Tcb): void {
  const s = c.sender
  s.mayUndo = true
  // A copy that left before this recovery echoes an older timestamp than its first one: that would prove nothing.
  s.undoByTimestamp = c.tsOk && c.board.count > 0 && !c.board.wasRetransmitted(c.board.head)
  s.undoFrom = c.sndUna
  s.undoBytes = 0
  s.undoCount = 0
  s.undoResent = false
}

/** `bytes` from `sequence` on were resent. */
export function noteResent(c: Tcb, sequence: number, bytes: number, now: number): void {
  const s = c.sender
  if (!s.mayUndo) return
  s.undoBytes += bytes
  if (s.undoStarts === undefined) s.undoStarts = new Int32Array(knownCopies)
  if (s.undoCount < knownCopies) s.undoStarts[s.undoCount] = sequence
  s.undoCount++
  if (s.undoResent) return
  s.undoResent = true
  s.undoTimestamp = timestampNow(c.tsOffset, now)
}

/** The peer reports that it received something twice. */
export function noteDuplicateReport(c: Tcb, start: number, end: number, kind: AckKind): void {
  const s = c.sender
  // More than we ever resent: it is the network that duplicates.
  if (s.duplicatesReported >= c.retransmits) return
  s.duplicatesReported++
  if (s.probing && s.probeWasResent && end === s.probeEnd) kind.probeDuplicate = true
  else kind.duplicateReported = true
  if (s.mayUndo && isOfCopy(c, start, end)) s.undoBytes -= seqDiff(end, start)
}

/** Whether a range received twice is one that was resent. Where many were, any of the recovery is taken for one. */
function isOfCopy(c: Tcb, start: number, end: number): boolean {
  const s = c.sender
  if (s.undoCount > knownCopies) return seqBefore(s.undoFrom, end) && seqAtOrBefore(end, c.recoveryPoint)
  const starts = s.undoStarts as Int32Array
  for (let i = 0; i < s.undoCount; i++) {
    const sequence = starts[i] as number
    if (seqBefore(sequence, start) || !seqBefore(sequence, end)) continue
    starts[i] = starts[--s.undoCount] as number
    return true
  }
  return false
}

/** Whether the reduction was spurious, and if so undoes it. Called before anything is judged lost. */
export function undoIfSpurious(c: Tcb, h: TcpHeader, kind: AckKind, now: number): void {
  const s = c.sender
  if (!s.mayUndo) return
  const spurious = isOlderThanResent(c, h, kind) || (s.undoResent && s.undoBytes <= 0) || advanceFrto(c, kind)
  if (spurious) undo(c, now)
}

/** RFC 3522: the acknowledgement of what was resent echoes a timestamp from before that. */
function isOlderThanResent(c: Tcb, h: TcpHeader, kind: AckKind): boolean {
  const s = c.sender
  if (!s.undoByTimestamp || !s.undoResent || kind.acknowledged === 0 || c.recovery === recoveryNone) return false
  return h.hasTimestamps && h.timestampEcho !== 0 && seqBefore(h.timestampEcho, s.undoTimestamp)
}

/** RFC 5682, 3.1: true if data that was thought lost, and never resent, turns out to have arrived. */
function advanceFrto(c: Tcb, kind: AckKind): boolean {
  const s = c.sender
  if (s.frtoStep === 0) return false
  if (s.frtoStep === 2 && tally.thoughtLost) return true
  const advanced = kind.acknowledged > 0 && seqBefore(c.sndUna, c.recoveryPoint)
  if (s.frtoStep === 1 && advanced) s.frtoStep = 2
  else if (tally.delivered > 0 || kind.duplicate || kind.acknowledged > 0) s.frtoStep = 0
  return false
}

function undo(c: Tcb, now: number): void {
  const s = c.sender
  // Fast recovery for nothing is reordering (RFC 8985, 6.2); a timeout for nothing is delay.
  if (c.recovery === recoveryFast) s.reorderingSeen = true
  s.mayUndo = false
  s.frtoStep = 0
  c.board.unmarkLost()
  if (c.recovery !== recoveryNone) c.congestion?.onRecovered(now)
  c.recovery = recoveryNone
  c.retransmitNow = false
  c.dupAckedBytes = 0
  c.rto.backoff = 0
  c.layer.context.counters.tcpSpurious++
  c.congestion?.onSpurious(now)
}

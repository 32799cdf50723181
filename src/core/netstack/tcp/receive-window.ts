// The window we offer: never taken back (RFC 9293, 3.8.6), opened in steps worth a segment (RFC 9293, 3.8.6.2.2), and a
// buffer behind it that doubles each round trip in which the reader took half of it, within a fair share of all memory.
import { receiveFloorSegments, receiveIdle } from './constants.js'
import { seqDiff } from './sequence.js'
import { stateCloseWait, stateEstablished } from './states.js'
import type { Tcb } from './tcb.js'

/** Largest value of the window field. */
const maxField = 0xffff

/** The smallest shift (RFC 7323, 2.3) with which `buffer` bytes can be offered. */
export function windowShiftFor(buffer: number): number {
  let shift = 0
  while (shift < 14 && maxField << shift < buffer) shift++
  return shift
}

/** What may be held unread now. A share that shrinks takes nothing back: the window just opens no further. */
function boundOf(c: Tcb): number {
  return Math.min(c.receiveBuffer, c.receiveShare.bound(receiveFloorSegments * c.rcvMss))
}

/** Whether there is memory for `bytes` more that came in order; else they are not taken, whatever the window promised. */
export function hasMemoryFor(c: Tcb, bytes: number): boolean {
  return c.receiveShare.admits(bytes, c.received.length, receiveFloorSegments * c.rcvMss)
}

/** The window field of a segment that leaves now; notes the right edge that it promises. */
export function advertise(c: Tcb): number {
  const offered = Math.max(0, seqDiff(c.rcvAdv, c.rcvNxt))
  const bound = boundOf(c)
  const free = Math.max(0, bound - c.received.length)
  const window = free - offered >= step(c, bound) ? free : offered
  const granule = 1 << c.rcvShift
  let field = window >> c.rcvShift
  // Rounding down would take back a part of a granule. Rounding up lets the edge creep when segments are small: half the
  // buffer's worth of that is given, then the edge does retreat by less than a granule, as RFC 7323, 2.4 allows.
  if (field * granule < offered && (field + 1) * granule <= free + bound / 2) field++
  if (field > maxField) field = maxField
  const edge = (c.rcvNxt + field * granule) | 0
  if (seqDiff(edge, c.rcvAdv) > 0) c.rcvAdv = edge
  return field
}

/** Whether reading opened the window so far that the peer should know at once: it has less than half of it left. */
export function windowUpdateDue(c: Tcb): boolean {
  if (c.stateCode < stateEstablished || c.stateCode >= stateCloseWait || c.finSeen) return false
  const offered = Math.max(0, seqDiff(c.rcvAdv, c.rcvNxt))
  const bound = boundOf(c)
  return offered < bound / 2 && bound - c.received.length - offered >= step(c, bound)
}

/** What is worth announcing. */
function step(c: Tcb, bound: number): number {
  return Math.min(c.rcvMss, bound / 2)
}

/** The owner read `bytes`; lets the buffer grow while it keeps up. After a long silence it is as small as at first. */
export function growReceiveBuffer(c: Tcb, bytes: number, now: number): void {
  c.readBytes += bytes
  const roundTrip = c.rcvRtt || c.rto.smoothed
  if (roundTrip === 0 || now - c.readSince < roundTrip) return
  const { limits } = c.layer.context
  const limit = Math.min(limits.maxReceiveBuffer, maxField << c.rcvShift)
  if (now - c.readSince >= receiveIdle) {
    c.receiveBuffer = Math.min(c.receiveBuffer, limits.receiveBuffer)
    c.readBytes = bytes
  }
  if (c.readBytes * 2 > c.receiveBuffer && c.receiveBuffer < limit) {
    c.receiveBuffer = Math.min(limit, Math.max(c.receiveBuffer * 2, c.readBytes * 2))
  }
  c.readBytes = 0
  c.readSince = now
}

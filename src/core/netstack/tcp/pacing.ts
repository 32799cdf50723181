// Pacing by credit: it grows with the rate, is spent by what leaves, and is kept for a few ticks, so that a late turn loses
// nothing. A plain time of the next departure would lose every late tick.
import { pacingBurst, pacingSegments, timerTick } from './constants.js'
import type { Tcb } from './tcb.js'

/** Adds what the rate has earned. `rate` is finite. */
export function earnCredit(c: Tcb, rate: number, now: number): void {
  const s = c.sender
  const most = Math.max(pacingBurst * rate, pacingSegments * c.segmentSize)
  const earned = s.credit + rate * (now - s.creditAt)
  s.credit = earned < most ? earned : most
  s.creditAt = now
}

/** Whether `length` bytes may leave; if not, the connection's timer knows when. `rate` is finite. */
export function mayLeave(c: Tcb, length: number, rate: number, now: number): boolean {
  const s = c.sender
  if (s.credit >= length) {
    s.paceAt = Infinity
    return true
  }
  // A tick at least: what is earned in it leaves together, and the loop has time for others.
  s.paceAt = now + Math.max(timerTick, (length - s.credit) / rate)
  return false
}

// Congestion control begins with the first data that is sent: a connection that only receives, or idles, keeps no state of it.
import { initialWindowSegments } from './constants.js'
import type { Tcb } from './tcb.js'

/** IW10 (RFC 6928), or a segment where the SYN was resent and its answer told no round trip (RFC 5681, 3.1). */
export function startCongestion(c: Tcb, now: number): void {
  const { context } = c.layer
  c.congestion = context.congestion({
    segmentSize: c.segmentSize,
    initialWindow: c.rto.smoothed === 0 ? c.segmentSize : initialWindowSegments * c.segmentSize,
    selectiveAcks: c.sackOk,
    rtt: c.rto.smoothed,
    now,
    random: context.random.fraction,
  })
}

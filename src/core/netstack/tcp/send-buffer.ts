// How much may be written ahead: twice the congestion window, between two bounds, so that the window is the limit and
// never the writer (RFC 9293 leaves it open; Linux's tcp_sndbuf_expand); and within the connection's share of what all may.
import { chunkSize } from './send-queue.js'
import type { Tcb } from './tcb.js'

export function sendBufferOf(c: Tcb): number {
  const { sendBuffer, maxSendBuffer } = c.layer.context.limits
  const window = c.congestion === undefined ? 0 : c.congestion.window
  // What waits behind a hole, reported by SACK, is not in flight, and takes room until the hole is filled.
  const beyond = Math.max(0, c.outstanding - c.inFlight)
  return Math.min(maxSendBuffer, Math.max(sendBuffer, 2 * window + beyond), c.sendShare.bound(chunkSize))
}

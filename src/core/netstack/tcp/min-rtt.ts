// The windowed minimum of the round trip (RFC 8985, 6.2, step 1), of segments that were sent once. Two samples are kept: the
// least, and the least of the last half window, which follows when the first has grown old.
import { minRttWindow } from './constants.js'
import type { SenderState } from './sender-state.js'

export function sampleMinRtt(s: SenderState, rtt: number, now: number): void {
  if (rtt <= s.minRtt) {
    s.minRtt = rtt
    s.minRttAt = now
    s.nextMinRtt = Infinity
    return
  }
  if (now - s.minRttAt <= minRttWindow / 2) return
  if (rtt <= s.nextMinRtt) {
    s.nextMinRtt = rtt
    s.nextMinRttAt = now
  }
  if (now - s.minRttAt <= minRttWindow) return
  s.minRtt = s.nextMinRtt
  s.minRttAt = s.nextMinRttAt
  s.nextMinRtt = Infinity
}

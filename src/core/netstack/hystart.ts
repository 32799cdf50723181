// HyStart++ (RFC 9406): leaves slow start when the round trip grows, by way of a conservative slow start that goes back
// if the growth was none. Rounds are counted by delivered bytes, which reordering and SACK do not disturb.
import type { AckSample } from './congestion.js'

/** RFC 9406, 4.3. */
export const minRttThresh = 4
export const maxRttThresh = 16
export const minRttDivisor = 8
export const nRttSample = 8
export const cssGrowthDivisor = 4
export const cssRounds = 5

export class HyStart {
  /** In conservative slow start: growth is divided by {@link cssGrowthDivisor}. */
  conservative = false
  #lastRoundMinRtt = Infinity
  #currentRoundMinRtt = Infinity
  #rttSampleCount = 0
  /** C.delivered when the round began: it ends with the first segment that was sent after. */
  #roundDelivered = 0
  #cssBaselineMinRtt = Infinity
  #cssRound = 0

  /** Takes in an acknowledgement of slow start; true if slow start is over. */
  onAck(sample: AckSample): boolean {
    if (sample.priorDelivered >= this.#roundDelivered) {
      this.#roundDelivered = sample.totalDelivered
      this.#lastRoundMinRtt = this.#currentRoundMinRtt
      this.#currentRoundMinRtt = Infinity
      this.#rttSampleCount = 0
      if (this.conservative && ++this.#cssRound > cssRounds) return true
    }
    if (sample.rtt > 0 && !sample.late) {
      this.#currentRoundMinRtt = Math.min(this.#currentRoundMinRtt, sample.rtt)
      this.#rttSampleCount++
    }
    if (this.#rttSampleCount < nRttSample) return false
    if (this.conservative) {
      // The round trip fell back: it was jitter, and slow start goes on.
      if (this.#currentRoundMinRtt < this.#cssBaselineMinRtt) {
        this.conservative = false
        this.#cssBaselineMinRtt = Infinity
      }
    } else if (this.#lastRoundMinRtt < Infinity) {
      const thresh = Math.max(minRttThresh, Math.min(this.#lastRoundMinRtt / minRttDivisor, maxRttThresh))
      if (this.#currentRoundMinRtt >= this.#lastRoundMinRtt + thresh) {
        this.conservative = true
        this.#cssBaselineMinRtt = this.#currentRoundMinRtt
        this.#cssRound = 1
      }
    }
    return false
  }

  /** Slow start begins anew, after a timeout or an idle time. */
  reset(delivered: number): void {
    this.conservative = false
    this.#lastRoundMinRtt = Infinity
    this.#currentRoundMinRtt = Infinity
    this.#rttSampleCount = 0
    this.#roundDelivered = delivered
    this.#cssBaselineMinRtt = Infinity
    this.#cssRound = 0
  }
}

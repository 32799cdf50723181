// CUBIC (RFC 9438): a window that grows by the time since the last loss, not by round trips, after a slow start that
// HyStart++ ends (RFC 9406). Windows are bytes here and segments in the RFC; PRR bounds what recovery sends.
import type { AckSample, CongestionControl, CongestionStart } from './congestion.js'
import { cssGrowthDivisor, HyStart } from './hystart.js'

/** RFC 9438, 4.1 and 4.6, in segments a second cubed. */
const cubicC = 0.4
const cubicBeta = 0.7
/** RFC 9438, 4.3: makes W_est as fast as Reno with a beta of 0.7. */
const alphaReno = (3 * (1 - cubicBeta)) / (1 + cubicBeta)
/** RFC 6928; what is let out after an idle time too (RFC 5681, 4.1). */
const restartSegments = 10
/** RFC 6298 with the floor on the variance: an idle time longer than this is longer than the RTO of a steady path. */
const idleFloor = 200
/** Linux's tcp_pacing_ss_ratio and tcp_pacing_ca_ratio: spreads the window over the round trip and never is the limit. */
const slowStartPacing = 2
const avoidancePacing = 1.2

class Cubic implements CongestionControl {
  readonly name = 'cubic'
  readonly governsRecovery = false
  readonly deadline = Infinity
  #window: number
  slowStartThreshold = Infinity
  pacingRate = Infinity
  #segmentSize: number
  readonly #hystart = new HyStart()
  #delivered = 0
  #smoothedRtt: number
  #lastAckAt: number
  /** The most in flight in this round trip, which ends with the first segment sent after `#roundDelivered`. */
  #peak = 0
  #roundDelivered = 0
  #recovering = false
  /** Start of this congestion avoidance, moved on by idle and application-limited time; −1: it begins with the next ACK. */
  #epochStart = -1
  /** W_max, K (s), W_est and cwnd_prior of the RFC, in segments. */
  #wMax = 0
  #k = 0
  #wEst = 0
  #priorWindow = 0
  /** The window fell by a loss: K is of the concave curve. */
  #reduced = false
  // What a spurious loss gives back.
  #undoWindow = 0
  #undoThreshold = Infinity
  #undoMax = 0
  #undoK = 0
  #undoEst = 0
  #undoEpoch = -1

  constructor(start: CongestionStart) {
    this.#segmentSize = start.segmentSize
    this.#window = start.initialWindow
    this.#smoothedRtt = start.rtt
    this.#lastAckAt = start.now
    this.#pace()
  }

  get window(): number {
    return Math.floor(this.#window)
  }

  handleDeadline(): void {}

  onSent(_bytes: number, inFlight: number): void {
    if (inFlight > this.#peak) this.#peak = inFlight
  }

  onSegmentLost(): void {}

  onAck(sample: AckSample): void {
    const { now } = sample
    const sinceAck = now - this.#lastAckAt
    this.#lastAckAt = now
    this.#delivered = sample.totalDelivered
    this.#smoothedRtt = sample.smoothedRtt
    if (sample.priorDelivered >= this.#roundDelivered) {
      this.#roundDelivered = sample.totalDelivered
      this.#peak = sample.priorInFlight
    }
    if (sample.recovering && this.#window >= this.slowStartThreshold) {
      this.#pace()
      return
    }
    if (this.#window < this.slowStartThreshold) this.#slowStart(sample)
    else if (!sample.windowLimited) {
      // RFC 9438, 4.2 and 5.8: the time in which the window was not used does not count.
      if (this.#epochStart >= 0) this.#epochStart += sinceAck
    } else if (sample.acknowledged > 0) this.#avoidCongestion(sample.acknowledged, now)
    this.#pace()
  }

  onLoss(): void {
    this.#recovering = true
    this.#reduce()
    this.#window = this.slowStartThreshold
    this.#pace()
  }

  onRecovered(): void {
    this.#recovering = false
  }

  onTimeout(): void {
    // A recovery that ends in a timeout is one event.
    if (!this.#recovering) this.#reduce()
    this.#recovering = true
    // RFC 9438, 4.8: the first congestion avoidance after a timeout starts its curve where it stands.
    this.#reduced = false
    this.#window = this.#segmentSize
    this.#hystart.reset(this.#delivered)
    this.#pace()
  }

  onIdle(idle: number, now: number): void {
    if (this.#epochStart >= 0) this.#epochStart = Math.min(now, this.#epochStart + idle)
    this.#lastAckAt = now
    if (idle <= this.#smoothedRtt + idleFloor) return
    // RFC 5681, 4.1, and RFC 2861's memory of what the path carried.
    const restart = Math.min(this.#window, restartSegments * this.#segmentSize)
    if (restart === this.#window) return
    this.slowStartThreshold = Math.max(this.slowStartThreshold, 0.75 * this.#window)
    this.#window = restart
    this.#epochStart = -1
    this.#reduced = false
    this.#hystart.reset(this.#delivered)
    this.#pace()
  }

  onSpurious(): void {
    if (this.#undoWindow === 0) return
    this.#window = Math.max(this.#window, this.#undoWindow)
    this.slowStartThreshold = this.#undoThreshold
    this.#wMax = this.#undoMax
    this.#k = this.#undoK
    this.#wEst = this.#undoEst
    this.#epochStart = this.#undoEpoch
    this.#undoWindow = 0
    this.#pace()
  }

  setSegmentSize(bytes: number): void {
    this.#window = Math.max(bytes, Math.floor(this.#window / this.#segmentSize) * bytes)
    this.#segmentSize = bytes
    this.#pace()
  }

  #slowStart(sample: AckSample): void {
    // Pacing may hold back what the window allows: half of it in use is use (Linux's tcp_is_cwnd_limited).
    if (sample.acknowledged === 0 || !(sample.windowLimited || this.#window < 2 * this.#peak)) return
    // A timeout left a threshold that is known to be safe; HyStart++ is for the first slow start (RFC 9406, 4.3).
    const over = this.slowStartThreshold === Infinity && this.#hystart.onAck(sample)
    // RFC 9406's L is infinite: the window is paced.
    const grown = this.#hystart.conservative ? sample.acknowledged / cssGrowthDivisor : sample.acknowledged
    this.#window = Math.min(this.#window + grown, Math.max(this.slowStartThreshold, this.#window))
    if (over) this.slowStartThreshold = this.#window
  }

  #avoidCongestion(acknowledged: number, now: number): void {
    const segments = acknowledged / this.#segmentSize
    const window = this.#window / this.#segmentSize
    if (this.#epochStart < 0) this.#startEpoch(window, now)
    const t = (now - this.#epochStart) / 1000
    const alpha = this.#wEst >= this.#priorWindow ? 1 : alphaReno
    this.#wEst += (alpha * segments) / window
    if (this.#wCubic(t) < this.#wEst) {
      this.#window = Math.max(this.#window, this.#wEst * this.#segmentSize)
      return
    }
    const target = Math.min(Math.max(this.#wCubic(t + this.#smoothedRtt / 1000), window), 1.5 * window)
    this.#window += ((target - window) / window) * acknowledged
  }

  #startEpoch(window: number, now: number): void {
    this.#epochStart = now
    this.#wEst = window
    if (this.#reduced && window < this.#wMax) this.#k = Math.cbrt((this.#wMax - window) / cubicC)
    else {
      // RFC 9438, 4.8 and 4.10: no loss made this window; the convex curve begins at it.
      this.#k = 0
      this.#wMax = window
      this.#priorWindow = window
    }
  }

  /** RFC 9438, figure 1. */
  #wCubic(t: number): number {
    return cubicC * (t - this.#k) ** 3 + this.#wMax
  }

  #remember(): void {
    this.#undoWindow = this.#window
    this.#undoThreshold = this.slowStartThreshold
    this.#undoMax = this.#wMax
    this.#undoK = this.#k
    this.#undoEst = this.#wEst
    this.#undoEpoch = this.#epochStart
  }

  /** RFC 9438, 4.6 and 4.7. The window serves as flight size, as it never grows unused. */
  #reduce(): void {
    this.#remember()
    const window = this.#window / this.#segmentSize
    this.#priorWindow = window
    // Fast convergence: a flow whose window fell twice in a row makes room.
    this.#wMax = this.#reduced && window < this.#wMax ? (window * (1 + cubicBeta)) / 2 : window
    this.slowStartThreshold = Math.max(this.#window * cubicBeta, 2 * this.#segmentSize)
    this.#reduced = true
    this.#epochStart = -1
  }

  #pace(): void {
    if (this.#smoothedRtt <= 0) return
    // Linux's rule: the faster rate for the second half of slow start's last round trip would only hold it back.
    const gain = this.#window < this.slowStartThreshold / 2 ? slowStartPacing : avoidancePacing
    this.pacingRate = (gain * this.#window) / this.#smoothedRtt
  }
}

export function createCubic(start: CongestionStart): CongestionControl {
  return new Cubic(start)
}

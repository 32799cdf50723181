// NewReno's window: slow start and congestion avoidance (RFC 5681) counted in bytes (RFC 3465). In recovery it stands
// still at the threshold; the connection works with an estimate of what is in flight (RFC 6675), not with inflation.
import type { AckSample, CongestionControl, CongestionStart } from './congestion.js'
import { minRtoVariance } from './tcp/constants.js'

/** RFC 6928. */
const restartSegments = 10

class NewReno implements CongestionControl {
  readonly name = 'newreno'
  readonly pacingRate = Infinity
  readonly governsRecovery = false
  readonly deadline = Infinity
  window: number
  slowStartThreshold = Infinity
  #segmentSize: number
  /** Bytes acknowledged towards the next segment of growth. */
  #credit = 0
  #priorWindow = 0
  #priorThreshold = 0
  #reduced = false
  #timedOut = false
  #smoothedRtt = 0

  constructor(start: CongestionStart) {
    this.#segmentSize = start.segmentSize
    this.window = start.initialWindow
  }

  handleDeadline(): void {}

  onSent(): void {}

  onSegmentLost(): void {}

  onAck(sample: AckSample): void {
    this.#smoothedRtt = sample.smoothedRtt
    let grown = sample.acknowledged
    if (!sample.windowLimited || grown === 0) return
    if (this.window < this.slowStartThreshold) {
      const inSlowStart = Math.min(grown, this.slowStartThreshold - this.window)
      this.window += inSlowStart
      grown -= inSlowStart
    }
    // After a timeout the window has fallen to a segment and grows all the way (RFC 5681, 3.1).
    if (sample.recovering && !this.#timedOut) return
    this.#credit += grown
    while (this.#credit >= this.window) {
      this.#credit -= this.window
      this.window += this.#segmentSize
    }
  }

  onLoss(inFlight: number): void {
    this.#reduce(inFlight)
    this.window = this.slowStartThreshold
  }

  onRecovered(): void {
    this.#reduced = false
    this.#timedOut = false
  }

  onTimeout(inFlight: number): void {
    this.#reduce(inFlight)
    this.window = this.#segmentSize
    this.#timedOut = true
  }

  onIdle(idle: number): void {
    if (idle <= this.#smoothedRtt + minRtoVariance) return
    // RFC 5681, 4.1: what was learnt of the path is old.
    this.window = Math.min(this.window, restartSegments * this.#segmentSize)
    this.#credit = 0
  }

  onSpurious(): void {
    this.window = Math.max(this.window, this.#priorWindow)
    this.slowStartThreshold = this.#priorThreshold
    this.#reduced = false
    this.#timedOut = false
  }

  setSegmentSize(bytes: number): void {
    this.window = Math.max(bytes, Math.floor(this.window / this.#segmentSize) * bytes)
    this.#segmentSize = bytes
  }

  #reduce(inFlight: number): void {
    // A timeout in a recovery is the same event, and is undone to where that began.
    if (!this.#reduced) {
      this.#priorWindow = this.window
      this.#priorThreshold = this.slowStartThreshold
    }
    this.#reduced = true
    // Not what SACK or duplicate ACKs let out beyond the window (RFC 5681, 3.2, step 2).
    const flight = Math.min(inFlight, this.window)
    this.slowStartThreshold = Math.max(Math.floor(flight / 2), 2 * this.#segmentSize)
    this.#credit = 0
  }
}

export function createNewReno(start: CongestionStart): CongestionControl {
  return new NewReno(start)
}

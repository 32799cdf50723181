// The retransmission timeout (RFC 6298), with the floor on the variance term. Karn's rule is the caller's: it gives
// samples of segments that were sent once, or by timestamps.
import { initialRto, maxRto, minRtoVariance } from './constants.js'

/** More would not fit in 32 bits; the largest timeout is reached long before. */
const maxDoublings = 20

export class RetransmissionTimeout {
  /** Smoothed round trip, ms; 0 before the first sample. */
  smoothed = 0
  variance = 0
  /** How often the timeout was doubled since data was last acknowledged. */
  backoff = 0
  #base = initialRto

  /** A measured round trip, ms. */
  sample(rtt: number): void {
    const measured = Math.max(rtt, 0)
    if (this.smoothed === 0) {
      this.smoothed = Math.max(measured, 0.001)
      this.variance = measured / 2
    } else {
      this.variance += (Math.abs(this.smoothed - measured) - this.variance) / 4
      this.smoothed += (measured - this.smoothed) / 8
    }
    this.#base = Math.min(maxRto, this.smoothed + Math.max(4 * this.variance, minRtoVariance))
  }

  /** Sets the timeout without a sample. */
  set(timeout: number): void {
    this.#base = timeout
  }

  /** The timeout now, backoff included. */
  get interval(): number {
    return Math.min(maxRto, this.#base * (1 << Math.min(this.backoff, maxDoublings)))
  }

  /** The timeout after `doublings` of its own, for probes that leave the backoff alone. */
  doubled(doublings: number): number {
    return Math.min(maxRto, this.#base * (1 << Math.min(doublings, maxDoublings)))
  }
}

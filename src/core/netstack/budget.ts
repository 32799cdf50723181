// A budget of events a second, for answers that anybody can provoke.

export class RateBudget {
  readonly #perSecond: () => number
  #left = 0
  #since = -Infinity

  /** `perSecond` is asked anew each second, so that a budget can be random (RFC 5961's side channel, CVE-2016-5696). */
  constructor(perSecond: () => number) {
    this.#perSecond = perSecond
  }

  take(now: number): boolean {
    if (now - this.#since >= 1000) {
      this.#since = now
      this.#left = this.#perSecond()
    }
    if (this.#left <= 0) return false
    this.#left--
    return true
  }
}

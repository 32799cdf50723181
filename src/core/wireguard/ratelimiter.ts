// The limiter of handshakes by source (WireGuard paper, 5.3; kernel, ratelimiter.c): a token bucket for each IPv4 address
// and each IPv6 /64. Only sources that showed their cookie get here, so that the addresses are real.
import { type IpAddress, unmapAddress } from '../base/address.js'
import type { DeviceLimits } from './constants.js'

interface Bucket {
  /** Milliseconds' worth of tokens. */
  tokens: number
  at: number
}

/** A source that was silent for this long is forgotten; its bucket is full again long before. */
const idleTime = 1000

export class RateLimiter {
  readonly #cost: number
  readonly #most: number
  readonly #capacity: number
  /** In the order of last use, so that the idle ones stand first. */
  readonly #buckets = new Map<string, Bucket>()

  constructor(limits: Pick<DeviceLimits, 'sourceRate' | 'sourceBurst' | 'sources'>) {
    this.#cost = 1000 / limits.sourceRate
    this.#most = this.#cost * limits.sourceBurst
    this.#capacity = limits.sources
  }

  get size(): number {
    return this.#buckets.size
  }

  /** Takes a token from the source's bucket; false if it has none, or if the table is full. */
  allow(source: IpAddress, now: number): boolean {
    this.collect(now)
    const key = keyOf(unmapAddress(source))
    const bucket = this.#buckets.get(key)
    if (bucket === undefined) {
      if (this.#buckets.size >= this.#capacity) return false
      this.#buckets.set(key, { tokens: this.#most - this.#cost, at: now })
      return true
    }
    this.#buckets.delete(key)
    this.#buckets.set(key, bucket)
    bucket.tokens = Math.min(this.#most, bucket.tokens + now - bucket.at)
    bucket.at = now
    if (bucket.tokens < this.#cost) return false
    bucket.tokens -= this.#cost
    return true
  }

  /** Forgets the sources that were idle for more than a second. */
  collect(now: number): void {
    for (const [key, bucket] of this.#buckets) {
      if (now - bucket.at <= idleTime) return
      this.#buckets.delete(key)
    }
  }

  /** When {@link collect} is next due; `Infinity` if nothing is held. */
  nextDeadline(): number {
    for (const bucket of this.#buckets.values()) return bucket.at + idleTime + 1
    return Infinity
  }

  clear(): void {
    this.#buckets.clear()
  }
}

/** All four bytes of an IPv4 address, the first eight of an IPv6 one. */
function keyOf(address: IpAddress): string {
  return String.fromCharCode(...address.subarray(0, 8))
}

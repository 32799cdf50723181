// Who gets a cookie reply under load: so many leave in a turn and in a second. When they run short, whoever got none lately comes
// first, so that one honest caller among many who ask again and again need not be lucky.

/** Tags remembered, a power of two. */
const slots = 16_384
/** Who got a cookie has no use for another one before its next retry, ms. */
const served = 4000
/** Part of a turn's replies that is kept for who got none. */
const reserved = 0.25

export class CookieReplies {
  readonly #perSecond: number
  readonly #burst: number
  #tokens = 0
  #at = -Infinity
  /** Made when first needed: for each slot a part of the cookie that was given, and when. */
  #given: { tags: Uint32Array; times: Float64Array } | undefined

  constructor(limits: { readonly cookieRepliesPerSecond: number; readonly cookieRepliesPerTurn: number }) {
    this.#perSecond = limits.cookieRepliesPerSecond
    this.#burst = limits.cookieRepliesPerTurn
  }

  /** Whether one may leave now, with this cookie: it is a keyed hash of the source, so nobody can choose its slot. */
  take(cookie: Uint8Array, now: number): boolean {
    this.#tokens = Math.min(this.#burst, this.#tokens + ((now - this.#at) * this.#perSecond) / 1000)
    this.#at = now
    if (this.#tokens < 1) return false
    this.#given ??= { tags: new Uint32Array(slots), times: new Float64Array(slots).fill(-Infinity) }
    const { tags, times } = this.#given
    const [b0 = 0, b1 = 0, b2 = 0, b3 = 0, b4 = 0, b5 = 0] = cookie
    const slot = (b0 | (b1 << 8)) & (slots - 1)
    const tag = (b2 | (b3 << 8) | (b4 << 16) | (b5 << 24)) >>> 0
    const isServed = tags[slot] === tag && now - (times[slot] as number) < served
    if (isServed && this.#tokens < this.#burst * reserved) return false
    this.#tokens--
    tags[slot] = tag
    times[slot] = now
    return true
  }
}

// What is known of a path's MTU: what routers said (RFC 1191, RFC 8201), and what silence says where they do not (RFC 8899,
// 4.3). Sizes are those of whole packets. What does not pass is found by flows; here is what follows from it.

/** What every path carries (RFC 791, RFC 8200): nothing smaller is believed or tried. */
export const minMtu4 = 576
export const minMtu6 = 1280

/** The first step down, whatever the path's own MTU: what a tunnel in the tunnel or PPPoE and a VPN leave at least. */
const firstStep = 1280
/** How long a router is believed, and a larger packet is not tried again (RFC 1191, 6.3; RFC 8899's PMTU_RAISE_TIMER). */
export const pathMtuExpiry = 10 * 60_000
/** After a step down: when it is tried whether the step was right, and then, in between, what fits best. */
const firstProbe = 5_000
const nextProbe = 1_000
/** A probe whose flow ends says nothing; another flow may try after that. */
const probePatience = 30_000
/** Between what passes and what does not, a smaller gap is not worth a probe. */
const searchGap = 32
/** How long a probe may take to refute a step down before the owner is told of it: of a flow that had passed data, and of one that had not. */
const doubtful = 60_000
const certain = 10_000

/** RFC 1191, 7.1, with the tunnel's own sizes: for routers that do not say how much they carry. */
const plateaus = [8166, 4352, 2002, 1492, firstStep, 1006, minMtu4]

export class PathMtu {
  /** The largest packet that passes, 0 while nothing was learnt. */
  size = 0
  /** Silence taught it, not a router: then it holds until a larger packet has passed. */
  silent = false
  /** When a larger packet may be tried. */
  probeAt = Infinity
  /** When the owner is to be told, Infinity if not. */
  reportAt = Infinity
  #learntAt = 0
  /** The smallest packet that did not pass. */
  #ceiling = 0
  /** The ceiling was tried after the step down, and did not pass. */
  #confirmed = false
  #reported = 0

  /** The largest packet to send, of at most `full` bytes. */
  current(full: number, now: number): number {
    if (this.size === 0 || (!this.silent && now - this.#learntAt > pathMtuExpiry)) return full
    return Math.min(this.size, full)
  }

  /**
   * A router says that of a packet of `length` bytes it carries only `mtu`, 0 where it does not say. False if that is not
   * to be believed.
   */
  believe(version: 4 | 6, mtu: number, length: number, full: number, now: number): boolean {
    const least = version === 4 ? minMtu4 : minMtu6
    const current = this.current(full, now)
    let believed = mtu
    if (version === 6 && mtu < least) return false
    if (mtu === 0) believed = below(Math.min(current, length === 0 ? current : length))
    believed = Math.max(believed, least)
    if (believed >= current) return false
    this.#learn(believed, now)
    this.#ceiling = believed + 1
    this.#confirmed = true
    this.probeAt = now + pathMtuExpiry
    return true
  }

  /** Packets of `length` bytes do not pass, and smaller ones do. `proven`: the flow had passed much before. False at the floor. */
  stepDown(version: 4 | 6, length: number, proven: boolean, now: number): boolean {
    const least = version === 4 ? minMtu4 : minMtu6
    const size = length > firstStep ? firstStep : least
    if (size >= length || (this.size !== 0 && this.silent && size >= this.size)) return false
    this.silent = true
    this.#learn(size, now)
    this.#ceiling = length
    this.#confirmed = false
    this.probeAt = now + firstProbe
    this.reportAt = now + (proven ? doubtful : certain)
    return true
  }

  /** The packet to try now, 0 if none is due. Who sends it says so. */
  nextProbe(full: number, now: number): number {
    if (this.size === 0 || now < this.probeAt) return 0
    if (!this.#confirmed) return Math.min(full, this.#ceiling)
    return this.#isSettled ? full : (this.size + this.#ceiling) >> 1
  }

  probeSent(length: number, now: number): void {
    this.probeAt = now + probePatience
    // What did not pass once may pass by now.
    if (length > this.#ceiling) this.#ceiling = length
  }

  /** What {@link probeSent} told of has passed. */
  probePassed(length: number, full: number, now: number): void {
    if (length <= this.size) return
    if (length >= full || !this.#confirmed) {
      this.reportAt = Infinity
      this.size = length >= full ? 0 : length
      this.silent = false
      this.probeAt = length >= full ? Infinity : now + pathMtuExpiry
      return
    }
    this.#learn(length, now)
    this.#searchOn(now)
  }

  probeLost(length: number, now: number): void {
    if (length <= this.size) return
    if (length < this.#ceiling) this.#ceiling = length
    this.#confirmed = true
    this.#searchOn(now)
  }

  /** What the owner is to be told, 0 if nothing new. */
  takeReport(): number {
    this.reportAt = Infinity
    if (this.size === 0 || (this.#reported !== 0 && this.#reported <= this.size)) return 0
    this.#reported = this.size
    return this.size
  }

  #searchOn(now: number): void {
    if (!this.#isSettled) {
      this.probeAt = now + nextProbe
      if (this.reportAt !== Infinity) this.reportAt = now + certain
      return
    }
    this.probeAt = now + pathMtuExpiry
    if (this.silent && this.reportAt !== Infinity) this.reportAt = now
  }

  get #isSettled(): boolean {
    return this.#ceiling - this.size <= searchGap
  }

  #learn(size: number, now: number): void {
    this.size = size
    this.#learntAt = now
  }
}

/** The next plateau below a size. */
function below(size: number): number {
  for (const plateau of plateaus) if (plateau < size) return plateau
  return minMtu4
}

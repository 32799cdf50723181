// Under a flood, the sockets that hear everybody get a small buffer in the kernel. Node reads up to 32 datagrams of each socket in
// one go and offers no means to read fewer; what does not fit is dropped by the kernel, and never costs the event loop that live
// endpoints need. Who calls from elsewhere meanwhile has to try more often; without live traffic there is no reason to shed.

/** What a socket's buffer holds under a flood: some twenty small datagrams, or seven full ones. */
export const sheddingBufferBytes = 8192
/** How long it is counted before it is judged, ms. */
const period = 100
// Datagrams a second: what live endpoints bring that makes it worth it, what of the others leads to nothing. A tenth of it ends it.
const liveRate = 1000
const wasteRate = 3000

export class Shedder {
  readonly #resize: (shedding: boolean) => void
  #live = 0
  #wasted = 0
  #since = 0
  #shedding = false

  /** `resize` is told when it begins and when it ends. */
  constructor(resize: (shedding: boolean) => void) {
    this.#resize = resize
  }

  get isShedding(): boolean {
    return this.#shedding
  }

  /** A datagram came to a live endpoint's own socket. */
  heardLive(): void {
    this.#live++
  }

  /** A datagram came to a socket that hears everybody; `genuine` if it was data of a session. */
  heard(genuine: boolean, now: number): void {
    if (!genuine) this.#wasted++
    const elapsed = now - this.#since
    if (elapsed < period) return
    const scale = (elapsed / 1000) * (this.#shedding ? 0.1 : 1)
    const worth = this.#live >= liveRate * scale && this.#wasted >= wasteRate * scale
    this.#live = 0
    this.#wasted = 0
    this.#since = now
    if (worth === this.#shedding) return
    this.#shedding = worth
    this.#resize(worth)
  }
}

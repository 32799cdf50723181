// Random numbers from the injected source, drawn in batches.

export class RandomNumbers {
  readonly #fill: (bytes: Uint8Array) => void
  readonly #bytes = new Uint8Array(256)
  readonly #view = new DataView(this.#bytes.buffer)
  #used = 256

  constructor(fill: (bytes: Uint8Array) => void) {
    this.#fill = fill
  }

  /** 32 bits, signed. */
  next(): number {
    if (this.#used === this.#bytes.length) {
      this.#fill(this.#bytes)
      this.#used = 0
    }
    const value = this.#view.getInt32(this.#used)
    this.#used += 4
    return value
  }

  /** In [0, 1). A function of its own, to be handed on. */
  readonly fraction = (): number => (this.next() >>> 0) / 0x100000000

  /** An integer from 0 to `count` − 1. */
  below(count: number): number {
    return Math.floor(((this.next() >>> 0) / 0x100000000) * count)
  }
}

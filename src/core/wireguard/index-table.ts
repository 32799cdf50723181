// The indices by which a peer's messages find their handshake or keypair (WireGuard paper, 5.4.2): random, unique, 32 bits,
// in one table, so that one cannot be mistaken for the other.

/** What an index stands for. */
export interface Indexed {
  readonly kind: 'handshake' | 'keypair'
}

export class IndexTable<T extends Indexed> {
  readonly #random: (bytes: Uint8Array) => void
  readonly #entries = new Map<number, T>()
  readonly #draw = new Uint8Array(4)
  readonly #view = new DataView(this.#draw.buffer)

  constructor(random: (bytes: Uint8Array) => void) {
    this.#random = random
  }

  get size(): number {
    return this.#entries.size
  }

  /** Draws an index that is not in use. It is taken once {@link set} was called with it. */
  draw(): number {
    for (;;) {
      this.#random(this.#draw)
      const index = this.#view.getUint32(0, true)
      if (!this.#entries.has(index)) return index
    }
  }

  get(index: number): T | undefined {
    return this.#entries.get(index)
  }

  /** Takes the index, or gives it to another: a keypair takes over the index of its handshake. */
  set(index: number, entry: T): void {
    this.#entries.set(index, entry)
  }

  /** Frees the index, provided that it stands for `entry`. */
  delete(index: number, entry: T): void {
    if (this.#entries.get(index) === entry) this.#entries.delete(index)
  }
}

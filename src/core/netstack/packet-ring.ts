// Packets that wait to leave, first in, first out: slot, length and path in one typed array that grows up to its bound.

const stride = 3
const smallest = 16

export class PacketRing {
  readonly limit: number
  count = 0
  #capacity = smallest
  #words = new Int32Array(smallest * stride)
  #first = 0

  constructor(limit: number) {
    this.limit = limit
  }

  /** Packets that may still come. */
  get room(): number {
    return this.limit - this.count
  }

  /** Only while there is room. */
  push(slot: number, length: number, path: number): void {
    if (this.count === this.#capacity) this.#grow()
    const at = ((this.#first + this.count) & (this.#capacity - 1)) * stride
    this.#words[at] = slot
    this.#words[at + 1] = length
    this.#words[at + 2] = path
    this.count++
  }

  get slot(): number {
    return this.#words[this.#first * stride] as number
  }

  get length(): number {
    return this.#words[this.#first * stride + 1] as number
  }

  get path(): number {
    return this.#words[this.#first * stride + 2] as number
  }

  /** The first packet, which `slot`, `length` and `path` tell of, is gone. */
  shift(): void {
    this.#first = (this.#first + 1) & (this.#capacity - 1)
    this.count--
  }

  #grow(): void {
    const words = new Int32Array(this.#capacity * 2 * stride)
    const head = this.#words.subarray(this.#first * stride)
    words.set(head)
    words.set(this.#words.subarray(0, this.#first * stride), head.length)
    this.#words = words
    this.#first = 0
    this.#capacity *= 2
  }
}

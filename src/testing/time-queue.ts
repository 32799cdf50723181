// Numbers in the order of their times, and of one time in the order in which they came: a binary heap in typed arrays. An
// object an entry would be most of what a simulation allocates.

export class TimeQueue {
  size = 0
  #at = new Float64Array(64)
  #order = new Float64Array(64)
  #values = new Int32Array(64)
  #pushed = 0

  /** Time of the first, Infinity if there is none. */
  get nextAt(): number {
    return this.size === 0 ? Infinity : (this.#at[0] as number)
  }

  push(at: number, value: number): void {
    if (this.size === this.#at.length) this.#grow()
    const times = this.#at
    let index = this.size++
    while (index > 0) {
      const parent = (index - 1) >> 1
      if ((times[parent] as number) <= at) break
      this.#move(parent, index)
      index = parent
    }
    this.#place(index, at, this.#pushed++, value)
  }

  /** Takes the first out; there must be one. */
  pop(): number {
    const first = this.#values[0] as number
    const last = --this.size
    const at = this.#at[last] as number
    const order = this.#order[last] as number
    let index = 0
    for (;;) {
      let child = 2 * index + 1
      if (child >= last) break
      if (child + 1 < last && this.#isBefore(child + 1, this.#at[child] as number, this.#order[child] as number))
        child++
      if (!this.#isBefore(child, at, order)) break
      this.#move(child, index)
      index = child
    }
    this.#place(index, at, order, this.#values[last] as number)
    return first
  }

  #isBefore(index: number, at: number, order: number): boolean {
    const own = this.#at[index] as number
    return own < at || (own === at && (this.#order[index] as number) < order)
  }

  #move(from: number, to: number): void {
    this.#place(to, this.#at[from] as number, this.#order[from] as number, this.#values[from] as number)
  }

  #place(index: number, at: number, order: number, value: number): void {
    this.#at[index] = at
    this.#order[index] = order
    this.#values[index] = value
  }

  #grow(): void {
    const [at, order, values] = [this.#at, this.#order, this.#values]
    this.#at = new Float64Array(2 * at.length)
    this.#order = new Float64Array(2 * at.length)
    this.#values = new Int32Array(2 * at.length)
    this.#at.set(at)
    this.#order.set(order)
    this.#values.set(values)
  }
}

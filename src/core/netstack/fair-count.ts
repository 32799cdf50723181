// A bound on what all paths hold together of something, and each one's fair share of it: who holds as much as is free gets
// no more (dynamic thresholds, Choudhury and Hahne 1998). A path alone may hold half, each of n 1/(n + 1), and there is
// always something left for the next.

export class FairCount {
  total = 0
  readonly #limit: number
  readonly #held = new Map<number, number>()

  constructor(limit: number) {
    this.#limit = limit
  }

  /** Takes `amount` for a path; false if that is more than its share. */
  take(path: number, amount = 1): boolean {
    const held = this.#held.get(path) ?? 0
    if (held + amount > this.#limit - this.total) return false
    this.#held.set(path, held + amount)
    this.total += amount
    return true
  }

  give(path: number, amount = 1): void {
    const left = (this.#held.get(path) as number) - amount
    if (left === 0) this.#held.delete(path)
    else this.#held.set(path, left)
    this.total -= amount
  }
}

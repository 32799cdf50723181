// A bound on what each of many may hold.

export class Shares {
  total = 0
  readonly #most: number
  readonly #held = new Map<string, number>()

  constructor(most: number) {
    this.#most = most
  }

  take(key: string): boolean {
    const held = this.#held.get(key) ?? 0
    if (held >= this.#most) return false
    this.#held.set(key, held + 1)
    this.total++
    return true
  }

  give(key: string): void {
    const left = (this.#held.get(key) ?? 1) - 1
    if (left === 0) this.#held.delete(key)
    else this.#held.set(key, left)
    this.total--
  }
}

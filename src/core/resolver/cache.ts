// Answers that still hold. The one that was longest not asked for makes room.

interface Entry<T> {
  readonly value: T
  readonly expires: number
}

export class DnsCache<T> {
  readonly #most: number
  readonly #entries = new Map<string, Entry<T>>()

  constructor(most: number) {
    this.#most = most
  }

  get size(): number {
    return this.#entries.size
  }

  get(key: string, now: number): T | undefined {
    const entry = this.#entries.get(key)
    if (entry === undefined) return undefined
    this.#entries.delete(key)
    if (entry.expires <= now) return undefined
    this.#entries.set(key, entry)
    return entry.value
  }

  /** `expires` and `now` are monotonic ms. */
  set(key: string, value: T, expires: number, now: number): void {
    this.#entries.delete(key)
    if (expires <= now || this.#most === 0) return
    while (this.#entries.size >= this.#most) this.#entries.delete(this.#entries.keys().next().value as string)
    this.#entries.set(key, { value, expires })
  }

  clear(): void {
    this.#entries.clear()
  }
}

// Connections by address and port of both ends: buckets of chains through the connections themselves, so that a lookup
// allocates nothing. The hash is seeded: nobody outside can aim at one bucket.
import { type AddressWords, sameWords } from '../../wire/ip.js'

/** What a table holds. `nextInBucket` belongs to the table. */
export interface Flow<Self> {
  readonly local: AddressWords
  readonly remote: AddressWords
  readonly localPort: number
  readonly remotePort: number
  nextInBucket: Self | undefined
}

const smallest = 64

/** Mixes a 4-tuple under a seed; murmur3's finaliser. */
export function hashFlow(
  seed: number,
  local: AddressWords,
  localPort: number,
  remote: AddressWords,
  remotePort: number,
): number {
  let hash = seed ^ ((localPort << 16) | remotePort)
  hash = step(hash, remote.w3)
  hash = step(hash, remote.w2 ^ remote.w1 ^ remote.w0)
  hash = step(hash, local.w3 ^ local.w2 ^ local.w1 ^ local.w0)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return hash ^ (hash >>> 16)
}

function step(hash: number, word: number): number {
  const mixed = Math.imul(hash ^ word, 0xcc9e2d51)
  return (mixed << 15) | (mixed >>> 17)
}

export class FlowTable<T extends Flow<T>> {
  size = 0
  readonly #seed: number
  #buckets: (T | undefined)[] = new Array(smallest).fill(undefined)

  constructor(seed: number) {
    this.#seed = seed
  }

  find(local: AddressWords, localPort: number, remote: AddressWords, remotePort: number): T | undefined {
    const hash = hashFlow(this.#seed, local, localPort, remote, remotePort)
    let flow = this.#buckets[hash & (this.#buckets.length - 1)]
    while (flow !== undefined) {
      if (
        flow.remotePort === remotePort &&
        flow.localPort === localPort &&
        sameWords(flow.remote, remote) &&
        sameWords(flow.local, local)
      ) {
        return flow
      }
      flow = flow.nextInBucket
    }
    return undefined
  }

  insert(flow: T): void {
    if (this.size >= this.#buckets.length) this.#resize(this.#buckets.length * 2)
    const bucket = this.#bucketOf(flow)
    flow.nextInBucket = this.#buckets[bucket]
    this.#buckets[bucket] = flow
    this.size++
  }

  delete(flow: T): void {
    const bucket = this.#bucketOf(flow)
    let previous: T | undefined
    for (let at = this.#buckets[bucket]; at !== undefined; previous = at, at = at.nextInBucket) {
      if (at !== flow) continue
      if (previous === undefined) this.#buckets[bucket] = flow.nextInBucket
      else previous.nextInBucket = flow.nextInBucket
      flow.nextInBucket = undefined
      this.size--
      if (this.size * 8 < this.#buckets.length && this.#buckets.length > smallest)
        this.#resize(this.#buckets.length / 2)
      return
    }
  }

  /** All flows, as they are now; the table may change meanwhile. */
  all(): T[] {
    const flows: T[] = []
    for (const first of this.#buckets) {
      for (let flow = first; flow !== undefined; flow = flow.nextInBucket) flows.push(flow)
    }
    return flows
  }

  #bucketOf(flow: T): number {
    const hash = hashFlow(this.#seed, flow.local, flow.localPort, flow.remote, flow.remotePort)
    return hash & (this.#buckets.length - 1)
  }

  #resize(size: number): void {
    const flows = this.all()
    this.#buckets = new Array(size).fill(undefined)
    for (const flow of flows) {
      const bucket = this.#bucketOf(flow)
      flow.nextInBucket = this.#buckets[bucket]
      this.#buckets[bucket] = flow
    }
  }
}

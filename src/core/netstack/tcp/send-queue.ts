// What was written and not yet acknowledged: bytes in chunks that are taken from a pool as they are needed and given back
// as they are acknowledged, so that an idle connection holds none.
import { onesSum, type SummedMemory } from '../../wire/checksum.js'
import { copySum } from '../../wire/copy-sum.js'
import type { PathShare } from '../shared-budget.js'

export const chunkSize = 16384

interface Chunk {
  readonly u8: Uint8Array
  readonly u32: Uint32Array
}

/** Chunks kept for the next connection that writes, up to a bound. */
export class ChunkPool {
  readonly #free: Chunk[] = []
  readonly #limit: number

  constructor(bytes: number) {
    this.#limit = Math.floor(bytes / chunkSize)
  }

  take(): Chunk {
    const chunk = this.#free.pop()
    if (chunk !== undefined) return chunk
    const buffer = new ArrayBuffer(chunkSize)
    return { u8: new Uint8Array(buffer), u32: new Uint32Array(buffer) }
  }

  give(chunk: Chunk): void {
    if (this.#free.length < this.#limit) this.#free.push(chunk)
  }
}

const none: Chunk[] = []

export class SendQueue {
  /** Bytes held. */
  length = 0
  readonly #pool: ChunkPool
  #chunks: Chunk[] = none
  /** Chunks at the front of the list that were given back already. */
  #first = 0
  /** Where the queue starts in its first chunk. */
  #offset = 0
  /** Where the chunks are counted. */
  readonly #share: PathShare

  constructor(pool: ChunkPool, share: PathShare) {
    this.#pool = pool
    this.#share = share
  }

  /** Copies `count` bytes of `bytes[from …]` to the end. The bound is the caller's. */
  push(bytes: Uint8Array, from: number, count: number): void {
    if (count === 0) return
    if (this.#chunks === none) this.#chunks = []
    let at = from
    const end = from + count
    let position = this.#offset + this.length
    while (at < end) {
      const index = this.#first + Math.floor(position / chunkSize)
      if (index === this.#chunks.length) this.#add(this.#chunks)
      const chunk = this.#chunks[index] as Chunk
      const into = position % chunkSize
      const part = Math.min(end - at, chunkSize - into)
      chunk.u8.set(at === 0 && part === bytes.length ? bytes : bytes.subarray(at, at + part), into)
      at += part
      position += part
    }
    this.length += count
  }

  #add(chunks: Chunk[]): void {
    chunks.push(this.#pool.take())
    this.#share.take(chunkSize)
  }

  #giveBack(chunk: Chunk): void {
    this.#pool.give(chunk)
    this.#share.take(-chunkSize)
  }

  /** Copies `count` bytes, `position` behind the head, to `memory.u8[to …]`, and returns their sum ({@link onesSum}). */
  copyTo(position: number, count: number, memory: SummedMemory, to: number): number {
    if (count === 0) return 0
    const start = this.#offset + position
    const index = this.#first + Math.floor(start / chunkSize)
    const within = start % chunkSize
    const chunk = this.#chunks[index] as Chunk
    if (within + count <= chunkSize) return copySum(chunk, within, memory, to, count)
    let copied = chunkSize - within
    memory.u8.set(chunk.u8.subarray(within), to)
    for (let next = index + 1; copied < count; next++) {
      const part = Math.min(count - copied, chunkSize)
      memory.u8.set((this.#chunks[next] as Chunk).u8.subarray(0, part), to + copied)
      copied += part
    }
    return onesSum(memory, to, count)
  }

  /** Drops `count` bytes at the head. */
  drop(count: number): void {
    this.length -= count
    if (this.length === 0) {
      this.clear()
      return
    }
    this.#offset += count
    while (this.#offset >= chunkSize) {
      this.#giveBack(this.#chunks[this.#first++] as Chunk)
      this.#offset -= chunkSize
    }
    // Given-back chunks leave the list in batches, so that dropping costs the same however long the list is.
    if (this.#first > 32 && this.#first * 2 > this.#chunks.length) {
      this.#chunks.splice(0, this.#first)
      this.#first = 0
    }
  }

  clear(): void {
    for (let i = this.#first; i < this.#chunks.length; i++) this.#giveBack(this.#chunks[i] as Chunk)
    this.#chunks = none
    this.#first = 0
    this.#offset = 0
    this.length = 0
  }
}

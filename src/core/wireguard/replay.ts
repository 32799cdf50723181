// The replay window of a keypair (RFC 6479's ring of words, over 8192 bits as in the kernel): each counter is accepted
// once, and one may come late by up to 8128. Counters are pairs of unsigned 32-bit halves.
import { rejectAfterMessagesHi, rejectAfterMessagesLo, replayRingBits, replayWindow } from './constants.js'

const wordCount = replayRingBits / 32

export class ReplayWindow {
  readonly #words = new Uint32Array(wordCount)
  #greatestHi = 0
  #greatestLo = 0
  #empty = true

  /** Whether a packet with this counter would be accepted. Changes nothing: the packet is not yet known to be genuine. */
  mayAccept(hi: number, lo: number): boolean {
    if (hi === rejectAfterMessagesHi && lo >= rejectAfterMessagesLo) return false
    if (this.#empty) return true
    if (hi > this.#greatestHi || (hi === this.#greatestHi && lo > this.#greatestLo)) return true
    if (this.#lag(hi, lo) > replayWindow) return false
    return ((this.#words[(lo >>> 5) & (wordCount - 1)] as number) & (1 << (lo & 31))) === 0
  }

  /** Takes the counter of a genuine packet; false if it was taken before, or is too old or the last but reserved ones. */
  accept(hi: number, lo: number): boolean {
    if (!this.mayAccept(hi, lo)) return false
    if (this.#empty || hi > this.#greatestHi || (hi === this.#greatestHi && lo > this.#greatestLo))
      this.#advance(hi, lo)
    const word = (lo >>> 5) & (wordCount - 1)
    this.#words[word] = (this.#words[word] as number) | (1 << (lo & 31))
    return true
  }

  /** How far behind the greatest one; exact where it matters, since only lags below 2^53 are. */
  #lag(hi: number, lo: number): number {
    return (this.#greatestHi - hi) * 0x1_0000_0000 + (this.#greatestLo - lo)
  }

  /** Moves the window's head and clears the words that it passes, at most each once. */
  #advance(hi: number, lo: number): void {
    const from = this.#greatestLo >>> 5
    const steps = Math.min((hi - this.#greatestHi) * 0x800_0000 + (lo >>> 5) - from, wordCount)
    for (let i = 1; i <= steps; i++) this.#words[(from + i) & (wordCount - 1)] = 0
    this.#greatestHi = hi
    this.#greatestLo = lo
    this.#empty = false
  }
}

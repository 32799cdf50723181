// Rows of bits, a bit a clause of the policy, made when first asked for and kept in one array of bounded size. A row starts
// with its summary, a bit for each of its words that is not zero, so that sparse rows are compared in a few steps.

/** Sets the bits of a row: `words[offset + (clause >> 5)]`, bit `clause & 31`. The words are zero before. */
export type FillRow = (row: number, words: Int32Array, offset: number) => void

const firstSlots = 64

export class BitRows {
  /** Words of the summary, which stand before the bits of a row. */
  readonly summaryLength: number
  /** The rows, at the offsets that {@link at} gives. Changes when rows are added: read it after {@link at}. */
  words: Int32Array
  readonly #rowLength: number
  readonly #fill: FillRow
  readonly #slotOf: Int32Array
  readonly #rowIn: Int32Array
  readonly #maxSlots: number
  #used = 0
  #oldest = 0

  constructor(rows: number, bits: number, maxBytes: number, fill: FillRow) {
    const words = Math.ceil(bits / 32)
    this.summaryLength = Math.ceil(words / 32)
    this.#rowLength = this.summaryLength + words
    this.#fill = fill
    this.#slotOf = new Int32Array(rows).fill(-1)
    this.#maxSlots = Math.max(1, Math.min(rows, Math.floor(maxBytes / 4 / Math.max(1, this.#rowLength))))
    this.#rowIn = new Int32Array(this.#maxSlots)
    this.words = new Int32Array(Math.min(firstSlots, this.#maxSlots) * this.#rowLength)
  }

  /** Where the row starts in {@link words}. Good until the next call. */
  at(row: number): number {
    const slot = this.#slotOf[row] as number
    return (slot >= 0 ? slot : this.#make(row)) * this.#rowLength
  }

  #make(row: number): number {
    const slot = this.#freeSlot()
    const start = slot * this.#rowLength
    const bits = start + this.summaryLength
    const end = start + this.#rowLength
    this.words.fill(0, start, end)
    this.#fill(row, this.words, bits)
    for (let i = bits; i < end; i++) {
      if (this.words[i] === 0) continue
      const word = i - bits
      this.words[start + (word >> 5)] = (this.words[start + (word >> 5)] as number) | (1 << (word & 31))
    }
    this.#slotOf[row] = slot
    this.#rowIn[slot] = row
    return slot
  }

  #freeSlot(): number {
    if (this.#used < this.#maxSlots) {
      const needed = (this.#used + 1) * this.#rowLength
      if (needed > this.words.length) {
        const length = Math.min(Math.max(needed, this.words.length * 2), this.#maxSlots * this.#rowLength)
        const grown = new Int32Array(length)
        grown.set(this.words)
        this.words = grown
      }
      return this.#used++
    }
    const slot = this.#oldest
    this.#oldest = (slot + 1) % this.#maxSlots
    this.#slotOf[this.#rowIn[slot] as number] = -1
    return slot
  }
}

/** Lists of clauses that rows are made of: sparse ones bit by bit, long ones as words. */
export class ClauseLists {
  readonly #lists: (number[] | Int32Array)[] = []
  readonly #wordCount: number

  constructor(bits: number) {
    this.#wordCount = Math.ceil(bits / 32)
  }

  /** Adds a list and returns its number. */
  add(clauses: number[]): number {
    if (clauses.length <= this.#wordCount) return this.#lists.push(clauses) - 1
    const words = new Int32Array(this.#wordCount)
    for (const clause of clauses) words[clause >> 5] = (words[clause >> 5] as number) | (1 << (clause & 31))
    return this.#lists.push(words) - 1
  }

  addTo(list: number, words: Int32Array, offset: number): void {
    const clauses = this.#lists[list] as number[] | Int32Array
    if (clauses instanceof Int32Array) {
      for (let i = 0; i < clauses.length; i++)
        words[offset + i] = (words[offset + i] as number) | (clauses[i] as number)
    } else {
      for (let i = 0; i < clauses.length; i++) {
        const clause = clauses[i] as number
        const at = offset + (clause >> 5)
        words[at] = (words[at] as number) | (1 << (clause & 31))
      }
    }
  }
}

// Rows of bits, a bit a clause of the policy, made when first asked for and kept in one array of bounded size. Of a row only the
// words that are not zero are kept, behind a summary with a bit for each word: few words, and so few cache misses.

/** Sets the bits of a row: `words[clause >> 5]`, bit `clause & 31`. The words are zero before. */
export type FillRow = (row: number, words: Int32Array) => void

const firstWords = 4096

export class BitRows {
  /**
   * Words of the summary. A row starts with two numbers for each: the word itself, and where in {@link words} the first of
   * the 32 words that it tells of is, those that are zero left out.
   */
  readonly summaryLength: number
  /** The rows, at the offsets that {@link at} gives. Changes when rows are added: read it after {@link at}. */
  words: Int32Array
  readonly #fill: FillRow
  /** Where a row starts, -1 where it is not made. */
  readonly #starts: Int32Array
  /** A row before its zeros are left out. */
  readonly #scratch: Int32Array
  readonly #maxLength: number
  #used = 0

  constructor(rows: number, bits: number, maxBytes: number, fill: FillRow) {
    const words = Math.ceil(bits / 32)
    this.summaryLength = Math.ceil(words / 32)
    this.#fill = fill
    this.#starts = new Int32Array(rows).fill(-1)
    this.#scratch = new Int32Array(words)
    // One row always has room.
    this.#maxLength = Math.max(this.summaryLength * 2 + words, Math.floor(maxBytes / 4))
    this.words = new Int32Array(Math.min(firstWords, this.#maxLength))
  }

  /** Where the row starts in {@link words}. Good until the next call. */
  at(row: number): number {
    const start = this.#starts[row] as number
    return start >= 0 ? start : this.#make(row)
  }

  #make(row: number): number {
    const scratch = this.#scratch.fill(0)
    this.#fill(row, scratch)
    let length = this.summaryLength * 2
    for (let i = 0; i < scratch.length; i++) if (scratch[i] !== 0) length++
    const start = this.#reserve(length)
    const { words } = this
    let at = start + this.summaryLength * 2
    for (let i = 0; i < this.summaryLength; i++) {
      let summary = 0
      words[start + i * 2 + 1] = at
      const end = Math.min(scratch.length, (i + 1) << 5)
      for (let word = i << 5; word < end; word++) {
        if (scratch[word] === 0) continue
        summary |= 1 << (word & 31)
        words[at++] = scratch[word] as number
      }
      words[start + i * 2] = summary
    }
    this.#starts[row] = start
    return start
  }

  /** Where so many words are free. With no room left all rows go, and those that are asked for are made again. */
  #reserve(length: number): number {
    if (this.#used + length > this.#maxLength) {
      this.#starts.fill(-1)
      this.#used = 0
    }
    const start = this.#used
    this.#used += length
    if (this.#used > this.words.length) {
      const grown = new Int32Array(Math.min(Math.max(this.#used, this.words.length * 2), this.#maxLength))
      grown.set(this.words)
      this.words = grown
    }
    return start
  }
}

/** The word of bit `bit`, which is set, of the summary at `at` in {@link BitRows.words}. */
export function wordAt(words: Int32Array, at: number, bit: number): number {
  return words[(words[at + 1] as number) + bitCount((words[at] as number) & ((1 << bit) - 1))] as number
}

function bitCount(word: number): number {
  const pairs = word - ((word >>> 1) & 0x55555555)
  const fours = (pairs & 0x33333333) + ((pairs >>> 2) & 0x33333333)
  return Math.imul((fours + (fours >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24
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

  addTo(list: number, words: Int32Array): void {
    const clauses = this.#lists[list] as number[] | Int32Array
    if (clauses instanceof Int32Array) {
      for (let i = 0; i < clauses.length; i++) words[i] = (words[i] as number) | (clauses[i] as number)
    } else {
      for (let i = 0; i < clauses.length; i++) {
        const clause = clauses[i] as number
        const at = clause >> 5
        words[at] = (words[at] as number) | (1 << (clause & 31))
      }
    }
  }
}

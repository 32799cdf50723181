// A list through the records of a scoreboard: doubly linked by their places, so that a record leaves and joins at no cost.
import { type Lanes, nextWord, previousWord, sequenceWord, wordsPerRecord } from './lanes.js'
import { seqBefore } from './sequence.js'

export class RecordList {
  /** Places of the ends, −1 if the list is empty. */
  first = -1
  last = -1
  /** Where {@link insert} put the last one, −1 if that is not here any more and nothing was before it. */
  recent = -1

  clear(): void {
    this.first = -1
    this.last = -1
    this.recent = -1
  }

  /** The records, linked as they are, stand at other places now. */
  move(moved: (place: number) => number): void {
    this.first = moved(this.first)
    this.last = moved(this.last)
    this.recent = moved(this.recent)
  }

  next(lanes: Lanes, place: number): number {
    return lanes.words[place * wordsPerRecord + nextWord] as number
  }

  append(lanes: Lanes, place: number): void {
    this.#insertAfter(lanes, this.last, place)
  }

  remove(lanes: Lanes, place: number): void {
    const { words } = lanes
    const at = place * wordsPerRecord
    const next = words[at + nextWord] as number
    const previous = words[at + previousWord] as number
    if (previous < 0) this.first = next
    else words[previous * wordsPerRecord + nextWord] = next
    if (next < 0) this.last = previous
    else words[next * wordsPerRecord + previousWord] = previous
    if (place === this.recent) this.recent = previous
  }

  /**
   * Inserts by sequence. Most come last. Others are resent segments that were lost again: the first is near the front, and
   * those found lost with it follow it one by one.
   */
  insert(lanes: Lanes, place: number): void {
    const { words } = lanes
    const sequence = words[place * wordsPerRecord + sequenceWord] as number
    let after = this.last
    if (after >= 0 && seqBefore(sequence, words[after * wordsPerRecord + sequenceWord] as number)) {
      after = this.recent
      if (after >= 0 && !seqBefore(words[after * wordsPerRecord + sequenceWord] as number, sequence)) after = -1
      let next = after < 0 ? this.first : (words[after * wordsPerRecord + nextWord] as number)
      while (seqBefore(words[next * wordsPerRecord + sequenceWord] as number, sequence)) {
        after = next
        next = words[next * wordsPerRecord + nextWord] as number
      }
    }
    this.#insertAfter(lanes, after, place)
    this.recent = place
  }

  #insertAfter(lanes: Lanes, previous: number, place: number): void {
    const { words } = lanes
    const at = place * wordsPerRecord
    const next = previous < 0 ? this.first : (words[previous * wordsPerRecord + nextWord] as number)
    words[at + nextWord] = next
    words[at + previousWord] = previous
    if (previous < 0) this.first = place
    else words[previous * wordsPerRecord + nextWord] = place
    if (next < 0) this.last = place
    else words[next * wordsPerRecord + previousWord] = place
  }
}

// What is known of each segment in flight, in two flat arrays, and a pool of them for the next connection that sends.
import type { PathShare } from '../shared-budget.js'

/** The arrays of a scoreboard: a record's words and stamps lie side by side at its place. */
export interface Lanes {
  readonly size: number
  readonly words: Int32Array
  readonly stamps: Float64Array
}

/** Words of a record. */
export const sequenceWord = 0
export const flagsWord = 1
/** A union-find over records that SACK reported: 0, or how far the next candidate is. */
export const skipWord = 2
/** Places of the neighbours in the list that the record is in, −1 at its ends. */
export const nextWord = 3
export const previousWord = 4
/** Bytes in flight with it when it left last. */
export const inFlightWord = 5
export const wordsPerRecord = 6

/** Stamps of a record: when it left last, and what the connection had counted then (rate-sample.ts). */
export const sentAtStamp = 0
export const deliveredStamp = 1
/** −1: it gives no rate sample. */
export const deliveredAtStamp = 2
export const firstSentAtStamp = 3
export const lostStamp = 4
export const stampsPerRecord = 5
const bytesPerRecord = 4 * wordsPerRecord + 8 * stampsPerRecord

const smallest = 16
/** Of the arrays kept for reuse: how many, and the largest. */
const pooledLanes = 64
const largestPooled = 1024

function createLanes(size: number): Lanes {
  return { size, words: new Int32Array(size * wordsPerRecord), stamps: new Float64Array(size * stampsPerRecord) }
}

/** Copies what is known of a segment to another place, neighbours as they are named. */
export function copyRecord(from: Lanes, fromPlace: number, to: Lanes, toPlace: number): void {
  for (let word = 0; word < wordsPerRecord; word++) {
    to.words[toPlace * wordsPerRecord + word] = from.words[fromPlace * wordsPerRecord + word] as number
  }
  for (let stamp = 0; stamp < stampsPerRecord; stamp++) {
    to.stamps[toPlace * stampsPerRecord + stamp] = from.stamps[fromPlace * stampsPerRecord + stamp] as number
  }
}

/** Arrays for the next connection that sends. What is lent is counted: of small segments it is more than their bytes. */
export class LanesPool {
  readonly #free: Lanes[] = []

  take(share: PathShare): Lanes {
    const lanes = this.#free.pop() ?? createLanes(smallest)
    share.take(lanes.size * bytesPerRecord)
    return lanes
  }

  /** Twice as large as `lanes`, which are still to be given back. */
  larger(lanes: Lanes, share: PathShare): Lanes {
    share.take(2 * lanes.size * bytesPerRecord)
    return createLanes(2 * lanes.size)
  }

  give(lanes: Lanes, share: PathShare): void {
    share.take(-lanes.size * bytesPerRecord)
    if (lanes.size <= largestPooled && this.#free.length < pooledLanes) this.#free.push(lanes)
  }
}

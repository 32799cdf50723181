// Parallel arrays of a scoreboard, one element a segment in flight, and a pool of them for the next connection that sends.

/** The arrays of a scoreboard; `skip` is a union-find over records that SACK reported: 0, or how far the next candidate is. */
export interface Lanes {
  readonly size: number
  readonly sequence: Int32Array
  readonly sentAt: Float64Array
  readonly skip: Int32Array
  readonly flags: Uint8Array
}

const smallest = 16
/** Of the arrays kept for reuse: how many, and the largest. */
const pooledLanes = 64
const largestPooled = 1024

export function createLanes(size: number): Lanes {
  return {
    size,
    sequence: new Int32Array(size),
    sentAt: new Float64Array(size),
    skip: new Int32Array(size),
    flags: new Uint8Array(size),
  }
}

/** Arrays for the next connection that sends. */
export class LanesPool {
  readonly #free: Lanes[] = []

  take(): Lanes {
    return this.#free.pop() ?? createLanes(smallest)
  }

  give(lanes: Lanes): void {
    if (lanes.size <= largestPooled && this.#free.length < pooledLanes) this.#free.push(lanes)
  }
}

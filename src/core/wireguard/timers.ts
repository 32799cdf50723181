// The timers of one peer (WireGuard paper, section 6; kernel, timers.c) as a table of deadlines, itself one entry of the
// device's heap. Timers move with nearly every packet, so the heap learns only of deadlines that come nearer: it may wake
// the peer early, never late.
import type { Deadlined, DeadlineHeap } from '../base/deadline-heap.js'

export const timer = {
  /** An initiation is wanted: at once, or as soon as the last one is old enough. */
  initiate: 0,
  /** The last initiation had no answer: retry with a new one. */
  retry: 1,
  /** Data came that nothing answered: send an empty packet. */
  keepalive: 2,
  /** PersistentKeepalive: nothing was sent or received for its interval. */
  persistent: 3,
  /** Data was sent that nothing answered: the session may be lost on the other side. */
  silence: 4,
  /** The oldest keypair reaches its end. */
  expire: 5,
  /** No keypair was derived for long: wipe what is left of handshakes. */
  zero: 6,
} as const

export type Timer = (typeof timer)[keyof typeof timer]

const timerCount = 7

export class TimerTable<T> implements Deadlined {
  readonly owner: T
  heapIndex = -1
  deadline = Infinity
  readonly #heap: DeadlineHeap<TimerTable<T>>
  readonly #deadlines = new Float64Array(timerCount).fill(Infinity)
  #retired = false

  constructor(heap: DeadlineHeap<TimerTable<T>>, owner: T) {
    this.#heap = heap
    this.owner = owner
  }

  set(which: Timer, deadline: number): void {
    if (this.#retired) return
    this.#deadlines[which] = deadline
    if (deadline < this.deadline) this.#heap.set(this, deadline)
  }

  clear(which: Timer): void {
    this.#deadlines[which] = Infinity
  }

  isSet(which: Timer): boolean {
    return this.#deadlines[which] !== Infinity
  }

  /** Clears and returns the earliest timer that is due, or undefined. */
  takeDue(now: number): Timer | undefined {
    let due: number | undefined
    let earliest = now
    for (let which = 0; which < timerCount; which++) {
      const deadline = this.#deadlines[which] as number
      if (deadline > earliest || (due !== undefined && deadline === earliest)) continue
      due = which
      earliest = deadline
    }
    if (due !== undefined) this.#deadlines[due] = Infinity
    return due as Timer | undefined
  }

  /** Tells the heap the earliest deadline, after the heap gave this table out as due. */
  schedule(): void {
    let earliest = Infinity
    for (const deadline of this.#deadlines) earliest = Math.min(earliest, deadline)
    this.#heap.set(this, earliest)
  }

  clearAll(): void {
    this.#deadlines.fill(Infinity)
    this.#heap.cancel(this)
  }

  /** Stops for good: the peer is gone. */
  retire(): void {
    this.clearAll()
    this.#retired = true
  }
}

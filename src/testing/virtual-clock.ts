// Time that passes only when nothing is left to do: events run in the order of their times, those of one time in the
// order in which they were scheduled.

export interface VirtualClock {
  /** Milliseconds since the start of the simulation. */
  readonly now: number
  /** Events scheduled and not yet run. */
  readonly pending: number
  /** Runs `event` at `at`, or now if that has passed. */
  schedule(at: number, event: () => void): void
  /** Runs the next event; false if there is none at or before `until`. */
  step(until?: number): boolean
  /** Runs everything up to `until`, and moves the clock there. */
  runUntil(until: number): void
  /** Runs until `condition` holds, at most until `limit`; returns whether it held. */
  runWhile(condition: () => boolean, limit: number): boolean
}

interface Scheduled {
  readonly at: number
  readonly order: number
  readonly event: () => void
}

export function createVirtualClock(): VirtualClock {
  const heap: Scheduled[] = []
  let now = 0
  let order = 0

  function before(a: Scheduled, b: Scheduled): boolean {
    return a.at < b.at || (a.at === b.at && a.order < b.order)
  }

  function push(entry: Scheduled): void {
    let index = heap.push(entry) - 1
    while (index > 0) {
      const parent = (index - 1) >> 1
      if (!before(entry, heap[parent] as Scheduled)) break
      heap[index] = heap[parent] as Scheduled
      index = parent
    }
    heap[index] = entry
  }

  function pop(): Scheduled {
    const first = heap[0] as Scheduled
    const last = heap.pop() as Scheduled
    if (last === first) return first
    let index = 0
    for (;;) {
      let child = 2 * index + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && before(heap[child + 1] as Scheduled, heap[child] as Scheduled)) child++
      if (!before(heap[child] as Scheduled, last)) break
      heap[index] = heap[child] as Scheduled
      index = child
    }
    heap[index] = last
    return first
  }

  function step(until = Infinity): boolean {
    const next = heap[0]
    if (next === undefined || next.at > until) return false
    pop()
    now = Math.max(now, next.at)
    next.event()
    return true
  }

  return {
    get now() {
      return now
    },
    get pending() {
      return heap.length
    },
    schedule: (at, event) => push({ at: Math.max(at, now), order: order++, event }),
    step,
    runUntil(until) {
      while (step(until));
      now = Math.max(now, until)
    },
    runWhile(condition, limit) {
      while (condition()) if (!step(limit)) return !condition()
      return true
    },
  }
}

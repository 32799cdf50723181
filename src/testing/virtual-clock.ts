// Time that passes only when nothing is left to do: events run in the order of their times, those of one time in the
// order in which they were scheduled. Promises of the simulation are kept on it too: run() lets code that awaits go on.

import { TimeQueue } from './time-queue.js'

export interface VirtualClock {
  /** Milliseconds since the start of the simulation. */
  readonly now: number
  /** Events scheduled and not yet run. */
  readonly pending: number
  /** Runs `event` at `at` ms, or now if that has passed. */
  schedule(at: number, event: () => void): void
  /** Runs the next event; false if there is none at or before `until` ms. */
  step(until?: number): boolean
  /** Runs everything up to `until` ms, and moves the clock there. */
  runUntil(until: number): void
  /** Runs as long as `condition` holds, at most until `limit` ms; returns whether it ended. */
  runWhile(condition: () => boolean, limit: number): boolean
  /** Resolves `ms` later. */
  sleep(ms: number): Promise<void>
  /** Tells {@link run} that a promise was settled, so that who awaits it goes on before time does. */
  wake(): void
  /**
   * Runs the simulation until `task` is settled, and gives its result. Rejects if nothing is left that could happen, or
   * `limit` ms of virtual time have passed (an hour without it), before it is.
   */
  run<T>(task: Promise<T> | (() => Promise<T>), limit?: number): Promise<T>
}

const hour = 3_600_000
/** A promise that the simulation knows nothing of is noticed after so many events. */
const eventsUnawaited = 64

export function createVirtualClock(): VirtualClock {
  const queue = new TimeQueue()
  /** By the number that the queue knows an event by. */
  const events: (() => void)[] = []
  const free: number[] = []
  let now = 0
  let woken = false

  function step(until = Infinity): boolean {
    const at = queue.nextAt
    if (at > until || queue.size === 0) return false
    if (at > now) now = at
    const number = queue.pop()
    const event = events[number] as () => void
    free.push(number)
    event()
    return true
  }

  function schedule(at: number, event: () => void): void {
    const number = free.pop() ?? events.length
    events[number] = event
    queue.push(at > now ? at : now, number)
  }

  function wake(): void {
    woken = true
  }

  async function run<T>(task: Promise<T> | (() => Promise<T>), limit = hour): Promise<T> {
    const until = now + limit
    let settled = false
    const result = typeof task === 'function' ? task() : task
    const settle = () => {
      settled = true
    }
    result.then(settle, settle)
    for (;;) {
      await othersTurn()
      if (settled) return result
      woken = false
      for (let count = 0; !woken && count < eventsUnawaited; count++) {
        if (step(until)) continue
        await othersTurn()
        if (settled) return result
        if (woken || (queue.size > 0 && queue.nextAt <= until)) break
        const reason = queue.size === 0 ? 'nothing is left that could happen' : `${limit} ms have passed`
        throw new Error(`the simulation ends at ${now.toFixed(3)} ms, and its task has not: ${reason}`)
      }
    }
  }

  return {
    get now() {
      return now
    },
    get pending() {
      return queue.size
    },
    schedule,
    step,
    runUntil(until) {
      while (step(until));
      now = Math.max(now, until)
    },
    runWhile(condition, limit) {
      while (condition()) if (!step(limit)) return !condition()
      return true
    },
    sleep: ms =>
      new Promise(resolve =>
        schedule(now + ms, () => {
          resolve()
          wake()
        }),
      ),
    wake,
    run,
  }
}

/** Everything that awaits a settled promise runs, however many steps that takes. */
function othersTurn(): Promise<void> {
  return new Promise(resolve => setImmediate(resolve))
}

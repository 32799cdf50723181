// What drives a host in Node's event loop: one timer for all deadlines, and one turn after each batch of input in which
// deadlines are met, packets leave and sockets hear what happened.
import type { Host } from '../core/host/host.js'

/** Packets that may leave in one turn, so that a bulk transfer never keeps the event loop from its other work. */
export const defaultTurnBudget = 128

/** Timers stand still while the machine sleeps, and keys must not outlive that: so soon after it, ms, the clock is looked at. */
const longestTimeout = 10_000

export interface Loop {
  /** Call after anything that may have produced output or moved a deadline. */
  changed(): void
  /** Ends it for good. */
  stop(): void
}

export interface LoopOptions {
  readonly host: Host
  readonly now: () => number
  /** False while the socket below cannot take more; the loop then waits for {@link Loop.changed}. */
  readonly writable: () => boolean
  /** Called once after all packets of a turn have left. */
  readonly afterTurn: () => void
  readonly budget?: number
}

export function createLoop(options: LoopOptions): Loop {
  const { host, now, writable, afterTurn } = options
  const budget = options.budget ?? defaultTurnBudget
  let pending: NodeJS.Immediate | undefined
  let timer: NodeJS.Timeout | undefined
  let timerAt = Infinity
  let stopped = false

  function turn(): void {
    pending = undefined
    const at = now()
    if (host.nextDeadline() <= at) host.handleTimeout(at, Date.now())
    const more = writable() && host.flush(at, budget)
    afterTurn()
    if (stopped) return
    // What is due by now, a handshake that a packet asked for, is the next turn's: each has a budget of its own.
    if (more || host.nextDeadline() <= at) changed()
    else arm()
  }

  function arm(): void {
    const deadline = host.nextDeadline()
    // A timer that fires too early only looks again, so it is moved forward and never back.
    if (deadline >= timerAt) return
    if (timer !== undefined) clearTimeout(timer)
    timerAt = deadline
    // The UDP sockets decide whether the process stays, not a deadline of theirs.
    timer = setTimeout(fire, Math.min(longestTimeout, Math.max(0, Math.ceil(deadline - now())))).unref()
  }

  function fire(): void {
    timer = undefined
    timerAt = Infinity
    changed()
  }

  function changed(): void {
    if (pending === undefined && !stopped) pending = setImmediate(turn)
  }

  return {
    changed,
    stop() {
      stopped = true
      if (pending !== undefined) clearImmediate(pending)
      if (timer !== undefined) clearTimeout(timer)
      pending = undefined
      timer = undefined
    },
  }
}

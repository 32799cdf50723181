// What drives a host in Node's event loop: one timer for all deadlines, and one turn after each batch of input in which
// deadlines are met, packets leave and sockets hear what happened.
import type { Host } from '../core/host/host.js'

/** Packets that may leave in one turn, some 0.5 ms of work, so that a bulk transfer never keeps the event loop from its other work. */
export const defaultTurnBudget = 64

/** Timers stand still while the machine sleeps, and keys must not outlive that: so soon after it, ms, the clock is looked at. */
const longestTimeout = 10_000

/** Datagrams that libuv reads from a socket in one poll; where there were so many, more may wait. */
const fullPoll = 32
/** How long full polls put off judging what was not answered, ms. */
const longestFlood = 50

export interface Loop {
  /** Call after a datagram was handed to the host. */
  received(): void
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
  /** Datagrams since the last turn; when the poll that brought them began; and whatever came by when has been read. */
  let datagrams = 0
  let polledAt = now()
  let readUntil = polledAt
  let floodSince = Infinity

  // A callback of anyone may block the loop while answers arrive: a deadline that passed meanwhile is judged only once a
  // poll that began after it has left nothing unread.
  function noteRead(at: number): void {
    if (datagrams < fullPoll) {
      readUntil = polledAt
      floodSince = Infinity
    } else {
      floodSince = Math.min(floodSince, at)
      if (at - floodSince > longestFlood) readUntil = at
    }
    datagrams = 0
  }

  function turn(): void {
    pending = undefined
    const at = now()
    noteRead(at)
    if (host.nextDeadline() <= at) host.handleTimeout(at, Date.now(), readUntil)
    const more = writable() && host.flush(at, budget)
    afterTurn()
    if (stopped) return
    polledAt = now()
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
    // Timers run before the poll, and the turn after it.
    polledAt = now()
    changed()
  }

  function changed(): void {
    if (pending === undefined && !stopped) pending = setImmediate(turn)
  }

  return {
    received() {
      datagrams++
      changed()
    },
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

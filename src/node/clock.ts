// The monotonic clock of a tunnel. Node's own stands still while the machine sleeps; the kernel's uptime does not, so a jump
// between the two is added: WireGuard's keys must not outlive a suspend.
import { uptime } from 'node:os'

/** How often the two clocks are compared, ms. Reading the uptime costs a system call. */
const comparisonInterval = 1000
/** Differences below this are the uptime's coarseness, ms. */
const smallestJump = 1500

export interface ClockSource {
  /** Monotonic ms that may stand still during suspend. */
  monotonic(): number
  /** Ms since boot, suspend included. */
  uptime(): number
}

const systemSource: ClockSource = { monotonic: () => performance.now(), uptime: () => uptime() * 1000 }

/** Returns `now()`: monotonic ms that run on through suspend. */
export function createClock(source: ClockSource = systemSource): () => number {
  let comparedAt = source.monotonic()
  let difference = source.uptime() - comparedAt
  let slept = 0
  return () => {
    const monotonic = source.monotonic()
    if (monotonic - comparedAt >= comparisonInterval) {
      comparedAt = monotonic
      const jump = source.uptime() - monotonic - difference
      if (jump >= smallestJump) {
        slept += jump
        difference += jump
      }
    }
    return monotonic + slept
  }
}

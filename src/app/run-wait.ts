// Waiting for the targets of `run --wait`: each is dialled until it answers, since what is deployed to may still be starting.
import { explainDial } from '../node/target-error.js'
import { type Dialer, formatTarget, type Target } from '../proxy/dialer.js'
import type { Log } from './log.js'

/** Between two dials of a target that refuses: at first, and at most, ms. */
const firstPause = 100
const longestPause = 2000
/** One dial, ms: a SYN that is repeated after longer pauses would hear too late that the target is there. */
const longestDial = 5000
/** After which it is told that somebody does not answer yet, and again and again, ms. */
const tellAfter = 3000
const tellEvery = 15_000

export interface WaitOptions {
  readonly dial: Dialer
  /** For each target, ms; 0 waits without end. */
  readonly timeout: number
  readonly signal: AbortSignal
  readonly log: Log
}

/** Resolves when every target has accepted a connection. Rejects with what the last dial of the first that has not failed with. */
export async function waitForTargets(targets: readonly Target[], options: WaitOptions): Promise<void> {
  const failed = new AbortController()
  const signal = AbortSignal.any([options.signal, failed.signal])
  try {
    await Promise.all(targets.map(target => waitFor(target, { ...options, signal })))
  } finally {
    failed.abort(new Error('another target has failed'))
  }
}

async function waitFor(target: Target, { dial, timeout, signal, log }: WaitOptions): Promise<void> {
  const began = performance.now()
  const late = timeout > 0 ? AbortSignal.timeout(timeout) : undefined
  const over = late === undefined ? signal : AbortSignal.any([signal, late])
  let nextWord = began + tellAfter
  let last: unknown = Object.assign(new Error('no answer'), { code: 'ETIMEDOUT' })
  for (let pause = firstPause; ; pause = Math.min(2 * pause, longestPause)) {
    const given = AbortSignal.timeout(longestDial)
    try {
      const socket = await dial(target, AbortSignal.any([over, given]))
      socket.destroy()
      return
    } catch (error) {
      signal.throwIfAborted()
      if (!over.aborted && !given.aborted) last = error
      if (over.aborted || isFinal(error)) throw explainDial(last, target, timeout)
    }
    if (performance.now() >= nextWord) {
      nextWord = performance.now() + tellEvery
      log.info(`waiting for ${formatTarget(target)}: ${(explainDial(last, target, 0) as Error).message}`)
    }
    await rest(pause, over)
    signal.throwIfAborted()
    if (over.aborted) throw explainDial(last, target, timeout)
  }
}

/** Resolves after `duration` ms, or when the signal aborts. */
function rest(duration: number, signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    const end = () => {
      clearTimeout(timer)
      signal.removeEventListener('abort', end)
      resolve()
    }
    const timer = setTimeout(end, duration)
    signal.addEventListener('abort', end)
    if (signal.aborted) end()
  })
}

const finalCodes: ReadonlySet<unknown> = new Set(['NO_ROUTE', 'UNKNOWN_HOST', 'EACCES', 'POLICY_DENIED'])

/** No later dial would go better. */
function isFinal(error: unknown): boolean {
  const { code, cause } = error as NodeJS.ErrnoException
  return finalCodes.has(code) || finalCodes.has((cause as NodeJS.ErrnoException | undefined)?.code)
}

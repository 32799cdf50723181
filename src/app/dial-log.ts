// Failed dials of the ways in, said once each: a client sees a reply code at best, and who retries must not fill the log.
import { explainDial } from '../node/target-error.js'
import { formatTarget, type Target } from '../proxy/dialer.js'
import type { Log } from './log.js'

/** The same failure is said again after this, with how often it came meanwhile. ms. */
const interval = 10_000
/** Failures remembered; beyond it all are forgotten, and said anew. */
const remembered = 256
/** Lines in one interval, over all failures: whoever tries thousands of targets fills no disk. */
const mostLines = 100

/** Returns what the proxies call when a dial failed. `now` is monotonic ms. */
export function createDialLog(
  log: Log,
  timeout: number,
  now = () => performance.now(),
): (error: unknown, target: Target) => void {
  const told = new Map<string, { at: number; unsaid: number }>()
  let since = Number.NEGATIVE_INFINITY
  let lines = 0
  let withheld = 0
  return (error, target) => {
    const { message } = explainDial(error, target, timeout) as Error
    const text = message.includes(target.host) ? message : `${formatTarget(target)}: ${message}`
    const known = told.get(text)
    if (known !== undefined && now() - known.at < interval) {
      known.unsaid++
      return
    }
    if (now() - since >= interval) {
      if (withheld > 0) log.info(`${withheld} more failures were not said`)
      since = now()
      lines = 0
      withheld = 0
    }
    if (++lines > mostLines) {
      withheld++
      return
    }
    if (told.size >= remembered) told.clear()
    told.set(text, { at: now(), unsaid: 0 })
    log.info(known === undefined || known.unsaid === 0 ? text : `${text} (and ${known.unsaid} times more before)`)
  }
}

// What `run` dials with: its own tunnel or the one it joined, with --direct before it, and what was let through or not counted.
import { statusOf } from '../node/open.js'
import { abortSignalOf } from '../proxy/departure.js'
import { createDialer, type Dialer, formatTarget, type RelaySocket } from '../proxy/dialer.js'
import { createDirectDialer, createHostDialer, type DirectPattern, isOfDomains } from '../proxy/direct.js'
import type { Log } from './log.js'
import type { Reach } from './reach.js'
import { countDenied, type TargetCount } from './run-summary.js'

export interface RunDialerOptions {
  readonly reach: Reach
  /** For each dial, ms; 0 waits without end. */
  readonly timeout: number
  readonly patterns: readonly DirectPattern[]
  /** Around dials that go into the tunnel. */
  readonly wrap: (dial: Dialer) => Dialer
  /** Told what neither took, and what went out by the host. */
  readonly denied: TargetCount
  readonly direct: TargetCount
  readonly log: Log
}

export function createRunDialer({ reach, timeout, patterns, wrap, ...counted }: RunDialerOptions): Dialer {
  const { denied, direct, log } = counted
  const tunnel = wrap(dialerOf(reach, timeout))
  if (patterns.length === 0) return countDenied(tunnel, denied)
  const dial = createDirectDialer({
    patterns,
    tunnel,
    host: createHostDialer(timeout),
    names: {
      isOwn: async name => isOfDomains(name, await domainsOf(reach)),
      lookup: (name, signal) => reach.lookup(name, abortSignalOf(signal)),
    },
    onDirect: target => {
      if (direct.add(target)) log.info(`${formatTarget(target)}: by the host's network, as --direct says`)
    },
  })
  return countDenied(dial, denied)
}

/** What the tunnel's process tells of it. */
export async function statusNow({ own, status }: Reach): Promise<Record<string, unknown>> {
  return own === undefined ? status() : statusOf(own)
}

/** The search domains and routes of its DNS, as they are now. */
async function domainsOf(reach: Reach): Promise<string[]> {
  const { domains } = await statusNow(reach)
  return Array.isArray(domains) ? domains.map(String) : []
}

function dialerOf(reach: Reach, timeout: number): Dialer {
  const { own } = reach
  if (own !== undefined) return createDialer(target => own.connect({ ...target, connectTimeout: timeout }))
  return async ({ host, port }, signal) => {
    const connection = await reach.dial(host, port, { timeout, signal: abortSignalOf(signal) })
    // Node resets TCP alone; on a control socket, to close before both ends is the same.
    return Object.assign(connection, { resetAndDestroy: () => connection.destroy() }) as RelaySocket
  }
}

// What leads into a tunnel from this host: the listeners of -D and -L, for every command that takes these options.
import type { Tunnel } from '../node/tunnel.js'
import { type Dialer, formatTarget, type Target } from '../proxy/dialer.js'
import { startForward } from '../proxy/forward.js'
import { isLoopback, type LocalAddress } from '../proxy/listener.js'
import { startSocks5 } from '../proxy/socks5-server.js'
import { createDialLog } from './dial-log.js'
import type { Log } from './log.js'
import type { ListenerReport } from './ready-file.js'

/** As the command line has them. */
export interface WaysInOptions {
  /** For each dial, ms; 0 waits without end. */
  readonly timeout: number
  readonly socks?: LocalAddress
  readonly forwards: readonly (LocalAddress & { readonly target: Target })[]
}

/** Who carries what comes in. */
export interface Carrier {
  readonly dial: Dialer
  /** Undefined where another process runs the tunnel and takes dials alone. */
  readonly tunnel: Tunnel | undefined
}

export interface WayIn {
  readonly report: ListenerReport
  close(): Promise<void>
}

/** Adds each to `ways` as soon as it listens, for whoever has to close them. Rejects with the first that cannot. */
export async function openWaysIn(options: WaysInOptions, carrier: Carrier, log: Log, ways: WayIn[]): Promise<void> {
  const { socks, forwards, timeout } = options
  const { dial, tunnel } = carrier
  const onError = createDialLog(log, timeout)
  // A name that nobody knows is better said now than to each client.
  for (const { target } of forwards) tunnel?.lookup(target.host)
  if (socks !== undefined) {
    const server = await startSocks5({ ...socks, dial, onError })
    ways.push({ report: { type: 'socks5', ...server.address }, close: () => server.close() })
  }
  for (const forward of forwards) {
    if (!isLoopback(forward.host)) {
      log.warn(
        `-L on ${formatTarget(forward)}: whoever reaches this host can reach ${formatTarget(forward.target)} through it`,
      )
    }
    const server = await startForward({ ...forward, dial, onError })
    ways.push({ report: { type: 'forward', ...server.address, target: forward.target }, close: () => server.close() })
  }
}

export function tellWaysIn(ways: readonly WayIn[], log: Log): void {
  for (const { report } of ways) {
    if (report.type === 'socks5') log.info(`SOCKS5 proxy on ${formatTarget(report)}`)
    else log.info(`${formatTarget(report)} leads to ${formatTarget(report.target)}`)
  }
}

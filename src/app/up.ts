// `tunless up`: opens a tunnel, listens for what goes into it, and stays until a signal.
import { longestConfig } from '../core/config/lines.js'
import { openTunnel } from '../node/open.js'
import type { TraceOptions } from '../node/trace.js'
import type { Ready, Tunnel } from '../node/tunnel.js'
import { createDialer, type Dialer, formatTarget, type Target } from '../proxy/dialer.js'
import { startForward } from '../proxy/forward.js'
import { isLoopback } from '../proxy/listener.js'
import { startSocks5 } from '../proxy/socks5-server.js'
import { type ConfOptions, readConf } from './conf.js'
import { describeReady } from './describe.js'
import { createDialLog } from './dial-log.js'
import { createLog, type Log, type LogLevel } from './log.js'
import { type OpenOptions, openOptions } from './open-options.js'
import { clearReadyFile, type ListenerReport, type ReadyReport, removeReadyFile, writeReadyFile } from './ready-file.js'
import { readStdin } from './stdin.js'
import { aborted, stopAt } from './stop.js'
import { uapiOf } from './uapi.js'
import { serveUapi, type UapiSocket, uapiPath } from './uapi-socket.js'
import { tellWhileWaiting } from './waiting.js'
import { tunnelEnded, watchTunnel } from './watch.js'
import { keepYoungHeapSmall } from './young-heap.js'

export interface UpOptions extends ConfOptions, OpenOptions, TraceOptions {
  /** For the first handshake, and apart for each dial, ms; 0 waits without end. */
  readonly timeout: number
  readonly level: LogLevel
  readonly socks?: { readonly host: string; readonly port: number }
  readonly forwards: readonly { readonly host: string; readonly port: number; readonly target: Target }[]
  readonly readyFile?: string
  /** The interface's name for wg(8), or the path of a socket of one's own. */
  readonly name?: string
  readonly uapi?: string
}

interface Listener {
  readonly report: ListenerReport
  close(): Promise<void>
}

/** Resolves after a signal, once everything is closed. Rejects with the TunnelError that says why it cannot come up. */
export async function up(options: UpOptions): Promise<void> {
  keepYoungHeapSmall()
  const log = createLog(options.level)
  const config = await readConf(options, {
    env: process.env,
    readStdin: () => readStdin(longestConfig),
    peersMayCome: options.name !== undefined || options.uapi !== undefined,
    warn: log.warn,
  })
  for (const note of config.notes) log.info(note)

  const stop = stopAt(['SIGINT', 'SIGTERM', 'SIGHUP'])
  const { signal } = stop
  let tunnel: Tunnel | undefined
  const listeners: Listener[] = []
  const sockets: UapiSocket[] = []
  try {
    tunnel = await openTunnel(config, {
      signal,
      ...openOptions(options),
      ...(options.keylog !== undefined && { keylog: options.keylog }),
      ...(options.pcap !== undefined && { pcap: options.pcap }),
    })
    // Only now: while another process has the key, the file may be its.
    if (options.readyFile !== undefined) clearReadyFile(options.readyFile)
    watchTunnel(tunnel, log)
    const uapi = await startUapi(options, tunnel, log)
    if (uapi !== undefined) {
      sockets.push(uapi)
      void uapi.removed.then(() => stop.end(`${uapi.path} was removed`))
    }
    await listen(options, tunnel, log, listeners)
    const ready = await tellWhileWaiting(tunnel.ready({ timeout: options.timeout, signal }), tunnel, log)
    announce(tunnel, ready, listeners, log)
    if (options.readyFile !== undefined) writeReadyFile(options.readyFile, reportOf(tunnel, ready, listeners))
    await Promise.race([aborted(signal), tunnelEnded(tunnel)])
  } catch (error) {
    if (!signal.aborted) throw error
  } finally {
    stop.done()
    if (options.readyFile !== undefined) removeReadyFile(options.readyFile)
    await Promise.all([...[...listeners, ...sockets].map(each => each.close()), tunnel?.close()])
  }
  log.info(`${(signal.reason as Error).message}, the tunnel is closed`)
}

async function startUapi({ name, uapi }: UpOptions, tunnel: Tunnel, log: Log): Promise<UapiSocket | undefined> {
  const path = name === undefined ? uapi : uapiPath(name)
  if (path === undefined) return undefined
  const socket = await serveUapi(path, uapiOf(tunnel))
  log.info(name === undefined ? `configured by ${socket.path}` : `wg show ${name} shows it`)
  return socket
}

async function listen(options: UpOptions, tunnel: Tunnel, log: Log, listeners: Listener[]): Promise<void> {
  const { socks, forwards, timeout } = options
  const dial: Dialer = createDialer(target => tunnel.connect({ ...target, timeout }))
  const onError = createDialLog(log, timeout)
  // A name that nobody knows is better said now than to each client.
  for (const { target } of forwards) tunnel.lookup(target.host)
  if (socks !== undefined) {
    const server = await startSocks5({ ...socks, dial, onError })
    listeners.push({ report: { type: 'socks5', ...server.address }, close: () => server.close() })
  }
  for (const forward of forwards) {
    if (!isLoopback(forward.host)) {
      log.warn(
        `-L on ${formatTarget(forward)}: whoever reaches this host can reach ${formatTarget(forward.target)} through it`,
      )
    }
    const server = await startForward({ ...forward, dial, onError })
    listeners.push({
      report: { type: 'forward', ...server.address, target: forward.target },
      close: () => server.close(),
    })
  }
}

function announce(tunnel: Tunnel, ready: Ready, listeners: readonly Listener[], log: Log): void {
  const isEmpty = ready.peer === undefined && tunnel.peers().length === 0
  const said = isEmpty ? `it has no peers yet; UDP port ${tunnel.port}` : describeReady(ready, tunnel.port)
  log.info(`the tunnel stands: ${said}`)
  for (const { report } of listeners) {
    if (report.type === 'socks5') log.info(`SOCKS5 proxy on ${formatTarget(report)}`)
    else log.info(`${formatTarget(report)} leads to ${formatTarget(report.target)}`)
  }
}

function reportOf(tunnel: Tunnel, { peer }: Ready, listeners: readonly Listener[]): ReadyReport {
  return {
    pid: process.pid,
    publicKey: tunnel.publicKey,
    addresses: tunnel.addresses,
    port: tunnel.port,
    ...(peer && {
      peer: {
        ...(peer.name !== undefined && { name: peer.name }),
        publicKey: peer.publicKey,
        ...(peer.endpoint !== undefined && { endpoint: peer.endpoint }),
        ...(peer.rtt !== undefined && { rtt: peer.rtt }),
      },
    }),
    listeners: listeners.map(listener => listener.report),
  }
}

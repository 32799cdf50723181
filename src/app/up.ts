// `tunless up`: opens a tunnel, listens for what goes into it, and stays until a signal.
import { longestConfig } from '../core/config/lines.js'
import { openTunnel } from '../node/open.js'
import type { TraceOptions } from '../node/trace.js'
import type { Ready, Tunnel } from '../node/tunnel.js'
import { createDialer } from '../proxy/dialer.js'
import { type ConfOptions, readConf } from './conf.js'
import { describeReady } from './describe.js'
import { createLog, type Log, type LogLevel } from './log.js'
import { type OpenOptions, openOptions } from './open-options.js'
import { clearReadyFile, type ReadyReport, removeReadyFile, writeReadyFile } from './ready-file.js'
import { readStdin } from './stdin.js'
import { aborted, stopAt } from './stop.js'
import { uapiOf } from './uapi.js'
import { serveUapi, type UapiSocket, uapiPath } from './uapi-socket.js'
import { tellWhileWaiting } from './waiting.js'
import { tunnelEnded, watchTunnel } from './watch.js'
import { openWaysIn, tellWaysIn, type WayIn, type WaysInOptions } from './ways-in.js'
import { keepYoungHeapSmall } from './young-heap.js'

export interface UpOptions extends ConfOptions, OpenOptions, TraceOptions, WaysInOptions {
  readonly level: LogLevel
  readonly readyFile?: string
  /** The interface's name for wg(8), or the path of a socket of one's own. */
  readonly name?: string
  readonly uapi?: string
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
  const listeners: WayIn[] = []
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
    const dial = createDialer(target => (tunnel as Tunnel).connect({ ...target, timeout: options.timeout }))
    await openWaysIn(options, { dial, tunnel }, log, listeners)
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

function announce(tunnel: Tunnel, ready: Ready, listeners: readonly WayIn[], log: Log): void {
  const isEmpty = ready.peer === undefined && tunnel.peers().length === 0
  const said = isEmpty ? `it has no peers yet; UDP port ${tunnel.port}` : describeReady(ready, tunnel.port)
  log.info(`the tunnel stands: ${said}`)
  tellWaysIn(listeners, log)
}

function reportOf(tunnel: Tunnel, { peer }: Ready, listeners: readonly WayIn[]): ReadyReport {
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

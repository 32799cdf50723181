// `tunless up`: opens a tunnel, listens for what goes into it, and stays until a signal.
import { longestConfig } from '../core/config/lines.js'
import { allowStop, openTunnel } from '../node/open.js'
import type { TraceOptions } from '../node/trace.js'
import type { Tunnel } from '../node/tunnel.js'
import type { Ready } from '../node/tunnel-options.js'
import { createDialer } from '../proxy/dialer.js'
import { type CompleteConfig, type ConfOptions, readConf } from './conf.js'
import { describeReady } from './describe.js'
import { detach, isDetached, letStarterGo, whenStarterEnds } from './detach.js'
import { onHangup } from './hangup.js'
import { createLog, type Log, type LogLevel } from './log.js'
import { Observer, type ObserverOptions } from './observe/observer.js'
import { type OpenOptions, openOptions } from './open-options.js'
import { removePidFile, writePidFile } from './pid-file.js'
import { clearReadyFile, readyReport, removeReadyFile, writeReadyFile } from './ready-file.js'
import { createReload } from './reload.js'
import { findServiceManager } from './service-manager.js'
import { readStdin } from './stdin.js'
import { aborted, removal, stopAt } from './stop.js'
import { uapiOf } from './uapi.js'
import { serveUapi, type UapiSocket, uapiPath } from './uapi-socket.js'
import { tellWhileWaiting } from './waiting.js'
import { tunnelEnded, watchTunnel } from './watch.js'
import { openByWay, openWaysIn, type ReloadUsers, tellWaysIn, type WayIn, type WaysInOptions } from './ways-in.js'
import { keepYoungHeapSmall } from './young-heap.js'

export interface UpOptions extends ConfOptions, OpenOptions, TraceOptions, WaysInOptions, ObserverOptions {
  readonly level: LogLevel
  /** Goes to the background once the tunnel stands. */
  readonly detach?: boolean
  readonly pidFile?: string
  readonly readyFile?: string
  /** The interface's name for wg(8), or the path of a socket of one's own. */
  readonly name?: string
  readonly uapi?: string
}

/** Resolves with the exit code after a signal, once everything is closed. Rejects with the TunnelError that says why it cannot come up. */
export async function up(options: UpOptions): Promise<number> {
  const log = createLog(options.level)
  if (options.detach && !isDetached()) return detach({ readsStdin: options.file === '-', log })
  keepYoungHeapSmall()
  const config = await readUpConf(options, log)
  for (const note of config.notes) log.info(note)

  const stop = stopAt(['SIGINT', 'SIGTERM'])
  const { signal } = stop
  const starterEnded = () => stop.end('who started it has ended')
  if (options.detach) whenStarterEnds(starterEnded)
  const manager = findServiceManager(process.env, log)
  let reload = () => {}
  let reloadUsers: ReloadUsers = async () => {}
  let observer: Observer | undefined
  const closings: (() => unknown)[] = [
    onHangup(
      () => {
        observer?.reopen()
        reload()
      },
      () => stop.end('the terminal is gone'),
    ),
  ]
  try {
    observer = await Observer.open(options, log)
    const tunnel = await openTunnel(config, {
      signal,
      ...openOptions(options),
      ...(options.keylog !== undefined && { keylog: options.keylog }),
      ...(options.pcap !== undefined && { pcap: options.pcap }),
    })
    closings.push(() => tunnel.close())
    watchTunnel(tunnel, log)
    allowStop(tunnel, () => stop.end('ended by `tunless down`'))
    reload = createReload(
      () => readUpConf(options, log),
      tunnel,
      manager,
      log,
      () => reloadUsers(),
    )
    // Only now: while another process has the key, the files may be its.
    const { readyFile, pidFile } = options
    if (readyFile !== undefined) {
      clearReadyFile(readyFile)
      closings.push(removal(() => removeReadyFile(readyFile)))
    }
    if (pidFile !== undefined) {
      writePidFile(pidFile)
      closings.push(removal(() => removePidFile(pidFile)))
    }
    const uapi = await startUapi(options, tunnel, log)
    if (uapi !== undefined) {
      closings.push(() => uapi.close())
      void uapi.removed.then(() => stop.end(`${uapi.path} was removed`))
    }
    const listeners: WayIn[] = []
    closings.push(() => Promise.all(listeners.map(each => each.close())))
    observer.watch(tunnel, () => openByWay(listeners))
    const dial = observer.dialer(createDialer(target => tunnel.connect({ ...target, connectTimeout: options.timeout })))
    reloadUsers = await openWaysIn(options, { dial, tunnel, onConnection: observer.onConnection }, log, listeners)
    const ready = await tellWhileWaiting(tunnel.ready({ timeout: options.timeout, signal }), tunnel, log)
    observer.ready()
    const said = announce(tunnel, ready, listeners, log)
    if (readyFile !== undefined)
      writeReadyFile(readyFile, readyReport(tunnel, ready, { listeners, metrics: observer.address }))
    await manager.ready(said)
    if (options.detach) await letStarterGo(starterEnded)
    await Promise.race([aborted(signal), tunnelEnded(tunnel)])
    await manager.stopping()
  } catch (error) {
    if (!signal.aborted) throw error
  } finally {
    await Promise.all(closings.reverse().map(close => close()))
    // Last: what the others cut is still logged.
    await observer?.close()
    stop.done()
  }
  log.info(`${(signal.reason as Error).message}, the tunnel is closed`)
  return 0
}

function readUpConf(options: UpOptions, log: Log): Promise<CompleteConfig> {
  return readConf(options, {
    env: process.env,
    readStdin: () => readStdin(longestConfig),
    peersMayCome: options.name !== undefined || options.uapi !== undefined,
    warn: log.warn,
  })
}

async function startUapi({ name, uapi }: UpOptions, tunnel: Tunnel, log: Log): Promise<UapiSocket | undefined> {
  const path = name === undefined ? uapi : uapiPath(name)
  if (path === undefined) return undefined
  const socket = await serveUapi(path, uapiOf(tunnel))
  log.info(name === undefined ? `configured by ${socket.path}` : `wg show ${name} shows it`)
  return socket
}

/** Returns what it says of the tunnel. */
function announce(tunnel: Tunnel, ready: Ready, listeners: readonly WayIn[], log: Log): string {
  const isEmpty = ready.peer === undefined && tunnel.peers().length === 0
  const said = isEmpty ? `it has no peers yet; UDP port ${tunnel.port}` : describeReady(ready, tunnel.port)
  log.info(`the tunnel stands: ${said}`)
  tellWaysIn(listeners, log)
  return said
}

// `tunless serve`: a gateway without root. Opens a tunnel, answers for the routed addresses, and stays until a signal.
import { connect } from 'node:net'
import { formatPrefix } from '../core/base/address.js'
import { longestConfig } from '../core/config/lines.js'
import { TunnelError } from '../errors.js'
import { allowStop, openTunnel } from '../node/open.js'
import type { Tunnel } from '../node/tunnel.js'
import { createDialer } from '../proxy/dialer.js'
import { askByProgram } from '../proxy/gateway/echoes.js'
import { createGateway, type Gateway } from '../proxy/gateway/gateway.js'
import { createTargets, type GatewayRoute, readRoute } from '../proxy/gateway/targets.js'
import { type ConfOptions, readConf } from './conf.js'
import { describeReady } from './describe.js'
import { createDialLog } from './dial-log.js'
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
import { tellWhileWaiting } from './waiting.js'
import { tunnelEnded, watchTunnel } from './watch.js'
import { keepYoungHeapSmall } from './young-heap.js'

export interface ServeOptions extends ConfOptions, OpenOptions, ObserverOptions {
  /** For the first handshake, and apart for each dial, ms; 0 waits without end. */
  readonly timeout: number
  readonly level: LogLevel
  readonly pidFile?: string
  readonly readyFile?: string
  /** `CIDR` or `ADDRESS=TARGET`; one at least. */
  readonly routes: readonly string[]
  /** For each peer. */
  readonly maxConnections?: number
  readonly maxFlows?: number
  /** How long a UDP flow may be silent, ms. */
  readonly udpIdle?: number
  /** Whether pings are answered, by this host's ping(8). */
  readonly ping: boolean
}

/** Resolves after a signal, once everything is closed. Rejects with the TunnelError that says why it cannot come up. */
export async function serve(options: ServeOptions): Promise<void> {
  keepYoungHeapSmall()
  const log = createLog(options.level)
  if (options.routes.length === 0) {
    throw new TunnelError('USAGE', 'serve leads nowhere yet: name what peers may reach by --route CIDR')
  }
  const routes = options.routes.map(readRoute)
  const read = () => {
    return readConf(options, { env: process.env, readStdin: () => readStdin(longestConfig), warn: log.warn })
  }
  const config = await read()
  for (const note of config.notes) log.info(note)

  const stop = stopAt(['SIGINT', 'SIGTERM'])
  const { signal } = stop
  const manager = findServiceManager(process.env, log)
  let reload = () => {}
  let observer: Observer | undefined
  const hangup = () => {
    observer?.reopen()
    reload()
  }
  const closings: (() => unknown)[] = [onHangup(hangup, () => stop.end('the terminal is gone'))]
  try {
    observer = await Observer.open(options, log)
    const tunnel = await openTunnel(config, {
      signal,
      ...openOptions(options),
      ...(options.udpIdle !== undefined && { stackLimits: { forwardIdle: options.udpIdle } }),
    })
    closings.push(() => tunnel.close())
    watchTunnel(tunnel, log)
    allowStop(tunnel, () => stop.end('ended by `tunless down`'))
    reload = createReload(read, tunnel, manager, log)
    const { readyFile, pidFile } = options
    if (readyFile !== undefined) {
      clearReadyFile(readyFile)
      closings.push(removal(() => removeReadyFile(readyFile)))
    }
    if (pidFile !== undefined) {
      writePidFile(pidFile)
      closings.push(removal(() => removePidFile(pidFile)))
    }
    const gateway = openGateway(options, routes, tunnel, observer, log)
    closings.push(() => gateway.close())
    // Who has no Endpoint calls when it likes; there is nobody to wait for then.
    const waits = tunnel.peers().every(peer => peer.endpoint !== undefined)
    const ready = waits ? await tellWhileWaiting(tunnel.ready({ timeout: options.timeout, signal }), tunnel, log) : {}
    const said = waits ? describeReady(ready, tunnel.port) : `waiting for its peers on UDP port ${tunnel.port}`
    observer.ready()
    log.info(`the gateway stands: ${said}`)
    const ranges = routes.map(route => formatPrefix(route.prefix)).join(', ')
    log.info(`it leads to ${options.routes.join(', ')}; peers need ${ranges} in their AllowedIPs`)
    if (readyFile !== undefined) {
      const places = { listeners: [], metrics: observer.address, routes: options.routes }
      writeReadyFile(readyFile, readyReport(tunnel, ready, places))
    }
    await manager.ready(said)
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
}

function openGateway(
  options: ServeOptions,
  routes: readonly GatewayRoute[],
  tunnel: Tunnel,
  observer: Observer,
  log: Log,
): Gateway {
  const { timeout, maxConnections, maxFlows } = options
  const gateway = createGateway({
    target: createTargets({ routes, inside: () => tunnel.peers().flatMap(peer => peer.allowedIps) }),
    dial: createDialer(target =>
      connect({ ...target, noDelay: true, keepAlive: true, keepAliveInitialDelay: 300_000 }),
    ),
    timeout,
    limits: {
      ...(maxConnections !== undefined && { connectionsPerPeer: maxConnections }),
      ...(maxFlows !== undefined && { flowsPerPeer: maxFlows }),
    },
    ...(options.ping && {
      echo: {
        ask: askByProgram,
        onError: error => log.warn(`pings are not answered: this host's ping cannot be used (${error.message})`),
      },
    }),
    onError: createDialLog(log, timeout),
    onConnection: observer.onConnection,
  })
  observer.watch(
    tunnel,
    () =>
      new Map([
        ['serve', gateway.connections],
        ['serve-udp', gateway.flows],
      ]),
  )
  tunnel.createForwarder({ prefixes: options.routes.map(route => route.split('=')[0] as string) }, gateway.handlers)
  return gateway
}

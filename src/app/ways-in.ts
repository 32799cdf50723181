// What leads into a tunnel from this host, and out of it to this host: the listeners of -D, -L and -R, for every command that takes
// these options.
import { connect } from 'node:net'
import { TunnelError } from '../errors.js'
import type { Tunnel } from '../node/tunnel.js'
import type { ConnectionRecord } from '../proxy/client.js'
import { createCredentials, type Users } from '../proxy/credentials.js'
import { startDatagramForward } from '../proxy/datagram-forward.js'
import { asRelaySocket, createDialer, type Dialer, formatTarget, type Target } from '../proxy/dialer.js'
import { boundDial, createHostDialer } from '../proxy/direct.js'
import { startForward } from '../proxy/forward.js'
import { formatListenAt, isLoopback, type ListenAt, type LocalPath } from '../proxy/listener.js'
import { checkProxyAt, startProxy } from '../proxy/proxy.js'
import { type ReverseAt, startReverse } from '../proxy/reverse.js'
import { readAuthFile } from './auth-file.js'
import { createDialLog } from './dial-log.js'
import type { Log } from './log.js'
import type { CarriedDatagrams } from './reach.js'
import type { ListenerReport } from './ready-file.js'

export type { ListenAt } from '../proxy/listener.js'

/** Of -L. */
export interface ForwardSpec {
  readonly at: ListenAt
  readonly target: Target
  /** TCP without it; not with a path. */
  readonly protocol?: 'udp'
}

/** Of -R. */
export interface ReverseSpec {
  readonly at: ReverseAt
  /** On the local side. */
  readonly target: Target | LocalPath
}

/** As the command line has them. */
export interface WaysInOptions {
  /** For each dial, ms; 0 waits without end. */
  readonly timeout: number
  readonly proxies: readonly ListenAt[]
  readonly forwards: readonly ForwardSpec[]
  readonly reverses: readonly ReverseSpec[]
  /** Path of a file with the proxies' users. */
  readonly authFile?: string
  /** Clients of each at a time; the proxies' and forwards' own defaults without it. */
  readonly maxClients?: number
  /** How long a client of a proxy may take for its request, and how long UDP may be silent, ms; likewise. */
  readonly requestTimeout?: number
  readonly udpIdle?: number
}

/** Who carries what comes in. */
export interface Carrier {
  readonly dial: Dialer
  /** Undefined where another process runs the tunnel. */
  readonly tunnel: Tunnel | undefined
  /** Of the tunnel; its own without it. */
  readonly openDatagrams?: () => CarriedDatagrams
  /** Users of the proxies, besides those of the file. */
  readonly users?: Users
  readonly onConnection?: (record: ConnectionRecord) => void
}

export interface WayIn {
  readonly report: ListenerReport
  /** Clients now. */
  readonly connections: number
  close(): Promise<void>
}

/** Reads the file of --auth-file again; one that cannot be used changes nothing, and is told. Never rejects. */
export type ReloadUsers = () => Promise<void>

/** Adds each to `ways` as soon as it listens, for whoever has to close them. Rejects with the first that cannot. */
export async function openWaysIn(
  options: WaysInOptions,
  carrier: Carrier,
  log: Log,
  ways: WayIn[],
): Promise<ReloadUsers> {
  const { proxies, forwards, reverses, timeout, authFile, maxClients, requestTimeout, udpIdle } = options
  const { dial, tunnel, users = [], onConnection } = carrier
  const openUdp = carrier.openDatagrams ?? (tunnel && (() => tunnel.createSocket()))
  const onError = createDialLog(log, timeout)
  const limits = maxClients === undefined ? {} : { maxConnections: maxClients }
  const told = { onError, limits, ...(onConnection && { onConnection }) }
  if (authFile !== undefined && proxies.length === 0) {
    throw new TunnelError('USAGE', '--auth-file is for the proxy of -D: add -D PORT, or leave it out')
  }
  const readUsers = async () => [...users, ...(authFile === undefined ? [] : await readAuthFile(authFile, log.warn))]
  const known = await readUsers()
  const credentials = known.length === 0 ? undefined : createCredentials(known)
  for (const at of proxies) checkProxyAt(at, credentials !== undefined)
  // A name that nobody knows is better said now than to each client.
  for (const { target } of forwards) tunnel?.checkName(target.host)
  for (const at of proxies) ways.push(await openProxy(at))
  for (const forward of forwards) {
    if (!isLoopback(forward.at)) {
      log.warn(
        `-L on ${formatListenAt(forward.at)}: whoever reaches this host can reach ${formatTarget(forward.target)} through it`,
      )
    }
    ways.push(forward.protocol === 'udp' ? await openDatagrams(forward) : await openForward(forward))
  }
  for (const reverse of reverses) ways.push(await openReverse(reverse))
  return async () => {
    if (authFile === undefined) return
    try {
      credentials?.replace(await readUsers())
      log.info(`${authFile} is reloaded`)
    } catch (error) {
      log.error(`the users are not reloaded: ${(error as Error).message} (${(error as TunnelError).code})`)
    }
  }

  async function openProxy(at: ListenAt): Promise<WayIn> {
    const proxy = await startProxy({
      at,
      dial,
      ...told,
      limits: {
        ...limits,
        ...(requestTimeout !== undefined && { greetingTimeout: requestTimeout }),
        ...(udpIdle !== undefined && { associationTimeout: udpIdle }),
      },
      ...(credentials && { credentials }),
      ...(openUdp && { openDatagrams: () => tellErrors(openUdp(), onError) }),
    })
    return wayIn({ type: 'proxy', ...proxy.address }, proxy)
  }

  async function openForward({ at, target }: ForwardSpec): Promise<WayIn> {
    const forward = await startForward({ at, target, dial, ...told })
    return wayIn({ type: 'forward', ...forward.address, target }, forward)
  }

  async function openDatagrams({ at, target }: ForwardSpec): Promise<WayIn> {
    if (openUdp === undefined) throw notCarried(`-L ${formatListenAt(at)}:${formatTarget(target)}/udp`)
    if ('path' in at) throw new TunnelError('USAGE', `-L ${at.path}: UDP has no unix socket here: give a port`)
    const forward = await startDatagramForward({
      at,
      target,
      openDatagrams: openUdp,
      ...told,
      limits: { ...limits, ...(udpIdle !== undefined && { idleTimeout: udpIdle }) },
    })
    return wayIn({ type: 'forward', protocol: 'udp', ...forward.address, target }, forward)
  }

  async function openReverse({ at, target }: ReverseSpec): Promise<WayIn> {
    if (tunnel === undefined) throw notCarried(`-R ${at.port}`)
    const reverse = await startReverse({
      at,
      target: 'path' in target ? { host: target.path, port: 0 } : target,
      dial: localDialer(target, timeout),
      createServer: (serverOptions, accept) => tunnel.createServer(serverOptions, accept),
      ...told,
    })
    return wayIn({ type: 'reverse', ...reverse.address, target }, reverse)
  }
}

function wayIn(report: ListenerReport, opened: { readonly connections: number; close(): Promise<void> }): WayIn {
  return {
    report,
    get connections() {
      return opened.connections
    },
    close: () => opened.close(),
  }
}

function notCarried(option: string): TunnelError {
  return new TunnelError(
    'USAGE',
    `${option}: the tunnel is run by another process, which listens in it for nobody else: give the option to that one`,
  )
}

/** What another process says of a datagram comes later, as an error of the socket. */
function tellErrors(socket: CarriedDatagrams, onError: (error: unknown, target: Target) => void): CarriedDatagrams {
  socket.on('error', (error: Error & { readonly target?: Target }) => {
    if (error.target !== undefined) onError(error, error.target)
  })
  return socket
}

/** Dials on this host. */
function localDialer(to: Target | LocalPath, timeout: number): Dialer {
  if (!('path' in to)) return createHostDialer(timeout)
  return boundDial(
    createDialer(({ allowHalfOpen }) => asRelaySocket(connect({ path: to.path, allowHalfOpen }))),
    timeout,
  )
}

/** Clients now, by the way they came. */
export function openByWay(ways: readonly WayIn[]): Map<string, number> {
  const open = new Map<string, number>()
  for (const { report, connections } of ways) open.set(report.type, (open.get(report.type) ?? 0) + connections)
  return open
}

export function tellWaysIn(ways: readonly WayIn[], log: Log): void {
  for (const { report } of ways) log.info(describe(report))
}

function describe(report: ListenerReport): string {
  if (report.type === 'proxy') return `SOCKS5 and HTTP proxy on ${formatListenAt(report)}`
  const udp = 'protocol' in report ? '/udp' : ''
  if (report.type === 'forward') return `${formatListenAt(report)}${udp} leads to ${formatTarget(report.target)}${udp}`
  const place = report.host === '::' ? `port ${report.port}` : formatTarget(report)
  return `${place} in the tunnel leads to ${formatListenAt(report.target)} here`
}

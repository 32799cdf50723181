// What others can see of a command that keeps a tunnel: metrics and probes by HTTP, and a log of its connections. Both are off
// unless they are asked for, and nothing is ever sent to anybody by itself.
import type { Duplex } from 'node:stream'
import { watchDials } from '../../node/open.js'
import type { FlowInfo } from '../../node/policy/flow-info.js'
import type { Tunnel } from '../../node/tunnel.js'
import type { ConnectionRecord, ConnectionResult } from '../../proxy/client.js'
import { type Dialer, dialFailure, type RelaySocket, type Target } from '../../proxy/dialer.js'
import { formatListenAt, isLoopback, type ListenAt, type LocalListener } from '../../proxy/listener.js'
import type { Log } from '../log.js'
import { entryOf, entryOfFlow } from './connection-log.js'
import { ConnectionCount } from './connections.js'
import { formatMetrics } from './exposition.js'
import { type LogSink, openLogSink } from './log-sink.js'
import { processMetrics, tunnelMetrics } from './metrics.js'

export interface ObserverOptions {
  readonly metrics?: ListenAt
  /** `stderr`, a path, or `syslog:…`. */
  readonly connectionLog?: string
}

/** Names whose address was dialled last, for the peer in the log. */
const rememberedNames = 1024

export class Observer {
  readonly #count = new ConnectionCount()
  readonly #addresses = new Map<string, string>()
  readonly #silent = new Set<string>()
  #sink: LogSink | undefined
  #server: LocalListener | undefined
  #tunnel: Tunnel | undefined
  #open: () => ReadonlyMap<string, number> = () => new Map()
  #notReady: string | undefined = 'the tunnel is being opened'

  /** Rejects with LISTEN_FAILED, LOG_FAILED or USAGE. */
  static async open({ metrics, connectionLog }: ObserverOptions, log: Log): Promise<Observer> {
    const observer = new Observer()
    if (connectionLog !== undefined) observer.#sink = await openLogSink(connectionLog, log)
    if (metrics === undefined) return observer
    if (!isLoopback(metrics)) {
      log.warn(`--metrics on ${formatListenAt(metrics)}: whoever reaches this host can read them`)
    }
    try {
      const { startMetricsServer } = await import('./metrics-server.js')
      observer.#server = await startMetricsServer(metrics, {
        metrics: () => observer.#metrics(),
        notReady: () => observer.notReady,
      })
    } catch (error) {
      await observer.#sink?.close()
      throw error
    }
    log.info(`metrics on ${formatListenAt(observer.#server.address)}`)
    return observer
  }

  /** Where the metrics are, as bound. */
  get address(): ListenAt | undefined {
    return this.#server?.address
  }

  /** `open`: what is open now, by the way it came. */
  watch(tunnel: Tunnel, open: () => ReadonlyMap<string, number>): void {
    this.#tunnel = tunnel
    this.#open = open
    this.#notReady = 'no peer has answered yet'
    watchDials(tunnel, (target, dial) => this.joined(target, dial))
    tunnel.on('silent', peer => this.#silent.add(peer.publicKey))
    tunnel.on('handshake', peer => this.#silent.delete(peer.publicKey))
    if (this.#sink !== undefined) tunnel.on('flow', flow => this.#onFlow(flow))
    tunnel.once('close', () => {
      this.#notReady = 'the tunnel is closed'
    })
  }

  ready(): void {
    this.#notReady = undefined
  }

  /** Why the tunnel is not ready; undefined when it is. */
  get notReady(): string | undefined {
    if (this.#notReady !== undefined || this.#tunnel === undefined || this.#silent.size === 0) return this.#notReady
    const called = this.#tunnel.peers().filter(peer => peer.endpoint !== undefined)
    if (called.length === 0 || called.some(peer => !this.#silent.has(peer.publicKey))) return undefined
    const names = called.map(({ name, publicKey, endpoint }) => `${name ?? `${publicKey.slice(0, 8)}…`} at ${endpoint}`)
    return `${names.slice(0, 10).join(', ')} ${names.length === 1 ? 'does' : 'do'} not answer any more`
  }

  /** A dialer that notes where names led. */
  dialer(dial: Dialer): Dialer {
    if (this.#sink === undefined) return dial
    return async (target, signal) => {
      const far: RelaySocket & { readonly remoteAddress?: string | undefined } = await dial(target, signal)
      this.#note(target, far)
      return far
    }
  }

  #note({ host }: Target, { remoteAddress }: { readonly remoteAddress?: string | undefined }): void {
    if (remoteAddress === undefined) return
    if (this.#addresses.size >= rememberedNames) this.#addresses.clear()
    this.#addresses.set(host, remoteAddress)
  }

  /** Dials for a process that joined the tunnel, and tells of the connection when it is over. */
  async joined<T extends Duplex>(target: Target, dial: () => Promise<T>): Promise<T> {
    const began = performance.now()
    const tell = (result: ConnectionResult, sent: number, received: number, error?: unknown) => {
      const duration = performance.now() - began
      this.onConnection({ way: 'join', protocol: 'tcp', target, result, sent, received, duration, error })
    }
    try {
      const far: T & { bytesRead?: number; bytesWritten?: number; remoteAddress?: string | undefined } = await dial()
      this.#note(target, far)
      far.once('close', () => {
        const isWhole = far.readableEnded && far.writableFinished
        tell(isWhole ? 'done' : 'cut', far.bytesWritten ?? 0, far.bytesRead ?? 0, far.errored ?? undefined)
      })
      return far
    } catch (error) {
      tell(dialFailure(error), 0, 0, error)
      throw error
    }
  }

  readonly onConnection = (
    record: ConnectionRecord & { readonly peer?: { readonly name?: string; readonly publicKey: string } | undefined },
  ): void => {
    this.#count.add(record)
    if (this.#sink === undefined) return
    const peer = record.peer ?? this.#peerOf(record)
    this.#sink.write(JSON.stringify(entryOf(record, peer && (peer.name ?? peer.publicKey))))
  }

  #onFlow(flow: FlowInfo): void {
    const { address } = flow.direction === 'in' ? flow.source : flow.destination
    const peer = this.#tunnel?.closed === false ? this.#tunnel.peerFor(address) : undefined
    this.#sink?.write(JSON.stringify(entryOfFlow(flow, peer && (peer.name ?? peer.publicKey))))
  }

  #peerOf({ way, client, target }: ConnectionRecord): { name?: string; publicKey: string } | undefined {
    // What comes by the tunnel has its client behind a peer, everything else its target.
    const host = way === 'reverse' ? client?.host : target?.host
    if (host === undefined) return undefined
    try {
      return this.#tunnel?.peerFor(this.#addresses.get(host) ?? host)
    } catch {
      return undefined
    }
  }

  #metrics(): string {
    const tunnel = this.#tunnel
    const own = tunnel === undefined || tunnel.closed ? [] : tunnelMetrics(this.#stateOf(tunnel))
    return formatMetrics([...own, ...this.#count.metrics, ...processMetrics()])
  }

  #stateOf(tunnel: Tunnel) {
    return { stats: tunnel.stats(), notReady: this.notReady, open: this.#open() }
  }

  /** The log's file may have been moved away. */
  reopen(): void {
    this.#sink?.reopen()
  }

  async close(): Promise<void> {
    await Promise.all([this.#server?.close(), this.#sink?.close()])
  }
}

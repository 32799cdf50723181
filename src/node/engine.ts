// What runs under a tunnel: a host without a kernel, UDP sockets and loop, names, peers and readiness, joined to each other.
import { setMaxListeners } from 'node:events'
import type { Endpoint } from '../core/base/address.js'
import { encodeKey } from '../core/base/base64.js'
import type { Config } from '../core/config/config.js'
import type { FlowReport } from '../core/host/flow-policy.js'
import type { Host } from '../core/host/host.js'
import type { DeviceEvent } from '../core/wireguard/device.js'
import type { Peer } from '../core/wireguard/peer.js'
import { TunnelError } from '../errors.js'
import type { KeyClaims } from './claims.js'
import { type CryptoName, selectCrypto } from './crypto/select.js'
import { systemEnvironment } from './endpoints.js'
import { engineStats } from './engine-stats.js'
import { LiveChanges } from './live-changes.js'
import { createLoop, type Loop } from './loop.js'
import { NameService } from './name-service.js'
import type { EngineSettings } from './open-engine.js'
import { PeerBook, type PeerRecord } from './peer-book.js'
import type { TunnelStats } from './peer-info.js'
import { attachPolicy, explainRefused, netmapOf } from './policy/engine-policy.js'
import type { TunnelPolicy } from './policy/tunnel-policy.js'
import { ReadyGate } from './ready.js'
import { addPeers, applyConfig } from './reload.js'
import { watchRoutes } from './route-watch.js'
import { TunnelSocket } from './socket.js'
import type { StackPort } from './stack-port.js'
import type { Tracing } from './trace.js'
import type { UdpSockets } from './udp.js'
import { withResolvers } from './with-resolvers.js'

/** How long close() lets what was written before reach its peers, ms. */
const closeLinger = 2000

/** Who is told, never in the middle of a turn except of a session and its end, and of flows. */
export interface EngineOwner {
  handleSession(record: PeerRecord): void
  handleSilence(record: PeerRecord): void
  handleFlow(flow: FlowReport): void
  handleWarning(message: string): void
}

export interface EngineParts extends EngineSettings {
  readonly host: Host
  readonly udp: UdpSockets
  readonly now: () => number
  readonly cryptoName: CryptoName
  readonly tracing: Tracing | undefined
}

export class Engine {
  owner: EngineOwner | undefined
  /** What it was opened with, or had reloaded. */
  config: Config
  readonly policy: TunnelPolicy | undefined
  readonly host: Host
  readonly udp: UdpSockets
  readonly now: () => number
  readonly stackPort: StackPort
  readonly names: NameService
  readonly book: PeerBook
  readonly gate: ReadyGate
  readonly live: LiveChanges
  readonly cryptoName: CryptoName
  readonly #claims: KeyClaims
  readonly #tracing: Tracing | undefined
  readonly #loop: Loop
  readonly #routes = watchRoutes(() => {
    if (this.udp.followRoutes()) this.live.announce()
  })
  /** Closed, or being closed. */
  isClosed = false
  readonly #closing = new AbortController()
  readonly #listening = new Set<() => void>()
  #received = 0
  #udpError: NodeJS.ErrnoException | undefined
  #refs = 0
  #wantsRef = true
  #drained: (() => void) | undefined
  #closed: Promise<void> | undefined

  constructor(parts: EngineParts) {
    const { config, options, claims, privateKey, policy, host, udp, now, cryptoName, tracing } = parts
    setMaxListeners(0, this.#closing.signal)
    this.config = config
    this.policy = policy
    this.cryptoName = cryptoName
    this.#claims = claims
    this.#tracing = tracing
    this.host = host
    this.udp = udp
    this.now = now
    this.#loop = createLoop({
      host,
      now,
      writable: () => udp.writable,
      afterTurn: () => this.#afterTurn(),
    })
    this.stackPort = {
      stack: host.stack,
      now,
      changed: () => this.#loop.changed(),
      lookup: name => this.names.lookup(name),
      resolve: (name, options, listener) => this.names.resolve(name, options, listener),
      explain: (code, target) => this.#explain(code, target),
      whenClosed: closed => {
        this.#listening.add(closed)
        return () => this.#listening.delete(closed)
      },
      addRef: () => this.#countRef(1),
      release: () => this.#countRef(-1),
    }
    this.names = new NameService({
      settings: config.interface,
      limits: options.dnsLimits,
      stackPort: this.stackPort,
      peers: () =>
        this.book.all().map(record => ({
          ...(record.name !== undefined && { name: record.name }),
          addresses: this.book.addressesOf(record),
        })),
      netmap: () => netmapOf(this),
      heardAt: ({ key }) => (key && host.device.peer(key)?.lastReceivedAt) ?? Number.NEGATIVE_INFINITY,
    })
    this.book = new PeerBook({
      host,
      now,
      environment: systemEnvironment(now, options.family),
      favour: endpoints => udp.favour(endpoints),
      renew: endpoint => udp.renew(endpoint),
      changed: () => this.#loop.changed(),
    })
    this.live = new LiveChanges({
      host,
      udp,
      book: this.book,
      claims,
      crypto: selectCrypto(cryptoName),
      privateKey,
      now,
      changed: () => this.#loop.changed(),
      renamed: () => {
        this.names.renamed()
        policy?.peersChanged()
      },
      setNames: settings => this.names.setSettings(settings),
      moved: () => tracing?.setPort(udp.port),
      warn: message => this.warn(message),
      mustBeOpen: () => this.mustBeOpen(),
    })
    this.gate = new ReadyGate({
      host,
      book: this.book,
      now,
      changed: () => this.#loop.changed(),
      stackPort: this.stackPort,
      serversOf: name => this.names.serversOf(name),
      connect: target => new TunnelSocket(this.stackPort).connect(target),
      evidence: () => ({ port: udp.port, received: this.#received, udpError: this.#udpError }),
      closing: this.#closing.signal,
    })
    addPeers(this.book, config, message => this.warn(message))
    if (policy !== undefined) attachPolicy(policy, this)
    this.#loop.changed()
  }

  #explain(code: string, target: Endpoint): TunnelError | undefined {
    if (this.isClosed) return closedError()
    return code === 'EACCES' ? explainRefused(this.policy, target) : this.gate.explain(code, target)
  }

  #afterTurn(): void {
    this.udp.endTurn()
    if (this.#drained !== undefined && this.#orphans === 0) this.#drained()
    if (!this.#wantsRef) this.#applyRef()
  }

  /** Connections that their sockets have let go of and whose last bytes are still on the way. */
  get #orphans(): number {
    return this.host.stack.stats().orphans
  }

  handleDatagram(slot: number, length: number, source: Parameters<Host['handleDatagram']>[2]): boolean {
    this.#received++
    this.#routes.heard()
    const genuine = this.host.handleDatagram(slot, length, source, this.now())
    this.#loop.received()
    return genuine
  }

  handleUdpError(error: NodeJS.ErrnoException): void {
    this.#udpError = error
  }

  handleEvent(event: DeviceEvent): void {
    const record = this.book.handleEvent(event)
    if (record === undefined) return
    if (event.type === 'session') {
      this.#udpError = undefined
      this.gate.wake()
      this.owner?.handleSession(record)
    } else if (event.type === 'initiation' && event.attempt === 2 && record.lastHandshake !== undefined) {
      this.owner?.handleSilence(record)
    } else if (event.type === 'contested') {
      const label = this.book.label(record)
      this.warn(`the session with ${label} keeps being taken over: another host probably uses this private key`)
    }
  }

  handleMtu(peer: Peer, mtu: number): void {
    const record = this.book.get(peer)
    const label = record === undefined ? 'a peer' : this.book.label(record)
    this.warn(
      `packets over ${mtu} bytes do not pass to ${label}: path MTU set to ${mtu}; set MTU = ${mtu} under [Interface]`,
    )
  }

  identify(peer: Peer | undefined): { name?: string; publicKey: string } | undefined {
    if (peer === undefined) return undefined
    const name = this.book.get(peer)?.name
    return { ...(name !== undefined && { name }), publicKey: encodeKey(peer.publicKey) }
  }

  /** Once there was time to listen for it. */
  warn(message: string): void {
    setImmediate(() => this.owner?.handleWarning(message))
  }

  #countRef(change: number): void {
    this.#refs += change
    this.#applyRef()
  }

  #applyRef(): void {
    this.udp.setRef(this.#wantsRef || this.#refs > 0 || this.#orphans > 0)
  }

  /** Whether it holds the process although none of its sockets does. */
  setRef(wanted: boolean): void {
    this.#wantsRef = wanted
    this.#applyRef()
  }

  mustBeOpen(): void {
    if (this.isClosed) throw closedError()
  }

  /** Resolves when no other process uses it through its control socket. */
  unjoined(): Promise<void> {
    return this.#claims.idle()
  }

  /** See {@link applyConfig}. Returns the keys of `[Interface]` that another tunnel is needed for. */
  async reload(config: Config): Promise<readonly string[]> {
    const change = async () => {
      const reloaded = await applyConfig(this.live, this.config, config)
      this.config = reloaded.config
      return reloaded.left
    }
    return this.policy === undefined ? change() : this.policy.reload(config, change)
  }

  /** Counters of every layer. */
  stats(): Omit<TunnelStats, 'peers'> {
    return engineStats(this, this.#received)
  }

  /** Once, however often it is called. */
  close(): Promise<void> {
    this.isClosed = true
    this.#closed ??= this.#close()
    return this.#closed
  }

  async #close(): Promise<void> {
    if (this.#orphans > 0) {
      const { promise, resolve } = withResolvers<void>()
      this.#drained = () => resolve()
      const timer = setTimeout(resolve, closeLinger)
      await promise
      clearTimeout(timer)
    }
    this.names.close(closedError())
    this.policy?.close()
    this.book.close()
    this.#routes.stop()
    this.live.forgetKey()
    this.host.close(this.now())
    for (const closed of this.#listening) closed()
    this.udp.endTurn()
    this.#loop.stop()
    this.#closing.abort(closedError())
    await Promise.all([this.udp.close(), this.#claims.release(), this.#tracing?.close()])
  }
}

export function closedError(): TunnelError {
  return new TunnelError('TUNNEL_CLOSED', 'the tunnel is closed: open a new one')
}

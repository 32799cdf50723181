// The tunnel as a Node program sees it: a host without a kernel, its UDP sockets, names and readiness.
import { EventEmitter, setMaxListeners } from 'node:events'
import { type Endpoint, formatAddress, parseAddress } from '../core/base/address.js'
import { encodeKey } from '../core/base/base64.js'
import { defaultMemoryBytes } from '../core/base/packet-memory.js'
import type { Config } from '../core/config/config.js'
import type { FlowReport } from '../core/host/flow-policy.js'
import { Host } from '../core/host/host.js'
import { slotSizeFor } from '../core/host/slot-size.js'
import type { CongestionControlName } from '../core/netstack/congestion-control.js'
import type { StackLimits } from '../core/netstack/limits.js'
import type { DnsLimits } from '../core/resolver/resolver.js'
import type { Timers } from '../core/wireguard/constants.js'
import type { DeviceEvent, DeviceLimits } from '../core/wireguard/device.js'
import type { Peer } from '../core/wireguard/peer.js'
import { TunnelError } from '../errors.js'
import type { KeyClaims } from './claims.js'
import { createClock } from './clock.js'
import { random } from './crypto/random.js'
import { type CryptoName, selectCrypto, withCrypto } from './crypto/select.js'
import { type DatagramOptions, DatagramSocket } from './datagram.js'
import type { RemoteInfo } from './datagram-settings.js'
import type { TunnelConnectOptions } from './dial.js'
import { type EndpointEnvironment, systemResolver } from './endpoints.js'
import { type ForwarderHandlers, type ForwarderOptions, openForwarder, type TunnelForwarder } from './forwarder.js'
import { LiveChanges } from './live-changes.js'
import { createLookup, type TunnelLookup } from './lookup.js'
import { createLoop, type Loop } from './loop.js'
import { NameService } from './name-service.js'
import { PeerBook } from './peer-book.js'
import { type PeerInfo, type PeerSettings, readKeyArgument, readSettings, type TunnelStats } from './peer-info.js'
import { type PingOptions, type PingResult, ping } from './ping.js'
import { explainDenied } from './policy/denied.js'
import { type FlowInfo, flowInfo } from './policy/flow-info.js'
import { netmapOfPeers } from './policy/netmap-of-peers.js'
import { type TagConnectOptions, withHost } from './policy/tag-connect.js'
import type { PolicyOptions, TunnelPolicy } from './policy/tunnel-policy.js'
import { ReadyGate, type ReadyOptions } from './ready.js'
import { applyConfig, asEdit } from './reload.js'
import { watchRoutes } from './route-watch.js'
import { TunnelServer, type TunnelServerOptions } from './server.js'
import { TunnelSocket, type TunnelSocketOptions } from './socket.js'
import type { StackPort } from './stack-port.js'
import { openTracing, type TraceOptions, type Tracing } from './trace.js'
import { bindUdp, type UdpSockets } from './udp.js'
import { withResolvers } from './with-resolvers.js'

/** Inner MTU where the configuration names none: fits an outer path of 1500 bytes over IPv6. */
const defaultMtu = 1420
/** How long close() lets what was written before reach its peers, ms. */
const closeLinger = 2000

export interface TunnelOptions extends TraceOptions, PolicyOptions {
  /** Base64; fills a configuration without PrivateKey. */
  privateKey?: string
  /**
   * `simd` (WebAssembly), `node` (OpenSSL through node:crypto) or `noble` (pure TypeScript); the fastest that this runtime has
   * by default, and `stats()` says which.
   */
  crypto?: CryptoName
  /**
   * How TCP decides what a path carries. `bbr`, the default, measures it and holds long and lossy paths; `cubic` fills its
   * queue until something is lost.
   */
  congestion?: CongestionControlName
  /** The family of addresses that an endpoint's name is resolved to; both by default. */
  family?: 4 | 6
  /** The local address that the UDP socket is bound to; all by default. */
  listenHost?: string
  /** Ends the opening; a tunnel that is open is ended by close(). */
  signal?: AbortSignal
  /** Size of the packet memory in bytes, 56 MiB by default. */
  memoryBytes?: number
  /** Bounds of the WireGuard device. */
  deviceLimits?: Partial<DeviceLimits>
  /** Bounds of the TCP/IP stack. */
  stackLimits?: Partial<StackLimits>
  /** Bounds and times of the resolver. */
  dnsLimits?: Partial<DnsLimits>
  /** WireGuard's times, shortened. For tests alone: other peers expect the protocol's. */
  timers?: Partial<Timers>
}

export interface Ready {
  /** The first peer that completed a handshake; undefined when no peer has an Endpoint. */
  readonly peer?: PeerInfo
}

interface TunnelEvents {
  /** A session with a peer was agreed on. */
  handshake: [peer: PeerInfo]
  /** A peer that had a session does not answer any more; it is called until 'handshake', or as long as there is traffic. */
  silent: [peer: PeerInfo]
  /** With a policy: a flow that it let through is over, or it refused one. */
  flow: [flow: FlowInfo]
  /** Something that its owner should know; the tunnel goes on. */
  warning: [message: string]
  close: []
}

/** An open tunnel. Made by {@link openTunnel}. */
export class Tunnel extends EventEmitter<TunnelEvents> {
  /** What it was opened with, or had reloaded; not what was changed of it since. */
  get config(): Config {
    return this.#config
  }

  /** @internal What changes it while it runs. */
  readonly live: LiveChanges
  #config: Config
  readonly #host: Host
  readonly #udp: UdpSockets
  readonly #loop: Loop
  readonly #port: StackPort
  readonly #names: NameService
  /**
   * Addresses of a name of the configuration, or of DNS in the tunnel, in dns.lookup's shape, with a callback or as a promise; it
   * may be handed on as the `lookup` option of others. Fails with ENOTFOUND or EAI_AGAIN, whose `cause` is a TunnelError.
   */
  readonly lookup: TunnelLookup
  readonly #now: () => number
  readonly #book: PeerBook
  readonly #gate: ReadyGate
  readonly #routes = watchRoutes(() => {
    if (this.#udp.followRoutes()) this.live.announce()
  })
  readonly #cryptoName: CryptoName
  readonly #claims: KeyClaims
  readonly #closing = new AbortController()
  readonly #policy: TunnelPolicy | undefined
  #received = 0
  #udpError: NodeJS.ErrnoException | undefined
  #refs = 0
  #wantsRef = true
  #tracing: Tracing | undefined
  #drained: (() => void) | undefined
  #closed: Promise<void> | undefined

  /** @internal Binds the sockets; use {@link openTunnel}. */
  static async open(
    config: Config,
    privateKey: Uint8Array,
    options: TunnelOptions,
    claims: KeyClaims,
    policy?: TunnelPolicy,
  ): Promise<Tunnel> {
    const mtu = config.interface.mtu ?? defaultMtu
    const { memoryBytes = defaultMemoryBytes } = options
    const [crypto, memory] = withCrypto(options.crypto, crypto => crypto.createMemory(memoryBytes, slotSizeFor(mtu)))
    const now = createClock()
    let tunnel: Tunnel | undefined
    let udp: UdpSockets | undefined
    const warnings: string[] = []
    const tracing = openTracing(options, message =>
      tunnel === undefined ? warnings.push(message) : tunnel.warn(message),
    )
    const host = new Host({
      crypto,
      memory,
      random,
      privateKey,
      addresses: config.interface.addresses,
      mtu,
      now: now(),
      ...(options.memoryBytes !== undefined && { memoryBytes: options.memoryBytes }),
      ...(options.congestion !== undefined && { congestion: options.congestion }),
      ...(options.timers && { timers: options.timers }),
      ...(options.deviceLimits && { deviceLimits: options.deviceLimits }),
      ...(options.stackLimits && { stackLimits: options.stackLimits }),
      ...(tracing && { trace: tracing.trace }),
      ...(policy?.initial && { policy: policy.initial }),
      sink: {
        sendDatagram: (slot, length, endpoint) => {
          if (udp === undefined) host.memory.free(slot)
          else udp.send(slot, length, endpoint)
        },
        report: event => {
          if (tunnel !== undefined) tunnel.#handleEvent(event)
        },
        reportFlow: flow => {
          if (tunnel !== undefined) tunnel.#tellFlow(flow)
        },
        reportMtu: (peer, mtu) => {
          if (tunnel !== undefined) tunnel.#warnOfMtu(peer, mtu)
        },
      },
    })
    udp = await bindUdp({
      port: config.interface.listenPort ?? 0,
      ...(options.listenHost !== undefined && { host: options.listenHost }),
      memory: host.memory,
      sink: {
        handleDatagram: (slot, length, source) => {
          if (tunnel !== undefined) return tunnel.#handleDatagram(slot, length, source)
          host.memory.free(slot)
          return false
        },
        handleError: error => {
          if (tunnel !== undefined) tunnel.#udpError = error
        },
        handleWritable: () => {
          if (tunnel !== undefined) tunnel.#loop.changed()
        },
      },
    }).catch(async error => {
      await tracing?.close()
      throw error
    })
    tracing?.setPort(udp.port)
    try {
      tunnel = new Tunnel(config, host, udp, now, crypto.name as CryptoName, options, claims, privateKey, policy)
    } catch (error) {
      host.close(now())
      await Promise.all([udp.close(), tracing?.close()])
      throw error
    }
    tunnel.#tracing = tracing
    for (const warning of warnings) tunnel.warn(warning)
    return tunnel
  }

  private constructor(
    config: Config,
    host: Host,
    udp: UdpSockets,
    now: () => number,
    cryptoName: CryptoName,
    options: TunnelOptions,
    claims: KeyClaims,
    privateKey: Uint8Array,
    policy: TunnelPolicy | undefined,
  ) {
    super()
    setMaxListeners(0, this.#closing.signal)
    this.#claims = claims
    this.#policy = policy
    this.#config = config
    this.#host = host
    this.#udp = udp
    this.#now = now
    this.#cryptoName = cryptoName
    this.#loop = createLoop({
      host,
      now,
      writable: () => udp.writable,
      afterTurn: () => this.#afterTurn(),
    })
    this.#port = {
      stack: host.stack,
      now,
      changed: () => this.#loop.changed(),
      lookup: name => this.#names.lookup(name),
      resolve: (name, options, listener) => this.#names.resolve(name, options, listener),
      explain: (code, target) => this.#explain(code, target),
      addRef: () => this.#countRef(1),
      release: () => this.#countRef(-1),
    }
    this.#names = new NameService({
      settings: config.interface,
      limits: options.dnsLimits,
      stackPort: this.#port,
      peers: () =>
        this.#book.all().map(record => ({
          ...(record.name !== undefined && { name: record.name }),
          addresses: this.#book.addressesOf(record),
        })),
      netmap: () =>
        this.#policy?.netmap ?? netmapOfPeers(this.config.interface, host.device.publicKey, this.#netmapPeers()),
      heardAt: ({ key }) => (key && host.device.peer(key)?.lastReceivedAt) ?? Number.NEGATIVE_INFINITY,
    })
    this.lookup = createLookup(this.#port)
    this.#book = new PeerBook({
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
      book: this.#book,
      claims,
      crypto: selectCrypto(cryptoName),
      privateKey,
      now,
      changed: () => this.#loop.changed(),
      renamed: () => {
        this.#names.renamed()
        this.#policy?.peersChanged()
      },
      setNames: settings => this.#names.setSettings(settings),
      moved: () => this.#tracing?.setPort(udp.port),
      warn: message => this.warn(message),
      mustBeOpen: () => this.#mustBeOpen(),
    })
    this.#gate = new ReadyGate({
      host,
      book: this.#book,
      now,
      changed: () => this.#loop.changed(),
      stackPort: this.#port,
      serversOf: name => this.#names.serversOf(name),
      connect: target => this.connect(target),
      evidence: () => ({ port: this.port, received: this.#received, udpError: this.#udpError }),
      closing: this.#closing.signal,
    })
    for (const peer of config.peers) {
      if (this.#book.set(asEdit(peer)) !== undefined) continue
      const label = peer.name ?? `${encodeKey(peer.publicKey).slice(0, 8)}…`
      this.warn(`peer ${label} has this tunnel's own key and is ignored`)
    }
    policy?.attach({
      host,
      now,
      own: () => this.config.interface,
      ownKey: () => host.device.publicKey,
      peers: () => this.#netmapPeers(),
      netmapChanged: netmap => {
        this.#book.adopt(netmap)
        this.#names.renamed()
      },
      changed: () => this.#loop.changed(),
      warn: message => this.warn(message),
    })
    this.#loop.changed()
  }

  #netmapPeers() {
    return this.#book.all().map(record => ({
      publicKey: record.peer.publicKey,
      name: record.name,
      tags: record.tags,
      addresses: this.#book.addressesOf(record),
      allowedIps: record.peer.allowedIps,
    }))
  }

  #explain(code: string, target: Endpoint): TunnelError | undefined {
    if (code !== 'EACCES') return this.#gate.explain(code, target)
    return this.#policy?.explain(code, target) ?? explainDenied(target, undefined, '')
  }

  /** Apart from the stack's turn: what a listener throws must not unwind it. */
  #tellFlow(flow: FlowReport): void {
    if (this.listenerCount('flow') === 0) return
    const told = flowInfo(flow, this.#policy?.file ?? '')
    process.nextTick(() => this.emit('flow', told))
  }

  #afterTurn(): void {
    this.#udp.endTurn()
    if (this.#drained !== undefined && this.#orphans === 0) this.#drained()
    if (!this.#wantsRef) this.#applyRef()
  }

  /** Connections that their sockets have let go of and whose last bytes are still on the way. */
  get #orphans(): number {
    return this.#host.stack.stats().orphans
  }

  #handleDatagram(slot: number, length: number, source: Parameters<Host['handleDatagram']>[2]): boolean {
    this.#received++
    this.#routes.heard()
    const genuine = this.#host.handleDatagram(slot, length, source, this.#now())
    this.#loop.received()
    return genuine
  }

  #handleEvent(event: DeviceEvent): void {
    const record = this.#book.handleEvent(event)
    if (record === undefined) return
    if (event.type === 'session') {
      this.#udpError = undefined
      this.#gate.wake()
      if (this.listenerCount('handshake') > 0) {
        // Apart from the device's turn: what a listener throws must not unwind it.
        const peer = this.#book.describe(record)
        process.nextTick(() => this.emit('handshake', peer))
      }
    } else if (event.type === 'initiation' && event.attempt === 2 && record.lastHandshake !== undefined) {
      const peer = this.#book.describe(record)
      process.nextTick(() => this.emit('silent', peer))
    } else if (event.type === 'contested') {
      const label = this.#book.label(record)
      this.warn(`the session with ${label} keeps being taken over: another host probably uses this private key`)
    }
  }

  #warnOfMtu(peer: Peer, mtu: number): void {
    const record = this.#book.get(peer)
    const label = record === undefined ? 'a peer' : this.#book.label(record)
    this.warn(
      `packets over ${mtu} bytes do not pass to ${label}: path MTU set to ${mtu}; set MTU = ${mtu} under [Interface]`,
    )
  }

  /** @internal Emits a 'warning' once there was time to listen for it; to the process where nobody listens. */
  warn(message: string): void {
    setImmediate(() => {
      if (this.listenerCount('warning') > 0) this.emit('warning', message)
      else process.emitWarning(message, 'TunlessWarning')
    })
  }

  /** @internal Resolves when no other process uses this tunnel through its control socket. */
  unjoined(): Promise<void> {
    return this.#claims.idle()
  }

  /** Base64; empty while there is no private key. */
  get publicKey(): string {
    return this.live.publicKey
  }

  /** The UDP port this tunnel is bound to. */
  get port(): number {
    return this.#udp.port
  }

  /** Own addresses in the tunnel. */
  get addresses(): string[] {
    return this.config.interface.addresses.map(prefix => formatAddress(prefix.address))
  }

  /** The largest packet in the tunnel, in bytes. */
  get mtu(): number {
    return this.#host.stack.mtu
  }

  get closed(): boolean {
    return this.#closed !== undefined
  }

  /** The peers with what is known of them now; only those with `tag` if one is given. */
  peers(filter: { tag?: string } = {}): PeerInfo[] {
    const { tag } = filter
    const records = this.#book.all().filter(record => tag === undefined || record.tags.includes(tag))
    return records.map(record => this.#book.describe(record))
  }

  /**
   * Adds a peer or changes one, without disturbing the others. An AllowedIP of another peer moves to this one. Throws USAGE for
   * what cannot be used, this tunnel's own key included.
   */
  setPeer(settings: PeerSettings): PeerInfo {
    this.#mustBeOpen()
    const record = this.live.editPeer(readSettings(settings))
    if (record !== undefined) return this.#book.describe(record)
    throw new TunnelError('USAGE', "publicKey: it is this tunnel's own: give the peer's")
  }

  /** Takes a peer away with its sessions; false if there is none with this key (base64). */
  removePeer(publicKey: string): boolean {
    this.#mustBeOpen()
    return this.live.dropPeer(readKeyArgument('publicKey', publicKey))
  }

  /**
   * Changes this tunnel's own private key (base64). Connections in the tunnel go on: the next packet to each peer calls it with the new
   * key. Rejects with USAGE, TUNNEL_CLOSED, or TUNNEL_KEY_IN_USE where another process has that key.
   */
  async setPrivateKey(privateKey: string): Promise<void> {
    await this.live.changeKey(readKeyArgument('privateKey', privateKey))
  }

  /** Moves to another UDP port, 0 taking a free one; peers follow with the next packet. Rejects with UDP_BIND_FAILED, and stays then. */
  async setPort(port: number): Promise<void> {
    await this.live.changePort(port)
  }

  /** @internal See {@link applyConfig}. Returns the keys of `[Interface]` that another tunnel is needed for. */
  async reload(config: Config): Promise<readonly string[]> {
    const change = async () => {
      const reloaded = await applyConfig(this.live, this.#config, config)
      this.#config = reloaded.config
      return reloaded.left
    }
    return this.#policy === undefined ? change() : this.#policy.reload(config, change)
  }

  /**
   * @internal Throws UNKNOWN_HOST for a name that neither the configuration knows nor any DNS server is asked for: better now
   * than with the first connection.
   */
  checkName(name: string): void {
    this.#port.lookup(name)
  }

  /**
   * Waits for the first completed handshake, and for the target's SYN-ACK when one is given.
   * Rejects with USAGE, HANDSHAKE_TIMEOUT, ENDPOINT_UNRESOLVED, UNKNOWN_HOST, DNS_UNAVAILABLE, NO_ROUTE, TARGET_REFUSED, TARGET_TIMEOUT,
   * TARGET_UNREACHABLE, TUNNEL_CLOSED, or the signal's reason.
   */
  async ready(options: ReadyOptions = {}): Promise<Ready> {
    this.#mustBeOpen()
    const record = await this.#gate.wait(options)
    return record === undefined ? {} : { peer: this.#book.describe(record) }
  }

  #countRef(change: number): void {
    this.#refs += change
    this.#applyRef()
  }

  #applyRef(): void {
    this.#udp.setRef(this.#wantsRef || this.#refs > 0 || this.#orphans > 0)
  }

  /** An open tunnel keeps the process alive, as a listening server does; this is the default. */
  ref(): this {
    this.#wantsRef = true
    this.#applyRef()
    return this
  }

  /** Lets the process end although the tunnel is open, once its sockets are gone or `unref`ed too. */
  unref(): this {
    this.#wantsRef = false
    this.#applyRef()
    return this
  }

  #mustBeOpen(): void {
    if (this.#closed !== undefined) throw closedError()
  }

  /** A TCP connection through the tunnel: net.Socket's face over the tunnel's own TCP. */
  connect(options: TunnelConnectOptions & TunnelSocketOptions): TunnelSocket
  /** To any node with the tag: those that were heard lately come first, and if one does not answer, the next is tried. */
  connect(options: TagConnectOptions & TunnelSocketOptions): TunnelSocket
  connect(port: number, host: string): TunnelSocket
  connect(
    first: ((TunnelConnectOptions | TagConnectOptions) & TunnelSocketOptions) | number,
    host?: string,
  ): TunnelSocket {
    this.#mustBeOpen()
    const options = typeof first === 'number' ? { port: first, host: host as string } : withHost(first)
    return new TunnelSocket(this.#port, options).connect(options)
  }

  /** A TCP server on the tunnel's own addresses. */
  createServer(listener?: (socket: TunnelSocket) => void): TunnelServer
  createServer(options: TunnelServerOptions, listener?: (socket: TunnelSocket) => void): TunnelServer
  createServer(
    first?: TunnelServerOptions | ((socket: TunnelSocket) => void),
    second?: (socket: TunnelSocket) => void,
  ): TunnelServer {
    this.#mustBeOpen()
    return typeof first === 'function'
      ? new TunnelServer(this.#port, {}, first)
      : new TunnelServer(this.#port, first ?? {}, second)
  }

  /** A UDP socket on the tunnel's own addresses, of both families without a type. `onMessage` hears each message. */
  createSocket(
    options: DatagramOptions | 'udp4' | 'udp6' = {},
    onMessage?: (message: Buffer, from: RemoteInfo) => void,
  ): DatagramSocket {
    this.#mustBeOpen()
    const socket = new DatagramSocket(this.#port, options)
    return onMessage === undefined ? socket : socket.on('message', onMessage)
  }

  /**
   * Answers for whole prefixes: each connection, UDP flow and ping of a peer to an address in them, but this tunnel's own, is handed
   * to its handler, and the peer hears nothing before that has decided. Throws USAGE for a prefix that is none.
   */
  createForwarder(options: ForwarderOptions, handlers: ForwarderHandlers): TunnelForwarder {
    this.#mustBeOpen()
    const peerOf = (path: number) => this.#identityOf(this.#host.device.peerById(path))
    return openForwarder({ port: this.#port, stack: this.#host.stack, peerOf }, options, handlers)
  }

  /** The peer whose AllowedIPs cover the address, if there is one. Throws USAGE for what is no address. */
  peerFor(address: string): { readonly name?: string; readonly publicKey: string } | undefined {
    const bytes = parseAddress(address)
    if (bytes === undefined) throw new TunnelError('USAGE', `${JSON.stringify(address)} is not an address`)
    return this.#identityOf(this.#host.device.route(bytes, 0, bytes.length as 4 | 16))
  }

  #identityOf(peer: Peer | undefined): { name?: string; publicKey: string } | undefined {
    if (peer === undefined) return undefined
    const name = this.#book.get(peer)?.name
    return { ...(name !== undefined && { name }), publicKey: encodeKey(peer.publicKey) }
  }

  /** One ICMP echo. Rejects with Node's codes (ETIMEDOUT, EHOSTUNREACH), UNKNOWN_HOST or DNS_UNAVAILABLE. */
  async ping(host: string, options: PingOptions = {}): Promise<PingResult> {
    this.#mustBeOpen()
    return ping(this.#port, host, options)
  }

  /** Counters of every layer, and the peers. */
  stats(): TunnelStats {
    const { device, stack, memory } = this.#host
    const { isUnderLoad, queuedHandshakes, limitedSources, indices } = device.status(this.#now())
    return {
      crypto: this.#cryptoName,
      publicKey: this.publicKey,
      port: this.port,
      udp: { received: this.#received, ...this.#udp.counters },
      device: { ...device.counters },
      load: { underLoad: isUnderLoad, queuedHandshakes, limitedSources, indices },
      stack: { ...stack.counters },
      dns: { ...this.#names.counters },
      sockets: stack.stats(),
      memory: { slots: memory.capacity, inUse: memory.inUse },
      ...(this.#host.gate && { policy: { ...this.#host.gate.counters } }),
      peers: this.peers(),
    }
  }

  /** @internal What others may know of the policy and the netmap. */
  get policyStatus(): Record<string, unknown> {
    const policy = this.#policy?.status
    const nodes = this.#policy?.netmap?.nodes.map(({ name, tags, addresses, key }) => ({
      name,
      tags,
      addresses: addresses.map(formatAddress),
      ...(key && { publicKey: encodeKey(key) }),
    }))
    return { ...(policy && { policy }), ...(nodes && { nodes }) }
  }

  /**
   * Closes the tunnel: what sockets wrote before they were closed gets up to 2 s to arrive, connections still in use are
   * reset, keys are wiped. Nothing keeps the process alive afterwards.
   */
  close(): Promise<void> {
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
    this.#names.close(closedError())
    this.#policy?.close()
    this.#book.close()
    this.#routes.stop()
    this.live.forgetKey()
    this.#host.close(this.#now())
    this.#udp.endTurn()
    this.#loop.stop()
    this.#closing.abort(closedError())
    await Promise.all([this.#udp.close(), this.#claims.release(), this.#tracing?.close()])
    this.emit('close')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }
}

function systemEnvironment(now: () => number, family: 4 | 6 | undefined): EndpointEnvironment {
  return {
    resolve: systemResolver(family),
    now,
    schedule(delay, callback) {
      const timer = setTimeout(callback, delay).unref()
      return () => clearTimeout(timer)
    },
  }
}

function closedError(): TunnelError {
  return new TunnelError('TUNNEL_CLOSED', 'the tunnel is closed: open a new one')
}

// The tunnel as a Node program sees it: a host without a kernel, its UDP sockets, names and readiness.
import { EventEmitter } from 'node:events'
import { type Endpoint, formatAddress, formatPrefix, type IpAddress, sameAddress } from '../core/base/address.js'
import { encodeKey } from '../core/base/base64.js'
import { SecretKey } from '../core/base/secret.js'
import type { Config } from '../core/config/config.js'
import { singleAddresses } from '../core/config/draft.js'
import type { UapiStatus } from '../core/config/uapi-status.js'
import { Host } from '../core/host/host.js'
import type { StackLimits } from '../core/netstack/limits.js'
import type { Timers } from '../core/wireguard/constants.js'
import type { DeviceEvent, DeviceLimits } from '../core/wireguard/device.js'
import { TunnelError } from '../errors.js'
import type { KeyClaims } from './claims.js'
import { createClock } from './clock.js'
import { random } from './crypto/random.js'
import { type CryptoName, selectCrypto } from './crypto/select.js'
import { DatagramSocket } from './datagram.js'
import type { TunnelConnectOptions } from './dial.js'
import { type EndpointEnvironment, systemResolver } from './endpoints.js'
import { createLoop, type Loop } from './loop.js'
import { createNames } from './names.js'
import { PeerBook, type PeerRecord } from './peer-book.js'
import {
  type PeerEdit,
  type PeerInfo,
  type PeerSettings,
  readKeyArgument,
  readSettings,
  type TunnelStats,
} from './peer-info.js'
import { type PingOptions, type PingResult, ping } from './ping.js'
import { explainSilence } from './readiness.js'
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
/** AllowedIPs that an error names. */
const namedPrefixes = 20
/** How long {@link Tunnel.ready} waits by default, ms. */
export const defaultReadyTimeout = 20_000

export interface TunnelOptions extends TraceOptions {
  /** Base64; fills a configuration without PrivateKey. */
  privateKey?: string
  /** `node` (OpenSSL through node:crypto) or `noble` (pure TypeScript); the fastest by default. */
  crypto?: CryptoName
  /** The family of addresses that an endpoint's name is resolved to; both by default. */
  family?: 4 | 6
  /** The local address that the UDP socket is bound to; all by default. */
  listenHost?: string
  /** Ends the opening; a tunnel that is open is ended by close(). */
  signal?: AbortSignal
  /** Size of the packet memory in bytes, 64 MiB by default. */
  memoryBytes?: number
  /** Bounds of the WireGuard device. */
  deviceLimits?: Partial<DeviceLimits>
  /** Bounds of the TCP/IP stack. */
  stackLimits?: Partial<StackLimits>
  /** WireGuard's times, shortened. For tests alone: other peers expect the protocol's. */
  timers?: Partial<Timers>
}

export interface ReadyOptions {
  /** Bounds the handshake and, apart, the target's answer, ms; 0 waits forever. */
  timeout?: number
  signal?: AbortSignal
  /** Wait for this server's SYN-ACK as well. */
  target?: { host: string; port: number }
}

export interface Ready {
  /** The first peer that completed a handshake; undefined when no peer has an Endpoint. */
  readonly peer?: PeerInfo
}

interface TunnelEvents {
  /** A session with a peer was agreed on. */
  handshake: [peer: PeerInfo]
  /** Something that its owner should know; the tunnel goes on. */
  warning: [message: string]
  close: []
}

/** An open tunnel. Made by {@link openTunnel}. */
export class Tunnel extends EventEmitter<TunnelEvents> {
  /** As it was when the tunnel was opened. */
  readonly config: Config
  readonly #host: Host
  readonly #udp: UdpSockets
  readonly #loop: Loop
  readonly #port: StackPort
  /** Made from the peers' names when one is asked for. */
  #names: ((name: string) => IpAddress[]) | undefined
  readonly #now: () => number
  readonly #book: PeerBook
  readonly #routes = watchRoutes(() => {
    if (this.#udp.followRoutes()) this.#announce()
  })
  readonly #cryptoName: CryptoName
  readonly #claims: KeyClaims
  #privateKey: SecretKey | undefined
  #publicKey: string
  /** The last change that takes time: one waits for the other. */
  #changing: Promise<unknown> = Promise.resolve()
  readonly #closing = new AbortController()
  readonly #waiters = new Set<() => void>()
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
  ): Promise<Tunnel> {
    const crypto = selectCrypto(options.crypto)
    const now = createClock()
    let tunnel: Tunnel | undefined
    let udp: UdpSockets | undefined
    const warnings: string[] = []
    const tracing = openTracing(options, message =>
      tunnel === undefined ? warnings.push(message) : tunnel.warn(message),
    )
    const host = new Host({
      crypto,
      random,
      privateKey,
      addresses: config.interface.addresses,
      mtu: config.interface.mtu ?? defaultMtu,
      now: now(),
      ...(options.memoryBytes !== undefined && { memoryBytes: options.memoryBytes }),
      ...(options.timers && { timers: options.timers }),
      ...(options.deviceLimits && { deviceLimits: options.deviceLimits }),
      ...(options.stackLimits && { stackLimits: options.stackLimits }),
      ...(tracing && { trace: tracing.trace }),
      sink: {
        sendDatagram: (slot, length, endpoint) => {
          if (udp === undefined) host.memory.free(slot)
          else udp.send(slot, length, endpoint)
        },
        report: event => {
          if (tunnel !== undefined) tunnel.#handleEvent(event)
        },
      },
    })
    udp = await bindUdp({
      port: config.interface.listenPort ?? 0,
      ...(options.listenHost !== undefined && { host: options.listenHost }),
      memory: host.memory,
      sink: {
        handleDatagram: (slot, length, source) => {
          if (tunnel === undefined) host.memory.free(slot)
          else tunnel.#handleDatagram(slot, length, source)
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
    tunnel = new Tunnel(config, host, udp, now, crypto.name as CryptoName, options, claims)
    tunnel.#privateKey = SecretKey.copy(privateKey)
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
  ) {
    super()
    this.#claims = claims
    this.config = config
    this.#host = host
    this.#udp = udp
    this.#now = now
    this.#cryptoName = cryptoName
    this.#publicKey = host.device.publicKey === undefined ? '' : encodeKey(host.device.publicKey)
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
      lookup: name => this.#lookup(name),
      explain: (code, target) => this.#explain(code, target),
      addRef: () => this.#countRef(1),
      release: () => this.#countRef(-1),
    }
    this.#book = new PeerBook({
      host,
      now,
      environment: systemEnvironment(now, options.family),
      favour: endpoints => udp.favour(endpoints),
      renew: endpoint => udp.renew(endpoint),
      changed: () => this.#loop.changed(),
    })
    for (const peer of config.peers) {
      if (this.#book.set(asEdit(peer)) !== undefined) continue
      const label = peer.name ?? `${encodeKey(peer.publicKey).slice(0, 8)}…`
      this.warn(`peer ${label} has this tunnel's own key and is ignored`)
    }
    this.#loop.changed()
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

  #handleDatagram(slot: number, length: number, source: Parameters<Host['handleDatagram']>[2]): void {
    this.#received++
    this.#routes.heard()
    this.#host.handleDatagram(slot, length, source, this.#now())
    this.#loop.changed()
  }

  #handleEvent(event: DeviceEvent): void {
    const record = this.#book.handleEvent(event)
    if (record === undefined) return
    if (event.type === 'session') {
      this.#udpError = undefined
      for (const wake of this.#waiters) wake()
      if (this.listenerCount('handshake') > 0) this.emit('handshake', this.#book.describe(record))
    } else if (event.type === 'contested') {
      const label = this.#book.label(record)
      this.warn(`the session with ${label} keeps being taken over: another host probably uses this private key`)
    }
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
    return this.#publicKey
  }

  /** The UDP port this tunnel is bound to. */
  get port(): number {
    return this.#udp.port
  }

  /** Own addresses in the tunnel. */
  get addresses(): string[] {
    return this.config.interface.addresses.map(prefix => formatAddress(prefix.address))
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
    const record = this.editPeer(readSettings(settings))
    if (record !== undefined) return this.#book.describe(record)
    throw new TunnelError('USAGE', "publicKey: it is this tunnel's own: give the peer's")
  }

  /** Takes a peer away with its sessions; false if there is none with this key (base64). */
  removePeer(publicKey: string): boolean {
    this.#mustBeOpen()
    return this.dropPeer(readKeyArgument('publicKey', publicKey))
  }

  /**
   * Changes this tunnel's own private key (base64). Connections in the tunnel go on: the next packet to each peer calls it with the new
   * key. Rejects with USAGE, TUNNEL_CLOSED, or TUNNEL_KEY_IN_USE where another process has that key.
   */
  async setPrivateKey(privateKey: string): Promise<void> {
    await this.changeKey(readKeyArgument('privateKey', privateKey))
  }

  /** Moves to another UDP port, 0 taking a free one; peers follow with the next packet. Rejects with UDP_BIND_FAILED, and stays then. */
  async setPort(port: number): Promise<void> {
    await this.#change(async () => {
      const before = this.port
      await this.#udp.rebind(port)
      if (this.port !== before) this.#announce()
      this.#tracing?.setPort(this.#udp.port)
    })
  }

  #announce(): void {
    this.#host.device.announce(this.#now())
    this.#loop.changed()
  }

  /** @internal As {@link setPeer}, in bytes; undefined for our own key. RangeError beyond the limit of peers. */
  editPeer(edit: PeerEdit): PeerRecord | undefined {
    this.#names = undefined
    return this.#book.set(edit)
  }

  /** @internal Points a peer to an address, by which its endpoint's name stays if it leads there. */
  setPeerAddress(record: PeerRecord, endpoint: Endpoint): void {
    this.#book.setAddress(record, endpoint)
  }

  /** @internal */
  dropPeer(publicKey: Uint8Array): boolean {
    this.#names = undefined
    return this.#book.remove(publicKey)
  }

  /** @internal Whether there is such a peer. */
  hasPeer(publicKey: Uint8Array): boolean {
    return this.#host.device.peer(publicKey) !== undefined
  }

  /** @internal Zeros take the key away. */
  async changeKey(privateKey: Uint8Array): Promise<void> {
    await this.#change(async () => {
      const crypto = selectCrypto(this.#cryptoName)
      const isNone = privateKey.every(byte => byte === 0)
      const handle = isNone ? undefined : crypto.privateKey(privateKey)
      const publicKey = handle?.publicKey.slice()
      handle?.wipe()
      if (publicKey !== undefined && encodeKey(publicKey) === this.#publicKey) return
      const warning = publicKey && (await this.#claims.move(publicKey))
      if (warning !== undefined) this.warn(warning)
      this.#mustBeOpen()
      this.#host.device.setPrivateKey(privateKey, this.#now())
      this.#publicKey = publicKey === undefined ? '' : encodeKey(publicKey)
      this.#privateKey?.fill(0)
      this.#privateKey = isNone ? undefined : SecretKey.copy(privateKey)
      this.#names = undefined
      this.#book.prune()
      this.#loop.changed()
    })
  }

  #change(step: () => Promise<void>): Promise<void> {
    const done = this.#changing.then(() => {
      this.#mustBeOpen()
      return step()
    })
    this.#changing = done.catch(() => {})
    return done
  }

  /** @internal What the userspace configuration protocol shows, keys included. */
  uapiStatus(): UapiStatus {
    const { device } = this.#host
    return {
      ...(this.#privateKey && { privateKey: this.#privateKey }),
      listenPort: this.port,
      fwmark: 0,
      peers: this.#book.all().map(({ peer, lastHandshake }) => ({
        publicKey: peer.publicKey,
        presharedKey: device.presharedKeyOf(peer),
        ...(peer.endpoint && { endpoint: peer.endpoint }),
        lastHandshake: lastHandshake ?? 0,
        rxBytes: peer.rxBytes,
        txBytes: peer.txBytes,
        persistentKeepalive: peer.persistentKeepalive,
        allowedIps: peer.allowedIps,
      })),
    }
  }

  #lookup(name: string): IpAddress[] {
    this.#names ??= createNames({
      interface: this.config.interface,
      peers: this.#book.all().map(record => ({
        ...(record.name !== undefined && { name: record.name }),
        addresses: this.#book.addressesOf(record),
      })),
    })
    return this.#names(name)
  }

  /** Addresses of a name of the configuration, or of a literal. Throws UNKNOWN_HOST. */
  lookup(name: string): string[] {
    return this.#lookup(name).map(formatAddress)
  }

  /**
   * Waits for the first completed handshake, and for the target's SYN-ACK when one is given.
   * Rejects with HANDSHAKE_TIMEOUT, ENDPOINT_UNRESOLVED, UNKNOWN_HOST, NO_ROUTE, TARGET_REFUSED, TARGET_TIMEOUT,
   * TARGET_UNREACHABLE, TUNNEL_CLOSED, or the signal's reason.
   */
  async ready(options: ReadyOptions = {}): Promise<Ready> {
    this.#mustBeOpen()
    const { target } = options
    const called = target === undefined ? this.#callable() : [this.#routeTo(target.host)]
    const record = called.length === 0 ? undefined : await this.#firstSession(called, options)
    if (target !== undefined) await this.#probe(target, options)
    return record === undefined ? {} : { peer: this.#book.describe(record) }
  }

  #callable(): PeerRecord[] {
    return this.#book.all().filter(record => record.keeper !== undefined)
  }

  #routeTo(host: string): PeerRecord {
    for (const address of this.#lookup(host)) {
      const record = this.#recordFor(address)
      if (record !== undefined) return record
    }
    throw this.#noRoute(host)
  }

  #recordFor(address: IpAddress): PeerRecord | undefined {
    return this.#book.get(this.#host.device.route(address, 0, address.length as 4 | 16))
  }

  /** What the tunnel knows of a failed dial beyond its code. */
  #explain(code: string, target: Endpoint): TunnelError | undefined {
    const record = this.#recordFor(target.address)
    if (record === undefined) return code === 'ENETUNREACH' ? this.#noRoute(formatAddress(target.address)) : undefined
    const silent = code === 'ETIMEDOUT' || code === 'EHOSTUNREACH'
    if (!silent || this.#host.device.canSend(record.peer, this.#now())) return undefined
    return this.#silence([record], undefined)
  }

  #noRoute(host: string): TunnelError {
    const prefixes = this.#book.all().flatMap(({ peer }) => peer.allowedIps)
    const named = prefixes.slice(0, namedPrefixes).map(formatPrefix).join(', ') || 'none'
    const covered = prefixes.length > namedPrefixes ? `${named} and ${prefixes.length - namedPrefixes} more` : named
    return new TunnelError('NO_ROUTE', `no peer's AllowedIPs cover ${host} (they are: ${covered})`)
  }

  #firstSession(called: readonly PeerRecord[], options: ReadyOptions): Promise<PeerRecord> {
    const { device } = this.#host
    const timeout = options.timeout ?? defaultReadyTimeout
    const standing = () => called.find(record => device.canSend(record.peer, this.#now()))
    return this.#settle(timeout, options.signal, (resolve, reject) => {
      const look = () => {
        const record = standing()
        if (record !== undefined) resolve(record)
      }
      for (const record of called) device.initiate(record.peer, this.#now())
      this.#loop.changed()
      look()
      this.#waiters.add(look)
      return {
        expired: () => reject(this.#silence(called, timeout)),
        done: () => this.#waiters.delete(look),
      }
    })
  }

  #silence(called: readonly PeerRecord[], timeout: number | undefined): TunnelError {
    return explainSilence({
      attempts: called.map(record => this.#book.attempt(record)),
      timeout,
      received: this.#received,
      counters: this.#host.device.counters,
      udpError: this.#udpError,
    })
  }

  async #probe(target: { host: string; port: number }, options: ReadyOptions): Promise<void> {
    const timeout = options.timeout ?? defaultReadyTimeout
    const socket = this.connect({ ...target, timeout })
    try {
      await this.#settle<void>(0, options.signal, (resolve, reject) => {
        socket.once('connect', () => resolve())
        socket.once('error', error => reject(targetError(target, timeout, error)))
        return { expired: () => {}, done: () => {} }
      })
    } finally {
      socket.destroy()
    }
  }

  /** A promise that ends by its own means, by time, by the signal or by close(), and cleans up after itself. */
  #settle<T>(
    timeout: number,
    signal: AbortSignal | undefined,
    start: (resolve: (value: T) => void, reject: (error: unknown) => void) => { expired: () => void; done: () => void },
  ): Promise<T> {
    const { promise, resolve, reject } = withResolvers<T>()
    signal?.throwIfAborted()
    const { expired, done } = start(resolve, reject)
    const closing = this.#closing.signal
    const onClose = () => reject(closing.reason)
    const onAbort = () => reject(signal?.reason)
    const timer = timeout > 0 ? setTimeout(expired, timeout) : undefined
    closing.addEventListener('abort', onClose)
    signal?.addEventListener('abort', onAbort)
    return promise.finally(() => {
      clearTimeout(timer)
      closing.removeEventListener('abort', onClose)
      signal?.removeEventListener('abort', onAbort)
      done()
    })
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
  connect(port: number, host: string): TunnelSocket
  connect(first: (TunnelConnectOptions & TunnelSocketOptions) | number, host?: string): TunnelSocket {
    this.#mustBeOpen()
    const options = typeof first === 'number' ? { port: first, host: host as string } : first
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

  /** A UDP socket on the tunnel's own addresses. */
  createSocket(): DatagramSocket {
    this.#mustBeOpen()
    return new DatagramSocket(this.#port)
  }

  /** One ICMP echo. Rejects with Node's codes (ETIMEDOUT, EHOSTUNREACH) or UNKNOWN_HOST. */
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
      memory: { slots: memory.capacity, inUse: memory.inUse },
      peers: this.peers(),
    }
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
    this.#book.close()
    this.#routes.stop()
    this.#privateKey?.fill(0)
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

/** Addresses that follow from the AllowedIPs are left to follow them. */
function asEdit({ addresses, ...peer }: Config['peers'][number]): PeerEdit {
  const singles = singleAddresses(peer.allowedIps)
  const follows =
    singles.length === addresses.length && singles.every((one, i) => sameAddress(one, addresses[i] as IpAddress))
  return follows ? peer : { ...peer, addresses }
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

function targetError(
  target: { host: string; port: number },
  timeout: number,
  error: NodeJS.ErrnoException,
): TunnelError {
  const name = target.host.includes(':') ? `[${target.host}]:${target.port}` : `${target.host}:${target.port}`
  if (error.code === 'ECONNREFUSED' || error.code === 'ECONNRESET') {
    return new TunnelError(
      'TARGET_REFUSED',
      `the tunnel stands, but ${name} refused the connection: check that the service runs and listens there`,
      { cause: error },
    )
  }
  if (error.code === 'ETIMEDOUT') {
    const after = timeout > 0 ? ` in ${Number((timeout / 1000).toFixed(1))} s` : ''
    return new TunnelError(
      'TARGET_TIMEOUT',
      `the tunnel stands, but ${name} did not answer${after}: check its firewall and its route back to this tunnel's address`,
      { cause: error },
    )
  }
  return new TunnelError(
    'TARGET_UNREACHABLE',
    `the tunnel stands, but ${name} cannot be reached (${error.code ?? error.message}): check the address and the peer's routes`,
    { cause: error },
  )
}

// The tunnel as a Node program sees it: a host without a kernel, its UDP sockets, names and readiness.
import { EventEmitter } from 'node:events'
import { type Endpoint, formatAddress, formatEndpoint, formatPrefix, type IpAddress } from '../core/base/address.js'
import { encodeKey } from '../core/base/base64.js'
import type { Config } from '../core/config/config.js'
import { Host } from '../core/host/host.js'
import type { StackLimits } from '../core/netstack/limits.js'
import type { Timers } from '../core/wireguard/constants.js'
import type { DeviceEvent, DeviceLimits, Peer } from '../core/wireguard/device.js'
import { TunnelError } from '../errors.js'
import { createClock } from './clock.js'
import type { Claim } from './control.js'
import { random } from './crypto/random.js'
import { type CryptoName, selectCrypto } from './crypto/select.js'
import { DatagramSocket } from './datagram.js'
import type { TunnelConnectOptions } from './dial.js'
import { type EndpointKeeper, keepEndpoint, systemResolver } from './endpoints.js'
import { createLoop, type Loop } from './loop.js'
import { createNames } from './names.js'
import { type PingOptions, type PingResult, ping } from './ping.js'
import { explainSilence } from './readiness.js'
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

export interface PeerInfo {
  /** `Name` in the configuration. */
  readonly name?: string
  /** Base64. */
  readonly publicKey: string
  /** Where it was last heard or is called; undefined while unknown. */
  readonly endpoint?: string
  readonly addresses: readonly string[]
  readonly tags: readonly string[]
  readonly allowedIps: readonly string[]
  /** Date of the last completed handshake. */
  readonly lastHandshake?: Date
  /** Round trip of the last handshake that this side began, ms. */
  readonly rtt?: number
  readonly rxBytes: number
  readonly txBytes: number
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

interface PeerRecord {
  readonly config: Config['peers'][number]
  readonly peer: Peer
  keeper: EndpointKeeper | undefined
  initiations: number
  cookies: number
  rtt: number | undefined
  lastHandshake: number | undefined
}

/** An open tunnel. Made by {@link openTunnel}. */
export class Tunnel extends EventEmitter<TunnelEvents> {
  readonly config: Config
  /** Base64. */
  readonly publicKey: string
  readonly #host: Host
  readonly #udp: UdpSockets
  readonly #loop: Loop
  readonly #port: StackPort
  readonly #names: (name: string) => IpAddress[]
  readonly #now: () => number
  readonly #records = new Map<number, PeerRecord>()
  readonly #cryptoName: string
  readonly #claim: Claim
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
  static async open(config: Config, privateKey: Uint8Array, options: TunnelOptions, claim: Claim): Promise<Tunnel> {
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
    tunnel = new Tunnel(config, host, udp, now, crypto.name, options, claim)
    tunnel.#tracing = tracing
    for (const warning of warnings) tunnel.warn(warning)
    return tunnel
  }

  private constructor(
    config: Config,
    host: Host,
    udp: UdpSockets,
    now: () => number,
    cryptoName: string,
    options: TunnelOptions,
    claim: Claim,
  ) {
    super()
    this.#claim = claim
    this.config = config
    this.#host = host
    this.#udp = udp
    this.#now = now
    this.#cryptoName = cryptoName
    this.publicKey = host.device.publicKey === undefined ? '' : encodeKey(host.device.publicKey)
    this.#names = createNames(config)
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
      lookup: this.#names,
      explain: (code, target) => this.#explain(code, target),
      addRef: () => this.#countRef(1),
      release: () => this.#countRef(-1),
    }
    const resolve = systemResolver(options.family)
    for (const peerConfig of config.peers) this.#addPeer(peerConfig, resolve)
    this.#loop.changed()
  }

  #addPeer(config: Config['peers'][number], resolve: ReturnType<typeof systemResolver>): void {
    const { publicKey, presharedKey, persistentKeepalive, allowedIps, endpoint } = config
    const { device } = this.#host
    const peer = device.setPeer(
      {
        publicKey,
        allowedIps,
        ...(presharedKey && { presharedKey }),
        ...(persistentKeepalive !== undefined && { persistentKeepalive }),
      },
      this.#now(),
    )
    if (peer === undefined) {
      this.warn(`peer ${this.#label(config)} has this tunnel's own key and is ignored`)
      return
    }
    const record: PeerRecord = {
      config,
      peer,
      keeper: undefined,
      initiations: 0,
      cookies: 0,
      rtt: undefined,
      lastHandshake: undefined,
    }
    this.#records.set(peer.id, record)
    if (endpoint === undefined) return
    record.keeper = keepEndpoint(endpoint, resolve, found => {
      device.setPeer({ publicKey, endpoint: found }, this.#now())
      this.#loop.changed()
    })
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

  #label(config: Config['peers'][number]): string {
    return config.name ?? `${encodeKey(config.publicKey).slice(0, 8)}…`
  }

  #handleDatagram(slot: number, length: number, source: Parameters<Host['handleDatagram']>[2]): void {
    this.#received++
    this.#host.handleDatagram(slot, length, source, this.#now())
    this.#loop.changed()
  }

  #handleEvent(event: DeviceEvent): void {
    const record = this.#records.get(event.peer.id)
    if (record === undefined) return
    if (event.type === 'session') {
      record.lastHandshake = Date.now()
      record.initiations = 0
      if (event.rtt !== undefined) record.rtt = event.rtt
      for (const wake of this.#waiters) wake()
      this.emit('handshake', this.#describe(record))
    } else if (event.type === 'initiation') {
      record.initiations = event.attempt
      if (event.attempt > 1) record.keeper?.advance()
    } else if (event.type === 'cookie') {
      record.cookies++
    } else if (event.type === 'contested') {
      const label = this.#label(record.config)
      this.warn(`the session with ${label} keeps being taken over: another host probably uses this private key`)
    }
  }

  #describe(record: PeerRecord): PeerInfo {
    const { config, peer, lastHandshake, rtt } = record
    return {
      ...(config.name !== undefined && { name: config.name }),
      publicKey: encodeKey(peer.publicKey),
      ...(peer.endpoint && { endpoint: formatEndpoint(peer.endpoint) }),
      addresses: config.addresses.map(formatAddress),
      tags: config.tags,
      allowedIps: config.allowedIps.map(formatPrefix),
      ...(lastHandshake !== undefined && { lastHandshake: new Date(lastHandshake) }),
      ...(rtt !== undefined && { rtt }),
      rxBytes: peer.rxBytes,
      txBytes: peer.txBytes,
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
    return this.#claim.idle()
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

  /** Peers as configured, with what is known of them now; only those with `tag` if one is given. */
  peers(filter: { tag?: string } = {}): PeerInfo[] {
    const infos = [...this.#records.values()].map(record => this.#describe(record))
    return filter.tag === undefined ? infos : infos.filter(info => info.tags.includes(filter.tag as string))
  }

  /** Addresses of a name of the configuration, or of a literal. Throws UNKNOWN_HOST. */
  lookup(name: string): string[] {
    return this.#names(name).map(formatAddress)
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
    return record === undefined ? {} : { peer: this.#describe(record) }
  }

  #callable(): PeerRecord[] {
    return [...this.#records.values()].filter(record => record.keeper !== undefined)
  }

  #routeTo(host: string): PeerRecord {
    for (const address of this.#names(host)) {
      const record = this.#recordFor(address)
      if (record !== undefined) return record
    }
    throw this.#noRoute(host)
  }

  #recordFor(address: IpAddress): PeerRecord | undefined {
    const peer = this.#host.device.route(address, 0, address.length as 4 | 16)
    return peer && this.#records.get(peer.id)
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
    const covered = this.config.peers.flatMap(peer => peer.allowedIps.map(formatPrefix)).join(', ') || 'none'
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
      attempts: called.map(record => ({
        label: this.#label(record.config),
        endpoint: record.keeper?.text ?? 'no endpoint',
        initiations: record.initiations,
        cookies: record.cookies,
        unresolved: record.keeper?.failure,
      })),
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

  /** Counters of every layer; plain data. */
  stats() {
    const { device, stack, memory } = this.#host
    return {
      crypto: this.#cryptoName,
      udp: { received: this.#received, ...this.#udp.counters },
      device: { ...device.counters },
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
    for (const record of this.#records.values()) record.keeper?.stop()
    this.#host.close(this.#now())
    this.#udp.endTurn()
    this.#loop.stop()
    this.#closing.abort(closedError())
    await Promise.all([this.#udp.close(), this.#claim.release(), this.#tracing?.close()])
    this.emit('close')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
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

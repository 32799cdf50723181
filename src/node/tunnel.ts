// The tunnel as a Node program sees it: sockets, servers, names and requests through it, and its peers.
import { EventEmitter } from 'node:events'
import type { AgentOptions, Agent as HttpAgent } from 'node:http'
import type { Agent as HttpsAgent, AgentOptions as SecureAgentOptions } from 'node:https'
import { formatAddress, parseAddress } from '../core/base/address.js'
import type { Config } from '../core/config/config.js'
import { TunnelError } from '../errors.js'
import { createHttpAgent, createHttpsAgent } from './agents.js'
import { bindSocketClass, type TunnelSocketConstructor } from './bound-socket.js'
import { createConnect, type TunnelConnect } from './connect.js'
import { type Connector, type ConnectorOptions, createConnector } from './connector.js'
import { DatagramSocket } from './datagram.js'
import type { DatagramOptions } from './datagram-arguments.js'
import type { RemoteInfo } from './datagram-settings.js'
import { closedError, type Engine } from './engine.js'
import { createFetch, type TunnelFetch } from './fetch.js'
import { type ForwarderHandlers, type ForwarderOptions, openForwarder, type TunnelForwarder } from './forwarder.js'
import type { LiveChanges } from './live-changes.js'
import { createLookup, type TunnelLookup } from './lookup.js'
import { type EngineSettings, openEngine } from './open-engine.js'
import { type PeerInfo, type PeerSettings, readKeyArgument, readSettings, type TunnelStats } from './peer-info.js'
import { type PingOptions, type PingResult, ping } from './ping.js'
import type { ReadyOptions } from './ready.js'
import { TunnelServer, type TunnelServerOptions } from './server.js'
import type { TunnelSocket } from './socket.js'
import { closes } from './tunnel-channels.js'
import { tunnelNews } from './tunnel-news.js'
import type { Ready, TunnelEvents } from './tunnel-options.js'

/** An open tunnel. Made by {@link openTunnel}. */
export class Tunnel extends EventEmitter<TunnelEvents> {
  readonly #engine: Engine
  /**
   * Addresses of a name of the configuration, or of DNS in the tunnel, in dns.lookup's shape, with a callback or as a promise; it
   * may be handed on as the `lookup` option of others. Fails with ENOTFOUND or EAI_AGAIN, whose `cause` is a TunnelError.
   */
  readonly lookup: TunnelLookup
  /** A TCP connection through the tunnel: net.Socket's face over the tunnel's own TCP. */
  readonly connect: TunnelConnect
  /** The same, by net's other name for it. */
  readonly createConnection: TunnelConnect
  #Socket: TunnelSocketConstructor | undefined
  #fetch: TunnelFetch | undefined
  #closed: Promise<void> | undefined

  /** @internal Binds the sockets; use {@link openTunnel}. */
  static async open(settings: EngineSettings): Promise<Tunnel> {
    return new Tunnel(await openEngine(settings))
  }

  private constructor(engine: Engine) {
    super()
    this.#engine = engine
    this.lookup = createLookup(engine.stackPort)
    this.connect = createConnect(engine.stackPort, () => engine.mustBeOpen())
    this.createConnection = this.connect
    engine.owner = tunnelNews(this, engine)
  }

  /** What it was opened with, or had reloaded; not what was changed of it since. */
  get config(): Config {
    return this.#engine.config
  }

  /** @internal */
  get live(): LiveChanges {
    return this.#engine.live
  }

  /** @internal Emits a 'warning' once there was time to listen for it; to the process where nobody listens. */
  warn(message: string): void {
    this.#engine.warn(message)
  }

  /** @internal Resolves when no other process uses this tunnel through its control socket. */
  unjoined(): Promise<void> {
    return this.#engine.unjoined()
  }

  /** Base64; empty while there is no private key. */
  get publicKey(): string {
    return this.live.publicKey
  }

  /** The UDP port this tunnel is bound to. */
  get port(): number {
    return this.#engine.udp.port
  }

  /** Own addresses in the tunnel. */
  get addresses(): string[] {
    return this.config.interface.addresses.map(prefix => formatAddress(prefix.address))
  }

  /** The largest packet in the tunnel, in bytes. */
  get mtu(): number {
    return this.#engine.host.stack.mtu
  }

  get closed(): boolean {
    return this.#engine.isClosed
  }

  /** The peers with what is known of them now; only those with `tag` if one is given. */
  peers(filter: { tag?: string } = {}): PeerInfo[] {
    const { tag } = filter
    const records = this.#engine.book.all().filter(record => tag === undefined || record.tags.includes(tag))
    return records.map(record => this.#engine.book.describe(record))
  }

  /**
   * Adds a peer or changes one, without disturbing the others. An AllowedIP of another peer moves to this one. Throws USAGE for
   * what cannot be used, this tunnel's own key included.
   */
  setPeer(settings: PeerSettings): PeerInfo {
    this.#engine.mustBeOpen()
    const record = this.live.editPeer(readSettings(settings))
    if (record !== undefined) return this.#engine.book.describe(record)
    throw new TunnelError('USAGE', "publicKey: it is this tunnel's own: give the peer's")
  }

  /** Takes a peer away with its sessions; false if there is none with this key (base64). */
  removePeer(publicKey: string): boolean {
    this.#engine.mustBeOpen()
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

  /** @internal Returns the keys of `[Interface]` that another tunnel is needed for. */
  reload(config: Config): Promise<readonly string[]> {
    return this.#engine.reload(config)
  }

  /**
   * @internal Throws UNKNOWN_HOST for a name that neither the configuration knows nor any DNS server is asked for: better now
   * than with the first connection.
   */
  checkName(name: string): void {
    this.#engine.stackPort.lookup(name)
  }

  /**
   * Waits for the first completed handshake, and for the target's SYN-ACK when one is given.
   * Rejects with USAGE, HANDSHAKE_TIMEOUT, ENDPOINT_UNRESOLVED, UNKNOWN_HOST, DNS_UNAVAILABLE, NO_ROUTE, TARGET_REFUSED, TARGET_TIMEOUT,
   * TARGET_UNREACHABLE, TUNNEL_CLOSED, or the signal's reason.
   */
  async ready(options: ReadyOptions = {}): Promise<Ready> {
    this.#engine.mustBeOpen()
    const record = await this.#engine.gate.wait(options)
    return record === undefined ? {} : { peer: this.#engine.book.describe(record) }
  }

  /** An open tunnel keeps the process alive, as a listening server does; this is the default. */
  ref(): this {
    this.#engine.setRef(true)
    return this
  }

  /** Lets the process end although the tunnel is open, once its sockets are gone or `unref`ed too. */
  unref(): this {
    this.#engine.setRef(false)
    return this
  }

  /** net.Socket's class for this tunnel. Every socket of the tunnel is an instance of it. */
  get Socket(): TunnelSocketConstructor {
    this.#Socket ??= bindSocketClass(this.#engine.stackPort)
    return this.#Socket
  }

  /**
   * fetch() through the tunnel, by undici. Rejects as any fetch does, with a TypeError whose `cause` is the socket's error, or TUNNEL_CLOSED.
   * Needs no `this`.
   */
  get fetch(): typeof globalThis.fetch {
    this.#fetch ??= createFetch(this.connector())
    if (this.closed) this.#fetch.close(closedError())
    return this.#fetch.fetch
  }

  /** For the `connect` option of undici's Agent, Pool and Client; TLS included. */
  connector(options: ConnectorOptions = {}): Connector {
    return createConnector(this.connect, options)
  }

  /** An http.Agent through the tunnel, with the defaults of Node's globalAgent. Its connections end with the tunnel. */
  httpAgent(options: AgentOptions = {}): HttpAgent {
    return createHttpAgent(this.connect, options)
  }

  /** An https.Agent through the tunnel; TLS sessions are resumed. */
  httpsAgent(options: SecureAgentOptions = {}): HttpsAgent {
    return createHttpsAgent(this.connect, options)
  }

  /** A TCP server on the tunnel's own addresses. */
  createServer(listener?: (socket: TunnelSocket) => void): TunnelServer
  createServer(options: TunnelServerOptions, listener?: (socket: TunnelSocket) => void): TunnelServer
  createServer(
    first?: TunnelServerOptions | ((socket: TunnelSocket) => void),
    second?: (socket: TunnelSocket) => void,
  ): TunnelServer {
    this.#engine.mustBeOpen()
    const [options, listener] = typeof first === 'function' ? [{}, first] : [first, second]
    return new TunnelServer(this.#engine.stackPort, options, listener)
  }

  /** A UDP socket on the tunnel's own addresses, of both families without a type. `onMessage` hears each message. */
  createSocket(
    options: DatagramOptions | 'udp4' | 'udp6' = {},
    onMessage?: (message: Buffer, from: RemoteInfo) => void,
  ): DatagramSocket {
    this.#engine.mustBeOpen()
    return new DatagramSocket(this.#engine.stackPort, options, onMessage)
  }

  /**
   * Answers for whole prefixes: each connection, UDP flow and ping of a peer to an address in them, but this tunnel's own, is handed
   * to its handler, and the peer hears nothing before that has decided. Throws USAGE for a prefix that is none.
   */
  createForwarder(options: ForwarderOptions, handlers: ForwarderHandlers): TunnelForwarder {
    this.#engine.mustBeOpen()
    const peerOf = (path: number) => this.#engine.identify(this.#engine.host.device.peerById(path))
    return openForwarder({ port: this.#engine.stackPort, stack: this.#engine.host.stack, peerOf }, options, handlers)
  }

  /** The peer whose AllowedIPs cover the address, if there is one. Throws USAGE for what is no address. */
  peerFor(address: string): { readonly name?: string; readonly publicKey: string } | undefined {
    const bytes = parseAddress(address)
    if (bytes === undefined) throw new TunnelError('USAGE', `${JSON.stringify(address)} is not an address`)
    return this.#engine.identify(this.#engine.host.device.route(bytes, 0, bytes.length as 4 | 16))
  }

  /** One ICMP echo. Rejects with Node's codes (ETIMEDOUT, EHOSTUNREACH), UNKNOWN_HOST or DNS_UNAVAILABLE. */
  async ping(host: string, options: PingOptions = {}): Promise<PingResult> {
    this.#engine.mustBeOpen()
    return ping(this.#engine.stackPort, host, options)
  }

  /** Counters of every layer, and the peers. */
  stats(): TunnelStats {
    return { ...this.#engine.stats(), peers: this.peers() }
  }

  /** @internal What others may know of the policy and the netmap. */
  get policyStatus(): object {
    return this.#engine.policy?.status ?? {}
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
    this.#fetch?.close(closedError())
    await this.#engine.close()
    closes.publish({ tunnel: this })
    this.emit('close')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }
}

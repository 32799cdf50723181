// The peers of a running tunnel: what the device does not know of them (names, tags, endpoints by name), how calling them went, and
// which of their endpoints have sockets of their own.
import { type Endpoint, formatAddress, formatEndpoint, formatPrefix, type IpAddress } from '../core/base/address.js'
import { encodeKey } from '../core/base/base64.js'
import { singleAddresses } from '../core/config/draft.js'
import type { Host } from '../core/host/host.js'
import type { Netmap, NetmapNode } from '../core/policy/netmap.js'
import type { DeviceEvent, Peer } from '../core/wireguard/device.js'
import { type EndpointEnvironment, type EndpointKeeper, keepEndpoint } from './endpoints.js'
import type { PeerEdit, PeerInfo } from './peer-info.js'
import type { Attempt } from './readiness.js'

/** Endpoints with a socket of their own at once: each makes the kernel's search among the port's sockets a step longer. */
const liveEndpoints = 8
/** Who was not heard for this long, ms, and is called now, may be beyond routes that have changed. */
const quietTime = 10_000

export interface PeerRecord {
  readonly peer: Peer
  name: string | undefined
  tags: readonly string[]
  /** Undefined where they follow from the AllowedIPs. */
  addresses: readonly IpAddress[] | undefined
  keeper: EndpointKeeper | undefined
  /** Initiations since the last session. */
  initiations: number
  cookies: number
  /** Of the last handshake that we began, ms. */
  rtt: number | undefined
  /** Ms since 1970. */
  lastHandshake: number | undefined
}

export interface PeerBookOptions {
  readonly host: Host
  readonly now: () => number
  readonly environment: EndpointEnvironment
  /** The endpoints that are to have sockets of their own. */
  readonly favour: (endpoints: readonly Endpoint[]) => void
  /** An endpoint from which nothing comes. */
  readonly renew: (endpoint: Endpoint) => void
  /** Something may be due. */
  readonly changed: () => void
}

export class PeerBook {
  readonly #options: PeerBookOptions
  readonly #records = new Map<number, PeerRecord>()
  readonly #live = new Map<number, Endpoint>()
  /** What a netmap said of them. */
  readonly #adopted = new WeakMap<PeerRecord, NetmapNode>()

  constructor(options: PeerBookOptions) {
    this.#options = options
  }

  /** In the order in which they were added. */
  all(): PeerRecord[] {
    return [...this.#records.values()]
  }

  get(peer: Peer | undefined): PeerRecord | undefined {
    return peer && this.#records.get(peer.id)
  }

  /** Adds or changes a peer; undefined, and nothing happens, for our own key. RangeError beyond the device's limit. */
  set({ endpoint, name, addresses, tags, ...change }: PeerEdit): PeerRecord | undefined {
    const { host, now, changed } = this.#options
    const peer = host.device.setPeer(change, now())
    if (peer === undefined) return undefined
    let record = this.#records.get(peer.id)
    if (record === undefined) {
      record = {
        peer,
        name: undefined,
        tags: [],
        addresses: undefined,
        keeper: undefined,
        initiations: 0,
        cookies: 0,
        rtt: undefined,
        lastHandshake: undefined,
      }
      this.#records.set(peer.id, record)
    }
    if (name !== undefined) record.name = name
    if (tags !== undefined) record.tags = tags
    if (addresses !== undefined) record.addresses = addresses
    if (endpoint !== undefined) this.#keep(record, endpoint)
    changed()
    return record
  }

  /** Takes tags from a netmap, by the peers' keys, and names and addresses where they were not given otherwise. */
  adopt({ nodes }: Netmap): void {
    const byPeer = new Map(nodes.map(node => [node.key && this.#options.host.device.peer(node.key), node]))
    for (const record of this.#records.values()) {
      const node = byPeer.get(record.peer)
      const before = this.#adopted.get(record)
      if (record.name === undefined || record.name === before?.name) record.name = node?.name
      if (record.addresses === undefined || record.addresses === before?.addresses) record.addresses = node?.addresses
      record.tags = node?.tags ?? []
      if (node === undefined) this.#adopted.delete(record)
      else this.#adopted.set(record, node)
    }
  }

  /** Sets one of the addresses that its name has, or else gives the peer another endpoint for good. */
  setAddress(record: PeerRecord, endpoint: Endpoint): void {
    if (record.keeper?.covers(endpoint) === true) this.#setEndpoint(record.peer, endpoint)
    else this.#keep(record, { host: formatAddress(endpoint.address), port: endpoint.port })
  }

  #keep(record: PeerRecord, endpoint: { host: string; port: number }): void {
    const { peer } = record
    const { host, environment } = this.#options
    record.keeper?.stop()
    record.keeper = keepEndpoint(
      endpoint,
      {
        get endpoint() {
          return peer.endpoint
        },
        get lastHandshakeAt() {
          return peer.lastHandshakeAt
        },
        get lastReceivedAt() {
          return peer.lastReceivedAt
        },
        setEndpoint: found => this.#setEndpoint(peer, found),
        resendInitiation: other => {
          const isSent = host.device.resendInitiation(peer, other, this.#options.now())
          this.#options.changed()
          return isSent
        },
      },
      environment,
    )
  }

  #setEndpoint(peer: Peer, endpoint: Endpoint): void {
    const { host, now, changed } = this.#options
    host.device.setPeer({ publicKey: peer.publicKey, endpoint }, now())
    changed()
  }

  /** False if there is none. */
  remove(publicKey: Uint8Array): boolean {
    const { host, now, changed } = this.#options
    if (!host.removePeer(publicKey, now())) return false
    this.prune()
    changed()
    return true
  }

  /** Forgets whom the device has not any more. */
  prune(): void {
    for (const [id, record] of this.#records) {
      if (this.#options.host.device.peerById(id) !== undefined) continue
      record.keeper?.stop()
      this.#records.delete(id)
      this.#forgetLive(id)
    }
  }

  /** Takes in what the device reports; returns whom it is about. */
  handleEvent(event: DeviceEvent): PeerRecord | undefined {
    const record = this.#records.get(event.peer.id)
    if (record === undefined) return undefined
    switch (event.type) {
      case 'session':
        record.lastHandshake = Date.now()
        record.initiations = 0
        if (event.rtt !== undefined) record.rtt = event.rtt
        this.#favour(record.peer)
        break
      case 'initiation':
        record.initiations = event.attempt
        this.#favour(record.peer)
        if (event.at - record.peer.lastReceivedAt >= quietTime && record.peer.endpoint !== undefined)
          this.#options.renew(record.peer.endpoint)
        record.keeper?.initiationSent()
        break
      case 'endpoint':
        this.#favour(record.peer)
        break
      case 'gave-up':
        this.#forgetLive(record.peer.id)
        break
      case 'cookie':
        record.cookies++
    }
    return record
  }

  #favour(peer: Peer): void {
    const { endpoint } = peer
    if (endpoint === undefined || this.#live.get(peer.id) === endpoint) return
    if (!this.#live.has(peer.id) && this.#live.size >= liveEndpoints && !this.#makeRoom()) return
    this.#live.set(peer.id, endpoint)
    this.#options.favour([...this.#live.values()])
  }

  /** Whoever has no session gives its place away. */
  #makeRoom(): boolean {
    const { device } = this.#options.host
    for (const id of this.#live.keys()) {
      const peer = device.peerById(id)
      if (peer === undefined || !device.canSend(peer, this.#options.now())) return this.#live.delete(id)
    }
    return false
  }

  #forgetLive(id: number): void {
    if (this.#live.delete(id)) this.#options.favour([...this.#live.values()])
  }

  /** Its name, else the beginning of its key. */
  label({ name, peer }: PeerRecord): string {
    return name ?? `${encodeKey(peer.publicKey).slice(0, 8)}…`
  }

  addressesOf({ addresses, peer }: PeerRecord): readonly IpAddress[] {
    return addresses ?? singleAddresses(peer.allowedIps)
  }

  attempt(record: PeerRecord): Attempt {
    return {
      label: this.label(record),
      endpoint: record.keeper?.text ?? (record.peer.endpoint && formatEndpoint(record.peer.endpoint)),
      silentFor: this.#options.now() - record.peer.lastReceivedAt,
      initiations: record.initiations,
      cookies: record.cookies,
      unresolved: record.keeper?.failure,
    }
  }

  describe(record: PeerRecord): PeerInfo {
    const { peer, name, tags, lastHandshake, rtt } = record
    return {
      ...(name !== undefined && { name }),
      publicKey: encodeKey(peer.publicKey),
      hasPresharedKey: peer.hasPresharedKey,
      ...(peer.endpoint && { endpoint: formatEndpoint(peer.endpoint) }),
      addresses: this.addressesOf(record).map(formatAddress),
      tags,
      allowedIps: peer.allowedIps.map(formatPrefix),
      persistentKeepalive: peer.persistentKeepalive,
      ...(lastHandshake !== undefined && { lastHandshake: new Date(lastHandshake) }),
      ...(rtt !== undefined && { rtt }),
      rxBytes: peer.rxBytes,
      txBytes: peer.txBytes,
    }
  }

  close(): void {
    for (const record of this.#records.values()) record.keeper?.stop()
  }
}

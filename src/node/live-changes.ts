// What changes a tunnel while it runs, for its Node API and for the userspace configuration protocol: peers, the private key and
// the UDP port. Connections in the tunnel go on.
import type { Endpoint } from '../core/base/address.js'
import { encodeKey } from '../core/base/base64.js'
import { SecretKey } from '../core/base/secret.js'
import type { UapiStatus } from '../core/config/uapi-status.js'
import type { Crypto } from '../core/crypto/crypto.js'
import type { Host } from '../core/host/host.js'
import type { KeyClaims } from './claims.js'
import type { NameSettings } from './name-service.js'
import type { PeerBook, PeerRecord } from './peer-book.js'
import type { PeerEdit } from './peer-info.js'
import type { UdpSockets } from './udp.js'

export interface LiveChangesOptions {
  readonly host: Host
  readonly udp: UdpSockets
  readonly book: PeerBook
  readonly claims: KeyClaims
  readonly crypto: Crypto
  /** The key that the host has now; it is copied. */
  readonly privateKey: Uint8Array
  readonly now: () => number
  /** Something may be due. */
  readonly changed: () => void
  /** Peers' names may be others. */
  readonly renamed: () => void
  /** So may the names and the DNS servers of `[Interface]`. */
  readonly setNames: (settings: NameSettings) => void
  /** The UDP port is another. */
  readonly moved: () => void
  readonly warn: (message: string) => void
  /** Throws TUNNEL_CLOSED. */
  readonly mustBeOpen: () => void
}

export class LiveChanges {
  readonly #options: LiveChangesOptions
  #privateKey: SecretKey | undefined
  /** Base64; empty while there is no private key. */
  publicKey: string
  /** The last change that takes time: one waits for the other. */
  #changing: Promise<unknown> = Promise.resolve()

  constructor(options: LiveChangesOptions) {
    const { publicKey } = options.host.device
    this.#options = options
    this.#privateKey = SecretKey.copy(options.privateKey)
    this.publicKey = publicKey === undefined ? '' : encodeKey(publicKey)
  }

  /** Adds a peer or changes one; undefined for our own key. RangeError beyond the limit of peers. */
  editPeer(edit: PeerEdit): PeerRecord | undefined {
    this.#options.renamed()
    return this.#options.book.set(edit)
  }

  /** Points a peer to an address, by which its endpoint's name stays if it leads there. */
  setPeerAddress(record: PeerRecord, endpoint: Endpoint): void {
    this.#options.book.setAddress(record, endpoint)
  }

  /** False if there is no such peer. */
  dropPeer(publicKey: Uint8Array): boolean {
    this.#options.renamed()
    return this.#options.book.remove(publicKey)
  }

  /** From now on these names and DNS servers. */
  rename(settings: NameSettings): void {
    this.#options.setNames(settings)
  }

  hasPeer(publicKey: Uint8Array): boolean {
    return this.#options.host.device.peer(publicKey) !== undefined
  }

  /** Zeros take the key away. Rejects with TUNNEL_CLOSED, or TUNNEL_KEY_IN_USE where another process has that key. */
  async changeKey(privateKey: Uint8Array): Promise<void> {
    await this.#change(async () => {
      const { crypto, claims, host, book, now, changed, renamed, warn, mustBeOpen } = this.#options
      const isNone = privateKey.every(byte => byte === 0)
      const handle = isNone ? undefined : crypto.privateKey(privateKey)
      const publicKey = handle?.publicKey.slice()
      handle?.wipe()
      if (publicKey !== undefined && encodeKey(publicKey) === this.publicKey) return
      const warning = publicKey && (await claims.move(publicKey))
      if (warning !== undefined) warn(warning)
      mustBeOpen()
      host.device.setPrivateKey(privateKey, now())
      this.publicKey = publicKey === undefined ? '' : encodeKey(publicKey)
      this.forgetKey()
      if (!isNone) this.#privateKey = SecretKey.copy(privateKey)
      renamed()
      book.prune()
      changed()
    })
  }

  /** 0 takes a free port. Rejects with TUNNEL_CLOSED or UDP_BIND_FAILED, and then the port stays. */
  async changePort(port: number): Promise<void> {
    await this.#change(async () => {
      const { udp, moved } = this.#options
      const before = udp.port
      await udp.rebind(port)
      if (udp.port !== before) this.announce()
      moved()
    })
  }

  /** Tells the peers that have a session where we are now. */
  announce(): void {
    const { host, now, changed } = this.#options
    host.device.announce(now())
    changed()
  }

  /** Overwrites our copy of the private key. */
  forgetKey(): void {
    this.#privateKey?.fill(0)
    this.#privateKey = undefined
  }

  #change(step: () => Promise<void>): Promise<void> {
    const done = this.#changing.then(() => {
      this.#options.mustBeOpen()
      return step()
    })
    this.#changing = done.catch(() => {})
    return done
  }

  /** What the userspace configuration protocol shows, keys included. */
  status(): UapiStatus {
    const { host, udp, book } = this.#options
    return {
      ...(this.#privateKey && { privateKey: this.#privateKey }),
      listenPort: udp.port,
      fwmark: 0,
      peers: book.all().map(({ peer, lastHandshake }) => ({
        publicKey: peer.publicKey,
        presharedKey: host.device.presharedKeyOf(peer),
        ...(peer.endpoint && { endpoint: peer.endpoint }),
        lastHandshake: lastHandshake ?? 0,
        rxBytes: peer.rxBytes,
        txBytes: peer.txBytes,
        persistentKeepalive: peer.persistentKeepalive,
        allowedIps: peer.allowedIps,
      })),
    }
  }
}

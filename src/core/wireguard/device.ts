// A WireGuard device without I/O: datagrams, packets and the time go in; datagrams, packets and events come out through a
// sink. `now` is monotonic milliseconds. Own initiations are created in handleTimeout() alone, where the wall clock enters.
import { type Endpoint, type Prefix, unmapAddress } from '../base/address.js'
import { createDeadlineHeap, type DeadlineHeap } from '../base/deadline-heap.js'
import type { PacketMemory } from '../base/packet-memory.js'
import { SecretKey } from '../base/secret.js'
import { equalBytes, expectLength, isZero } from '../crypto/bytes.js'
import type { Crypto } from '../crypto/crypto.js'
import { dataHeaderSize, messageType, messageTypeAt, notAMessage } from '../wire/wireguard.js'
import { noteTraversal } from './activity.js'
import { AllowedIps } from './allowed-ips.js'
import { type DeviceLimits, defaultLimits, defaultTimers, type Timers } from './constants.js'
import type { DeviceContext, DeviceSink, Identity } from './context.js'
import { CookieChecker } from './cookie.js'
import { createCounters, type DeviceCounters } from './counters.js'
import { resendInitiation } from './handshake.js'
import { IndexTable } from './index-table.js'
import { canSend, wantInitiation } from './initiate.js'
import { HandshakeIntake } from './intake.js'
import type { Keypair } from './keypair.js'
import { type Peer, PeerState, type PendingInitiation } from './peer.js'
import { fireTimers } from './peer-timers.js'
import { TimestampClock } from './tai64n.js'
import { type TimerTable, timer } from './timers.js'
import { type DeviceTrace, tracedSink } from './trace.js'
import { receiveData, sendKeepalive, sendPacket, sendStaged } from './transport.js'

export type { DeviceLimits, Timers } from './constants.js'
export type { DeviceEvent } from './context.js'
export type { DeviceCounters } from './counters.js'
export type { Peer } from './peer.js'
export type { DeviceTrace } from './trace.js'

export interface DeviceOptions {
  readonly crypto: Crypto
  /** Made by the same `crypto`. */
  readonly memory: PacketMemory
  /** Fills the array from a secure source. */
  readonly random: (bytes: Uint8Array) => void
  readonly sink: DeviceSink
  /** The MTU of the inner side: padding does not go past it. Default 1420; 0 for none. */
  readonly mtu?: number
  readonly timers?: Partial<Timers>
  readonly limits?: Partial<DeviceLimits>
  /** Shows what passes, secrets included. */
  readonly trace?: DeviceTrace
}

/** What to make of a peer. What is left out stays as it is, or at its default for a new one. */
export interface PeerChange {
  readonly publicKey: Uint8Array
  /** 32 bytes; zeros are none. It serves from the next handshake on. */
  readonly presharedKey?: Uint8Array
  readonly endpoint?: Endpoint
  /** Seconds, 0 to 65535; 0 is off. */
  readonly persistentKeepalive?: number
  /** Added to those that the peer has, and taken from the peers that had them; with `remove`, taken from this one. */
  readonly allowedIps?: readonly (Prefix & { readonly remove?: boolean })[]
  /** Whether the peer first loses the ones that it has. */
  readonly replaceAllowedIps?: boolean
}

export interface DeviceStatus {
  readonly publicKey: Uint8Array | undefined
  readonly peers: readonly Peer[]
  readonly counters: Readonly<DeviceCounters>
  readonly isUnderLoad: boolean
  /** Handshake messages that wait, sources in the limiter's table, indices in use: all are bounded. */
  readonly queuedHandshakes: number
  readonly limitedSources: number
  readonly indices: number
}

export class Device {
  readonly counters: DeviceCounters
  readonly #context: DeviceContext & { identity: Identity | undefined }
  readonly #intake: HandshakeIntake
  readonly #peers = new Map<number, PeerState>()
  readonly #byKey = new Map<string, PeerState>()
  #nextId = 1

  constructor(options: DeviceOptions) {
    this.counters = createCounters()
    this.#context = createContext(options, this.counters, key => this.#byKey.get(keyOf(key)))
    this.#intake = new HandshakeIntake(this.#context)
  }

  get publicKey(): Uint8Array | undefined {
    return this.#context.identity?.key.publicKey
  }

  /**
   * Sets our key; undefined or zeros take it away. What was agreed under another key is not sent with any more, and a
   * handshake may follow at once. The same key again changes nothing. A peer that has this key itself is removed.
   */
  setPrivateKey(secret: Uint8Array | undefined, now: number): void {
    const { crypto, random, timers, trace } = this.#context
    const before = this.#context.identity
    let identity: Identity | undefined
    if (secret !== undefined && !isZero(secret)) {
      const key = crypto.privateKey(secret)
      if (before !== undefined && equalBytes(before.key.publicKey, key.publicKey)) {
        key.wipe()
        return
      }
      this.removePeer(key.publicKey, now)
      identity = {
        key,
        checker: new CookieChecker(crypto, random, timers, key.publicKey),
        secret: trace?.handshake === undefined ? undefined : SecretKey.copy(secret),
      }
    }
    this.#context.identity = identity
    before?.key.wipe()
    before?.checker.wipe()
    before?.secret?.fill(0)
    for (const peer of this.#peers.values()) {
      const hadSession = canSend(this.#context, peer, now)
      peer.dropPending()
      peer.timers.clear(timer.retry)
      peer.timers.clear(timer.initiate)
      peer.lastSentHandshakeAt = -Infinity
      peer.keypairs.stopSending()
      peer.computeStaticStatic()
      if (peer.persistentKeepalive > 0) sendKeepalive(this.#context, peer, now)
      else if (hadSession || peer.staged.size > 0) wantInitiation(this.#context, peer, now)
    }
  }

  /** Adds a peer or changes it; undefined, and nothing happens, for our own key. RangeError beyond the limit of peers. */
  setPeer(change: PeerChange, now: number): Peer | undefined {
    const context = this.#context
    expectLength(change.publicKey, 32, 'a public key')
    if (this.publicKey !== undefined && equalBytes(this.publicKey, change.publicKey)) return undefined
    const peer = this.#byKey.get(keyOf(change.publicKey)) ?? this.#addPeer(change.publicKey)
    if (change.presharedKey !== undefined) {
      expectLength(change.presharedKey, 32, 'a preshared key')
      peer.setPresharedKey(change.presharedKey)
    }
    const wasUnknown = peer.endpoint === undefined
    if (change.endpoint !== undefined) peer.endpoint = unmapEndpoint(change.endpoint)
    if (change.replaceAllowedIps === true) context.allowedIps.removePeer(peer)
    for (const prefix of change.allowedIps ?? []) {
      if (prefix.remove === true) context.allowedIps.remove(prefix, peer)
      else context.allowedIps.add(prefix, peer)
    }
    if (change.persistentKeepalive !== undefined) {
      const isNew = peer.persistentKeepalive === 0 && change.persistentKeepalive > 0
      peer.persistentKeepalive = change.persistentKeepalive
      peer.timers.clear(timer.persistent)
      noteTraversal(peer, now)
      if (isNew) sendKeepalive(context, peer, now)
    }
    if (peer.endpoint === undefined) return peer
    sendStaged(context, peer, now)
    if (peer.awaitsEndpoint) wantInitiation(context, peer, now)
    if (wasUnknown && peer.persistentKeepalive > 0) sendKeepalive(context, peer, now)
    return peer
  }

  /** Removes a peer with all its keys; false if there is none. */
  removePeer(publicKey: Uint8Array, _now: number): boolean {
    const peer = this.#byKey.get(keyOf(publicKey))
    if (peer === undefined) return false
    peer.isRemoved = true
    peer.wipe()
    peer.timers.retire()
    this.#context.allowedIps.removePeer(peer)
    this.#peers.delete(peer.id)
    return this.#byKey.delete(keyOf(publicKey))
  }

  peer(publicKey: Uint8Array): Peer | undefined {
    return this.#byKey.get(keyOf(publicKey))
  }

  peerById(id: number): Peer | undefined {
    return this.#peers.get(id)
  }

  /** In the order in which they were added. */
  peers(): Iterable<Peer> {
    return this.#peers.values()
  }

  /** The peer whose AllowedIPs cover the destination address of `length` bytes at `bytes[offset…]`. */
  route(bytes: Uint8Array, offset: number, length: 4 | 16): Peer | undefined {
    return this.#context.allowedIps.lookup(bytes, offset, length)
  }

  /** Takes in the datagram of `length` bytes at `slot`, and the slot. True for genuine data of a session. */
  handleDatagram(slot: number, length: number, source: Endpoint, now: number): boolean {
    const { memory, trace } = this.#context
    const type = messageTypeAt(memory.view, slot, length)
    const origin = source.address.length === 4 ? source : unmapEndpoint(source)
    if (trace !== undefined) trace.datagram?.(memory, slot, length, origin, false)
    if (type === messageType.data) return receiveData(this.#context, slot, length, origin, now)
    if (type === notAMessage) this.counters.notAMessage++
    else this.#intake.handleMessage(type, slot, length, origin, now)
    memory.free(slot)
    return false
  }

  /**
   * Sends the inner packet of `length` bytes at `offset` = `slot` + 16 to `peer`, and takes the slot. Without a session the
   * packet waits and a handshake is asked for. False if the peer has no endpoint, or is no peer any more.
   */
  sendPacket(slot: number, offset: number, length: number, peer: Peer, now: number): boolean {
    if (offset !== slot + dataHeaderSize) throw new RangeError('an inner packet lies 16 bytes into its slot')
    const state = peer as PeerState
    if (!state.isRemoved) return sendPacket(this.#context, state, slot, length, now)
    this.counters.noEndpoint++
    this.#context.memory.free(slot)
    return false
  }

  /** Asks for a session, unless one stands. An attempt that is under way will not be given up as soon. */
  initiate(peer: Peer, now: number): void {
    const state = peer as PeerState
    if (!state.isRemoved && !canSend(this.#context, state, now)) wantInitiation(this.#context, state, now)
  }

  /** Tells every peer that has a session where we are by now: its answers go to where this comes from. */
  announce(now: number): void {
    for (const peer of this.#peers.values())
      if (canSend(this.#context, peer, now)) sendKeepalive(this.#context, peer, now)
  }

  /**
   * Sends the initiation that awaits its response to another address as well, byte for byte: for names with several addresses. The
   * peer's endpoint moves only by what comes from there. False if none is pending.
   */
  resendInitiation(peer: Peer, endpoint: Endpoint, now: number): boolean {
    return resendInitiation(this.#context, peer as PeerState, unmapEndpoint(endpoint), now)
  }

  /** The peer's preshared key itself, 32 bytes; zeros are none. For who may see it. */
  presharedKeyOf(peer: Peer): Uint8Array {
    return (peer as PeerState).presharedKey
  }

  /** Whether a session stands in which to send. */
  canSend(peer: Peer, now: number): boolean {
    return canSend(this.#context, peer as PeerState, now)
  }

  /** Does what is due. `wall` is milliseconds since 1970. Call it again, in a later turn, while `nextDeadline() <= now`. */
  handleTimeout(now: number, wall: number): void {
    this.#intake.handleTimeout(now)
    for (let due = this.#context.heap.popDue(now); due !== undefined; due = this.#context.heap.popDue(now))
      fireTimers(this.#context, due.owner, now, wall)
  }

  /** When {@link handleTimeout} is due; perhaps too early, never too late. `Infinity` if nothing is. */
  nextDeadline(): number {
    return Math.min(this.#context.heap.next(), this.#intake.nextDeadline())
  }

  /** Ends everything and wipes every key, ours and the preshared ones included. The peers and their timestamps stay. */
  stop(now: number): void {
    this.setPrivateKey(undefined, now)
    for (const peer of this.#peers.values()) peer.wipe()
    this.#intake.clear()
  }

  status(now: number): DeviceStatus {
    return {
      publicKey: this.publicKey,
      peers: [...this.#peers.values()],
      counters: this.counters,
      isUnderLoad: this.#intake.isUnderLoad(now),
      queuedHandshakes: this.#intake.queued,
      limitedSources: this.#intake.sources,
      indices: this.#context.indices.size,
    }
  }

  #addPeer(publicKey: Uint8Array): PeerState {
    const { peers } = this.#context.limits
    if (this.#peers.size >= peers) throw new RangeError(`a device holds at most ${peers} peers`)
    const peer = new PeerState(this.#context, this.#nextId++, publicKey)
    this.#peers.set(peer.id, peer)
    this.#byKey.set(keyOf(publicKey), peer)
    return peer
  }
}

function createContext(
  options: DeviceOptions,
  counters: DeviceCounters,
  peerByKey: (publicKey: Uint8Array) => PeerState | undefined,
): DeviceContext & { identity: Identity | undefined } {
  const timers = { ...defaultTimers, ...options.timers }
  const seed = new Uint8Array(4)
  options.random(seed)
  let noise = new DataView(seed.buffer).getUint32(0) | 1
  return {
    crypto: options.crypto,
    memory: options.memory,
    random: options.random,
    sink: tracedSink(options.sink, options.trace, options.memory),
    trace: options.trace,
    mtu: options.mtu ?? 1420,
    timers,
    limits: { ...defaultLimits, ...options.limits },
    counters,
    indices: new IndexTable<PendingInitiation | Keypair>(options.random),
    allowedIps: new AllowedIps<PeerState>(),
    heap: createDeadlineHeap<TimerTable<PeerState>>() as DeadlineHeap<TimerTable<PeerState>>,
    clock: new TimestampClock(),
    identity: undefined,
    peerByKey,
    jitter() {
      // xorshift32 (Marsaglia 2003): a secure source would cost more than the packet that asks.
      noise ^= noise << 13
      noise ^= noise >>> 17
      noise ^= noise << 5
      return ((noise >>> 0) / 0x1_0000_0000) * timers.rekeyTimeoutJitter
    },
  }
}

function unmapEndpoint(endpoint: Endpoint): Endpoint {
  const address = unmapAddress(endpoint.address)
  return address === endpoint.address ? endpoint : { address, port: endpoint.port }
}

/** A public key as the key of a Map. */
function keyOf(publicKey: Uint8Array): string {
  return String.fromCharCode(...publicKey)
}

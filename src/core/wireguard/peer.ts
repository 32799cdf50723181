// A peer: what is configured, and what the protocol remembers of it. The rules that move this state are in initiate.ts,
// handshake.ts, transport.ts and peer-timers.ts.
import type { Endpoint, Prefix } from '../base/address.js'
import { SecretKey } from '../base/secret.js'
import type { PrivateKey } from '../crypto/crypto.js'
import type { DeviceContext } from './context.js'
import { PeerMacs } from './cookie.js'
import { type Keypair, KeypairSlots } from './keypair.js'
import type { SymmetricState } from './noise.js'
import { StagedQueue } from './staged-queue.js'
import { TimerTable } from './timers.js'

/** What the outside sees of a peer. It stays the same object for as long as the peer is configured. */
export interface Peer {
  /** A small positive number, never used again. */
  readonly id: number
  readonly publicKey: Uint8Array
  readonly endpoint: Endpoint | undefined
  /** Seconds; 0 is off. */
  readonly persistentKeepalive: number
  readonly hasPresharedKey: boolean
  readonly allowedIps: Prefix[]
  /** Monotonic milliseconds; `-Infinity` before the first one. */
  readonly lastHandshakeAt: number
  /** When anything authenticated last came; monotonic milliseconds, `-Infinity` before the first time. */
  readonly lastReceivedAt: number
  /** UDP payload, handshakes included, cookies and packets refused after decryption not. */
  readonly rxBytes: number
  readonly txBytes: number
}

/** An initiation of ours that awaits its response. */
export class PendingInitiation {
  readonly kind = 'handshake'
  readonly peer: PeerState
  readonly index: number
  readonly sentAt: number
  readonly ephemeral: PrivateKey
  readonly state: SymmetricState
  /** As it was sent. */
  readonly message: Uint8Array
  /** Where it went to later, and when. */
  readonly resent: { readonly endpoint: Endpoint; readonly at: number }[] = []

  constructor(fields: Pick<PendingInitiation, 'peer' | 'index' | 'sentAt' | 'ephemeral' | 'state' | 'message'>) {
    this.peer = fields.peer
    this.index = fields.index
    this.sentAt = fields.sentAt
    this.ephemeral = fields.ephemeral
    this.state = fields.state
    this.message = fields.message
  }

  wipe(): void {
    this.ephemeral.wipe()
    this.state.wipe()
  }
}

export class PeerState implements Peer {
  readonly id: number
  readonly publicKey: Uint8Array
  readonly presharedKey = SecretKey.copy(new Uint8Array(32))
  hasPresharedKey = false
  endpoint: Endpoint | undefined
  /** Whether a handshake was asked for while there was no endpoint to send it to. */
  awaitsEndpoint = false
  persistentKeepalive = 0

  readonly macs: PeerMacs
  readonly keypairs: KeypairSlots
  readonly staged: StagedQueue
  readonly timers: TimerTable<PeerState>
  /** DH of our static key and the peer's; undefined without a private key of ours, or if theirs is of low order. */
  staticStatic: SecretKey | undefined
  pending: PendingInitiation | undefined

  /** Initiations sent since the count was last reset. */
  attempts = 0
  /** When an initiation or a response last left. */
  lastSentHandshakeAt = -Infinity
  /** The TAI64N of the last initiation that we sent. */
  lastSentTimestamp: Uint8Array | undefined
  /** The greatest TAI64N accepted. It outlives sessions, stop and a change of our private key. */
  latestTimestamp: Uint8Array | undefined
  lastInitiationAcceptedAt = -Infinity
  /** Whether the last moment to renew the current keypair on receiving was used. */
  renewedOnReceive = false
  /** Whether data came while the answer to earlier data was already due. */
  needsAnotherKeepalive = false

  /** Whether the peer was taken off the device; somebody may still hold it. */
  isRemoved = false
  lastHandshakeAt = -Infinity
  lastReceivedAt = -Infinity
  rxBytes = 0
  txBytes = 0

  /** Whether the session fell silent soon after its handshake, and when ones that did were revived. */
  fellSilent = false
  readonly revivals: number[] = []

  readonly #device: DeviceContext

  constructor(device: DeviceContext, id: number, publicKey: Uint8Array) {
    this.#device = device
    this.id = id
    this.publicKey = publicKey.slice()
    this.macs = new PeerMacs(device.crypto, device.timers, this.publicKey)
    this.keypairs = new KeypairSlots(keypair => this.#drop(keypair))
    this.staged = new StagedQueue(device.memory, device.limits.stagedPackets)
    this.timers = new TimerTable(device.heap, this)
    this.computeStaticStatic()
  }

  get allowedIps(): Prefix[] {
    return this.#device.allowedIps.of(this)
  }

  computeStaticStatic(): void {
    const { crypto, identity } = this.#device
    this.staticStatic?.fill(0)
    const shared = identity === undefined ? undefined : crypto.dh(identity.key, this.publicKey)
    this.staticStatic = shared === undefined ? undefined : SecretKey.copy(shared)
    shared?.fill(0)
  }

  setPresharedKey(presharedKey: Uint8Array): void {
    this.presharedKey.set(presharedKey)
    this.hasPresharedKey = presharedKey.some(byte => byte !== 0)
  }

  /** Forgets our initiation: its index is dead, its ephemeral key wiped. */
  dropPending(): void {
    if (this.pending === undefined) return
    this.#device.indices.delete(this.pending.index, this.pending)
    this.pending.wipe()
    this.pending = undefined
  }

  /** Ends all sessions and attempts at one, wiping their keys, and drops what is staged. */
  reset(): void {
    this.timers.clearAll()
    this.dropPending()
    this.keypairs.clear()
    this.macs.wipe()
    this.#device.counters.stagedDropped += this.staged.clear()
    this.attempts = 0
    this.lastSentHandshakeAt = -Infinity
    this.renewedOnReceive = false
    this.needsAnotherKeepalive = false
    this.fellSilent = false
    this.awaitsEndpoint = false
  }

  /** {@link reset}, and the keys that were configured or computed from them go too. What replaces the peer is not older. */
  wipe(): void {
    this.reset()
    if (this.lastSentTimestamp !== undefined) this.#device.clock.pass(this.lastSentTimestamp)
    this.presharedKey.fill(0)
    this.hasPresharedKey = false
    this.staticStatic?.fill(0)
    this.staticStatic = undefined
  }

  #drop(keypair: Keypair): void {
    this.#device.indices.delete(keypair.localIndex, keypair)
    keypair.wipe()
  }
}

// What the parts of a device share. The types here are the device's contract with its owner, too.
import type { Endpoint } from '../base/address.js'
import type { DeadlineHeap } from '../base/deadline-heap.js'
import type { PacketMemory } from '../base/packet-memory.js'
import type { SecretKey } from '../base/secret.js'
import type { Crypto, PrivateKey } from '../crypto/crypto.js'
import type { AllowedIps } from './allowed-ips.js'
import type { DeviceLimits, Timers } from './constants.js'
import type { CookieChecker } from './cookie.js'
import type { DeviceCounters } from './counters.js'
import type { IndexTable } from './index-table.js'
import type { Keypair } from './keypair.js'
import type { Peer, PeerState, PendingInitiation } from './peer.js'
import type { TimestampClock } from './tai64n.js'
import type { TimerTable } from './timers.js'
import type { DeviceTrace } from './trace.js'

/** What happened, for whom it concerns; times are monotonic milliseconds. */
export type DeviceEvent =
  /** A keypair that may send stands: the initiator has the response, the responder the first packet. `rtt`: initiator only. */
  | {
      readonly type: 'session'
      readonly peer: Peer
      readonly at: number
      readonly initiator: boolean
      readonly rtt?: number
    }
  /** An initiation was sent, the `attempt`-th in a row. */
  | { readonly type: 'initiation'; readonly peer: Peer; readonly at: number; readonly attempt: number }
  /** As many initiations as may be had no answer; what was staged is dropped. */
  | { readonly type: 'gave-up'; readonly peer: Peer; readonly at: number }
  /** The peer is under load and gave a cookie, which the next initiation will carry. */
  | { readonly type: 'cookie'; readonly peer: Peer; readonly at: number }
  /** The peer was heard from another endpoint, which is used from now on. */
  | { readonly type: 'endpoint'; readonly peer: Peer; readonly at: number; readonly endpoint: Endpoint }
  /** Sessions keep falling silent soon after their handshake: another host probably uses our key. */
  | { readonly type: 'contested'; readonly peer: Peer; readonly at: number }
  /** A keepalive came. Data is heard by {@link DeviceSink.deliverPacket}. */
  | { readonly type: 'heard'; readonly peer: Peer; readonly at: number }

/** Where a device's outputs go. Slots are given away with the call. */
export interface DeviceSink {
  sendDatagram(slot: number, length: number, endpoint: Endpoint): void
  /** An inner packet, trimmed to its own length, whose source address belongs to `peer`. */
  deliverPacket(slot: number, offset: number, length: number, peer: Peer): void
  report(event: DeviceEvent): void
}

/** Our own key, and what follows from it. */
export interface Identity {
  readonly key: PrivateKey
  readonly checker: CookieChecker
  /** Kept for a trace of handshakes alone. */
  readonly secret: SecretKey | undefined
}

export interface DeviceContext {
  readonly crypto: Crypto
  readonly memory: PacketMemory
  readonly random: (bytes: Uint8Array) => void
  readonly sink: DeviceSink
  readonly trace: DeviceTrace | undefined
  /** Padding does not grow an inner packet beyond this. */
  readonly mtu: number
  readonly timers: Timers
  readonly limits: DeviceLimits
  readonly counters: DeviceCounters
  readonly indices: IndexTable<PendingInitiation | Keypair>
  readonly allowedIps: AllowedIps<PeerState>
  readonly heap: DeadlineHeap<TimerTable<PeerState>>
  readonly clock: TimestampClock
  /** Undefined without a private key: then nothing is initiated or answered. */
  readonly identity: Identity | undefined
  peerByKey(publicKey: Uint8Array): PeerState | undefined
  /** Milliseconds from 0 up to the timers' jitter. Spreads retries; no secret hangs on it. */
  jitter(): number
}

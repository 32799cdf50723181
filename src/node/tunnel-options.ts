// What a tunnel is opened with, and what it tells.
import type { CongestionControlName } from '../core/netstack/congestion-control.js'
import type { StackLimits } from '../core/netstack/limits.js'
import type { DnsLimits } from '../core/resolver/resolver.js'
import type { Timers } from '../core/wireguard/constants.js'
import type { DeviceLimits } from '../core/wireguard/device.js'
import type { CryptoName } from './crypto/select.js'
import type { PeerInfo } from './peer-info.js'
import type { FlowInfo } from './policy/flow-info.js'
import type { PolicyOptions } from './policy/tunnel-policy.js'
import type { TraceOptions } from './trace.js'

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

export interface TunnelEvents {
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

// What a gateway is told, and what it tells.
import type { ForwardPeer } from '../../node/forwarder.js'
import type { ConnectionRecord } from '../client.js'
import type { Dialer, Target } from '../dialer.js'
import type { EchoOptions } from './echoes.js'
import type { Verdict } from './targets.js'

export interface GatewayLimits {
  /** TCP connections of one peer, those that are being dialled included; a RST answers more. */
  readonly connectionsPerPeer: number
  /** UDP flows of one peer; more are dropped. */
  readonly flowsPerPeer: number
  /** A connection without traffic is probed after this, on both sides, ms: what was lost does not hold its place for ever. */
  readonly keepAlive: number
}

export const defaultGatewayLimits: GatewayLimits = {
  connectionsPerPeer: 4096,
  flowsPerPeer: 1024,
  keepAlive: 300_000,
}

/** One connection or flow of a peer's, told when it is over. */
export interface GatewayRecord extends ConnectionRecord {
  readonly peer: ForwardPeer | undefined
}

export interface GatewayOptions {
  /** Where an address leads. */
  readonly target: (address: string) => Verdict
  /** Dials on this host's network. */
  readonly dial: Dialer
  /** Bounds a dial, ms; 0: only its system does. */
  readonly timeout: number
  /** How it is found out whether a target answers pings; without it none is answered. */
  readonly echo?: EchoOptions
  readonly limits?: Partial<GatewayLimits>
  /** A dial failed, or was denied. */
  readonly onError?: (error: unknown, target: Target) => void
  readonly onConnection?: (record: GatewayRecord) => void
}

// What a tunnel tells about its peers and itself, and what can be changed of a peer while it runs.
import type { IpAddress, Prefix } from '../core/base/address.js'
import { SecretKey } from '../core/base/secret.js'
import { Problem } from '../core/config/problem.js'
import * as values from '../core/config/values.js'
import type { FlowCounters } from '../core/host/flow-policy.js'
import type { StackCounters } from '../core/netstack/counters.js'
import type { StackStats } from '../core/netstack/stack.js'
import type { DnsCounters } from '../core/resolver/resolver.js'
import type { DeviceCounters, PeerChange } from '../core/wireguard/device.js'
import { TunnelError } from '../errors.js'
import type { UdpCounters } from './udp.js'

export interface PeerInfo {
  /** `Name` in the configuration. */
  readonly name?: string
  /** Base64. */
  readonly publicKey: string
  readonly hasPresharedKey: boolean
  /** Where it was last heard or is called; undefined while unknown. */
  readonly endpoint?: string
  readonly addresses: readonly string[]
  readonly tags: readonly string[]
  readonly allowedIps: readonly string[]
  /** Seconds; 0 is off. */
  readonly persistentKeepalive: number
  /** Date of the last completed handshake. */
  readonly lastHandshake?: Date
  /** Round trip of the last handshake that this side began, ms. */
  readonly rtt?: number
  /** Bytes of UDP payload as `wg show` counts them: handshakes yes, cookies no, packets refused after decryption not in `rx`. */
  readonly rxBytes: number
  readonly txBytes: number
}

/** Plain data; counters count from the opening of the tunnel. */
export interface TunnelStats {
  /** The backend of the cryptography. */
  readonly crypto: string
  /** Base64; empty while there is no private key. */
  readonly publicKey: string
  /** The UDP port. */
  readonly port: number
  readonly udp: Readonly<UdpCounters> & { readonly received: number }
  readonly device: Readonly<DeviceCounters>
  /** What the handshakes of others take up: messages that wait for their turn, sources that are limited, indices in use. */
  readonly load: {
    readonly underLoad: boolean
    readonly queuedHandshakes: number
    readonly limitedSources: number
    readonly indices: number
  }
  readonly stack: Readonly<StackCounters>
  /** Looking up names by DNS in the tunnel. */
  readonly dns: Readonly<DnsCounters>
  /** What stands now inside the tunnel. */
  readonly sockets: StackStats
  /** Flows by decision; only with a policy. */
  readonly policy?: Readonly<FlowCounters>
  /** Packet slots. */
  readonly memory: { readonly slots: number; readonly inUse: number }
  readonly peers: readonly PeerInfo[]
}

/** What to make of a peer; what is left out stays as it is. */
export interface PeerSettings {
  /** Base64. A peer that is not there is added. */
  readonly publicKey: string
  /** Base64; null takes it away. It serves from the next handshake on. */
  readonly presharedKey?: string | null
  /** `HOST:PORT`, with an IPv6 address as `[ADDRESS]:PORT`. */
  readonly endpoint?: string
  /** Seconds, 0 to 65535; 0 is off. */
  readonly persistentKeepalive?: number
  /** All that the peer is to have. What another peer had moves to this one. */
  readonly allowedIps?: readonly string[]
  readonly name?: string
  /** Its own addresses; without them, the /32 and /128 among its AllowedIPs. */
  readonly addresses?: readonly string[]
  readonly tags?: readonly string[]
}

/** A change of a peer in bytes. */
export interface PeerEdit extends Omit<PeerChange, 'endpoint'> {
  /** A name or an address. */
  readonly endpoint?: { readonly host: string; readonly port: number }
  readonly name?: string
  readonly addresses?: readonly IpAddress[]
  readonly tags?: readonly string[]
}

/** Throws USAGE for what cannot be used. */
export function readSettings(settings: PeerSettings): PeerEdit {
  const { publicKey, presharedKey, endpoint, persistentKeepalive, allowedIps, name, addresses, tags } = settings
  return {
    publicKey: read('publicKey', () => values.readKey(String(publicKey))),
    ...(presharedKey !== undefined && { presharedKey: readPresharedKey(presharedKey) }),
    ...(endpoint !== undefined && { endpoint: read('endpoint', () => values.readEndpoint(endpoint)) }),
    ...(persistentKeepalive !== undefined && {
      persistentKeepalive: read('persistentKeepalive', () => values.readNumber(String(persistentKeepalive), 0, 65535)),
    }),
    ...(allowedIps !== undefined && { allowedIps: readPrefixes(allowedIps), replaceAllowedIps: true }),
    ...(name !== undefined && { name: read('name', () => values.readName(name)) }),
    ...(addresses !== undefined && { addresses: read('addresses', () => addresses.flatMap(values.readAddresses)) }),
    ...(tags !== undefined && { tags: read('tags', () => tags.flatMap(values.readTags)) }),
  }
}

/** Base64 of 32 bytes; throws USAGE, and never shows it. */
export function readKeyArgument(name: string, text: string): Uint8Array {
  return read(name, () => values.readKey(String(text)))
}

function readPresharedKey(text: string | null): Uint8Array {
  return text === null ? new Uint8Array(32) : SecretKey.copy(readKeyArgument('presharedKey', text))
}

function readPrefixes(texts: readonly string[]): Prefix[] {
  return read('allowedIps', () => texts.flatMap(values.readPrefixes))
}

function read<T>(name: string, reader: () => T): T {
  try {
    return reader()
  } catch (problem) {
    if (problem instanceof Problem) throw new TunnelError('USAGE', `${name}: ${problem.text}`)
    throw problem
  }
}

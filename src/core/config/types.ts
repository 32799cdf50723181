// A tunnel's configuration as data: what a wg-quick file says, plus the names and tags that tunless reads from it.
import type { IpAddress, Prefix } from '../base/address.js'

export interface Config {
  /** File name for messages. */
  readonly source: string
  readonly interface: InterfaceConfig
  /** In the order of the file. No two have the same public key or the same name. */
  readonly peers: readonly PeerConfig[]
  /** What was ignored and why, each `FILE:LINE: …`. */
  readonly notes: readonly string[]
}

/** The `[Interface]` section: this host. */
export interface InterfaceConfig {
  /** 32 bytes; a SecretKey where it was parsed. Absent when it comes from elsewhere. */
  readonly privateKey?: Uint8Array
  /** Own addresses with their host bits, `length` being that of the network they stand in. */
  readonly addresses: readonly Prefix[]
  /** UDP port; 0 or absent takes a free one. */
  readonly listenPort?: number
  /** Largest packet inside the tunnel, bytes. */
  readonly mtu?: number
  readonly dns: DnsConfig
  readonly name?: string
  /** Each `tag:NAME`. */
  readonly tags: readonly string[]
  readonly hosts: readonly HostConfig[]
}

/** `DNS`: addresses are servers, anything else is a search domain. */
export interface DnsConfig {
  readonly servers: readonly IpAddress[]
  readonly search: readonly string[]
  readonly routes: readonly DnsRouteConfig[]
}

/** `DNSRoute = DOMAIN… SERVER…`: servers for a domain and all names below it. */
export interface DnsRouteConfig {
  readonly suffix: string
  readonly servers: readonly IpAddress[]
}

/** `Host = NAME ADDRESS…`: a name for a host behind a peer. */
export interface HostConfig {
  readonly name: string
  readonly addresses: readonly IpAddress[]
}

/** A `[Peer]` section. */
export interface PeerConfig {
  /** 32 bytes. */
  readonly publicKey: Uint8Array
  /** 32 bytes; a SecretKey where it was parsed. */
  readonly presharedKey?: Uint8Array
  /** What this peer may send from and is sent for; host bits are zero. */
  readonly allowedIps: readonly Prefix[]
  /** A literal address without brackets, or a name that this host's resolver is asked for. */
  readonly endpoint?: EndpointConfig
  /** Seconds, 1 to 65535; absent means off. */
  readonly persistentKeepalive?: number
  readonly name?: string
  /** The peer's own addresses: its `Address`, else the /32 and /128 among its AllowedIPs. */
  readonly addresses: readonly IpAddress[]
  /** Each `tag:NAME`. */
  readonly tags: readonly string[]
  /** The line of its `[Peer]`. */
  readonly line: number
}

export interface EndpointConfig {
  readonly host: string
  readonly port: number
}

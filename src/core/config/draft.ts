// A section while its lines are read: values pile up here as they stand in the file, and are merged when it is finished.
import type { IpAddress, Prefix } from '../base/address.js'
import { formatAddress, formatPrefix } from '../base/address.js'
import { SecretKey } from '../base/secret.js'
import type { Section } from './keys.js'
import type { DnsRouteConfig, HostConfig, InterfaceConfig, PeerConfig } from './types.js'
import * as values from './values.js'

export interface Draft {
  readonly section: Section
  readonly line: number
  /** Line of the first use of each key, by its name. */
  readonly seen: Map<string, number>
  readonly addresses: Prefix[]
  readonly peerAddresses: IpAddress[]
  readonly allowedIps: Prefix[]
  readonly servers: IpAddress[]
  readonly search: string[]
  readonly routes: DnsRouteConfig[]
  readonly tags: string[]
  readonly hosts: HostConfig[]
  name?: string
  privateKey?: Uint8Array
  listenPort?: number
  mtu?: number
  publicKey?: Uint8Array
  presharedKey?: Uint8Array
  endpoint?: { host: string; port: number }
  persistentKeepalive?: number
}

export function createDraft(section: Section, line: number): Draft {
  const names = { servers: [], search: [], routes: [], tags: [], hosts: [] }
  return { section, line, seen: new Map(), addresses: [], peerAddresses: [], allowedIps: [], ...names }
}

/** Takes one value in; throws a Problem that says what is wrong with it. */
export function takeValue(draft: Draft, key: string, value: string): void {
  switch (key) {
    case 'PrivateKey':
      draft.privateKey = SecretKey.copy(values.readKey(value))
      break
    case 'PublicKey':
      draft.publicKey = values.readKey(value)
      break
    case 'PresharedKey':
      draft.presharedKey = SecretKey.copy(values.readKey(value))
      break
    case 'Address':
      if (draft.section === 'Interface') append(draft.addresses, values.readOwnAddresses(value))
      else append(draft.peerAddresses, values.readAddresses(value))
      break
    case 'AllowedIPs':
      append(draft.allowedIps, values.readPrefixes(value))
      break
    case 'ListenPort':
      draft.listenPort = values.readNumber(value, 0, 65535)
      break
    case 'MTU':
      draft.mtu = values.readNumber(value, values.leastMtu, values.mostMtu)
      break
    case 'DNS': {
      const { servers, search } = values.readDns(value)
      append(draft.servers, servers)
      append(draft.search, search)
      break
    }
    case 'DNSRoute':
      append(draft.routes, values.readDnsRoute(value))
      break
    case 'Endpoint':
      draft.endpoint = values.readEndpoint(value)
      break
    case 'PersistentKeepalive': {
      const seconds = values.readKeepalive(value)
      if (seconds !== undefined) draft.persistentKeepalive = seconds
      break
    }
    case 'Name':
      draft.name = values.readName(value)
      break
    case 'Tags':
      append(draft.tags, values.readTags(value))
      break
    case 'Host':
      draft.hosts.push(values.readHost(value))
      break
  }
}

export function finishInterface(draft: Draft): InterfaceConfig {
  return {
    ...(draft.privateKey && { privateKey: draft.privateKey }),
    addresses: draft.addresses,
    ...(draft.listenPort !== undefined && { listenPort: draft.listenPort }),
    ...(draft.mtu !== undefined && { mtu: draft.mtu }),
    dns: {
      servers: unique(draft.servers, formatAddress),
      search: unique(draft.search, lowerCase),
      routes: mergeRoutes(draft.routes),
    },
    ...(draft.name !== undefined && { name: draft.name }),
    tags: unique(draft.tags, lowerCase),
    hosts: mergeHosts(draft.hosts),
  }
}

export function finishPeer(draft: Draft, publicKey: Uint8Array): PeerConfig {
  const allowedIps = unique(draft.allowedIps, formatPrefix)
  const addresses = unique(draft.peerAddresses, formatAddress)
  return {
    publicKey,
    ...(draft.presharedKey && { presharedKey: draft.presharedKey }),
    allowedIps,
    ...(draft.endpoint && { endpoint: draft.endpoint }),
    ...(draft.persistentKeepalive !== undefined && { persistentKeepalive: draft.persistentKeepalive }),
    ...(draft.name !== undefined && { name: draft.name }),
    addresses: addresses.length > 0 ? addresses : singleAddresses(allowedIps),
    tags: unique(draft.tags, lowerCase),
    line: draft.line,
  }
}

/** The /32 and /128 of AllowedIPs: a peer's own addresses where no `Address` names them. */
export function singleAddresses(allowedIps: readonly Prefix[]): IpAddress[] {
  return allowedIps.filter(prefix => prefix.length === prefix.address.length * 8).map(prefix => prefix.address)
}

/** Lines with one name add up, as in a hosts file. */
function mergeHosts(hosts: readonly HostConfig[]): HostConfig[] {
  return merge(hosts.map(({ name, addresses }) => [name, addresses])).map(([name, addresses]) => ({ name, addresses }))
}

function mergeRoutes(routes: readonly DnsRouteConfig[]): DnsRouteConfig[] {
  return merge(routes.map(({ suffix, servers }) => [suffix, servers])).map(([suffix, servers]) => ({ suffix, servers }))
}

function merge(items: readonly (readonly [string, readonly IpAddress[]])[]): [string, IpAddress[]][] {
  const byName = new Map<string, [string, IpAddress[]]>()
  for (const [name, addresses] of items) {
    const merged = byName.get(lowerCase(name)) ?? [name, []]
    append(merged[1], addresses)
    byName.set(lowerCase(name), merged)
  }
  return [...byName.values()].map(([name, addresses]) => [name, unique(addresses, formatAddress)])
}

/** Not `push(...more)`: a line may have more items than a call may have arguments. */
function append<T>(list: T[], more: readonly T[]): void {
  for (const item of more) list.push(item)
}

function unique<T>(list: readonly T[], id: (item: T) => string): T[] {
  const seen = new Set<string>()
  return list.filter(item => {
    const text = id(item)
    return !seen.has(text) && seen.add(text)
  })
}

function lowerCase(text: string): string {
  return text.toLowerCase()
}

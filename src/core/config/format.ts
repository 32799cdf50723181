// Writes a configuration as a file that wg-quick(8) loads too: what tunless adds stands in comments.
import { formatAddress, formatPrefix, type IpAddress } from '../base/address.js'
import { encodeKey } from '../base/base64.js'
import { singleAddresses } from './draft.js'
import { invalid, Problem } from './problem.js'
import type { Config, InterfaceConfig, PeerConfig } from './types.js'
import * as values from './values.js'

/**
 * Returns the text, keys included: it is a secret. `parseConfig` reads it back to the same configuration, but for `line` and `notes`.
 * Throws CONFIG_INVALID for a name, tag or host that would not read back: nothing can smuggle a line into the file.
 */
export function formatConfig(config: Config): string {
  try {
    const sections = [interfaceLines(config.interface), ...config.peers.map(peerLines)]
    return `${sections.map(lines => lines.join('\n')).join('\n\n')}\n`
  } catch (problem) {
    if (problem instanceof Problem) throw invalid(config.source, 1, problem)
    throw problem
  }
}

function interfaceLines(own: InterfaceConfig): string[] {
  return [
    '[Interface]',
    ...line('# Name', own.name, values.readName),
    ...(own.privateKey ? [`PrivateKey = ${encodeKey(own.privateKey)}`] : []),
    ...list('Address', own.addresses.map(formatPrefix)),
    ...line('ListenPort', own.listenPort?.toString()),
    ...line('MTU', own.mtu?.toString()),
    ...line('DNS', [...own.dns.servers.map(formatAddress), ...own.dns.search].join(', ') || undefined, values.readDns),
    ...own.dns.routes.flatMap(route =>
      line('# DNSRoute', [route.suffix, ...route.servers.map(formatAddress)].join(' '), values.readDnsRoute),
    ),
    ...line('# Tags', own.tags.join(', ') || undefined, values.readTags),
    ...own.hosts.flatMap(host =>
      line('# Host', [host.name, ...host.addresses.map(formatAddress)].join(' '), values.readHost),
    ),
  ]
}

function peerLines(peer: PeerConfig): string[] {
  return [
    '[Peer]',
    ...line('# Name', peer.name, values.readName),
    `PublicKey = ${encodeKey(peer.publicKey)}`,
    ...(peer.presharedKey ? [`PresharedKey = ${encodeKey(peer.presharedKey)}`] : []),
    ...line('Endpoint', peer.endpoint && formatHostPort(peer.endpoint.host, peer.endpoint.port), values.readEndpoint),
    ...list('AllowedIPs', peer.allowedIps.map(formatPrefix)),
    ...line('PersistentKeepalive', peer.persistentKeepalive?.toString()),
    ...(sameList(peer.addresses, singleAddresses(peer.allowedIps))
      ? []
      : list('# Address', peer.addresses.map(formatAddress))),
    ...line('# Tags', peer.tags.join(', ') || undefined, values.readTags),
  ]
}

function line(key: string, value: string | undefined, check?: (text: string) => unknown): string[] {
  if (value === undefined) return []
  check?.(value)
  return [`${key} = ${value}`]
}

function list(key: string, items: readonly string[]): string[] {
  return items.length === 0 ? [] : [`${key} = ${items.join(', ')}`]
}

function sameList(a: readonly IpAddress[], b: readonly IpAddress[]): boolean {
  return a.length === b.length && a.every((address, i) => formatAddress(address) === formatAddress(b[i] as IpAddress))
}

function formatHostPort(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

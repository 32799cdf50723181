// What can be said of a configuration without the network: what is missing, what contradicts itself, what will not work.
import {
  formatAddress,
  formatPrefix,
  type IpAddress,
  maskAddress,
  type Prefix,
  parseAddress,
  sameAddress,
} from '../../core/base/address.js'
import { encodeKey } from '../../core/base/base64.js'
import type { PeerConfig } from '../../core/config/types.js'
import type { Target } from '../../proxy/dialer.js'
import type { CompleteConfig } from '../conf.js'
import { publicKeyOf } from '../public-key.js'
import type { Finding } from './findings.js'

/** What an outer path of 1500 bytes leaves over IPv6: 40 (IP) + 8 (UDP) + 32 (WireGuard). */
const usualMtu = 1420
/** Some jobs run where the clock begins at 1970: handshakes are refused until it is right. */
const earliest = Date.UTC(2024, 0)

export function labelOf(peer: Pick<PeerConfig, 'name' | 'publicKey'>): string {
  return peer.name ?? `${encodeKey(peer.publicKey).slice(0, 8)}…`
}

export function lint(config: CompleteConfig, targets: readonly Target[], now = Date.now()): Finding[] {
  const findings: Finding[] = []
  const warn = (detail: string, remedy: string) =>
    findings.push({ check: 'configuration', status: 'warning', detail, remedy })
  const fail = (detail: string, remedy: string) =>
    findings.push({ check: 'configuration', status: 'failed', detail, remedy })
  const { interface: own, peers } = config
  const families = new Set(own.addresses.map(({ address }) => address.length))

  const ownKey = encodeKey(publicKeyOf(own.privateKey))
  for (const peer of peers) {
    const label = labelOf(peer)
    if (encodeKey(peer.publicKey) === ownKey) {
      fail(
        `peer ${label} has this side's own public key`,
        "Put the other side's public key there: `tunless pubkey` prints it.",
      )
    }
    if (peer.allowedIps.length === 0) {
      warn(`peer ${label} has no AllowedIPs: nothing is sent to it`, 'Add AllowedIPs with the addresses behind it.')
    }
    for (const family of [4, 16]) {
      if (families.has(family) || !peer.allowedIps.some(({ address }) => address.length === family)) continue
      const name = family === 4 ? 'IPv4' : 'IPv6'
      warn(
        `peer ${label} has ${name} AllowedIPs, and this side has no ${name} Address`,
        `Add an ${name} Address under [Interface], or leave these AllowedIPs out.`,
      )
    }
    for (const { address } of own.addresses) {
      const taken = peer.allowedIps.find(
        ({ length, address: of }) => length === of.length * 8 && sameAddress(of, address),
      )
      if (taken === undefined) continue
      warn(
        `peer ${label} has this side's own address ${formatAddress(address)} among its AllowedIPs`,
        'Leave it out there: it is this side that answers for it.',
      )
    }
  }
  if (peers.every(peer => peer.endpoint === undefined) && own.listenPort === undefined) {
    warn(
      'no peer has an Endpoint, and there is no ListenPort: nobody can find this side',
      'Add an Endpoint under [Peer], or ListenPort under [Interface].',
    )
  }
  if (own.mtu !== undefined && own.mtu > usualMtu) {
    warn(
      `MTU ${own.mtu} fits no path of 1500 bytes: larger packets leave in fragments, which many networks drop`,
      `Set MTU = ${usualMtu}, or leave it out.`,
    )
  }
  for (const server of [...own.dns.servers, ...own.dns.routes.flatMap(route => route.servers)]) {
    if (covers(peers, server) || own.addresses.some(({ address }) => sameAddress(address, server))) continue
    fail(
      `no peer's AllowedIPs cover the DNS server ${formatAddress(server)}`,
      'Add it to the AllowedIPs of the peer that it is behind, or take it out of DNS.',
    )
  }
  for (const target of targets) {
    const address = addressesOf(config, target.host)
    if (address === undefined || address.some(one => covers(peers, one) || isOwn(own.addresses, one))) continue
    findings.push({
      check: 'target',
      subject: `${target.host}:${target.port}`,
      status: 'failed',
      detail: `no peer's AllowedIPs cover ${target.host} (they are: ${describeRanges(peers)})`,
      remedy: 'Use an address from the AllowedIPs, or extend them.',
      code: 'NO_ROUTE',
    })
  }
  if (now < earliest) {
    warn(
      `this host's clock says ${new Date(now).toISOString()}: peers refuse a handshake that is older than the last one`,
      'Set the clock.',
    )
  }
  for (const note of config.notes) findings.push({ check: 'configuration', status: 'ok', detail: note })
  const mtu = own.mtu ?? usualMtu
  const addresses = own.addresses.map(({ address }) => formatAddress(address)).join(', ')
  const said = `${config.source}: ${addresses}, ${peers.length} ${peers.length === 1 ? 'peer' : 'peers'}, MTU ${mtu}`
  return [{ check: 'configuration', status: 'ok', detail: said }, ...findings]
}

/** By the configuration alone; undefined for what only DNS could know. */
function addressesOf(config: CompleteConfig, host: string): readonly IpAddress[] | undefined {
  const name = host.toLowerCase().replace(/\.$/, '')
  const known = [
    ...config.peers.flatMap(peer => (peer.name?.toLowerCase() === name ? peer.addresses : [])),
    ...config.interface.hosts.flatMap(one => (one.name.toLowerCase() === name ? one.addresses : [])),
  ]
  if (known.length > 0) return known
  const literal = parseAddress(host)
  return literal && [literal]
}

function covers(peers: readonly PeerConfig[], address: IpAddress): boolean {
  return peers.some(peer => peer.allowedIps.some(prefix => isIn(prefix, address)))
}

function isIn({ address: start, length }: Prefix, address: IpAddress): boolean {
  return start.length === address.length && sameAddress(maskAddress(address, length), start)
}

function isOwn(addresses: readonly Prefix[], address: IpAddress): boolean {
  return addresses.some(one => sameAddress(one.address, address))
}

/** Ranges that are named. */
const longestList = 10

function describeRanges(peers: readonly PeerConfig[]): string {
  const ranges = peers.flatMap(peer => peer.allowedIps).map(formatPrefix)
  const more = ranges.length > longestList ? ` and ${ranges.length - longestList} more` : ''
  return `${ranges.slice(0, longestList).join(', ') || 'none'}${more}`
}

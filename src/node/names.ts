// Names that the configuration itself gives: peers, hosts, and this node. Anything else is unknown; the host's own resolver is
// never asked for what belongs to the tunnel.
import { type IpAddress, parseAddress } from '../core/base/address.js'
import type { InterfaceConfig, PeerConfig } from '../core/config/types.js'
import { TunnelError } from '../errors.js'

export interface NameSources {
  readonly interface: Pick<InterfaceConfig, 'name' | 'addresses' | 'hosts'>
  readonly peers: readonly Pick<PeerConfig, 'name' | 'addresses'>[]
}

/** Returns the addresses of a name or of a literal address; throws UNKNOWN_HOST. Names are compared without case. */
export function createNames(config: NameSources): (name: string) => IpAddress[] {
  const table = new Map<string, IpAddress[]>()
  const add = (name: string | undefined, addresses: readonly IpAddress[]) => {
    if (name === undefined) return
    const key = name.toLowerCase()
    table.set(key, [...(table.get(key) ?? []), ...addresses])
  }
  add(
    config.interface.name,
    config.interface.addresses.map(prefix => prefix.address),
  )
  for (const peer of config.peers) add(peer.name, peer.addresses)
  for (const host of config.interface.hosts) add(host.name, host.addresses)

  return name => {
    const bare = name.startsWith('[') && name.endsWith(']') ? name.slice(1, -1) : name
    const literal = parseAddress(bare)
    if (literal !== undefined) return [literal]
    const addresses = table.get(name.toLowerCase().replace(/\.$/, ''))
    if (addresses !== undefined && addresses.length > 0) return addresses
    const known = [...table.keys()].join(', ') || 'none'
    throw new TunnelError(
      'UNKNOWN_HOST',
      `unknown host ${JSON.stringify(name)}: use an address, or add \`Name\` under its [Peer] or \`Host = NAME ADDRESS\` under [Interface] (known names: ${known})`,
    )
  }
}

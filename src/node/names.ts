// Names that the configuration itself gives: peers, hosts, and this node. Anything else is for DNS servers in the tunnel, if there
// are any; the host's own resolver is never asked for what belongs to the tunnel.
import { type IpAddress, parseAddress } from '../core/base/address.js'
import type { InterfaceConfig, PeerConfig } from '../core/config/types.js'

/** Names that an error lists. */
const namesListed = 20

export interface NameSources {
  readonly interface: Pick<InterfaceConfig, 'name' | 'addresses' | 'hosts'>
  readonly peers: readonly Pick<PeerConfig, 'name' | 'addresses'>[]
}

export interface Names {
  /** Addresses of a name or of a literal address, at least one. Names are compared without case. */
  find(name: string): IpAddress[] | undefined
  /** All of them, for a person. */
  readonly list: string
}

export function createNames(config: NameSources): Names {
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

  return {
    find(name) {
      const bare = name.startsWith('[') && name.endsWith(']') ? name.slice(1, -1) : name
      const literal = parseAddress(bare)
      if (literal !== undefined) return [literal]
      const addresses = table.get(name.toLowerCase().replace(/\.$/, ''))
      return addresses !== undefined && addresses.length > 0 ? addresses : undefined
    },
    get list() {
      const names = [...table.keys()]
      const listed = names.slice(0, namesListed).join(', ') || 'none'
      return names.length > namesListed ? `${listed} and ${names.length - namesListed} more` : listed
    },
  }
}

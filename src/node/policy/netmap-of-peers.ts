// The netmap that a configuration gives by itself: this host by [Interface], and its peers by what each [Peer] says, as they are now.
import type { IpAddress, Prefix } from '../../core/base/address.js'
import { encodeKey } from '../../core/base/base64.js'
import type { InterfaceConfig } from '../../core/config/types.js'
import type { Netmap, NetmapNode } from '../../core/policy/netmap.js'

export interface NetmapPeer {
  readonly publicKey: Uint8Array
  readonly name?: string | undefined
  readonly addresses: readonly IpAddress[]
  readonly tags: readonly string[]
  readonly allowedIps: readonly Prefix[]
}

/** No Name can be this. */
const ownName = '(this host)'

export function netmapOfPeers(
  own: Pick<InterfaceConfig, 'name' | 'addresses' | 'tags'>,
  ownKey: Uint8Array | undefined,
  peers: Iterable<NetmapPeer>,
): Netmap {
  const nodes: NetmapNode[] = [
    {
      name: own.name ?? ownName,
      ...(ownKey && { key: ownKey }),
      addresses: own.addresses.map(({ address }) => address),
      tags: own.tags,
      routes: [],
    },
  ]
  for (const { publicKey, name, addresses, tags, allowedIps } of peers) {
    const routes = allowedIps.filter(({ address, length }) => length < address.length * 8)
    nodes.push({ name: name ?? `${encodeKey(publicKey).slice(0, 8)}…`, key: publicKey, addresses, tags, routes })
  }
  return { nodes }
}

// Who may send from which addresses, by key, as a netmap says it.
import type { IpAddress, Prefix } from '../base/address.js'
import { createPrefixTable, type PrefixTable } from '../base/prefix-table.js'
import type { NetmapNode } from '../policy/netmap.js'

/** How a sender stands to its address: not at all, as its node, or as the router in front of it. */
export type Standing = 'none' | 'own' | 'routed'

/** What the holder of a key may send from. */
export type Claims = PrefixTable<Standing>

export const noClaims: Claims = createPrefixTable<Standing>()

/** By {@link textOf} the key. */
export function claimsByKey(nodes: readonly NetmapNode[]): Map<string, Claims> {
  const claims = new Map<string, Claims>()
  for (const { key, addresses, routes } of nodes) {
    if (key === undefined) continue
    const own = claims.get(textOf(key)) ?? createPrefixTable<Standing>()
    claims.set(textOf(key), own)
    for (const route of routes) if (own.get(route) === undefined) own.insert(route, 'routed')
    for (const address of addresses) own.insert(hostPrefix(address), 'own')
  }
  return claims
}

/** By their own addresses. */
export function ownersOf(nodes: readonly NetmapNode[]): PrefixTable<NetmapNode> {
  const table = createPrefixTable<NetmapNode>()
  for (const node of nodes) for (const address of node.addresses) table.insert(hostPrefix(address), node)
  return table
}

function hostPrefix(address: IpAddress): Prefix {
  return { address, length: address.length * 8 }
}

export function textOf(key: Uint8Array): string {
  return String.fromCharCode(...key)
}

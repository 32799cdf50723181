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

/** What leads to an expired node, and to what is behind it, is true: unless a node that is there has the same or what is nearer. */
export function expiredAddresses(expired: readonly NetmapNode[], nodes: readonly NetmapNode[]): PrefixTable<boolean> {
  const table = createPrefixTable<boolean>()
  if (expired.length === 0) return table
  const insert = (node: NetmapNode, isExpired: boolean) => {
    for (const route of node.routes) table.insert(route, isExpired)
    for (const address of node.addresses) table.insert(hostPrefix(address), isExpired)
  }
  for (const node of expired) insert(node, true)
  for (const node of nodes) insert(node, false)
  return table
}

function hostPrefix(address: IpAddress): Prefix {
  return { address, length: address.length * 8 }
}

export function textOf(key: Uint8Array): string {
  return String.fromCharCode(...key)
}

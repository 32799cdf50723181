// Atoms of two policies: the kinds of sources and destinations that no selector of either tells further apart. A user, a tag,
// a range of addresses between two ends of ranges, and for each wildcard someone of whom nothing else is known.

import { formatAddress, formatPrefix } from '../base/address.js'
import type { Netmap } from './netmap.js'
import { addressOf, internetRanges, lastOf, prefixesOf } from './ranges.js'
import type { End } from './reach.js'
import type { AddressRange, PolicyDocument, Selector } from './types.js'

/** Ranges that are told apart; more than this are not compared. */
const mostRanges = 20_000

export interface Atoms {
  readonly sources: readonly End[]
  readonly destinations: readonly End[]
}

/** autogroup:self stands for the source's own nodes. */
export const selfLabel = 'autogroup:self'

export function atomsOf(documents: readonly PolicyDocument[], netmap: Netmap | undefined): Atoms {
  const sources = documents.flatMap(({ rules }) => rules.flatMap(rule => rule.sources))
  const destinations = documents.flatMap(({ rules }) =>
    rules.flatMap(({ targets }) => targets.flatMap(t => t.destinations)),
  )
  const people = peopleOf([...sources, ...destinations], documents, netmap)
  return {
    sources: [...people, ...rangesOf(sources, []), ...elsewhere('src')],
    destinations: [...people, ...rangesOf(destinations, internetRanges()), ...elsewhere('dst')],
  }
}

/** Users and tags by name, without an address. */
function peopleOf(
  selectors: readonly Selector[],
  documents: readonly PolicyDocument[],
  netmap: Netmap | undefined,
): End[] {
  const users = new Set<string>()
  const tags = new Set<string>()
  const domains = new Set<string>()
  for (const { value } of selectors) {
    if (value.kind === 'user') users.add(value.user)
    if (value.kind === 'tag') tags.add(value.name)
    if (value.kind === 'domain') domains.add(value.domain)
    if (value.kind === 'group') {
      for (const { groups } of documents) for (const user of groups.get(value.name) ?? []) users.add(user)
      if (value.synced) for (const user of netmap?.groups?.[value.name] ?? []) users.add(user)
    }
  }
  const end = { inNetwork: true, throughExit: false, complete: false }
  return [
    ...Array.from(users, user => ({ ...end, label: user, user, tags: [], ...rolesOf(user, netmap) })),
    ...Array.from(domains, domain => ({ ...end, label: `user:*@${domain}`, user: `*@${domain}`, tags: [] })),
    ...rolesGiven(netmap).map(role => ({
      ...end,
      label: `autogroup:${role}`,
      user: `* ${role}`,
      tags: [],
      roles: [role],
    })),
    { ...end, label: 'autogroup:member', user: '*', tags: [] },
    ...Array.from(tags, tag => ({ ...end, label: tag, tags: [tag] })),
    { ...end, label: 'autogroup:tagged', tags: ['*'] },
  ]
}

function rolesOf(user: string, netmap: Netmap | undefined): { roles?: readonly string[] } {
  const roles = netmap?.nodes.find(node => node.user === user && node.roles !== undefined)?.roles
  return roles === undefined ? {} : { roles }
}

function rolesGiven(netmap: Netmap | undefined): string[] {
  return [...new Set(netmap?.nodes.flatMap(node => node.roles ?? []))]
}

/** The pieces between all ends of ranges, those of them that some selector has. */
function rangesOf(selectors: readonly Selector[], more: readonly AddressRange[]): End[] {
  const named = new Map<string, readonly AddressRange[]>()
  for (const { value, text } of selectors) if (value.kind === 'ranges') named.set(text, value.ranges)
  const usesInternet = selectors.some(({ value }) => value.kind === 'internet')
  const ranges = [...[...named.values()].flat(), ...(usesInternet ? more : [])].slice(0, mostRanges)
  return ([4, 6] as const).flatMap(family => {
    const edges = new Map<bigint, number>()
    for (const { first, last } of ranges.filter(range => range.family === family)) {
      edges.set(first, (edges.get(first) ?? 0) + 1)
      edges.set(last + 1n, (edges.get(last + 1n) ?? 0) - 1)
    }
    const sorted = [...edges].sort(([a], [b]) => (a < b ? -1 : 1))
    let open = 0
    return sorted.flatMap(([first, change], i) => {
      open += change
      const last = (sorted[i + 1]?.[0] ?? lastOf(family) + 1n) - 1n
      return open > 0 ? [addressAtom({ family, first, last }, rangeLabel({ family, first, last }))] : []
    })
  })
}

function rangeLabel(range: AddressRange): string {
  const [prefix, more] = prefixesOf(range)
  if (range.first === range.last) return formatAddress(addressOf(range.family, range.first))
  if (prefix !== undefined && more === undefined) return formatPrefix(prefix)
  return `${formatAddress(addressOf(range.family, range.first))}-${formatAddress(addressOf(range.family, range.last))}`
}

function addressAtom(range: AddressRange, label: string): End {
  const address = { family: range.family, value: range.first }
  return { label, tags: [], address, inNetwork: true, throughExit: true, complete: true }
}

/** Who and what no other selector names: another approved route, an address outside the network, any other address. */
function elsewhere(side: 'src' | 'dst'): End[] {
  const end = { tags: [], throughExit: false, complete: true }
  if (side === 'dst') {
    return [
      { ...end, label: selfLabel, inNetwork: true },
      { ...end, label: '*', inNetwork: true },
    ]
  }
  return [
    { ...end, label: '*', inNetwork: true },
    { ...end, label: 'autogroup:danger-all', inNetwork: false },
  ]
}

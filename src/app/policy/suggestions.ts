// The rules that would allow refused flows: as narrow as selectors by tags get, and as few as say exactly that.
import type { LoggedEnd, RefusedFlow } from './refused-flows.js'

export interface SuggestedRule {
  readonly src: readonly string[]
  readonly dst: readonly string[]
  /** As the ip of a grant. */
  readonly ip: readonly string[]
  /** Refusals that it would have prevented. */
  readonly count: number
  /** The last of them, ISO 8601. */
  readonly last: string
  /** Examples, `web1 to db1`. */
  readonly seen: readonly string[]
}

interface Group {
  src: string[]
  dst: string[]
  ip: string[]
  count: number
  last: string
  seen: string[]
}

/** Examples that a rule keeps. */
const mostSeen = 3
const pings: readonly string[] = ['icmp', 'ipv6-icmp']

/** `nameOf` knows another name for an address, a host of the policy. */
export function suggestRules(
  flows: Iterable<RefusedFlow>,
  nameOf: (address: string) => string | undefined = () => undefined,
): SuggestedRule[] {
  const all = [...flows]
  const nodes = nodesByTag(all)
  const selector = (end: LoggedEnd) => selectorOf(end, nodes, nameOf)
  const pairs = new Map<string, Group>()
  for (const { source, destination, protocol, port, count, last } of all) {
    const [src, dst] = [selector(source), selector(destination)]
    const ip = port === 0 ? `${protocol}:*` : `${protocol}:${port}`
    const seen = `${source.node ?? source.address} to ${destination.node ?? destination.address}`
    join(pairs, JSON.stringify([src, dst]), { src: [src], dst: [dst], ip: [ip], count, last, seen: [seen] })
  }
  for (const pair of pairs.values()) pair.ip = withoutPing(pair.ip)
  // Each step keeps the same pairs with the same ports: a rule is every source to every destination on every port.
  const bySource = joined(pairs.values(), ({ src, ip }) => JSON.stringify([src, ip]))
  const byDestination = joined(bySource.values(), ({ dst, ip }) => JSON.stringify([dst, ip]))
  return [...byDestination.values()].sort(
    (a, b) => b.count - a.count || compare(`${a.src} ${a.dst}`, `${b.src} ${b.dst}`),
  )
}

/** The tag of the fewest nodes in the log, the user, a host's name, or else the address alone. */
function selectorOf(
  { tags, user, address }: LoggedEnd,
  nodes: ReadonlyMap<string, ReadonlySet<string>>,
  nameOf: (address: string) => string | undefined,
): string {
  const size = (tag: string) => nodes.get(tag)?.size ?? 0
  const [narrowest] = tags.toSorted((a, b) => size(a) - size(b) || compare(a, b))
  return narrowest ?? user ?? nameOf(address) ?? address
}

function nodesByTag(flows: readonly RefusedFlow[]): Map<string, Set<string>> {
  const nodes = new Map<string, Set<string>>()
  for (const { tags, address } of flows.flatMap(({ source, destination }) => [source, destination])) {
    for (const tag of tags) {
      const known = nodes.get(tag)
      if (known === undefined) nodes.set(tag, new Set([address]))
      else known.add(address)
    }
  }
  return nodes
}

/** Any rule between two addresses allows ping as well. */
function withoutPing(ip: readonly string[]): string[] {
  const others = ip.filter(each => !pings.includes(each.slice(0, each.indexOf(':'))))
  return (others.length > 0 ? others : [...ip]).sort(byPort)
}

function byPort(a: string, b: string): number {
  const [first, second] = [a.split(':'), b.split(':')]
  return compare(first[0] ?? '', second[0] ?? '') || Number(first[1]) - Number(second[1])
}

function joined(groups: Iterable<Group>, keyOf: (group: Group) => string): Map<string, Group> {
  const result = new Map<string, Group>()
  for (const group of groups) join(result, keyOf(group), group)
  return result
}

function join(groups: Map<string, Group>, key: string, more: Group): void {
  const known = groups.get(key)
  if (known === undefined) groups.set(key, more)
  else {
    known.src = union(known.src, more.src)
    known.dst = union(known.dst, more.dst)
    known.ip = union(known.ip, more.ip)
    known.seen = union(known.seen, more.seen).slice(0, mostSeen)
    known.count += more.count
    if (more.last > known.last) known.last = more.last
  }
}

function union(a: readonly string[], b: readonly string[]): string[] {
  return [...new Set([...a, ...b])].sort(compare)
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

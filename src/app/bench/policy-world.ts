// 10,000 nodes and 10,000 rules as a company might have them, drawn from a seed: the policy as text, and who matches what as
// plain sets, so that decisions can be compared with the rules asked one by one.
import type { Netmap, NetmapNode } from '../../core/policy/netmap.js'

export interface Target {
  /** A selector without ports. */
  readonly host: string
  readonly first: number
  readonly last: number
}

export interface Rule {
  readonly sources: readonly string[]
  readonly targets: readonly Target[]
}

/** TCP from one node to another. */
export interface Flow {
  readonly from: number
  readonly to: number
  readonly port: number
}

export interface World {
  readonly text: string
  readonly netmap: Netmap
  readonly rules: readonly Rule[]
  /** Nodes that match a selector. */
  readonly members: ReadonlyMap<string, ReadonlySet<number>>
  /** Half of them between two nodes that some rule has, half between any. */
  readonly flows: readonly Flow[]
}

const tagCount = 500
const userCount = 3000
const groupCount = 200
const ports = [22, 53, 80, 443, 1883, 3306, 5432, 6379, 8080, 9090, 9100, 27_017]

export function createPolicyWorld(nodeCount: number, ruleCount: number, flowCount: number): World {
  const random = generator(8)
  const pick = <T>(from: readonly T[]): T => from[random(from.length)] as T
  const tags = Array.from({ length: tagCount }, (_, i) => `tag:t${i}`)
  const users = Array.from({ length: userCount }, (_, i) => `u${i}@example.com`)
  const groups = new Map(
    Array.from({ length: groupCount }, (_, i) => [
      `group:g${i}`,
      Array.from({ length: 2 + random(40) }, () => pick(users)),
    ]),
  )
  const nodes = Array.from({ length: nodeCount }, (_, i): NetmapNode => {
    const address = new Uint8Array([100, 64 + (i >> 16), (i >> 8) & 255, i & 255])
    const owner = random(10) < 6 ? { tags: drawn(1 + random(3), tags, pick) } : { tags: [], user: pick(users) }
    return { name: `n${i}`, addresses: [address], routes: [], ...owner }
  })
  const cidrs = Array.from({ length: nodeCount >> 8 }, (_, i) => `100.${64 + (i >> 8)}.${i & 255}.0/24`)
  const members = membersOf(nodes, groups, cidrs)
  const selector = () => {
    const kind = random(100)
    if (kind < 60) return pick(tags)
    if (kind < 80) return pick([...groups.keys()])
    return kind < 95 ? pick(users) : pick(cidrs)
  }
  const rules = Array.from({ length: ruleCount }, (): Rule => {
    const targets = Array.from({ length: 1 + random(3) }, () => {
      const first = pick(ports)
      return { host: selector(), first, last: random(4) === 0 ? first + random(200) : first }
    })
    return { sources: Array.from({ length: 1 + random(3) }, selector), targets }
  })
  const flows = Array.from({ length: flowCount }, (_, i): Flow => {
    const { sources, targets } = pick(rules)
    const { host, first } = pick(targets)
    const [from, to] = [[...(members.get(pick(sources)) ?? [])], [...(members.get(host) ?? [])]]
    const any = i % 2 === 0 || from.length === 0 || to.length === 0
    return { from: any ? random(nodeCount) : pick(from), to: any ? random(nodeCount) : pick(to), port: first }
  })
  const text = JSON.stringify({
    groups: Object.fromEntries(groups),
    tagOwners: Object.fromEntries(tags.map(tag => [tag, []])),
    acls: rules.map(({ sources, targets }) => ({
      action: 'accept',
      src: sources,
      dst: targets.map(({ host, first, last }) => `${host}:${first === last ? first : `${first}-${last}`}`),
    })),
  })
  return { text, netmap: { nodes }, rules, members, flows }
}

function drawn<T>(count: number, from: readonly T[], pick: (from: readonly T[]) => T): T[] {
  return [...new Set(Array.from({ length: count }, () => pick(from)))]
}

function membersOf(
  nodes: readonly NetmapNode[],
  groups: ReadonlyMap<string, readonly string[]>,
  cidrs: readonly string[],
): Map<string, Set<number>> {
  const members = new Map<string, Set<number>>()
  const add = (selector: string, node: number) => members.set(selector, (members.get(selector) ?? new Set()).add(node))
  const groupsOf = new Map<string, string[]>()
  for (const [group, users] of groups)
    for (const user of users) groupsOf.set(user, [...(groupsOf.get(user) ?? []), group])
  for (const [i, { tags, user }] of nodes.entries()) {
    for (const each of tags) add(each, i)
    for (const each of user === undefined ? [] : [user, ...(groupsOf.get(user) ?? [])]) add(each, i)
    const cidr = cidrs[i >> 8]
    if (cidr !== undefined) add(cidr, i)
  }
  return members
}

/** Rule by rule, in their order: the first that allows it, -1 for none. */
export function firstRule({ rules, members }: World, { from, to, port }: Flow): number {
  const has = (selector: string, node: number) => members.get(selector)?.has(node) ?? false
  return rules.findIndex(
    ({ sources, targets }) =>
      sources.some(source => has(source, from)) &&
      targets.some(({ host, first, last }) => first <= port && port <= last && has(host, to)),
  )
}

/** Whole numbers below `n`, the same for the same seed. */
function generator(seed: number): (n: number) => number {
  let state = seed
  return n => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), state | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) % n
  }
}

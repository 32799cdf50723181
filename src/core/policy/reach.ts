// Who reaches what by selectors: a source and a destination are described, by name alone or as a real node, and each rule is
// asked whether it covers them. Slow and plain; tests, explain and diff use it, never a packet.
import { isGiven, membersOfGroup } from './clauses.js'
import { exitRouteLength, isExitNode, userOf } from './identities.js'
import type { Netmap, NetmapNode } from './netmap.js'
import { icmp, icmpv6, includesPort, tcp, udp } from './ports.js'
import { addressValue, inRanges, internetRanges, rangeOf } from './ranges.js'
import type { PolicyDocument, PolicyRule, PortRange, Selector, SelectorValue } from './types.js'

/** No; not by name, but an address could say so; it depends on what cannot be evaluated; yes. In this order. */
export const no = 0
export const byAddress = 1
export const perhaps = 2
export const yes = 3
export type Level = 0 | 1 | 2 | 3

/** Someone at one end: a node, what is known of any node with a tag or user, or an address. */
export interface End {
  readonly label: string
  readonly user?: string
  readonly tags: readonly string[]
  readonly roles?: readonly string[]
  readonly service?: string
  readonly address?: { readonly family: 4 | 6; readonly value: bigint }
  /** A node or an approved route, as far as is known. */
  readonly inNetwork: boolean
  /** A public address behind it is reached by way of an exit node. */
  readonly throughExit: boolean
  /** Nothing of it is unknown: with an address, there is a netmap that says whose it is. */
  readonly complete: boolean
}

/** What a user, a tag or an address stands for: itself by name, and the real nodes of the netmap, an end an address each. */
export interface Party {
  readonly named: End
  readonly nodes: readonly (readonly End[])[]
}

export interface Verdict {
  readonly level: Level
  /** Indexes of the rules that say so, in the order of the file. */
  readonly rules: readonly number[]
}

export class Reach {
  readonly document: PolicyDocument
  readonly netmap: Netmap | undefined
  readonly #evaluated: readonly boolean[]

  constructor(document: PolicyDocument, netmap: Netmap | undefined) {
    this.document = document
    this.netmap = netmap
    const given = new Map<string, boolean>()
    const isKnown = ({ value, text }: Selector) => {
      if (value.kind !== 'role' && value.kind !== 'group') return true
      const known = given.get(text) ?? isGiven(value, netmap)
      given.set(text, known)
      return known
    }
    this.#evaluated = document.rules.map(
      rule =>
        rule.unevaluated === undefined &&
        rule.sources.every(isKnown) &&
        rule.targets.every(({ destinations }) => destinations.every(isKnown)),
    )
  }

  /** Undefined where only a netmap could say who it is. */
  parties(value: SelectorValue, text: string): Party[] | undefined {
    switch (value.kind) {
      case 'user':
        return [this.#userParty(value.user)]
      case 'group':
        return membersOfGroup(value, this.document, this.netmap)?.map(user => this.#userParty(user))
      case 'tag': {
        const nodes = this.netmap?.nodes.filter(node => node.tags.includes(value.name)) ?? []
        return [{ named: { ...anyone, label: value.name, tags: [value.name] }, nodes: nodes.map(nodeEnds) }]
      }
      case 'service':
        return [{ named: { ...anyone, label: value.name, service: value.name }, nodes: [] }]
      case 'ranges': {
        const [range] = value.ranges
        return range === undefined ? [] : [{ named: this.addressEnd(range.family, range.first, text), nodes: [] }]
      }
      default:
        return []
    }
  }

  #userParty(user: string): Party {
    const nodes = this.netmap?.nodes.filter(node => userOf(node) === user) ?? []
    const roles = nodes.find(node => node.roles !== undefined)?.roles
    const named = { ...anyone, label: user, user, ...(roles === undefined ? {} : { roles }) }
    return { named, nodes: nodes.map(nodeEnds) }
  }

  nodeParty(node: NetmapNode): Party {
    return { named: nodeEnds(node)[0] ?? { ...nodeEnd(node), complete: true }, nodes: [nodeEnds(node)] }
  }

  addressEnd(family: 4 | 6, value: bigint, label: string): End {
    const address = { family, value }
    if (this.netmap === undefined)
      return { label, tags: [], address, inNetwork: true, throughExit: true, complete: false }
    const isIt = (own: Uint8Array) => {
      const other = addressValue(own)
      return other.family === family && other.value === value
    }
    const owners = this.netmap.nodes.filter(({ addresses }) => addresses.some(isIt))
    if (owners.length === 1) return { ...nodeEnd(owners[0] as NetmapNode), label, address, complete: true }
    const routes = this.netmap.nodes.flatMap(node => node.routes.map(route => ({ node, length: route.length, route })))
    const covering = routes.filter(({ route }) => inRanges([rangeOf(route)], family, value))
    const longest = Math.max(-1, ...covering.map(({ length }) => length))
    const routers = covering.filter(({ length }) => length === longest)
    return {
      label,
      tags: [],
      address,
      inNetwork: owners.length > 0 || covering.some(({ length }) => length > exitRouteLength),
      throughExit: owners.length === 0 && (routers.length === 0 || routers.some(({ node }) => isExitNode(node))),
      complete: true,
    }
  }

  /** All rules for one protocol and port; TCP or UDP where `protocol` is undefined. */
  verdict(from: End, to: End, protocol: number | undefined, port: number): Verdict {
    let level: Level = no
    let rules: number[] = []
    for (const [index, rule] of this.document.rules.entries()) {
      const covered = this.level(index, rule, from, to, ports => allows(ports, protocol, port))
      if (covered > level) [level, rules] = [covered, [index]]
      else if (covered === level && level > no) rules.push(index)
    }
    return { level, rules }
  }

  level(index: number, rule: PolicyRule, from: End, to: End, matches: (ports: readonly PortRange[]) => boolean): Level {
    if (from.address !== undefined && to.address !== undefined && from.address.family !== to.address.family) return no
    let level: Level = no
    let source: Level | undefined
    for (const { destinations, ports } of rule.targets) {
      if (!matches(ports)) continue
      source ??= this.covers(rule.sources, from, 'src')
      if (source === no) return no
      level = higher(level, lower(source, this.covers(destinations, to, 'dst', from)))
    }
    return this.#evaluated[index] === true || level < perhaps ? level : perhaps
  }

  covers(selectors: readonly Selector[], end: End, side: 'src' | 'dst', from?: End): Level {
    let level: Level = no
    for (const { value } of selectors) {
      if (level === yes) break
      level = higher(level, this.#one(value, end, side, from))
    }
    return level
  }

  #one(value: SelectorValue, end: End, side: 'src' | 'dst', from: End | undefined): Level {
    const unknown = end.address !== undefined && !end.complete ? byAddress : no
    const byUser = (holds: boolean): Level => (end.user === undefined ? unknown : holds ? yes : no)
    const ofUser: Level = end.user !== undefined || unknown === byAddress ? perhaps : no
    switch (value.kind) {
      case 'any':
        return side === 'dst' || end.inNetwork ? yes : no
      case 'danger-all':
        return yes
      case 'user':
        return byUser(end.user === value.user)
      case 'domain':
        return byUser(end.user?.slice(end.user.indexOf('@') + 1) === value.domain)
      case 'group': {
        const members = membersOfGroup(value, this.document, this.netmap)
        return members === undefined ? ofUser : byUser(members.includes(end.user ?? ''))
      }
      case 'member':
        return byUser(true)
      case 'self':
        if (from?.user !== undefined) return byUser(end.user === from.user)
        return from?.address !== undefined && !from.complete ? lower(byUser(true), byAddress) : no
      case 'role':
        return isGiven(value, this.netmap) ? byUser(end.roles?.includes(value.role) ?? false) : ofUser
      case 'tag':
        return end.tags.includes(value.name) ? yes : unknown
      case 'tagged':
        return end.tags.length > 0 ? yes : unknown
      case 'internet':
        // A node's own address is never reached by way of an exit node.
        if (end.address === undefined) return no
        if (end.user !== undefined || end.tags.length > 0 || !end.throughExit) return no
        return inRanges(internetRanges(), end.address.family, end.address.value) ? yes : no
      case 'shared':
        return ofUser
      case 'service':
        return end.service === value.name || unknown === byAddress ? perhaps : no
      case 'ranges':
        if (end.address === undefined) return end.complete ? no : byAddress
        return inRanges(value.ranges, end.address.family, end.address.value) ? yes : no
    }
  }
}

/** A node of which nothing else is known. */
const anyone = { tags: [], inNetwork: true, throughExit: false, complete: false } satisfies Partial<End>

function nodeEnd(node: NetmapNode): Omit<End, 'complete'> {
  const user = userOf(node)
  return {
    label: node.name,
    tags: node.tags,
    inNetwork: true,
    throughExit: false,
    ...(user === undefined ? {} : { user }),
    ...(node.roles === undefined ? {} : { roles: node.roles }),
  }
}

function nodeEnds(node: NetmapNode): End[] {
  return node.addresses.map(address => ({ ...nodeEnd(node), address: addressValue(address), complete: true }))
}

/** Whether ports allow it; ICMP is ping, which any rule allows. */
function allows(ports: readonly PortRange[], protocol: number | undefined, port: number): boolean {
  if (protocol === icmp || protocol === icmpv6) return true
  if (protocol !== undefined) return includesPort(ports, protocol, port)
  return includesPort(ports, tcp, port) || includesPort(ports, udp, port)
}

export function higher(a: Level, b: Level): Level {
  return a > b ? a : b
}

export function lower(a: Level, b: Level): Level {
  return a < b ? a : b
}

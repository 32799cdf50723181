// Which selectors an address matches: a table of longest prefixes, whose entries are classes of addresses that all selectors
// treat alike. Made of the netmap's own addresses and routes and of the addresses that the policy names.
import { type IpAddress, type Prefix, unmapAddress } from '../base/address.js'
import { createPrefixTable, type PrefixTable } from '../base/prefix-table.js'
import type { Netmap, NetmapNode } from './netmap.js'
import { internetRanges, prefixesOf, rangeOf } from './ranges.js'
import type { SelectorIndex } from './selector-index.js'
import type { AddressRange } from './types.js'

/** A route as short as this (0.0.0.0/0, or the halves of it) is an exit node's, and no subnet. */
export const exitRouteLength = 1

/** A node's untagged user; undefined for tagged nodes: tags take the user's place. */
export function userOf(node: NetmapNode): string | undefined {
  return node.tags.length === 0 && node.user !== undefined && node.user !== '' ? node.user : undefined
}

export function isExitNode(node: NetmapNode): boolean {
  return node.routes.some(({ length }) => length <= exitRouteLength)
}

/** By entry of the table: classes, users and nodes as numbers, -1 for none. */
export interface Identities {
  readonly table: PrefixTable<number>
  readonly sourceClass: Int32Array
  /** Of an address that came through another node's routes: without the tags and the user of whoever has it as its own. */
  readonly routedSourceClass: Int32Array
  readonly destinationClass: Int32Array
  readonly user: Int32Array
  readonly node: Int32Array
  /** The node whose own address or longest route it is. */
  readonly owner: Int32Array
  /** Selectors of each class. */
  readonly sourceClasses: readonly (readonly number[])[]
  readonly destinationClasses: readonly (readonly number[])[]
}

/** What is known of exactly one prefix. */
interface Point {
  readonly prefix: Prefix
  /** Node with this address as its own; two nodes that claim it are none. */
  node: number
  claimed: boolean
  readonly routers: number[]
  readonly sources: number[]
  readonly destinations: number[]
  internet: boolean
  /** Set by the sweep: what covers it. */
  parent: Point | undefined
}

export function buildIdentities(netmap: Netmap, index: SelectorIndex): Identities {
  const points = collectPoints(netmap, index)
  linkParents(points)
  const build = new Build(netmap, index, points.length)
  const table = createPrefixTable<number>()
  for (const [entry, point] of points.entries()) {
    table.insert(point.prefix, entry)
    build.add(entry, point)
  }
  return { table, ...build.result() }
}

function collectPoints(netmap: Netmap, index: SelectorIndex): Point[] {
  const points = new Map<string, Point>()
  const pointOf = (prefix: Prefix): Point => {
    const key = `${prefix.address.join('.')}/${prefix.length}`
    let point = points.get(key)
    if (point === undefined) {
      const empty = { node: -1, claimed: false, internet: false, parent: undefined }
      point = { prefix, routers: [], sources: [], destinations: [], ...empty }
      points.set(key, point)
    }
    return point
  }
  // Every address has an entry, so that decide() needs no special case.
  for (const bytes of [4, 16]) pointOf({ address: new Uint8Array(bytes), length: 0 })
  for (const [number, node] of netmap.nodes.entries()) {
    for (const address of node.addresses) {
      const own = unmapAddress(address)
      const point = pointOf({ address: own, length: own.length * 8 })
      if (point.node === number) continue
      point.node = point.claimed ? -1 : number
      point.claimed = true
    }
    for (const route of node.routes)
      for (const prefix of prefixesOf(rangeOf(route))) pointOf(prefix).routers.push(number)
  }
  const addRanges = (ranges: readonly AddressRange[], use: (point: Point) => void) => {
    for (const range of ranges) for (const prefix of prefixesOf(range)) use(pointOf(prefix))
  }
  for (const [selector, ranges] of index.sourceRanges) addRanges(ranges, point => point.sources.push(selector))
  for (const [selector, ranges] of index.destinationRanges)
    addRanges(ranges, point => point.destinations.push(selector))
  if (index.internet !== undefined) {
    addRanges(internetRanges(), point => {
      point.internet = true
    })
  }
  return [...points.values()]
}

/** Sorts the points so that each follows what covers it. */
function linkParents(points: Point[]): void {
  points.sort((a, b) => compareAddresses(a.prefix.address, b.prefix.address) || a.prefix.length - b.prefix.length)
  const open: Point[] = []
  for (const point of points) {
    while (open.length > 0 && !covers((open.at(-1) as Point).prefix, point.prefix)) open.pop()
    point.parent = open.at(-1)
    open.push(point)
  }
}

function compareAddresses(a: IpAddress, b: IpAddress): number {
  if (a.length !== b.length) return a.length - b.length
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return (a[i] as number) - (b[i] as number)
  return 0
}

function covers(outer: Prefix, inner: Prefix): boolean {
  if (outer.address.length !== inner.address.length || outer.length > inner.length) return false
  const whole = outer.length >> 3
  for (let i = 0; i < whole; i++) if (outer.address[i] !== inner.address[i]) return false
  const rest = outer.length & 7
  if (rest === 0) return true
  return (((outer.address[whole] as number) ^ (inner.address[whole] as number)) & (0xff00 >> rest) & 0xff) === 0
}

/** Numbers sets of selectors. */
class Classes {
  readonly list: (readonly number[])[] = []
  readonly #numbers = new Map<string, number>()

  of(selectors: Iterable<number>): number {
    const sorted = [...new Set(selectors)].sort((a, b) => a - b)
    const key = sorted.join()
    let number = this.#numbers.get(key)
    if (number === undefined) {
      number = this.list.push(sorted) - 1
      this.#numbers.set(key, number)
    }
    return number
  }
}

class Build {
  readonly #netmap: Netmap
  readonly #index: SelectorIndex
  readonly #sources = new Classes()
  readonly #destinations = new Classes()
  readonly #users = new Map<string, number>()
  readonly #exits: readonly boolean[]
  readonly #columns: Record<
    'sourceClass' | 'routedSourceClass' | 'destinationClass' | 'user' | 'node' | 'owner',
    Int32Array
  >

  constructor(netmap: Netmap, index: SelectorIndex, points: number) {
    this.#netmap = netmap
    this.#index = index
    this.#exits = netmap.nodes.map(isExitNode)
    const column = () => new Int32Array(points).fill(-1)
    this.#columns = {
      sourceClass: column(),
      routedSourceClass: column(),
      destinationClass: column(),
      user: column(),
      node: column(),
      owner: column(),
    }
  }

  add(entry: number, point: Point): void {
    const index = this.#index
    const sources = [...index.anySource]
    const destinations = [...index.anyDestination]
    let routed: Point | undefined
    let inSubnet = false
    let isPublic = false
    for (let each: Point | undefined = point; each !== undefined; each = each.parent) {
      for (const selector of each.sources) sources.push(selector)
      for (const selector of each.destinations) destinations.push(selector)
      if (each.routers.length > 0) routed ??= each
      if (each.routers.length > 0 && each.prefix.length > exitRouteLength) inSubnet = true
      if (each.internet) isPublic = true
    }
    const routedSources = inSubnet ? [...sources, ...index.networkSource] : sources.slice()
    if (point.claimed || inSubnet) sources.push(...index.networkSource)
    const throughExit = routed === undefined || routed.routers.some(router => this.#exits[router])
    if (isPublic && !point.claimed && throughExit && index.internet !== undefined) destinations.push(index.internet)
    const node = this.#netmap.nodes[point.node]
    if (node !== undefined) this.#addNode(entry, node, sources, destinations)
    this.#columns.sourceClass[entry] = this.#sources.of(sources)
    this.#columns.routedSourceClass[entry] = this.#sources.of(routedSources)
    this.#columns.destinationClass[entry] = this.#destinations.of(destinations)
    this.#columns.node[entry] = point.node
    this.#columns.owner[entry] = point.claimed ? point.node : (routed?.routers[0] ?? -1)
  }

  #addNode(entry: number, node: NetmapNode, sources: number[], destinations: number[]): void {
    const user = userOf(node)
    for (const each of this.#index.selectorsOfNode(node, 'src')) sources.push(each)
    for (const each of this.#index.selectorsOfNode(node, 'dst')) destinations.push(each)
    if (user === undefined) return
    if (!this.#users.has(user)) this.#users.set(user, this.#users.size)
    this.#columns.user[entry] = this.#users.get(user) as number
  }

  result(): Omit<Identities, 'table'> {
    return { ...this.#columns, sourceClasses: this.#sources.list, destinationClasses: this.#destinations.list }
  }
}

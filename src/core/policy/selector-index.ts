// The selectors of all clauses, numbered for each side, and which of them a node matches by its tags, user and roles.
import type { Clause } from './clauses.js'
import { membersOfGroup } from './clauses.js'
import { userOf } from './identities.js'
import type { Netmap, NetmapNode } from './netmap.js'
import type { Side } from './selectors.js'
import type { AddressRange, PolicyDocument, Selector } from './types.js'

/** Selectors by what a node must have to match them. */
class SideIndex {
  /** Clauses of each selector. */
  readonly clauses: number[][] = []
  readonly ranges = new Map<number, readonly AddressRange[]>()
  readonly byTag = new Map<string, number[]>()
  readonly byUser = new Map<string, number[]>()
  readonly byDomain = new Map<string, number[]>()
  readonly byRole = new Map<string, number[]>()
  readonly member: number[] = []
  readonly tagged: number[] = []
  readonly any: number[] = []
  readonly dangerAll: number[] = []
  internet: number | undefined
  readonly #numbers = new Map<string, number>()
  readonly #document: PolicyDocument
  readonly #netmap: Netmap

  constructor(document: PolicyDocument, netmap: Netmap) {
    this.#document = document
    this.#netmap = netmap
  }

  add(selector: Selector, clause: number): void {
    const key = `${selector.value.kind} ${selector.text}`
    let number = this.#numbers.get(key)
    if (number === undefined) {
      number = this.clauses.push([]) - 1
      this.#numbers.set(key, number)
      this.#file(selector, number)
    }
    const clauses = this.clauses[number] as number[]
    if (clauses.at(-1) !== clause) clauses.push(clause)
  }

  /** By what it takes to match. Self stands with the members: whose it is is compared when it is decided. */
  #file({ value }: Selector, number: number): void {
    switch (value.kind) {
      case 'any':
        this.any.push(number)
        break
      case 'danger-all':
        this.dangerAll.push(number)
        break
      case 'member':
      case 'self':
        this.member.push(number)
        break
      case 'tagged':
        this.tagged.push(number)
        break
      case 'user':
        put(this.byUser, value.user, number)
        break
      case 'domain':
        put(this.byDomain, value.domain, number)
        break
      case 'tag':
        put(this.byTag, value.name, number)
        break
      case 'role':
        put(this.byRole, value.role, number)
        break
      case 'group':
        for (const user of new Set(membersOfGroup(value, this.#document, this.#netmap))) put(this.byUser, user, number)
        break
      case 'ranges':
        this.ranges.set(number, value.ranges)
        break
      case 'internet':
        this.internet = number
        break
      // What cannot be evaluated has no clause, so it never comes here, and would match nobody.
      case 'shared':
      case 'service':
        break
    }
  }

  *ofNode(node: NetmapNode): Generator<number> {
    if (node.tags.length > 0) {
      yield* this.tagged
      for (const tag of node.tags) yield* this.byTag.get(tag) ?? []
      return
    }
    const user = userOf(node)
    if (user === undefined) return
    yield* this.member
    yield* this.byUser.get(user) ?? []
    yield* this.byDomain.get(user.slice(user.indexOf('@') + 1)) ?? []
    for (const role of node.roles ?? []) yield* this.byRole.get(role) ?? []
  }
}

function put(map: Map<string, number[]>, key: string, number: number): void {
  const list = map.get(key)
  if (list === undefined) map.set(key, [number])
  else list.push(number)
}

export class SelectorIndex {
  readonly #sources: SideIndex
  readonly #destinations: SideIndex

  constructor(clauses: readonly Clause[], document: PolicyDocument, netmap: Netmap) {
    this.#sources = new SideIndex(document, netmap)
    this.#destinations = new SideIndex(document, netmap)
    for (const [number, clause] of clauses.entries()) {
      for (const selector of clause.sources) this.#sources.add(selector, number)
      for (const selector of clause.destinations) this.#destinations.add(selector, number)
    }
  }

  /** Clauses of each selector of a side. */
  clauses(side: Side): readonly number[][] {
    return this.#of(side).clauses
  }

  selectorsOfNode(node: NetmapNode, side: Side): Iterable<number> {
    return this.#of(side).ofNode(node)
  }

  get sourceRanges(): ReadonlyMap<number, readonly AddressRange[]> {
    return this.#sources.ranges
  }

  get destinationRanges(): ReadonlyMap<number, readonly AddressRange[]> {
    return this.#destinations.ranges
  }

  /** Sources that any address matches. */
  get anySource(): readonly number[] {
    return this.#sources.dangerAll
  }

  /** `*` as a source: nodes and approved routes. */
  get networkSource(): readonly number[] {
    return this.#sources.any
  }

  get anyDestination(): readonly number[] {
    return this.#destinations.any
  }

  get internet(): number | undefined {
    return this.#destinations.internet
  }

  #of(side: Side): SideIndex {
    return side === 'src' ? this.#sources : this.#destinations
  }
}

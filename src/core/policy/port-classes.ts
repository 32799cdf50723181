// The ports of clauses: checked one by one where few clauses are left, and as rows of bits where there are many. For a row, a
// port is a class by a table of its protocol, and the clauses of a class hang in a segment tree over the classes.
import { ClauseLists } from './bit-rows.js'
import type { Clause } from './clauses.js'
import { hasPorts, lastPort } from './ports.js'
import type { PortRange } from './types.js'

interface Group {
  readonly ports: readonly PortRange[]
  readonly clauses: number[]
}

export class PortClasses {
  /** Number of classes. Class 0 is none. */
  readonly count: number
  /** By protocol: its first class, 0 for none. */
  readonly #first = new Int32Array(256)
  readonly #tables: (Uint16Array | undefined)[] = new Array(256).fill(undefined)
  /** By clause: where its ports start in {@link #ranges} and where they end. */
  readonly #from: Int32Array
  readonly #to: Int32Array
  /** Protocol, first and last port, by turns. */
  readonly #ranges: Int32Array
  /** Leaves of the segment tree, one a class; node i has children 2i and 2i + 1. */
  readonly #leaves: number
  readonly #tree: (number[] | undefined)[]
  readonly #lists: ClauseLists

  constructor(clauses: readonly Clause[]) {
    const groups = groupsOf(clauses)
    this.#from = new Int32Array(clauses.length)
    this.#to = new Int32Array(clauses.length)
    this.#ranges = this.#layOut(groups)
    this.count = this.#number(groups)
    this.#lists = new ClauseLists(clauses.length)
    this.#leaves = 1 << (32 - Math.clz32(this.count))
    this.#tree = new Array(this.#leaves * 2).fill(undefined)
    for (const [number, { ports, clauses: list }] of groups.entries()) {
      this.#lists.add(list)
      for (const { protocol, first, last } of ports)
        this.#hang(this.of(protocol, first), this.of(protocol, last), number)
    }
  }

  /** -1 where no clause names the protocol. */
  of(protocol: number, port: number): number {
    const first = this.#first[protocol] as number
    if (first === 0) return -1
    const table = this.#tables[protocol]
    return table === undefined ? first : first + (table[port] as number)
  }

  /** How many ranges the ports of a clause have. */
  rangesOf(clause: number): number {
    return ((this.#to[clause] as number) - (this.#from[clause] as number)) / 3
  }

  allows(clause: number, protocol: number, port: number): boolean {
    const ranges = this.#ranges
    const end = this.#to[clause] as number
    for (let i = this.#from[clause] as number; i < end; i += 3)
      if (ranges[i] === protocol && (ranges[i + 1] as number) <= port && port <= (ranges[i + 2] as number)) return true
    return false
  }

  /** Sets the bits of the clauses that allow a class. */
  fill(portClass: number, words: Int32Array): void {
    for (let node = this.#leaves + portClass; node > 0; node >>= 1) {
      const groups = this.#tree[node]
      if (groups !== undefined) for (const group of groups) this.#lists.addTo(group, words)
    }
  }

  #layOut(groups: readonly Group[]): Int32Array {
    const ranges = new Int32Array(groups.reduce((sum, { ports }) => sum + ports.length * 3, 0))
    let at = 0
    for (const { ports, clauses } of groups) {
      const from = at
      for (const { protocol, first, last } of ports) {
        ranges.set([protocol, first, last], at)
        at += 3
      }
      for (const clause of clauses) {
        this.#from[clause] = from
        this.#to[clause] = at
      }
    }
    return ranges
  }

  /** Numbers the classes: for each protocol the pieces between all first and last ports. */
  #number(groups: readonly Group[]): number {
    const starts = new Map<number, Set<number>>()
    for (const { ports } of groups) {
      for (const { protocol, first, last } of ports) {
        const set = starts.get(protocol) ?? new Set([0])
        starts.set(protocol, set)
        if (!hasPorts(protocol)) continue
        set.add(first)
        if (last < lastPort) set.add(last + 1)
      }
    }
    let count = 1
    for (const [protocol, set] of starts) {
      this.#first[protocol] = count
      count += set.size
      if (set.size === 1) continue
      const sorted = [...set].sort((a, b) => a - b)
      const table = new Uint16Array(lastPort + 1)
      for (const [i, start] of sorted.entries()) table.fill(i, start, sorted[i + 1] ?? lastPort + 1)
      this.#tables[protocol] = table
    }
    return count
  }

  /** Hangs a group on the fewest nodes that have the classes `first` to `last`. */
  #hang(first: number, last: number, group: number): void {
    let [low, high] = [this.#leaves + first, this.#leaves + last + 1]
    for (; low < high; low >>= 1, high >>= 1) {
      if (low & 1) this.#hangOn(low++, group)
      if (high & 1) this.#hangOn(--high, group)
    }
  }

  #hangOn(node: number, group: number): void {
    const groups = this.#tree[node]
    if (groups === undefined) this.#tree[node] = [group]
    else groups.push(group)
  }
}

/** Clauses with the same ports. */
function groupsOf(clauses: readonly Clause[]): Group[] {
  const groups = new Map<string, Group>()
  for (const [i, { ports }] of clauses.entries()) {
    const key = ports.map(({ protocol, first, last }) => `${protocol}:${first}-${last}`).join()
    const group = groups.get(key)
    if (group === undefined) groups.set(key, { ports, clauses: [i] })
    else group.clauses.push(i)
  }
  return [...groups.values()]
}

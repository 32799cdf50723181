// Policy and netmap compiled to tables that decide without a search through the rules: an address is a class by its longest
// prefix, a port is a class by a table, each class is a row of bits, a bit a clause, and what three rows share is allowed.
import { TunnelError } from '../../errors.js'
import type { IpAddress } from '../base/address.js'
import { BitRows, ClauseLists, wordAt } from './bit-rows.js'
import { type Clause, clausesOf } from './clauses.js'
import { buildIdentities, type Identities } from './identities.js'
import type { Netmap, NetmapNode } from './netmap.js'
import { PortClasses } from './port-classes.js'
import { icmp, icmpv6, lastPort } from './ports.js'
import { SelectorIndex } from './selector-index.js'
import type { PolicyDocument } from './types.js'

/** A rule as messages and the audit log name it. */
export interface RuleReference {
  readonly line: number
  readonly column: number
  /** The rule on one line. */
  readonly text: string
}

/** Bounds of a compiled policy, each with a default in {@link defaultCompileLimits}. */
export interface CompileLimits {
  /** Bytes for each of the three row tables (by source, by destination, by port). */
  maxTableBytes: number
}

export const defaultCompileLimits: CompileLimits = { maxTableBytes: 32 * 1024 * 1024 }

export interface CompiledPolicy {
  /**
   * The index of the first rule that allows it, or -1. Addresses are 4 or 16 bytes, IPv4-mapped ones are unmapped first;
   * anything else, or two families, is -1. `protocol` is IP's number; `port` is the destination's, 0 where the protocol has
   * none. ICMP for IPv4 and ICMPv6 for IPv6 are allowed by any rule between the two addresses. With `routed` the source came
   * through another node's routes: it carries neither tags nor user, even where it is a node's own address. Does not
   * allocate, but for the rows of addresses and ports that it meets for the first time.
   */
  decide(source: Uint8Array, destination: Uint8Array, protocol: number, port: number, routed?: boolean): number
  /** Whether any rule between the two addresses exists: then ping is allowed too. */
  mayPing(source: Uint8Array, destination: Uint8Array, routed?: boolean): boolean
  /** The rule of an index that {@link decide} gave. */
  ruleAt(index: number): RuleReference
  /** The node that has this address as its own. */
  nodeOf(address: IpAddress): NetmapNode | undefined
  /** {@link nodeOf}, else the node with the longest route that covers the address (the first of several). */
  ownerOf(address: IpAddress): NetmapNode | undefined
}

/** Throws POLICY_INVALID for a document with errors: what was refused is never enforced in part. */
export function compilePolicy(
  document: PolicyDocument,
  netmap: Netmap,
  limits: Partial<CompileLimits> = {},
): CompiledPolicy {
  const error = document.diagnostics.find(({ severity }) => severity === 'error')
  if (error !== undefined)
    throw new TunnelError('POLICY_INVALID', `the policy, line ${error.line}, column ${error.column}: ${error.message}`)
  const clauses = clausesOf(document, netmap)
  const index = new SelectorIndex(clauses, document, netmap)
  const { maxTableBytes } = { ...defaultCompileLimits, ...limits }
  return new Tables(document, netmap, clauses, index, buildIdentities(netmap, index), maxTableBytes)
}

/** In place of a protocol: that of ping, which any clause allows. */
const anyProtocol = -1
const mostChecks = 64
/** Above every rule's index. */
const noRule = 0x7fffffff

class Tables implements CompiledPolicy {
  readonly #document: PolicyDocument
  readonly #netmap: Netmap
  readonly #identities: Identities
  readonly #portClasses: PortClasses
  /** Rule of each clause. */
  readonly #rules: Int32Array
  /** The first rule of the clauses of each word of a row. */
  readonly #firstRules: Int32Array
  /** Bits of the clauses without autogroup:self. */
  readonly #notSelf: Int32Array
  readonly #bySource: BitRows
  readonly #byDestination: BitRows
  readonly #byPort: BitRows

  constructor(
    document: PolicyDocument,
    netmap: Netmap,
    clauses: readonly Clause[],
    index: SelectorIndex,
    identities: Identities,
    maxTableBytes: number,
  ) {
    this.#document = document
    this.#netmap = netmap
    this.#identities = identities
    this.#portClasses = new PortClasses(clauses)
    this.#rules = Int32Array.from(clauses, ({ rule }) => rule)
    this.#notSelf = new Int32Array(Math.ceil(clauses.length / 32))
    this.#firstRules = new Int32Array(this.#notSelf.length).fill(noRule)
    for (const [i, { rule }] of clauses.entries())
      this.#firstRules[i >> 5] = Math.min(this.#firstRules[i >> 5] as number, rule)
    for (const [i, { self }] of clauses.entries())
      if (!self) this.#notSelf[i >> 5] = (this.#notSelf[i >> 5] as number) | (1 << (i & 31))
    const rowsOf = (classes: readonly (readonly number[])[], lists: readonly number[][]) => {
      const clauseLists = new ClauseLists(clauses.length)
      for (const list of lists) clauseLists.add(list)
      return new BitRows(classes.length, clauses.length, maxTableBytes, (row, words) => {
        for (const selector of classes[row] as readonly number[]) clauseLists.addTo(selector, words)
      })
    }
    this.#bySource = rowsOf(identities.sourceClasses, index.clauses('src'))
    this.#byDestination = rowsOf(identities.destinationClasses, index.clauses('dst'))
    this.#byPort = new BitRows(this.#portClasses.count, clauses.length, maxTableBytes, (row, words) =>
      this.#portClasses.fill(row, words),
    )
  }

  decide(source: Uint8Array, destination: Uint8Array, protocol: number, port: number, routed = false): number {
    const isV4 = isIpv4(source)
    if (isV4 !== isIpv4(destination) || !(port >= 0 && port <= lastPort) || !(protocol >= 0 && protocol <= 255))
      return -1
    if (protocol === (isV4 ? icmp : icmpv6)) return this.#first(source, destination, anyProtocol, 0, routed)
    return this.#first(source, destination, protocol, port, routed)
  }

  mayPing(source: Uint8Array, destination: Uint8Array, routed = false): boolean {
    return isIpv4(source) === isIpv4(destination) && this.#first(source, destination, anyProtocol, 0, routed) >= 0
  }

  ruleAt(index: number): RuleReference {
    const rule = this.#document.rules[index]
    if (rule === undefined) throw new RangeError(`the policy has no rule ${index}`)
    return { line: rule.place.line, column: rule.place.column, text: rule.text }
  }

  nodeOf(address: IpAddress): NetmapNode | undefined {
    const entry = this.#entryOf(address)
    return entry < 0 ? undefined : this.#netmap.nodes[this.#identities.node[entry] as number]
  }

  ownerOf(address: IpAddress): NetmapNode | undefined {
    const entry = this.#entryOf(address)
    return entry < 0 ? undefined : this.#netmap.nodes[this.#identities.owner[entry] as number]
  }

  /**
   * The first rule of the clauses whose bit is set in the rows of source and destination, and whose ports allow it. Runs for
   * each new flow. Mostly few clauses are left, so their ports are checked one by one; past {@link mostChecks} ranges the row
   * of the port's class, which may have to be made first, takes part from there on.
   */
  #first(source: Uint8Array, destination: Uint8Array, protocol: number, port: number, routed: boolean): number {
    const from = this.#entryOf(source)
    const to = this.#entryOf(destination)
    if (from < 0 || to < 0) return -1
    const { sourceClass, routedSourceClass, destinationClass, user } = this.#identities
    const summary = this.#bySource.summaryLength
    const s = this.#bySource.at((routed ? routedSourceClass : sourceClass)[from] as number)
    const d = this.#byDestination.at(destinationClass[to] as number)
    const sources = this.#bySource.words
    const destinations = this.#byDestination.words
    const sameUser = !routed && (user[from] as number) >= 0 && user[from] === user[to]
    const portClasses = this.#portClasses
    const firstRules = this.#firstRules
    let best = noRule
    let checks = mostChecks
    for (let i = 0; i < summary; i++) {
      const at = i << 1
      let shared = (sources[s + at] as number) & (destinations[d + at] as number)
      for (; shared !== 0; shared &= shared - 1) {
        const bit = lowestBit(shared)
        const word = (i << 5) + bit
        if ((firstRules[word] as number) >= best) continue
        let bits = wordAt(sources, s + at, bit) & wordAt(destinations, d + at, bit)
        if (!sameUser) bits &= this.#notSelf[word] as number
        for (; bits !== 0; bits &= bits - 1) {
          const clause = (word << 5) + lowestBit(bits)
          const rule = this.#rules[clause] as number
          if (rule >= best) continue
          if (protocol === anyProtocol || portClasses.allows(clause, protocol, port)) best = rule
          checks -= portClasses.rangesOf(clause)
          if (checks < 0 && protocol !== anyProtocol)
            return this.#firstByRows(s, d, sameUser, portClasses.of(protocol, port), i, best)
        }
      }
    }
    return best === noRule ? -1 : best
  }

  /** The same with three rows, from a word of the summary on, and `best` as found so far. */
  #firstByRows(s: number, d: number, sameUser: boolean, portClass: number, from: number, found: number): number {
    if (portClass < 0) return -1
    let best = found
    const p = this.#byPort.at(portClass)
    const summary = this.#bySource.summaryLength
    const sources = this.#bySource.words
    const destinations = this.#byDestination.words
    const ports = this.#byPort.words
    for (let i = from; i < summary; i++) {
      const at = i << 1
      let shared = (sources[s + at] as number) & (destinations[d + at] as number) & (ports[p + at] as number)
      for (; shared !== 0; shared &= shared - 1) {
        const bit = lowestBit(shared)
        const word = (i << 5) + bit
        if ((this.#firstRules[word] as number) >= best) continue
        let bits = wordAt(sources, s + at, bit) & wordAt(destinations, d + at, bit) & wordAt(ports, p + at, bit)
        if (!sameUser) bits &= this.#notSelf[word] as number
        for (; bits !== 0; bits &= bits - 1) best = Math.min(best, this.#rules[(word << 5) + lowestBit(bits)] as number)
      }
    }
    return best === noRule ? -1 : best
  }

  /** -1 for what is no address. */
  #entryOf(address: Uint8Array): number {
    if (address.length === 4) return this.#identities.table.lookup(address, 0, 4) as number
    if (address.length !== 16) return -1
    return (
      isIpv4(address) ? this.#identities.table.lookup(address, 12, 4) : this.#identities.table.lookup(address, 0, 16)
    ) as number
  }
}

function lowestBit(bits: number): number {
  return 31 - Math.clz32(bits & -bits)
}

/** Four bytes, or an IPv4-mapped address (RFC 4291, section 2.5.5.2). */
function isIpv4(address: Uint8Array): boolean {
  if (address.length !== 16) return address.length === 4
  for (let i = 0; i < 10; i++) if (address[i] !== 0) return false
  return address[10] === 0xff && address[11] === 0xff
}

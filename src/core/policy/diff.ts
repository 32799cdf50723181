// What changes for whom between two policy files: gains and losses by selector. Every atom of sources is asked about every
// atom of destinations; what changes alike is then said by the selectors of the files.
import { atomsOf, selfLabel } from './atoms.js'
import { isEvaluated } from './clauses.js'
import type { Netmap } from './netmap.js'
import { defaultProtocols, hasPorts, icmp, icmpv6, lastPort, normalisePorts, protocolName, tcp, udp } from './ports.js'
import { type End, Reach, yes } from './reach.js'
import type { PolicyDocument, PortRange, Selector } from './types.js'

export interface PolicyChange {
  /** Selector of who gains or loses, `group:eng` or `alice@example.com`. */
  readonly source: string
  readonly destination: string
  /** `tcp:443`, `udp:5000-5010`, `*`: spelled as the ip of a grant. */
  readonly ports: readonly string[]
}

export interface PolicyDiff {
  readonly gains: readonly PolicyChange[]
  readonly losses: readonly PolicyChange[]
  /** What the comparison cannot see: rules of either file that cannot be evaluated here and differ. */
  readonly notes: readonly string[]
}

/** Pairs of classes that are compared at most. */
const mostPairs = 4_000_000

export function diffPolicies(before: PolicyDocument, after: PolicyDocument, netmap?: Netmap): PolicyDiff {
  const { sources, destinations } = atomsOf([before, after], netmap)
  const sides = [
    new Access(before, netmap, sources, destinations),
    new Access(after, netmap, sources, destinations),
  ] as const
  const from = classesOf(sources, i => sides.map(side => side.sourceKey(i)).join('|'))
  const to = classesOf(destinations, i => sides.map(side => side.destinationKey(i)).join('|'))
  const notes = notesOf(before, after, netmap)
  if (from.length * to.length > mostPairs)
    notes.push('the files have too many kinds of sources and destinations to compare')
  else {
    const pairs = from.flatMap(source =>
      to.map(destination => ({
        source,
        destination,
        ports: sides.map(side => side.ports(source[0] as number, destination[0] as number)),
      })),
    )
    const covers = [coverOf(sides, 'src', sources), coverOf(sides, 'dst', destinations)] as const
    const changes = (of: 0 | 1, without: 0 | 1) =>
      describe(
        pairs.map(({ source, destination, ports }) => ({
          source,
          destination,
          ports: spelled(withoutPorts(ports[of] as PortRange[], ports[without] as PortRange[])),
        })),
        ...covers,
      )
    return { gains: changes(1, 0), losses: changes(0, 1), notes }
  }
  return { gains: [], losses: [], notes }
}

/** What one file allows between atoms. */
class Access {
  readonly document: PolicyDocument
  readonly reach: Reach
  /** By rule that grants something: atoms of its sources, and by target atoms of its destinations. */
  readonly #sources: readonly ReadonlySet<number>[]
  readonly #targets: readonly { rule: number; atoms: ReadonlySet<number>; ports: readonly PortRange[] }[]

  constructor(
    document: PolicyDocument,
    netmap: Netmap | undefined,
    sources: readonly End[],
    destinations: readonly End[],
  ) {
    this.document = document
    this.reach = new Reach(document, netmap)
    const rules = document.rules.filter(rule => isEvaluated(rule, netmap))
    this.#sources = rules.map(rule => this.matching(rule.sources, sources, 'src'))
    this.#targets = rules.flatMap((rule, i) =>
      rule.targets.map(target => ({
        rule: i,
        atoms: this.matching(target.destinations, destinations, 'dst'),
        ports: target.ports,
      })),
    )
  }

  matching(selectors: readonly Selector[], ends: readonly End[], side: 'src' | 'dst'): Set<number> {
    const atoms = new Set<number>()
    const ownNodes = selectors.some(({ value }) => ['self', 'member', 'any'].includes(value.kind))
    for (const [i, end] of ends.entries()) {
      const own = side === 'dst' && end.label === selfLabel
      if (own ? ownNodes : this.reach.covers(selectors, end, side) === yes) atoms.add(i)
    }
    return atoms
  }

  sourceKey(atom: number): string {
    return this.#sources.flatMap((atoms, rule) => (atoms.has(atom) ? rule : [])).join()
  }

  destinationKey(atom: number): string {
    return this.#targets.flatMap(({ atoms }, target) => (atoms.has(atom) ? target : [])).join()
  }

  /** Ping is allowed with anything else. */
  ports(source: number, destination: number): PortRange[] {
    const ports = this.#targets.flatMap(target =>
      this.#sources[target.rule]?.has(source) && target.atoms.has(destination) ? target.ports : [],
    )
    if (ports.length === 0) return []
    const ping = [icmp, icmpv6].map(protocol => ({ protocol, first: 0, last: lastPort }))
    return normalisePorts([...ports, ...ping])
  }
}

/** Atoms with the same key. */
function classesOf(ends: readonly End[], key: (atom: number) => string): number[][] {
  const classes = new Map<string, number[]>()
  for (const i of ends.keys()) {
    const name = `${key(i)} ${ends[i]?.label === selfLabel}`
    const known = classes.get(name)
    if (known === undefined) classes.set(name, [i])
    else known.push(i)
  }
  return [...classes.values()]
}

interface Cover {
  readonly ends: readonly End[]
  /** Selectors of both files with the atoms that they have, those with the most first. */
  readonly selectors: readonly { text: string; atoms: ReadonlySet<number> }[]
}

function coverOf(sides: readonly Access[], side: 'src' | 'dst', ends: readonly End[]): Cover {
  const selectors = new Map<string, Set<number>>()
  for (const access of sides) {
    for (const { sources, targets } of access.document.rules) {
      for (const selector of side === 'src' ? sources : targets.flatMap(({ destinations }) => destinations)) {
        const atoms = access.matching([selector], ends, side)
        // A group that has changed means different atoms before and after: its name would not say which.
        const known = selectors.get(selector.text)
        if (known === undefined) selectors.set(selector.text, atoms)
        else if (known.size !== atoms.size || [...atoms].some(atom => !known.has(atom)))
          selectors.set(selector.text, new Set())
      }
    }
  }
  const sorted = Array.from(selectors, ([text, atoms]) => ({ text, atoms })).sort((a, b) => b.atoms.size - a.atoms.size)
  return { ends, selectors: sorted }
}

/** The selectors that have just these atoms, largest first, then the atoms that are left by themselves. */
function namesOf({ ends, selectors }: Cover, atoms: readonly number[]): string[] {
  const left = new Set(atoms)
  const whole = new Set(atoms)
  const names: string[] = []
  for (const { text, atoms: own } of selectors) {
    const members = [...own]
    if (own.size > whole.size || !members.every(atom => whole.has(atom)) || !members.some(atom => left.has(atom)))
      continue
    names.push(text)
    for (const atom of members) left.delete(atom)
  }
  return [...names, ...Array.from(left, atom => ends[atom]?.label ?? '')]
}

function describe(
  pairs: readonly { source: readonly number[]; destination: readonly number[]; ports: readonly string[] }[],
  sources: Cover,
  destinations: Cover,
): PolicyChange[] {
  // First who changes alike for one destination and ports, then what changes alike for one of these names.
  const bySource = grouped(pairs, ({ destination, ports }) => `${destination[0]} ${ports.join()}`, 'source')
  const named = bySource.flatMap(({ sample, atoms }) =>
    namesOf(sources, atoms).map(source => ({ ...sample, name: source, source: [] })),
  )
  return grouped(named, ({ name, ports }) => `${name} ${ports.join()}`, 'destination')
    .flatMap(({ sample, atoms }) =>
      namesOf(destinations, atoms).map(destination => ({ source: sample.name, destination, ports: sample.ports })),
    )
    .sort((a, b) => compare(a.source, b.source) || compare(a.destination, b.destination))
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

function grouped<T extends { ports: readonly string[]; source: readonly number[]; destination: readonly number[] }>(
  items: readonly T[],
  key: (item: T) => string,
  what: 'source' | 'destination',
): { sample: T; atoms: number[] }[] {
  const groups = new Map<string, { sample: T; atoms: number[] }>()
  for (const item of items) {
    if (item.ports.length === 0) continue
    const name = key(item)
    const group = groups.get(name)
    if (group === undefined) groups.set(name, { sample: item, atoms: [...item[what]] })
    else group.atoms.push(...item[what])
  }
  return [...groups.values()]
}

/** What is in `ports` and not in `others`; both normalised. */
function withoutPorts(ports: readonly PortRange[], others: readonly PortRange[]): PortRange[] {
  return ports.flatMap(({ protocol, first, last }) => {
    const left: PortRange[] = []
    let from = first
    for (const other of others) {
      if (other.protocol !== protocol || other.last < from || other.first > last) continue
      if (other.first > from) left.push({ protocol, first: from, last: other.first - 1 })
      from = other.last + 1
    }
    return from <= last ? [...left, { protocol, first: from, last }] : left
  })
}

/** As the ip of a grant: ports of TCP, UDP and ping together have no protocol. */
function spelled(ports: readonly PortRange[]): string[] {
  const has = (protocol: number, first: number, last: number) =>
    ports.some(range => range.protocol === protocol && range.first === first && range.last === last)
  const pinged = has(icmp, 0, lastPort) && has(icmpv6, 0, lastPort)
  const together = ports.filter(({ protocol, first, last }) => pinged && protocol === tcp && has(udp, first, last))
  const isTogether = ({ protocol, first, last }: PortRange) =>
    together.length > 0 &&
    defaultProtocols.includes(protocol) &&
    (!hasPorts(protocol) || together.some(range => range.first === first && range.last === last))
  return [
    ...together.map(({ first, last }) => portText(first, last)),
    ...ports
      .filter(range => !isTogether(range))
      .map(
        ({ protocol, first, last }) => `${protocolName(protocol)}:${hasPorts(protocol) ? portText(first, last) : '*'}`,
      ),
  ]
}

function portText(first: number, last: number): string {
  if (first === 0 && last === lastPort) return '*'
  return first === last ? `${first}` : `${Math.max(first, 1)}-${last}`
}

function notesOf(before: PolicyDocument, after: PolicyDocument, netmap: Netmap | undefined): string[] {
  const hidden = (document: PolicyDocument) => document.rules.filter(rule => !isEvaluated(rule, netmap))
  const [old, now] = [hidden(before), hidden(after)]
  const only = (rules: typeof old, others: typeof old) => {
    const known = new Set(others.map(({ text }) => text))
    return rules.filter(({ text }) => !known.has(text))
  }
  const note = (which: string, rules: typeof old) =>
    rules.map(
      ({ place }) => `the rule at line ${place.line} of the ${which} file cannot be evaluated here and is not compared`,
    )
  return [...note('old', only(old, now)), ...note('new', only(now, old))]
}

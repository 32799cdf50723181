// The `ipsets` section: ordered add and remove of addresses, CIDRs, ranges, hosts, autogroup:internet and other sets.
import type { Place } from './diagnostics.js'
import { asStrings, type Placed, type Reading } from './fields.js'
import { type HuJson, quoted } from './hujson.js'
import { membersOf, refuseUndefined } from './names.js'
import { coversRanges, internetRanges, normalise, parseRange, subtract } from './ranges.js'
import type { AddressRange } from './types.js'

/** Sets inside one another. */
const maxNesting = 64
/** Ranges looked at while all sets are resolved: a file may not cost minutes. */
const maxWork = 4_000_000

interface Definition {
  readonly place: Place
  readonly entries: readonly Placed[]
}

type Hosts = ReadonlyMap<string, readonly AddressRange[]>

export function readIpsets(section: HuJson | undefined, hosts: Hosts, reading: Reading): Map<string, AddressRange[]> {
  const definitions = new Map<string, Definition>()
  for (const { key, place, value } of membersOf(section, 'ipsets', reading)) {
    if (!/^ipset:[^\s:@*,\p{Cc}\p{Cf}]+$/u.test(key)) {
      const remedy = key.startsWith('ipset:') ? 'use letters, digits, - and _ behind ipset:' : `write "ipset:${key}"`
      reading.diagnostics.error(place, 'bad-name', `${quoted(key)} cannot name an IP set: ${remedy}`)
    }
    definitions.set(key, { place, entries: asStrings(value, quoted(key), reading) ?? [] })
  }
  const resolver = new Resolver(definitions, hosts, reading)
  for (const name of definitions.keys()) resolver.resolve(name)
  return resolver.resolved
}

class Resolver {
  readonly resolved = new Map<string, AddressRange[]>()
  readonly #definitions: ReadonlyMap<string, Definition>
  readonly #hosts: Hosts
  readonly #reading: Reading
  /** The sets that are being resolved, outermost first. */
  readonly #path: string[] = []
  #work = 0

  constructor(definitions: ReadonlyMap<string, Definition>, hosts: Hosts, reading: Reading) {
    this.#definitions = definitions
    this.#hosts = hosts
    this.#reading = reading
  }

  /** What cannot be resolved is refused and counts as empty. */
  resolve(name: string): readonly AddressRange[] {
    const known = this.resolved.get(name)
    if (known !== undefined) return known
    const { entries } = this.#definitions.get(name) as Definition
    this.#path.push(name)
    const removes = entries.some(({ text }) => /^remove\s/.test(text))
    let ranges: readonly AddressRange[] = []
    let pending: AddressRange[] = []
    let adding = true
    const apply = () => {
      this.#work += ranges.length + pending.length
      const normal = normalise(pending)
      ranges = adding ? normalise([...ranges, ...normal]) : subtract(ranges, normal)
      pending = []
    }
    for (const entry of entries) {
      const match = /^(?:(add|remove)\s+)?(\S+)$/.exec(entry.text)
      if (match === null) {
        this.#refuse(entry, 'bad-ipset-entry', 'write "add TARGET" or "remove TARGET"')
        continue
      }
      if (match[1] === undefined && removes)
        this.#refuse(entry, 'bad-ipset-entry', `a set that removes says "add" too: write "add ${match[2]}"`)
      const adds = match[1] !== 'remove'
      if (adds !== adding) {
        apply()
        adding = adds
      }
      for (const range of this.#target(match[2] as string, entry)) pending.push(range)
      if (this.#work > maxWork) {
        this.#refuse(entry, 'ipsets-too-large', 'the IP sets have too many ranges that are added and removed by turns')
        break
      }
    }
    apply()
    this.#path.pop()
    const result = [...ranges]
    this.resolved.set(name, result)
    return result
  }

  #target(text: string, entry: Placed): readonly AddressRange[] {
    if (text === 'autogroup:internet') return internetRanges()
    if (text.startsWith('host:')) {
      const host = this.#hosts.get(text.slice(5))
      if (host !== undefined) return host
      refuseUndefined(text, entry.place, 'hosts', prefixed('host:', this.#hosts.keys()), this.#reading)
      return []
    }
    if (text.startsWith('ipset:')) return this.#nested(text, entry)
    if (/^(autogroup|group|tag|svc|user):/.test(text) || text.includes('@')) {
      this.#refuse(entry, 'bad-ipset-entry', 'an IP set has addresses, hosts, autogroup:internet and IP sets only')
      return []
    }
    const range = parseRange(text, true)
    if (typeof range !== 'string') return [range]
    if (this.#hosts.has(text)) this.#refuse(entry, 'bad-ipset-entry', `write "host:${text}"`)
    else this.#refuse(entry, 'not-an-address', range)
    return []
  }

  #nested(name: string, entry: Placed): readonly AddressRange[] {
    if (!this.#definitions.has(name)) {
      refuseUndefined(name, entry.place, 'ipsets', this.#definitions.keys(), this.#reading)
      return []
    }
    const start = this.#path.indexOf(name)
    if (start >= 0) {
      const cycle = [...this.#path.slice(start), name]
      const shown = cycle.length > 8 ? [...cycle.slice(0, 6), '…', name] : cycle
      this.#refuse(entry, 'ipset-cycle', `it contains itself (${shown.join(' > ')}): remove one of these`)
      return []
    }
    if (this.#path.length >= maxNesting) {
      this.#refuse(entry, 'ipset-too-deep', `IP sets are nested more than ${maxNesting} deep: list the addresses`)
      return []
    }
    const ranges = this.resolve(name)
    this.#work += ranges.length
    return ranges
  }

  #refuse(entry: Placed, code: string, remedy: string): void {
    const set = this.#path.at(-1) ?? ''
    this.#reading.diagnostics.error(entry.place, code, `${quoted(entry.text)} in ${quoted(set)}: ${remedy}`)
  }
}

/** One by one, as far as they are looked at. */
function* prefixed(prefix: string, names: Iterable<string>): Iterable<string> {
  for (const name of names) yield prefix + name
}

/** Whether ranges have all addresses of a family: 0.0.0.0/0 by any name. */
export function coversFamily(ranges: readonly AddressRange[]): boolean {
  const all = (family: 4 | 6): AddressRange => ({ family, first: 0n, last: (1n << (family === 4 ? 32n : 128n)) - 1n })
  return coversRanges(ranges, [all(4)]) || coversRanges(ranges, [all(6)])
}

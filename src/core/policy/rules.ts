// The rules of a policy file: entries of `acls` and of `grants`.
import { parseAddress } from '../base/address.js'
import type { Place } from './diagnostics.js'
import { asArray, asObject, asString, asStrings, type Placed, type Reading, readFields } from './fields.js'
import { type HuJson, type HuJsonMember, onOneLine, quoted } from './hujson.js'
import { type Names, refuseUndefined } from './names.js'
import { aclPorts, grantPorts, normalisePorts, PortProblem, parseProtocol, protocolChoice } from './ports.js'
import { needsNetmap, notEvaluated, readSelector } from './selectors.js'
import type { PolicyRule, PortRange, Selector, Target } from './types.js'

export interface RuleContext {
  readonly names: Names
  readonly reading: Reading
  /** Names of the `postures` section; those that a rule names are added to `used`. */
  readonly postures: { readonly defined: ReadonlySet<string>; readonly used: Set<string> }
  /** A defaultSrcPosture stands in the file: it holds for each rule without a srcPosture of its own. */
  readonly defaultPosture: boolean
}

/** Spellings of older files. */
const aclAliases = { users: 'src', ports: 'dst' }
const longestText = 300

export function readAcls(section: HuJson, context: RuleContext): PolicyRule[] {
  const { reading } = context
  return (asArray(section, 'acls', reading) ?? []).flatMap(item => {
    const object = asObject(item, 'an entry of acls', reading)
    if (object === undefined) return []
    const known = ['action', 'src', 'dst', 'proto', 'srcPosture']
    const fields = readFields(object, 'an entry of acls', known, reading, aclAliases)
    readAction(fields.get('action'), object.place, reading)
    const protocol = readProtocol(fields.get('proto')?.value, reading)
    const sources = readSources(fields, object.place, context)
    const targets = readAclTargets(fields, object.place, protocol, context)
    return [finish('acls', object, fields, sources, targets, context)]
  })
}

export function readGrants(section: HuJson, context: RuleContext): PolicyRule[] {
  const { reading } = context
  return (asArray(section, 'grants', reading) ?? []).flatMap(item => {
    const object = asObject(item, 'an entry of grants', reading)
    if (object === undefined) return []
    const known = ['src', 'dst', 'ip', 'app', 'srcPosture', 'via']
    const fields = readFields(object, 'an entry of grants', known, reading)
    const ports = readIp(fields, object.place, reading)
    const sources = readSources(fields, object.place, context)
    const destinations = (stringsOf(fields, 'dst', object.place, reading) ?? []).flatMap(
      each => readSelector(each, 'dst', context.names, reading) ?? [],
    )
    // With `app` alone there is nothing that could be allowed; its selectors are checked all the same.
    if (ports === undefined) {
      checkSelf('grants', sources, destinations, reading)
      return []
    }
    return [finish('grants', object, fields, sources, [{ destinations, ports }], context)]
  })
}

function readAction(field: HuJsonMember | undefined, place: Place, reading: Reading): void {
  if (field === undefined) {
    reading.diagnostics.error(place, 'missing-field', 'this rule has no action: write "action": "accept"')
    return
  }
  const action = asString(field.value, 'action', reading)
  if (action === undefined || action.text === 'accept') return
  const message = `${quoted(action.text)} is no action: rules only accept, and what none accepts is denied; write "accept"`
  reading.diagnostics.error(action.place, 'bad-action', message)
}

/** Undefined where there is none; an unusable one is refused and counts as none that allows more. */
export function readProtocol(value: HuJson | undefined, reading: Reading): number | undefined {
  const proto = value === undefined ? undefined : asString(value, 'proto', reading)
  if (proto === undefined || proto.text === '') return undefined
  const protocol = parseProtocol(proto.text)
  if (protocol === undefined) {
    const known =
      reading.suggest.for(proto.text, ['tcp', 'udp', 'icmp', 'sctp', 'gre', 'esp']) || `: write ${protocolChoice}`
    reading.diagnostics.error(proto.place, 'bad-protocol', `${quoted(proto.text)} is no protocol${known}`)
  }
  return protocol
}

function stringsOf(
  fields: ReadonlyMap<string, HuJsonMember>,
  name: string,
  place: Place,
  reading: Reading,
): Placed[] | undefined {
  const field = fields.get(name)
  if (field !== undefined) return asStrings(field.value, name, reading)
  reading.diagnostics.error(place, 'missing-field', `this rule has no ${name}: add it, [] for nobody`)
  return undefined
}

function readSources(fields: ReadonlyMap<string, HuJsonMember>, place: Place, context: RuleContext): Selector[] {
  const texts = stringsOf(fields, 'src', place, context.reading) ?? []
  return texts.flatMap(each => readSelector(each, 'src', context.names, context.reading) ?? [])
}

/** `HOST:PORTS`; destinations with the same ports become one target. */
function readAclTargets(
  fields: ReadonlyMap<string, HuJsonMember>,
  place: Place,
  protocol: number | undefined,
  { names, reading }: RuleContext,
): Target[] {
  const byPorts = new Map<string, { destinations: Selector[]; ports: readonly PortRange[] }>()
  for (const each of stringsOf(fields, 'dst', place, reading) ?? []) {
    const split = splitPorts(each.text)
    if (typeof split === 'string') {
      reading.diagnostics.error(each.place, 'bad-destination', `${quoted(each.text)} ${split}`)
      continue
    }
    const ports = aclPorts(split.ports, protocol)
    if (ports instanceof PortProblem)
      reading.diagnostics.error(each.place, 'bad-ports', `${quoted(each.text)}: ${ports.message}`)
    const selector = readSelector({ text: split.host, place: each.place }, 'dst', names, reading)
    if (selector === undefined || ports instanceof PortProblem) continue
    const target = byPorts.get(split.ports)
    if (target !== undefined) target.destinations.push(selector)
    else byPorts.set(split.ports, { destinations: [selector], ports: normalisePorts(ports) })
  }
  return [...byPorts.values()]
}

/** The host and the ports of `HOST:PORTS`, an IPv6 address in brackets; else why it is none. */
export function splitPorts(text: string): { host: string; ports: string } | string {
  const bracket = /^\[([^\]]*)\](\/\d+)?:(.*)$/.exec(text)
  if (bracket !== null) {
    const host = `${bracket[1]}${bracket[2] ?? ''}`
    if (!host.includes(':')) return `has brackets: they are for IPv6 addresses, write "${host}:${bracket[3]}"`
    return { host, ports: bracket[3] as string }
  }
  const colon = text.lastIndexOf(':')
  const host = text.slice(0, colon)
  const ports = text.slice(colon + 1)
  if (colon < 0 || /^(tag|group|autogroup|ipset|svc|user|host)$/.test(host))
    return `has no ports: write "${text}:*", or "${text}:22" for one`
  // The pattern first: most destinations are not made of such letters, and reading an address takes long.
  if (/^[0-9a-f.]*:[0-9a-f:.]+$/i.test(text) && (parseAddress(text) ?? parseAddress(host))?.length === 16) {
    const whole = parseAddress(host) === undefined
    return `is ambiguous: an IPv6 address stands in brackets, write "[${whole ? text : host}]:${whole ? '*' : ports}"`
  }
  return { host, ports }
}

/** The ports of `ip`; undefined where the grant has none, and only an app. */
function readIp(fields: ReadonlyMap<string, HuJsonMember>, place: Place, reading: Reading): PortRange[] | undefined {
  const entries = fields.has('ip') ? (asStrings((fields.get('ip') as HuJsonMember).value, 'ip', reading) ?? []) : []
  const app = fields.get('app')
  const hasApp = app !== undefined && (asObject(app.value, 'app', reading)?.members.length ?? 0) > 0
  const ipIsEmpty = !fields.has('ip') || isEmptyList((fields.get('ip') as HuJsonMember).value)
  if (ipIsEmpty && !hasApp) {
    const message = 'this grant has neither ip nor app: say what it grants, "ip": ["tcp:443"] for instance'
    reading.diagnostics.error(place, 'empty-grant', message)
  }
  if (app !== undefined && hasApp)
    reading.diagnostics.warning(
      app.place,
      'no-effect',
      'app has no effect here: only the ip part of a grant is enforced',
    )
  if (ipIsEmpty) return undefined
  return normalisePorts(
    entries.flatMap(entry => {
      const ports = grantPorts(entry.text)
      if (!(ports instanceof PortProblem)) return ports
      reading.diagnostics.error(entry.place, 'bad-ports', ports.message)
      return []
    }),
  )
}

function isEmptyList(value: HuJson): boolean {
  return value.kind === 'array' && value.items.length === 0
}

/** The rule, with why it cannot be evaluated and the warnings that say so. */
function finish(
  section: 'acls' | 'grants',
  object: Extract<HuJson, { kind: 'object' }>,
  fields: ReadonlyMap<string, HuJsonMember>,
  sources: readonly Selector[],
  targets: readonly Target[],
  context: RuleContext,
): PolicyRule {
  const { reading } = context
  const destinations = targets.flatMap(target => target.destinations)
  checkSelf(section, sources, destinations, reading)
  const reasons = [readPosture(fields.get('srcPosture'), context), readVia(fields.get('via'), context)]
  for (const { value, text, place } of [...sources, ...destinations]) {
    const reason = notEvaluated(value)
    if (reason !== undefined) {
      reasons.push(text)
      const message = `${quoted(text)} cannot be evaluated, as ${reason}: this rule grants nothing`
      reading.diagnostics.warning(place, 'not-evaluated', message)
    }
    const needed = needsNetmap(value)
    if (needed === undefined) continue
    const message = `${quoted(text)} cannot be evaluated unless the netmap gives ${needed}: without it this rule grants nothing`
    reading.diagnostics.warning(place, 'needs-netmap', message)
  }
  const known = reasons.filter(reason => reason !== undefined)
  const line = onOneLine(object)
  return {
    section,
    place: object.place,
    text: line.length > longestText ? `${line.slice(0, longestText)}…` : line,
    sources,
    targets,
    ...(known.length > 0 ? { unevaluated: known.join(', ') } : {}),
  }
}

/** autogroup:self has a meaning for users only; `*` beside it is a spelling of acls. */
function checkSelf(
  section: 'acls' | 'grants',
  sources: readonly Selector[],
  destinations: readonly Selector[],
  reading: Reading,
): void {
  if (!destinations.some(({ value }) => value.kind === 'self')) return
  const refused = ['tag', 'tagged', 'ranges', 'danger-all', 'shared', ...(section === 'grants' ? ['any'] : [])]
  for (const { value, text, place } of sources) {
    if (!refused.includes(value.kind)) continue
    const message = `${quoted(text)} has no user that autogroup:self could mean: use users, groups or autogroup:member`
    reading.diagnostics.error(place, 'self-needs-users', message)
  }
}

function readPosture(
  field: HuJsonMember | undefined,
  { postures, defaultPosture, reading }: RuleContext,
): string | undefined {
  if (field === undefined || isEmptyList(field.value)) return defaultPosture ? 'defaultSrcPosture' : undefined
  checkPostures(field.value, 'srcPosture', postures, reading)
  const message = 'srcPosture cannot be evaluated here: this rule grants nothing'
  reading.diagnostics.warning(field.place, 'not-evaluated', message)
  return 'srcPosture'
}

export function checkPostures(
  value: HuJson,
  of: string,
  { defined, used }: RuleContext['postures'],
  reading: Reading,
): void {
  for (const { text, place } of asStrings(value, of, reading) ?? []) {
    used.add(text)
    if (text.startsWith('posture:') && !defined.has(text)) refuseUndefined(text, place, 'postures', defined, reading)
  }
}

function readVia(field: HuJsonMember | undefined, { names, reading }: RuleContext): string | undefined {
  if (field === undefined || isEmptyList(field.value)) return undefined
  for (const { text, place } of asStrings(field.value, 'via', reading) ?? []) {
    if (!text.startsWith('tag:'))
      reading.diagnostics.error(place, 'bad-via', `${quoted(text)} cannot stand in via: it has tags only`)
    else if (!names.tagOwners.has(text)) refuseUndefined(text, place, 'tagOwners', names.tagOwners.keys(), reading)
  }
  reading.diagnostics.warning(field.place, 'not-evaluated', 'via cannot be evaluated here: this rule grants nothing')
  return 'via'
}

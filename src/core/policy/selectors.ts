// Selectors of src and dst: who or what a rule is about. One function reads them all; where each may stand is checked here too.
import type { Placed, Reading } from './fields.js'
import { quoted } from './hujson.js'
import { coversFamily } from './ipsets.js'
import { isLogin, isSyncedGroup, type Names, refuseUndefined, roles } from './names.js'
import { parseRange } from './ranges.js'
import type { Role, Selector, SelectorValue } from './types.js'

export type Side = 'src' | 'dst'

/** Undefined where the selector was refused, with an error. */
export function readSelector(
  { text, place }: Placed,
  side: Side,
  names: Names,
  reading: Reading,
): Selector | undefined {
  const result = parseSelector(text, names, reading)
  if ('refused' in result) {
    if (result.known === undefined) reading.diagnostics.error(place, result.code, `${quoted(text)} ${result.refused}`)
    else refuseUndefined(text, place, result.refused, result.known, reading)
    return undefined
  }
  const wrongSide = refusedAs(side, result, text)
  if (wrongSide !== undefined) {
    reading.diagnostics.error(place, 'wrong-side', `${quoted(text)} ${wrongSide}`)
    return undefined
  }
  return { value: result, text: text === 'autogroup:members' ? 'autogroup:member' : text, place }
}

/** Why it cannot be used; with `known`, `refused` is the section that lacks the name. */
export interface Refused {
  readonly refused: string
  readonly code: string
  readonly known?: Iterable<string>
}

const autogroups: Readonly<Record<string, SelectorValue>> = {
  member: { kind: 'member' },
  members: { kind: 'member' },
  tagged: { kind: 'tagged' },
  self: { kind: 'self' },
  internet: { kind: 'internet' },
  shared: { kind: 'shared' },
  'danger-all': { kind: 'danger-all' },
}

export function parseSelector(text: string, names: Names, reading: Reading): SelectorValue | Refused {
  if (text === '*') return { kind: 'any' }
  const colon = text.indexOf(':')
  const prefix = colon < 0 ? '' : text.slice(0, colon)
  switch (prefix) {
    case 'autogroup':
      return autogroupOf(text, text.slice(colon + 1), reading)
    case 'group':
      if (names.groups.has(text)) return { kind: 'group', name: text, synced: false }
      if (isSyncedGroup(text)) return { kind: 'group', name: text, synced: true }
      return { refused: 'groups', code: 'undefined-name', known: names.groups.keys() }
    case 'tag':
      if (names.tagOwners.has(text)) return { kind: 'tag', name: text }
      return { refused: 'tagOwners', code: 'undefined-name', known: names.tagOwners.keys() }
    case 'ipset': {
      const ranges = names.ipsets.get(text)
      if (ranges !== undefined) return { kind: 'ranges', ranges }
      return { refused: 'ipsets', code: 'undefined-name', known: names.ipsets.keys() }
    }
    case 'svc':
      if (/^svc:[^\s:@*]+$/.test(text)) return { kind: 'service', name: text }
      return refused('names no service: write svc:NAME')
    case 'user':
      return domainOf(text)
    case 'host':
      return refused(`is a spelling for IP sets only: write ${quoted(text.slice(5))}`)
  }
  if (text.includes('@')) {
    if (isLogin(text)) return { kind: 'user', user: text }
    if (text.startsWith('*@')) return refused(`is no user: write ${quoted(`user:${text}`)} for all users of the domain`)
    return refused('is no user: write a login, alice@example.com for instance')
  }
  const host = names.hosts.get(text)
  if (host !== undefined) return { kind: 'ranges', ranges: host }
  return rangesOf(text, names)
}

function refused(why: string, code = 'bad-selector'): Refused {
  return { refused: why, code }
}

function rangesOf(text: string, names: Names): SelectorValue | Refused {
  const range = parseRange(text, false)
  if (typeof range !== 'string') return { kind: 'ranges', ranges: [range] }
  if (/^\[.*\]$/.test(text)) return refused(`has brackets: write ${text.slice(1, -1)} where no port follows`)
  if (/^[0-9.]+\/|^[0-9a-f:.]*:[0-9a-f:./]*$|^[0-9.]+(-[0-9.]+)?$/i.test(text))
    return refused(`cannot be used: ${range}`)
  if (text === '') return refused('is empty: remove it')
  return { refused: 'hosts', code: 'undefined-name', known: hostsAndTags(names) }
}

/** One by one: a file may have very many, and very many that are none. */
function* hostsAndTags({ hosts, tagOwners }: Names): Iterable<string> {
  yield* hosts.keys()
  yield* tagOwners.keys()
}

function autogroupOf(text: string, name: string, reading: Reading): SelectorValue | Refused {
  if (Object.hasOwn(autogroups, name)) return autogroups[name] as SelectorValue
  if (roles.includes(name as Role)) return { kind: 'role', role: name as Role }
  if (name === 'nonroot') return refused('is a user of ssh rules: it selects nobody here')
  const known = [...Object.keys(autogroups), ...roles].map(each => `autogroup:${each}`)
  return refused(`is no autogroup${reading.suggest.for(text, known)}`, 'unknown-autogroup')
}

function domainOf(text: string): SelectorValue | Refused {
  const match = /^user:\*@([^\s:*@\p{Cc}\p{Cf}]+)$/u.exec(text)
  if (match !== null) return { kind: 'domain', domain: match[1] as string }
  if (isLogin(text.slice(5))) return refused(`is no selector: write ${quoted(text.slice(5))} alone`)
  return refused('is no selector: write user:*@DOMAIN, and no other wildcard')
}

function refusedAs(side: Side, value: SelectorValue, text: string): string | undefined {
  if (side === 'src') {
    if (value.kind === 'self') return 'cannot be a source: use it in dst, with users or groups in src'
    if (value.kind === 'internet') return 'cannot be a source: use it in dst'
    if (value.kind === 'service') return 'cannot be a source: services are destinations'
    return undefined
  }
  if (value.kind === 'danger-all') return 'cannot be a destination: use "*" in dst'
  if (value.kind === 'shared') return 'cannot be a destination: it selects sources only'
  if (value.kind === 'ranges' && !text.startsWith('ipset:') && coversFamily(value.ranges))
    return 'is every address: write "*", or autogroup:internet for public ones'
  return undefined
}

/** Why the file alone, or this program at all, cannot say who is selected. */
export function notEvaluated(value: SelectorValue): string | undefined {
  if (value.kind === 'shared') return 'nobody shares nodes here'
  if (value.kind === 'service') return 'there are no services here'
  return undefined
}

/** Why only a netmap can say who is selected. */
export function needsNetmap(value: SelectorValue): string | undefined {
  if (value.kind === 'role') return 'roles of users'
  if (value.kind === 'group' && value.synced) return 'this synced group'
  return undefined
}

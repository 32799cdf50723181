// The names a policy defines, groups, hosts, IP sets and tags, each checked where it is defined.
import { parseAddress } from '../base/address.js'
import { isTag } from '../base/tag.js'
import type { Place } from './diagnostics.js'
import { asObject, asString, asStrings, type Placed, type Reading } from './fields.js'
import { type HuJson, type HuJsonMember, quoted } from './hujson.js'
import { readIpsets } from './ipsets.js'
import { parseRange } from './ranges.js'
import type { AddressRange, Role } from './types.js'

export interface Names {
  readonly groups: ReadonlyMap<string, readonly string[]>
  readonly hosts: ReadonlyMap<string, readonly AddressRange[]>
  readonly ipsets: ReadonlyMap<string, readonly AddressRange[]>
  readonly tagOwners: ReadonlyMap<string, readonly string[]>
}

export const roles: readonly Role[] = ['owner', 'admin', 'network-admin', 'it-admin', 'billing-admin', 'auditor']

/** Sections that define names, each undefined where the file has none. */
export interface NameSections {
  readonly groups: HuJson | undefined
  readonly hosts: HuJson | undefined
  readonly ipsets: HuJson | undefined
  readonly tagOwners: HuJson | undefined
}

export function readNames(sections: NameSections, reading: Reading): Names {
  const groups = readGroups(sections.groups, reading)
  const hosts = readHosts(sections.hosts, reading)
  const ipsets = readIpsets(sections.ipsets, hosts, reading)
  const tagOwners = readTagOwners(sections.tagOwners, groups, reading)
  return { groups, hosts, ipsets, tagOwners }
}

function readGroups(section: HuJson | undefined, reading: Reading): Map<string, string[]> {
  const groups = new Map<string, string[]>()
  for (const { key, place, value } of membersOf(section, 'groups', reading)) {
    if (!/^group:[^\s:\p{Cc}\p{Cf}]+$/u.test(key))
      refuseName(key, place, 'group:', 'a group', 'letters, digits, - and _', reading)
    const members = asStrings(value, `${quoted(key)}`, reading) ?? []
    const users = members.filter(member => isMember(key, member, reading))
    groups.set(key, [...new Set(users.map(({ text }) => text))])
  }
  return groups
}

function isMember(group: string, { text, place }: Placed, reading: Reading): boolean {
  if (isLogin(text)) return true
  const message = text.startsWith('group:')
    ? `${quoted(group)} contains ${quoted(text)}, and groups do not nest: list its members`
    : `${quoted(text)} is no user: a group lists logins, alice@example.com for instance`
  reading.diagnostics.error(place, text.startsWith('group:') ? 'nested-group' : 'not-a-user', message)
  return false
}

/** `alice@example.com`, `alice@github`, `alice@`; nothing that could be read as another selector. */
export function isLogin(text: string): boolean {
  return /^[^\s:*@\p{Cc}\p{Cf}]+@[^\s:*@\p{Cc}\p{Cf}]*$/u.test(text)
}

function readHosts(section: HuJson | undefined, reading: Reading): Map<string, AddressRange[]> {
  const hosts = new Map<string, AddressRange[]>()
  for (const { key, place, value } of membersOf(section, 'hosts', reading)) {
    if (!/^[^\s@:*/,[\]\p{Cc}\p{Cf}]+$/u.test(key) || parseAddress(key) !== undefined) {
      const message = `${quoted(key)} cannot name a host: use a name without @, :, *, / and spaces that is no address`
      reading.diagnostics.error(place, 'bad-name', message)
    }
    const address = asString(value, `host ${quoted(key)}`, reading)
    if (address === undefined) continue
    const range = parseRange(address.text, false)
    if (typeof range === 'string')
      reading.diagnostics.error(
        address.place,
        'not-an-address',
        `host ${quoted(key)} is ${quoted(address.text)}: ${range}`,
      )
    else hosts.set(key, [range])
  }
  return hosts
}

function readTagOwners(
  section: HuJson | undefined,
  groups: ReadonlyMap<string, unknown>,
  reading: Reading,
): Map<string, string[]> {
  const members = membersOf(section, 'tagOwners', reading)
  const tags = new Set(members.map(({ key }) => key))
  const owners = new Map<string, string[]>()
  for (const { key, place, value } of members) {
    if (!isTag(key)) refuseName(key, place, 'tag:', 'a tag', 'a letter, then letters, digits and -', reading)
    const listed = asStrings(value, quoted(key), reading) ?? []
    for (const owner of listed) checkOwner(owner, tags, groups, reading)
    owners.set(
      key,
      listed.map(({ text }) => text),
    )
  }
  return owners
}

function checkOwner(
  { text, place }: Placed,
  tags: ReadonlySet<string>,
  groups: ReadonlyMap<string, unknown>,
  reading: Reading,
): void {
  if (isLogin(text) && !text.startsWith('group:')) return
  if (text.startsWith('tag:')) {
    if (!tags.has(text)) refuseUndefined(text, place, 'tagOwners', tags, reading)
  } else if (text.startsWith('group:')) {
    if (!groups.has(text) && !isSyncedGroup(text)) refuseUndefined(text, place, 'groups', groups.keys(), reading)
  } else if (text.startsWith('autogroup:')) {
    const known = ['member', 'members', 'tagged', ...roles].map(each => `autogroup:${each}`)
    if (!known.includes(text)) {
      const message = `${quoted(text)} cannot own a tag${reading.suggest.for(text, known)}`
      reading.diagnostics.error(place, 'unknown-autogroup', message)
    }
  } else {
    const message = `${quoted(text)} cannot own a tag: owners are users, groups, autogroups and tags`
    reading.diagnostics.error(place, 'bad-owner', message)
  }
}

/** `group:security@example.com` comes from an identity provider: the file need not define it. */
export function isSyncedGroup(text: string): boolean {
  return /^group:[^\s:@\p{Cc}\p{Cf}]+@[^\s:@\p{Cc}\p{Cf}]+$/u.test(text)
}

export function refuseUndefined(
  text: string,
  place: Place,
  section: string,
  known: Iterable<string>,
  reading: Reading,
): void {
  const suggestion = reading.suggest.for(text, known) || `: define it in ${section}`
  reading.diagnostics.error(place, 'undefined-name', `${quoted(text)} is not defined in ${section}${suggestion}`)
}

function refuseName(key: string, place: Place, prefix: string, what: string, form: string, reading: Reading): void {
  const message = key.startsWith(prefix)
    ? `${quoted(key)} cannot name ${what}: behind ${prefix} use ${form}`
    : `${quoted(key)} cannot name ${what}: write ${quoted(`${prefix}${key}`)}`
  reading.diagnostics.error(place, 'bad-name', message)
}

export function membersOf(section: HuJson | undefined, name: string, reading: Reading): readonly HuJsonMember[] {
  if (section === undefined) return []
  return asObject(section, name, reading)?.members ?? []
}

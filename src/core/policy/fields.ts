// Fields of an object: known by name in any case, refused when unknown or given twice; and lists of strings.
import type { Diagnostics, Place } from './diagnostics.js'
import { type HuJson, type HuJsonMember, quoted } from './hujson.js'
import type { Suggester } from './suggest.js'

/** What every part of the reader works with. */
export interface Reading {
  readonly diagnostics: Diagnostics
  readonly suggest: Suggester
}

/** A text and where it stands. */
export interface Placed {
  readonly text: string
  readonly place: Place
}

/**
 * The members of an object by the names of `known`; each entry of `aliases` is another spelling. A field that is null counts
 * as not given, as in JSON that programs wrote.
 */
export function readFields(
  object: Extract<HuJson, { kind: 'object' }>,
  of: string,
  known: readonly string[],
  reading: Reading,
  aliases: Readonly<Record<string, string>> = {},
): Map<string, HuJsonMember> {
  const names = new Map(known.map(name => [name.toLowerCase(), name]))
  for (const [alias, name] of Object.entries(aliases)) names.set(alias.toLowerCase(), name)
  const fields = new Map<string, HuJsonMember>()
  for (const member of object.members) {
    const name = names.get(member.key.toLowerCase())
    if (name === undefined) {
      const suggestion = reading.suggest.for(member.key, [...known, ...Object.keys(aliases)])
      const message = `${quoted(member.key)} is no field of ${of}${suggestion || `: it may have ${listed(known)}`}`
      reading.diagnostics.error(member.place, 'unknown-field', message)
      continue
    }
    const first = fields.get(name)
    if (first === undefined) fields.set(name, member)
    // The same spelling twice was refused when it was read.
    else if (first.key !== member.key) {
      const where = `${quoted(first.key)} at line ${first.place.line}, column ${first.place.column}`
      reading.diagnostics.error(
        member.place,
        'duplicate-key',
        `${quoted(member.key)} is the same field as ${where}: keep one`,
      )
    }
  }
  for (const [name, { value }] of fields) if (value.kind === 'null') fields.delete(name)
  return fields
}

export function listed(names: readonly string[]): string {
  return names.length < 2 ? names.join() : `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`
}

export function asObject(value: HuJson, of: string, reading: Reading): Extract<HuJson, { kind: 'object' }> | undefined {
  if (value.kind === 'object') return value
  reading.diagnostics.error(value.place, 'wrong-type', `${of} is ${article(value)}: write an object, { … }`)
  return undefined
}

export function asArray(value: HuJson, of: string, reading: Reading): readonly HuJson[] | undefined {
  if (value.kind === 'array') return value.items
  reading.diagnostics.error(value.place, 'wrong-type', `${of} is ${article(value)}: write a list, [ … ]`)
  return undefined
}

export function asString(value: HuJson, of: string, reading: Reading): Placed | undefined {
  if (value.kind === 'string') return { text: value.value, place: value.place }
  const remedy = value.kind === 'number' ? `write "${value.value}" in quotes` : 'write a string, "…"'
  reading.diagnostics.error(value.place, 'wrong-type', `${of} is ${article(value)}: ${remedy}`)
  return undefined
}

/** Undefined where the value is no list; entries that are no strings are refused and left out. */
export function asStrings(value: HuJson, of: string, reading: Reading): Placed[] | undefined {
  const items = asArray(value, of, reading)
  return items?.flatMap(item => asString(item, `an entry of ${of}`, reading) ?? [])
}

function article(value: HuJson): string {
  if (value.kind === 'null') return 'null'
  return `${/^[aeio]/.test(value.kind) ? 'an' : 'a'} ${value.kind}`
}

// Reads a policy file: HuJSON in the dialect of Tailscale's policy files (tailscale.com, "Syntax reference for the tailnet
// policy file" and "Grants syntax").
import { Diagnostics, type Place } from './diagnostics.js'
import { asArray, asObject, type Reading, readFields } from './fields.js'
import { readTests } from './file-tests.js'
import { type HuJson, type HuJsonMember, quoted, readHuJson } from './hujson.js'
import { membersOf, readNames } from './names.js'
import { checkPostures, type RuleContext, readAcls, readGrants } from './rules.js'
import { Suggester } from './suggest.js'
import type { PolicyDocument } from './types.js'

/** Bounds on a policy file, each with a default in {@link defaultPolicyLimits}. */
export interface PolicyLimits {
  /** UTF-16 units of text. */
  maxTextLength: number
  /** Arrays and objects inside one another. */
  maxDepth: number
  /** Entries of `acls` and `grants` together. */
  maxRules: number
  /** Diagnostics kept. */
  maxDiagnostics: number
}

export const defaultPolicyLimits: PolicyLimits = {
  maxTextLength: 16 * 1024 * 1024,
  maxDepth: 32,
  maxRules: 65_536,
  maxDiagnostics: 1000,
}

/** Sections without effect here; each gives one warning. */
const withoutEffect: Readonly<Record<string, string>> = {
  ssh: 'there is no SSH server of the network’s own here, and connections to port 22 are decided by acls and grants',
  nodeAttrs: 'nodes have no attributes here',
  autoApprovers: 'the netmap says which routes are approved',
  derpMap: 'there are no relays here',
  OneCGNATRoute: 'routes are those of the configuration',
  disableIPv4: 'addresses are those of the configuration',
  randomizeClientPort: 'the port is ListenPort of the configuration',
}

const sections = [
  ...['grants', 'acls', 'groups', 'hosts', 'ipsets', 'tagOwners', 'tests', 'sshTests', 'postures', 'defaultSrcPosture'],
  ...Object.keys(withoutEffect),
]

/**
 * Reads the text of a policy file. Never throws on content: what is wrong, has no effect or cannot be evaluated is in
 * `diagnostics`, in the order of the file.
 */
export function parsePolicy(text: string, limits: Partial<PolicyLimits> = {}): PolicyDocument {
  const { maxTextLength, maxDepth, maxRules, maxDiagnostics } = { ...defaultPolicyLimits, ...limits }
  const diagnostics = new Diagnostics(maxDiagnostics)
  const start = { line: 1, column: 1 }
  if (text.length > maxTextLength) {
    const message = `the file has more than ${maxTextLength} characters: policies are smaller; check that it is the right file`
    diagnostics.error(start, 'too-large', message)
    return emptyDocument(diagnostics)
  }
  const reading: Reading = { diagnostics, suggest: new Suggester() }
  const value = readHuJson(text, maxDepth, diagnostics)
  const object = value === undefined ? undefined : asObject(value, 'the policy', reading)
  if (object === undefined) return emptyDocument(diagnostics)
  const fields = readFields(object, 'a policy', sections, reading)
  return readSections(fields, object.place, maxRules, reading)
}

/** Whether the document must be refused. */
export function hasErrors(document: PolicyDocument): boolean {
  return document.diagnostics.some(({ severity }) => severity === 'error')
}

function readSections(
  fields: ReadonlyMap<string, HuJsonMember>,
  place: Place,
  maxRules: number,
  reading: Reading,
): PolicyDocument {
  const { diagnostics } = reading
  const section = (name: string): HuJson | undefined => fields.get(name)?.value
  const names = readNames(
    { groups: section('groups'), hosts: section('hosts'), ipsets: section('ipsets'), tagOwners: section('tagOwners') },
    reading,
  )
  const defined = new Map(membersOf(section('postures'), 'postures', reading).map(each => [each.key, each.place]))
  const postures = { defined: new Set(defined.keys()), used: new Set<string>() }
  const context: RuleContext = {
    names,
    reading,
    postures,
    defaultPosture: readDefaultPosture(fields, postures, reading),
  }
  const [acls, grants] = [section('acls'), section('grants')]
  if (acls === undefined && grants === undefined) {
    const message =
      'the policy has neither acls nor grants, which elsewhere allows everything: write "acls": [] to allow nothing, or add rules'
    diagnostics.error(place, 'no-rules', message)
  }
  const written = entriesOf(acls) + entriesOf(grants)
  if (written > maxRules)
    diagnostics.error(
      place,
      'too-many-rules',
      `${written} rules are more than ${maxRules}: join those that share a source`,
    )
  const rules =
    written > maxRules
      ? []
      : [
          ...(acls === undefined ? [] : readAcls(acls, context)),
          ...(grants === undefined ? [] : readGrants(grants, context)),
        ].sort((a, b) => a.place.line - b.place.line || a.place.column - b.place.column)
  const tests = section('tests')
  const sshTests = section('sshTests')
  const document = {
    rules,
    ...names,
    tests: tests === undefined ? [] : readTests(tests, names, reading),
    sshTests: sshTests === undefined ? [] : (asArray(sshTests, 'sshTests', reading) ?? []).map(each => each.place),
  }
  warnWithoutEffect(fields, defined, postures.used, reading)
  return { diagnostics: diagnostics.list(), ...document }
}

function entriesOf(section: HuJson | undefined): number {
  return section?.kind === 'array' ? section.items.length : 0
}

function readDefaultPosture(
  fields: ReadonlyMap<string, HuJsonMember>,
  postures: RuleContext['postures'],
  reading: Reading,
): boolean {
  const field = fields.get('defaultSrcPosture')
  if (field === undefined || entriesOf(field.value) === 0) {
    // No list at all is refused, and an empty one asks for nothing.
    if (field !== undefined) checkPostures(field.value, 'defaultSrcPosture', postures, reading)
    return false
  }
  checkPostures(field.value, 'defaultSrcPosture', postures, reading)
  const message =
    'defaultSrcPosture cannot be evaluated here: each rule without a srcPosture of its own grants nothing either'
  reading.diagnostics.warning(field.place, 'not-evaluated', message)
  return true
}

function warnWithoutEffect(
  fields: ReadonlyMap<string, HuJsonMember>,
  postures: ReadonlyMap<string, Place>,
  used: ReadonlySet<string>,
  { diagnostics }: Reading,
): void {
  for (const [name, why] of Object.entries(withoutEffect)) {
    const field = fields.get(name)
    if (field !== undefined) diagnostics.warning(field.place, 'no-effect', `${name} has no effect here: ${why}`)
  }
  for (const [name, place] of postures)
    if (!used.has(name)) diagnostics.warning(place, 'no-effect', `${quoted(name)} has no effect: no rule names it`)
}

function emptyDocument(diagnostics: Diagnostics): PolicyDocument {
  return {
    diagnostics: diagnostics.list(),
    rules: [],
    groups: new Map(),
    hosts: new Map(),
    ipsets: new Map(),
    tagOwners: new Map(),
    tests: [],
    sshTests: [],
  }
}

// The file itself: HuJSON with places, fields and sections, names, and what is refused, ignored or cannot be evaluated.
import { describe, expect, it } from 'vitest'
import { hasErrors, parsePolicy } from '../../../../src/core/policy/policy.js'
import { runPolicyTests } from '../../../../src/core/policy/tests.js'
import { acl, allows, errors, file, grant, messages, warnings } from './support.js'

const first = (text: string) => parsePolicy(text).diagnostics[0]
const rule = (more: object = {}) => ({ action: 'accept', src: ['*'], dst: ['tag:web:22'], ...more })

describe('the reader', () => {
  it('takes comments, trailing commas and a BOM (P-file-hujson)', () => {
    const document = parsePolicy('\ufeff// first\n{ /* none */ "acls": [], }\n')
    expect(document.diagnostics).toEqual([])
  })

  it.each([
    ['a brace that is missing', '{\n  "acls": [\n', 'the end of the file', 3, 1],
    ['a comma that is missing', '{\n  "acls": [] "groups": {} }', 'a comma or } is expected', 2, 14],
    ['single quotes', "{ 'acls': [] }", 'field’s name', 1, 3],
    ['a string that is not closed', '{\r\n\r\n "acls: [] }', 'not closed', 3, 2],
    ['a comment that is not closed', '{ /* acls ', 'not closed', 1, 3],
    ['a bad escape', '{ "\\q": 1 }', 'escape', 1, 3],
    ['text behind the policy', '{ "acls": [] } x', 'follows the policy', 1, 16],
    ['nothing', '', 'empty', 1, 1],
    ['a list', '[]', 'write an object', 1, 1],
  ])('refuses %s with its place (P-file-syntax)', (_what, text, message, line, column) => {
    expect(first(text)).toMatchObject({ severity: 'error', line, column })
    expect(first(text)?.message).toContain(message)
  })

  it('bounds the text and its nesting before it enters (P-file-bounds)', () => {
    const deep = `{ "acls": ${'['.repeat(100_000)}${']'.repeat(100_000)} }`
    expect(first(deep)).toMatchObject({ code: 'too-deep' })
    expect(parsePolicy('{ "acls": [] }', { maxTextLength: 5 }).diagnostics[0]).toMatchObject({ code: 'too-large' })
    expect(messages(file({ acls: [] }), 'error')).toEqual([])
    const many = parsePolicy(file({ acls: [rule(), rule(), rule()] }), { maxRules: 2 })
    expect(many.diagnostics[0]).toMatchObject({ code: 'too-many-rules' })
  })

  it('refuses a key that stands twice, with both places (P-file-duplicate)', () => {
    const text = '{ "acls": [],\n  "groups": { "group:a": [], "group:a": ["x@y.z"] },\n  "ACLs": [] }'
    const [inGroups, inFile] = parsePolicy(text).diagnostics
    expect(inGroups).toMatchObject({ line: 2, column: 30, code: 'duplicate-key' })
    expect(inGroups?.message).toContain('line 2, column 15')
    expect(inFile).toMatchObject({ line: 3, column: 3, code: 'duplicate-key' })
    expect(inFile?.message).toContain('"acls" at line 1, column 3')
  })

  it('never throws, whatever the text is', () => {
    const whole = file({ acls: [rule()], tests: [{ src: 'tag:ci', accept: ['tag:web:22'] }] })
    for (let i = 0; i < whole.length; i++) {
      expect(hasErrors(parsePolicy(whole.slice(0, i)))).toBe(true)
      parsePolicy(`${whole.slice(0, i)}"${whole.slice(i + 1)}`)
    }
  })
})

describe('fields', () => {
  it('are known in any case, and by their older names (P-field-spelling)', () => {
    const policy = file({ acls: undefined, ACLs: [{ Action: 'accept', Users: ['*'], Ports: ['tag:web:22'] }] })
    expect(messages(policy, 'error')).toEqual([])
    expect(allows(policy, 'laptop', 'web1:22')).toBe(true)
    expect(errors(file({ acls: [{ ...rule(), users: ['*'] }] }))[0]).toContain('is the same field as')
  })

  it('are refused when unknown, with a suggestion (P-field-unknown)', () => {
    expect(errors('{ "acl": [], "acls": [] }')).toEqual([
      'unknown-field: "acl" is no field of a policy: did you mean "acls"?',
    ])
    expect(errors(file({ acls: [rule({ protocol: 'tcp' })] }))[0]).toContain('did you mean "proto"?')
    expect(errors(file({ grants: [{ src: ['*'], dst: ['*'], ip: ['*'], action: 'accept' }] }))[0]).toContain('no field')
  })

  it('are refused when of another type', () => {
    expect(errors(file({ acls: [rule({ src: '*' })] }))[0]).toContain('src is a string: write a list')
    expect(errors(file({ acls: {} }))[0]).toContain('acls is an object: write a list')
    expect(errors(file({ acls: [], groups: [] }))[0]).toContain('groups is an array: write an object')
  })

  it('action is accept, and nothing else (P-action)', () => {
    expect(errors(acl('*', '*:*'))).toEqual([])
    for (const action of ['deny', 'Accept', '', undefined]) expect(errors(acl('*', '*:*', { action }))).toHaveLength(1)
  })
})

describe('sections', () => {
  it('acls or grants must be there, if only as [] (P-section-rules)', () => {
    for (const text of ['{ "acls": [] }', '{ "grants": [] }']) expect(errors(text)).toEqual([])
    for (const text of ['{}', '{ "groups": {} }', '{ "acls": null }'])
      expect(errors(text)[0]).toContain('write "acls": [] to allow nothing')
  })

  it('groups list users and no groups (P-section-groups)', () => {
    expect(errors(file({ acls: [], groups: { 'group:a': ['a@b.c', 'd@github'], 'group:none': [] } }))).toEqual([])
    expect(errors(file({ acls: [], groups: { 'group:a': ['group:b'] } }))[0]).toContain('groups do not nest')
    expect(errors(file({ acls: [], groups: { 'group:a': ['tag:web'] } }))[0]).toContain('is no user')
    expect(errors(file({ acls: [], groups: { a: [] } }))[0]).toContain('write "group:a"')
  })

  it('hosts name an address or a CIDR (P-section-hosts)', () => {
    expect(errors(file({ acls: [], hosts: { a: '10.0.0.1', b: 'fd00::/8' } }))).toEqual([])
    expect(errors(file({ acls: [], hosts: { a: '10.0.0.1-10.0.0.2' } }))[0]).toContain('only in an IP set')
    expect(errors(file({ acls: [], hosts: { 'a@b': '10.0.0.1' } }))[0]).toContain('cannot name a host')
    expect(errors(file({ acls: [], hosts: { a: 'web1' } }))[0]).toContain('no IPv4 or IPv6 address')
  })

  it('tagOwners may be users, groups, autogroups and tags, or nobody (P-section-tag-owners)', () => {
    const owners = ['a@b.c', 'group:eng', 'autogroup:admin', 'tag:other', 'group:sec@b.c']
    expect(errors(file({ acls: [], tagOwners: { 'tag:web': owners, 'tag:other': [] } }))).toEqual([])
    expect(errors(file({ acls: [], tagOwners: { 'tag:web': ['group:egn'] } }))[0]).toContain(
      'did you mean "group:eng"?',
    )
    expect(errors(file({ acls: [], tagOwners: { 'tag:web': ['*'] } }))[0]).toContain('cannot own a tag')
    expect(errors(file({ acls: [], tagOwners: { 'tag:1web': [] } }))[0]).toContain('a letter, then')
  })

  it('ipsets add and remove in their order (P-section-ipsets)', () => {
    const policy = (entries: string[]) =>
      file({ ipsets: { 'ipset:a': entries }, acls: [rule({ dst: ['ipset:a:22'] })] })
    const steps = ['add 10.1.0.0/16', 'remove 10.1.2.0/24', 'add 10.1.2.3', 'remove autogroup:internet']
    expect(allows(policy(steps), 'laptop', '10.1.2.3:22')).toBe(true)
    expect(allows(policy(steps), 'laptop', '10.1.2.4:22')).toBe(false)
    expect(allows(policy(['remove 10.1.2.0/24', 'add 10.1.0.0/16']), 'laptop', '10.1.2.4:22')).toBe(true)
    expect(errors(policy(['10.1.0.0/16', 'remove 10.1.2.0/24']))[0]).toContain('write "add 10.1.0.0/16"')
    expect(errors(policy(['add tag:web']))[0]).toContain('addresses, hosts, autogroup:internet and IP sets only')
    expect(errors(policy(['add vault']))[0]).toContain('write "host:vault"')
    expect(errors(policy(['take 10.0.0.1']))).toHaveLength(1)
  })

  it('ipsets that contain themselves are refused (P-section-ipset-cycle)', () => {
    const ipsets = { 'ipset:a': ['ipset:b'], 'ipset:b': ['add ipset:c'], 'ipset:c': ['remove ipset:a'] }
    expect(errors(file({ ipsets, acls: [] }))).toEqual([
      expect.stringContaining('ipset:a > ipset:b > ipset:c > ipset:a'),
    ])
    const chain = Object.fromEntries(Array.from({ length: 9000 }, (_, i) => [`ipset:n${i}`, [`ipset:n${i + 1}`]]))
    expect(errors(file({ ipsets: { ...chain, 'ipset:n9000': [] }, acls: [] }))[0]).toContain('nested more than')
  })

  it.each(['ssh', 'nodeAttrs', 'autoApprovers', 'derpMap', 'OneCGNATRoute', 'disableIPv4', 'randomizeClientPort'])(
    '%s has no effect, which is said once (P-section-no-effect)',
    name => {
      expect(warnings(file({ acls: [], [name]: [{ anything: 1 }, { at: 'all' }] }))).toEqual([
        expect.stringContaining(`no-effect: ${name} has no effect here`),
      ])
    },
  )

  it('a posture that no rule names has no effect (P-section-postures)', () => {
    const policy = (srcPosture: string[]) =>
      file({ postures: { 'posture:new': ["node:os == 'linux'"] }, acls: [rule({ srcPosture })] })
    expect(warnings(policy([]))).toEqual(['no-effect: "posture:new" has no effect: no rule names it'])
    expect(warnings(policy(['posture:new']))).toEqual([expect.stringContaining('srcPosture cannot be evaluated')])
    expect(errors(policy(['posture:nwe']))[0]).toContain('did you mean "posture:new"?')
  })
})

describe('a rule that cannot be evaluated', () => {
  it.each([
    ['srcPosture', acl('*', 'tag:web:22', { srcPosture: ["node:os == 'linux'"] })],
    ['defaultSrcPosture', file({ acls: [rule()], defaultSrcPosture: ["node:os == 'linux'"] })],
    ['via', grant('*', 'tag:web', '22', { via: ['tag:exit'] })],
  ])('grants nothing and is warned of: %s (P-not-evaluated)', (_what, policy) => {
    expect(errors(policy)).toEqual([])
    expect(warnings(policy)).toEqual([expect.stringContaining('not-evaluated')])
    expect(allows(policy, 'laptop', 'web1:22')).toBe(false)
    expect(allows(policy, 'laptop', 'web1:0/1')).toBe(false)
  })

  it('is one again where the condition is empty', () => {
    for (const more of [{ srcPosture: [] }, { srcPosture: null }])
      expect(allows(acl('*', 'tag:web:22', more), 'laptop', 'web1:22')).toBe(true)
    for (const via of [[], null]) expect(allows(grant('*', 'tag:web', '22', { via }), 'laptop', 'web1:22')).toBe(true)
  })

  it('via has tags only', () => {
    expect(errors(grant('*', 'tag:web', '22', { via: ['group:eng'] }))[0]).toContain('tags only')
    expect(errors(grant('*', 'tag:web', '22', { via: ['tag:exti'] }))[0]).toContain('did you mean "tag:exit"?')
  })
})

describe('a grant', () => {
  it('needs ip or app, and app has no effect (P-grant-app)', () => {
    const app = { 'example.com/cap/x': [{}] }
    const policy = file({ grants: [{ src: ['*'], dst: ['tag:web'], app }] })
    expect(warnings(policy)).toEqual([expect.stringContaining('app has no effect')])
    expect(allows(policy, 'laptop', 'web1:22')).toBe(false)
    expect(allows(grant('*', 'tag:web', '22', { app }), 'laptop', 'web1:22')).toBe(true)
    for (const empty of [{ ip: [] }, { app: {} }, {}])
      expect(errors(file({ grants: [{ src: ['*'], dst: ['*'], ...empty }] }))[0]).toContain('neither ip nor app')
  })

  it('has no ports in dst', () => {
    expect(errors(grant('*', 'tag:web:22', '22'))[0]).toContain('did you mean "tag:web"?')
  })
})

describe('text of a file', () => {
  it('moves no cursor and begins no line, wherever it is shown', () => {
    const nasty = ['\u001b[2J', '\n::error::x', '\u009b', '\u2028', '\u202e', '\u0085']
    for (const evil of nasty) {
      const texts = [
        file({ acls: [rule({ dst: [`a${evil}`] })] }),
        file({ acls: [rule({ dst: [`tag:web:${evil}`], src: [`x${evil}`], proto: evil })], [evil]: 1 }),
        grant('*', 'tag:web', [`tcp:${evil}`, `${evil}:1`, evil, `1${evil},2`]),
        file({ acls: [], ipsets: { [evil]: [evil, `add ${evil}`] }, hosts: { [evil]: evil } }),
        file({ acls: [], groups: { [`group:${evil}`]: [`a${evil}@b`] }, tagOwners: { [evil]: [evil] } }),
        file({ acls: [rule({ srcPosture: [evil] })], tests: [{ src: evil, accept: [`tag:web:${evil}`, evil] }] }),
      ]
      for (const text of texts) {
        const document = parsePolicy(text)
        const shown = [
          ...document.diagnostics.map(({ message }) => message),
          ...runPolicyTests(document).flatMap(({ name, reasons }) => [name, ...reasons]),
          ...document.rules.map(each => each.text),
        ]
        expect(shown.filter(each => /[\p{Cc}\u2028\u2029\u202a-\u202e]/u.test(each))).toEqual([])
      }
    }
  })

  it('that could do so is no name of a group, a host, an IP set or a user', () => {
    for (const evil of ['a\u001b[2J', 'a\u009b', 'a\u202eb']) {
      expect(errors(file({ acls: [], groups: { [`group:${evil}`]: [] } }))).toHaveLength(1)
      expect(errors(file({ acls: [], groups: { 'group:a': [`${evil}@x.com`] } }))).toHaveLength(1)
      expect(errors(file({ acls: [], hosts: { [evil]: '10.0.0.1' } }))).toHaveLength(1)
      expect(errors(file({ acls: [], ipsets: { [`ipset:${evil}`]: [] } }))).toHaveLength(1)
      expect(errors(file({ acls: [rule({ src: [`user:*@${evil}`] })] }))).toHaveLength(1)
    }
  })
})

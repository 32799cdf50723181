// A netmap file: who is who, with a place for each complaint; and its published schema, which says the same.
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { parseAddress, parsePrefix } from '../../../../src/core/base/address.js'
import { encodeKey } from '../../../../src/core/base/base64.js'
import { readTags } from '../../../../src/core/config/values.js'
import type { Diagnostic } from '../../../../src/core/policy/diagnostics.js'
import { checkNetmapFile, parseNetmap } from '../../../../src/core/policy/netmap-file.js'
import { hasErrors, parsePolicy } from '../../../../src/core/policy/policy.js'
import { violations } from '../../../support/json-schema.js'

const schema = JSON.parse(readFileSync(new URL('../../../../docs/netmap.schema.json', import.meta.url), 'utf8'))
const key = new Uint8Array(32).fill(7)
const node = (more: object = {}) => ({ name: 'web1', addresses: ['10.7.0.3'], ...more })

describe('a netmap file', () => {
  it('gives every field of its nodes', () => {
    const file = parseNetmap(`// who is who
{
  "domain": "Corp.Example",
  "nodes": [
    {
      "name": "web1", "key": "${encodeKey(key)}", "addresses": ["10.7.0.3", "fd07::3", "::ffff:10.7.0.4"],
      "tags": ["tag:web"], "user": "alice@example.com", "roles": ["admin"], "routes": ["192.168.4.0/24"],
      "expiry": "2030-01-02T03:04:05Z",
    },
  ],
  "groups": { "group:eng@example.com": ["alice@example.com"] },
}`)
    expect(file.diagnostics).toEqual([])
    expect(file.netmap).toEqual({
      domain: 'corp.example',
      nodes: [
        {
          name: 'web1',
          key,
          addresses: ['10.7.0.3', 'fd07::3', '10.7.0.4'].map(text => parseAddress(text)),
          tags: ['tag:web'],
          user: 'alice@example.com',
          roles: ['admin'],
          routes: [parsePrefix('192.168.4.0/24')],
          expiry: Date.UTC(2030, 0, 2, 3, 4, 5),
        },
      ],
      groups: { 'group:eng@example.com': ['alice@example.com'] },
    })
    expect(file.places).toEqual([{ line: 5, column: 5 }])
  })

  const bad: [string, string, RegExp][] = [
    ['nothing', '', /^1:1: the file is empty: a netmap is an object/],
    ['no object', '[]', /^1:1: an array stands where .* a netmap: an object/],
    ['no nodes', '{}', /^1:1: "nodes" is missing/],
    [
      'an unknown field',
      '{ "nodes": [], "node": [] }',
      /^1:16: a netmap has no field "node": it knows domain, nodes, groups/,
    ],
    ['a duplicate key', '{ "nodes": [], "nodes": [] }', /^1:16: "nodes" stands here and at/],
    ['too deep a nesting', `{ "nodes": ${'['.repeat(20)}`, /nested more than/],
    ['a node without a name', '{ "nodes": [{ "addresses": [] }] }', /^1:13: a node has no "name"/],
    ['a node without addresses', '{ "nodes": [{ "name": "a" }] }', /^1:13: a node has no "addresses"/],
    ['a name that is none', '{ "nodes": [{ "name": "a b", "addresses": [] }] }', /^1:23: "a b" stands where/],
    [
      'an address with a length',
      '{ "nodes": [{ "name": "a", "addresses": ["10.0.0.1/24"] }] }',
      /the address of one host/,
    ],
    [
      'a key that is none',
      '{ "nodes": [{ "name": "a", "addresses": [], "key": "secret" }] }',
      /a string stands where .* a public key/,
    ],
    [
      'a tag without its prefix',
      '{ "nodes": [{ "name": "a", "addresses": [], "tags": ["web"] }] }',
      /"web" .* tag:web for instance/,
    ],
    [
      'an expiry without an offset',
      '{ "nodes": [{ "name": "a", "addresses": [], "expiry": "2030-01-02T03:04:05" }] }',
      /a time, 2027/,
    ],
    ['a group that is none', '{ "nodes": [], "groups": { "eng": [] } }', /"eng" is no group/],
  ]
  for (const [what, text, message] of bad) {
    it(`with ${what} is refused with line, column and remedy`, () => {
      const [first] = parseNetmap(text).diagnostics
      expect(first?.severity).toBe('error')
      expect(`${first?.line}:${first?.column}: ${first?.message}`).toMatch(message)
    })
  }

  it.each(['tag:web', 'tag:Web-2', `tag:${'w'.repeat(300)}`, 'tag:web_1', 'tag:web.eu', 'tag:1web', 'tag:', 'TAG:web'])(
    'takes the tag %s where a policy and a configuration do',
    tag => {
      const has = (diagnostics: readonly Diagnostic[]) => diagnostics.some(({ severity }) => severity === 'error')
      const isTaken = /^tag:[a-zA-Z][-a-zA-Z0-9]*$/.test(tag)
      expect(has(parseNetmap(JSON.stringify({ nodes: [node({ tags: [tag] })] })).diagnostics)).toBe(!isTaken)
      expect(violations(schema, { nodes: [node({ tags: [tag] })] }).length === 0).toBe(isTaken)
      expect(hasErrors(parsePolicy(JSON.stringify({ acls: [], tagOwners: { [tag]: [] } })))).toBe(!isTaken)
      const ofConfiguration = () => readTags(tag.slice('tag:'.length))
      if (isTaken) expect(ofConfiguration()).toEqual([tag])
      else if (tag.startsWith('tag:') && tag !== 'tag:') expect(ofConfiguration).toThrow()
    },
  )

  it('never shows what stands in the place of a key', () => {
    const text = `{ "nodes": [{ "name": "a", "addresses": [], "key": "${'k'.repeat(43)}" }] }`
    expect(JSON.stringify(parseNetmap(text).diagnostics)).not.toContain('kkk')
  })

  it('is bounded', () => {
    const many = JSON.stringify({ nodes: Array.from({ length: 5 }, () => node()) })
    expect(parseNetmap(many, { maxNodes: 4 }).diagnostics).toMatchObject([{ code: 'too-many' }])
    expect(parseNetmap(many, { maxTextLength: 10 }).diagnostics).toMatchObject([{ code: 'too-long' }])
  })

  it('says of two nodes that claim the same where they stand', () => {
    const file = parseNetmap(`{ "nodes": [
  { "name": "web1", "addresses": ["10.7.0.3"] },
  { "name": "WEB1", "addresses": ["::ffff:10.7.0.3"] },
] }`)
    expect(checkNetmapFile(file).map(({ line, column, code }) => [line, column, code])).toEqual([
      [3, 3, 'duplicate-name'],
      [3, 3, 'address-claimed-twice'],
    ])
  })

  it('says of two nodes with one key where the second stands: whoever has it would be both', () => {
    const text = encodeKey(key)
    const file = parseNetmap(`{ "nodes": [
  { "name": "web1", "addresses": ["10.7.0.3"], "key": "${text}" },
  { "name": "web2", "addresses": ["10.7.0.4"] },
  { "name": "db1", "addresses": ["10.7.0.5"], "key": "${text}" },
] }`)
    expect(checkNetmapFile(file)).toMatchObject([
      {
        line: 4,
        column: 3,
        code: 'key-claimed-twice',
        message: expect.stringMatching(/^web1 and db1 both have the key/),
      },
    ])
  })
})

describe('the published schema', () => {
  const samples: [string, unknown][] = [
    ['an empty network', { nodes: [] }],
    ['a node', { nodes: [node()] }],
    [
      'every field',
      {
        $schema: 'x',
        domain: 'corp.example',
        nodes: [
          node({
            key: encodeKey(key),
            addresses: ['10.7.0.3', 'fd07::3'],
            tags: ['tag:web'],
            user: 'alice@example.com',
            roles: ['network-admin'],
            routes: ['192.168.4.0/24', '::/0'],
            expiry: '2030-01-02T03:04:05+01:00',
          }),
        ],
        groups: { 'group:eng@example.com': ['alice@example.com'] },
      },
    ],
    ['no object', []],
    ['no nodes', {}],
    ['an unknown field', { nodes: [], name: 'x' }],
    ['an unknown field of a node', { nodes: [node({ tag: [] })] }],
    ['no name', { nodes: [{ addresses: [] }] }],
    ['no addresses', { nodes: [{ name: 'a' }] }],
    ['a bad name', { nodes: [node({ name: '-a' })] }],
    ['a bad address', { nodes: [node({ addresses: ['10.7.0.300'] })] }],
    ['a range for an address', { nodes: [node({ addresses: ['10.7.0.0/24'] })] }],
    ['a bad key', { nodes: [node({ key: 'AAAA' })] }],
    ['a key with bits too many', { nodes: [node({ key: `${'A'.repeat(42)}B=` })] }],
    ['a bad tag', { nodes: [node({ tags: ['web'] })] }],
    ['tags that are none', { nodes: [node({ tags: 'tag:web' })] }],
    ['a bad login', { nodes: [node({ user: 'alice' })] }],
    ['a bad role', { nodes: [node({ roles: ['Admin'] })] }],
    ['a bad time', { nodes: [node({ expiry: 'tomorrow' })] }],
    ['a time without offset', { nodes: [node({ expiry: '2030-01-02T03:04:05' })] }],
    ['a bad group', { nodes: [], groups: { eng: [] } }],
    ['a bad member', { nodes: [], groups: { 'group:a@b': ['x'] } }],
  ]
  for (const [what, sample] of samples) {
    it(`and the reader agree on ${what}`, () => {
      const errors = parseNetmap(JSON.stringify(sample)).diagnostics
      expect(violations(schema, sample).length === 0, JSON.stringify(errors)).toBe(errors.length === 0)
    })
  }

  it('accepts the first three of these and no other', () => {
    expect(samples.map(([, sample]) => violations(schema, sample).length === 0)).toEqual(samples.map((_, i) => i < 3))
  })
})

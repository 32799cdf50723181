// explain and diff: the answers that people read.
import { describe, expect, it } from 'vitest'
import { diffPolicies } from '../../../../src/core/policy/diff.js'
import { explain } from '../../../../src/core/policy/explain.js'
import { parsePolicy } from '../../../../src/core/policy/policy.js'
import { file, network } from './support.js'

const accept = (src: string[], dst: string[], more: object = {}) => ({ action: 'accept', src, dst, ...more })

describe('explain', () => {
  const document = parsePolicy(
    `{ "tagOwners": { "tag:ci": [], "tag:web": [], "tag:db": [] },
  "acls": [
    { "action": "accept", "src": ["tag:ci"], "dst": ["tag:web:22"] },
    { "action": "accept", "src": ["*"], "dst": ["tag:web:22"], "proto": "tcp" },
    { "action": "accept", "src": ["tag:ci"], "dst": ["tag:db:22"], "srcPosture": ["node:os == 'linux'"] },
  ] }`,
  )

  it('names every rule that allows it, with its place', () => {
    const { outcome, rules } = explain(document, undefined, 'tag:ci', 'tag:web:22')
    expect(outcome).toBe('allowed')
    expect(rules.map(({ line, column }) => [line, column])).toEqual([
      [3, 5],
      [4, 5],
    ])
    expect(rules[0]?.text).toContain('"src": ["tag:ci"]')
    expect(explain(document, undefined, 'tag:ci', 'tag:web:22', 'udp').rules).toHaveLength(1)
  })

  it('says denied, undecided and invalid apart', () => {
    expect(explain(document, undefined, 'tag:ci', 'tag:web:23').outcome).toBe('denied')
    expect(explain(document, undefined, 'tag:ci', 'tag:db:22').outcome).toBe('undecided')
    for (const [source, destination] of [
      ['tag:c', 'tag:web:22'],
      ['tag:ci', 'tag:web'],
      ['tag:ci', 'tag:web:22-23'],
      ['*', 'tag:web:22'],
    ] as const)
      expect(explain(document, undefined, source, destination).outcome).toBe('invalid')
    expect(explain(document, undefined, 'tag:ci', 'tag:web:22', 'tpc').outcome).toBe('invalid')
  })

  it('knows nodes of a netmap by name and by address', () => {
    expect(explain(document, network, 'ci1', 'web1:22').outcome).toBe('allowed')
    expect(explain(document, { ...network, domain: 'lan' }, 'ci1.lan', 'web1.lan:22').outcome).toBe('allowed')
    expect(explain(document, network, '100.64.0.13', '100.64.0.11:22').rules).toHaveLength(2)
    expect(explain(document, network, '192.168.1.1', 'web1:22').outcome).toBe('denied')
  })
})

describe('diff', () => {
  const diff = (before: object, after: object) => diffPolicies(parsePolicy(file(before)), parsePolicy(file(after)))
  const web = accept(['group:eng'], ['tag:web:22'])

  it('is empty where only words change', () => {
    const after = { acls: [accept(['alice@example.com'], ['tag:web:22']), accept(['bob@example.com'], ['tag:web:22'])] }
    expect(diff({ acls: [web] }, after)).toEqual({ gains: [], losses: [], notes: [] })
  })

  it('says who gains and loses what by the selectors of the files', () => {
    const { gains, losses } = diff(
      { acls: [web] },
      { acls: [accept(['group:eng'], ['tag:web:443']), accept(['tag:ci'], ['tag:db:*'])] },
    )
    expect(gains).toEqual([
      { source: 'group:eng', destination: 'tag:web', ports: ['tcp:443', 'udp:443'] },
      { source: 'tag:ci', destination: 'tag:db', ports: ['*'] },
    ])
    expect(losses).toEqual([{ source: 'group:eng', destination: 'tag:web', ports: ['tcp:22', 'udp:22'] }])
  })

  it('names the members where a group changes', () => {
    const groups = { 'group:eng': ['alice@example.com', 'dora@example.com'] }
    const { gains, losses } = diff({ acls: [web] }, { acls: [web], groups })
    expect(gains).toEqual([{ source: 'dora@example.com', destination: 'tag:web', ports: ['22'] }])
    expect(losses).toEqual([{ source: 'bob@example.com', destination: 'tag:web', ports: ['22'] }])
  })

  it('tells pieces of address ranges apart', () => {
    const before = { acls: [accept(['tag:ci'], ['10.0.0.0/24:22'])] }
    const { gains, losses } = diff(before, { acls: [accept(['tag:ci'], ['10.0.0.0/25:22'])] })
    expect(gains).toEqual([])
    expect(losses).toEqual([{ source: 'tag:ci', destination: '10.0.0.128/25', ports: ['22'] }])
  })

  it('notes rules that it cannot compare', () => {
    const { gains, notes } = diff({ acls: [] }, { acls: [accept(['tag:ci'], ['*:*'], { srcPosture: ['x'] })] })
    expect(gains).toEqual([])
    expect(notes).toHaveLength(1)
  })
})

// The tests section: what may stand in a test, and when it passes, fails or is undecided.
import { describe, expect, it } from 'vitest'
import type { Netmap } from '../../../../src/core/policy/netmap.js'
import { parsePolicy } from '../../../../src/core/policy/policy.js'
import { runPolicyTests } from '../../../../src/core/policy/tests.js'
import { errors, file, network, node } from './support.js'

const acls = [
  { action: 'accept', src: ['tag:ci'], dst: ['tag:web:22,443'] },
  { action: 'accept', src: ['group:eng'], dst: ['tag:web:443', 'vault:22'], proto: 'tcp' },
  { action: 'accept', src: ['bob@example.com'], dst: ['tag:db:5432'] },
  { action: 'accept', src: ['tag:ci'], dst: ['10.20.0.0/16:8080', 'autogroup:internet:443'] },
]

/** Outcome of one test on these rules. */
function outcome(test: object, more: object = {}, netmap?: Netmap): string | undefined {
  const document = parsePolicy(file({ acls, tests: [test], ...more }))
  expect(document.diagnostics.filter(({ severity }) => severity === 'error')).toEqual([])
  return runPolicyTests(document, netmap)[0]?.outcome
}

describe('a test', () => {
  it('passes where accept is allowed and deny is not (P-test-accept-deny)', () => {
    expect(outcome({ src: 'tag:ci', accept: ['tag:web:22'], deny: ['tag:db:5432'] })).toBe('passed')
    expect(outcome({ src: 'tag:ci', accept: ['tag:web:80'] })).toBe('failed')
    expect(outcome({ src: 'tag:ci', deny: ['tag:web:22'] })).toBe('failed')
  })

  it('has a user, group, tag, host or address as its source (P-test-src)', () => {
    expect(outcome({ src: 'alice@example.com', accept: ['tag:web:443'] })).toBe('passed')
    expect(outcome({ src: 'group:eng', accept: ['tag:web:443'] })).toBe('passed')
    expect(outcome({ src: 'vault', deny: ['tag:web:443'] })).toBe('passed')
    expect(outcome({ src: '10.20.0.1', deny: ['tag:web:443'] })).toBe('passed')
    for (const src of ['*', 'autogroup:member', '10.20.0.0/16', 'office', '100.64.0.1/32', ''])
      expect(outcome({ src, accept: ['tag:web:443'] })).toBe('failed')
    expect(errors(file({ acls, tests: [{ src: 'tag:cl', accept: ['tag:web:22'] }] }))[0]).toContain(
      'did you mean "tag:ci"?',
    )
  })

  it('has HOST:PORT with one number as destinations (P-test-dst)', () => {
    expect(outcome({ src: 'alice@example.com', accept: ['vault:22', '100.64.0.12:22'] })).toBe('passed')
    expect(outcome({ src: 'tag:ci', accept: ['10.20.0.1:8080'] })).toBe('passed')
    for (const ports of ['22,443', '22-23', '*', 'ssh', '-1', '99999', ''])
      expect(outcome({ src: 'tag:ci', accept: [`tag:web:${ports}`] })).toBe('failed')
    for (const dst of ['10.20.0.0/16:8080', 'office:8080', '*:8080', 'autogroup:internet:443', 'tag:web'])
      expect(outcome({ src: 'tag:ci', accept: [dst] })).toBe('failed')
    for (const dst of ['10.20.0.0/16:8080', '*:9']) expect(outcome({ src: 'tag:ci', deny: [dst] })).toBe('failed')
  })

  it('takes TCP or UDP without a protocol, else just that (P-test-proto)', () => {
    expect(outcome({ src: 'alice@example.com', accept: ['tag:web:443'] })).toBe('passed')
    expect(outcome({ src: 'alice@example.com', proto: 'tcp', accept: ['tag:web:443'] })).toBe('passed')
    expect(outcome({ src: 'alice@example.com', proto: 'udp', accept: ['tag:web:443'] })).toBe('failed')
    expect(outcome({ src: 'tag:ci', proto: '17', accept: ['tag:web:443'] })).toBe('passed')
    expect(outcome({ src: 'tag:ci', proto: 'tpc', accept: ['tag:web:443'] })).toBe('failed')
  })

  it('asks for ping with icmp and port 0 (P-test-icmp)', () => {
    expect(outcome({ src: 'alice@example.com', proto: 'icmp', accept: ['tag:web:0'] })).toBe('passed')
    expect(outcome({ src: 'alice@example.com', proto: 'icmp', deny: ['tag:db:0'] })).toBe('passed')
    expect(outcome({ src: 'alice@example.com', proto: 'icmp', accept: ['tag:web:443'] })).toBe('failed')
    expect(outcome({ src: 'alice@example.com', accept: ['tag:web:0'] })).toBe('failed')
  })

  it('fails with neither accept nor deny (P-test-empty)', () => {
    expect(outcome({ src: 'tag:ci' })).toBe('failed')
    expect(outcome({ src: 'tag:ci', accept: [], deny: [] })).toBe('failed')
    expect(outcome({ accept: ['tag:web:22'] })).toBe('failed')
  })

  it('is known by its older names (P-test-spelling)', () => {
    expect(outcome({ User: 'tag:ci', Allow: ['tag:web:22'] })).toBe('passed')
    expect(errors(file({ acls, tests: [{ user: 'tag:ci', src: 'tag:ci', allow: ['tag:web:22'] }] }))).toHaveLength(1)
  })

  it('means each member of a group (P-test-group)', () => {
    expect(outcome({ src: 'group:eng', accept: ['tag:db:5432'] })).toBe('failed')
    expect(outcome({ src: 'group:eng', deny: ['tag:db:5432'] })).toBe('failed')
    expect(outcome({ src: 'group:none', deny: ['tag:db:5432'] })).toBe('failed')
  })

  it.each([
    ['srcPosture', { action: 'accept', src: ['tag:ci'], dst: ['tag:db:5432'], srcPosture: ["node:os == 'linux'"] }],
    ['shared', { action: 'accept', src: ['autogroup:shared', 'tag:ci'], dst: ['tag:db:5432'] }],
    ['a service beside it', { action: 'accept', src: ['tag:ci'], dst: ['svc:db:5432', 'tag:db:5432'] }],
    ['a role beside it', { action: 'accept', src: ['autogroup:admin', 'tag:ci'], dst: ['tag:db:5432'] }],
  ])('is undecided where it could depend on a rule with %s (P-test-undecided)', (_what, rule) => {
    expect(outcome({ src: 'tag:ci', accept: ['tag:db:5432'] }, { acls: [rule] })).toBe('undecided')
    expect(outcome({ src: 'tag:ci', deny: ['tag:db:5432'] }, { acls: [rule] })).toBe('undecided')
    expect(outcome({ src: 'tag:ci', deny: ['tag:db:5433'] }, { acls: [rule] })).toBe('passed')
    expect(
      outcome(
        { src: 'tag:ci', accept: ['tag:db:5432'] },
        { acls: [rule, { action: 'accept', src: ['tag:ci'], dst: ['*:*'] }] },
      ),
    ).toBe('passed')
  })

  it('of roles is undecided for users and no matter to tags', () => {
    const roles = { acls: [{ action: 'accept', src: ['autogroup:admin'], dst: ['tag:web:22'] }] }
    expect(outcome({ src: 'alice@example.com', deny: ['tag:web:22'] }, roles)).toBe('undecided')
    expect(outcome({ src: 'tag:ci', deny: ['tag:web:22'] }, roles)).toBe('passed')
    const nodes = network.nodes.map(each => (each.name === 'laptop' ? { ...each, roles: ['admin'] } : each))
    expect(outcome({ src: 'alice@example.com', deny: ['tag:web:22'] }, roles, { nodes })).toBe('failed')
    expect(outcome({ src: 'bob@example.com', deny: ['tag:web:22'] }, roles, { nodes })).toBe('passed')
  })

  it('finds the real nodes of a netmap (P-test-netmap)', () => {
    const byAddress = { acls: [{ action: 'accept', src: ['100.64.0.13'], dst: ['100.64.0.0/24:5432'] }] }
    const deny = { src: 'tag:ci', deny: ['tag:db:5432'] }
    expect(outcome(deny, byAddress)).toBe('passed')
    expect(outcome(deny, byAddress, network)).toBe('failed')
    expect(outcome({ src: 'tag:ci', accept: ['tag:db:5432'] }, byAddress, network)).toBe('passed')
    const both = node('both', '100.64.0.30', { tags: ['tag:web', 'tag:ci'] })
    const test = { src: 'tag:web', deny: ['tag:web:443'] }
    expect(outcome(test)).toBe('passed')
    expect(outcome(test, {}, { nodes: [...network.nodes, both] })).toBe('failed')
  })

  it('of sshTests is not run, and never passed (P-test-ssh)', () => {
    const document = parsePolicy(
      file({ acls, sshTests: [{ src: 'bob@example.com', dst: ['tag:web'], accept: ['root'] }] }),
    )
    expect(runPolicyTests(document)).toMatchObject([{ outcome: 'not-run', line: 1 }])
  })

  it('says by which address rules it could be otherwise', () => {
    const document = parsePolicy(file({ acls, tests: [{ src: 'tag:ci', deny: ['tag:db:8080'] }] }))
    expect(runPolicyTests(document)[0]).toMatchObject({
      outcome: 'passed',
      reasons: [expect.stringContaining('line 1')],
    })
  })
})

// The compiled policy: identities by address, the index it gives, its bounds, and that it agrees with the rules asked one by one.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { compilePolicy } from '../../../../src/core/policy/compile.js'
import { checkNetmap, type Netmap } from '../../../../src/core/policy/netmap.js'
import { parsePolicy } from '../../../../src/core/policy/policy.js'
import { addressValue } from '../../../../src/core/policy/ranges.js'
import { Reach, yes } from '../../../../src/core/policy/reach.js'
import { acl, address, allows, compiled, file, network, node } from './support.js'

const rule = (src: string[], dst: string[], more: object = {}) => ({ action: 'accept', src, dst, ...more })

describe('decide', () => {
  it('gives the first rule that allows it, by its place in the file', () => {
    const policy = compiled(
      '{ "grants": [\n{ "src": ["*"], "dst": ["*"], "ip": ["22"] }],\n"acls": [\n{ "action": "accept", "src": ["*"], "dst": ["*:22,80"] }] }',
    )
    const [from, to] = [address('100.64.0.1'), address('100.64.0.2')]
    expect(policy.ruleAt(policy.decide(from, to, 6, 22))).toMatchObject({ line: 2, column: 1 })
    expect(policy.ruleAt(policy.decide(from, to, 6, 80))).toMatchObject({ line: 4, column: 1 })
    expect(policy.decide(from, to, 6, 81)).toBe(-1)
    expect(() => policy.ruleAt(-1)).toThrow(RangeError)
  })

  it('gives the first rule though rules of another source, which are many, stand between', () => {
    const many = Array.from({ length: 100 }, (_, i) => rule(['tag:ci'], [i < 20 ? 'tag:db:1' : 'tag:web:22']))
    const policy = compiled(
      file({ acls: [rule(['tag:ci'], ['tag:db:1']), rule(['100.64.0.13'], ['tag:web:22']), ...many] }),
    )
    expect(policy.decide(address('100.64.0.13'), address('100.64.0.11'), 6, 22)).toBe(1)
  })

  it('unmaps IPv4-mapped addresses, and lets no other address pass', () => {
    const policy = compiled(acl('alice@example.com', 'tag:web:443'))
    const [from, to] = [address('::ffff:100.64.0.1'), address('::ffff:100.64.0.11')]
    expect(policy.decide(from, to, 6, 443)).toBe(0)
    expect(policy.decide(address('100.64.0.1'), to, 6, 443)).toBe(0)
    expect(policy.decide(from, to, 1, 0)).toBe(0)
    expect(policy.decide(address('100.64.0.1'), address('fd7a::11'), 6, 443)).toBe(-1)
    for (const bytes of [0, 3, 5, 15, 17]) expect(policy.decide(new Uint8Array(bytes), to, 6, 443)).toBe(-1)
    for (const port of [-1, 65_536, Number.NaN]) expect(policy.decide(from, to, 6, port)).toBe(-1)
  })

  it('takes ICMP of the other family for no ping', () => {
    const policy = compiled(acl('*', 'tag:web:443', { proto: 'tcp' }))
    expect(policy.decide(address('100.64.0.1'), address('100.64.0.11'), 58, 0)).toBe(-1)
    expect(policy.decide(address('fd7a::1'), address('fd7a::11'), 1, 0)).toBe(-1)
    expect(policy.decide(address('fd7a::1'), address('fd7a::11'), 58, 0)).toBe(0)
  })

  it('gives an address that two nodes claim to neither', () => {
    const nodes = [...network.nodes, node('thief', '100.64.0.11', { tags: ['tag:db'] })]
    const policy = compiled(acl('*', ['tag:web:443', 'tag:db:443']), { nodes })
    expect(policy.decide(address('100.64.0.1'), address('100.64.0.11'), 6, 443)).toBe(-1)
    expect(policy.nodeOf(address('100.64.0.11'))).toBeUndefined()
  })

  it('never enforces a file that was refused', () => {
    expect(() => compilePolicy(parsePolicy('{}'), network)).toThrow(expect.objectContaining({ code: 'POLICY_INVALID' }))
  })

  it('needs no more memory than it is given', () => {
    const acls = Array.from({ length: 300 }, (_, i) => rule(['*'], [`*:${i + 1}`]))
    const small = compilePolicy(parsePolicy(file({ acls })), network, { maxTableBytes: 1 })
    for (const from of network.nodes)
      for (const to of network.nodes)
        for (const port of [1, 150, 300, 301])
          expect(small.decide(from.addresses[0]!, to.addresses[0]!, 6, port)).toBe(port <= 300 ? port - 1 : -1)
  })
})

describe('nodes', () => {
  it('are known by their own addresses, and as owners by their routes', () => {
    const policy = compiled(acl('*', '*:*'))
    expect(policy.nodeOf(address('100.64.0.12'))?.name).toBe('db1')
    expect(policy.nodeOf(address('10.20.0.1'))).toBeUndefined()
    expect(policy.ownerOf(address('10.20.0.1'))?.name).toBe('db1')
    expect(policy.ownerOf(address('100.64.0.12'))?.name).toBe('db1')
    expect(policy.ownerOf(address('9.9.9.9'))?.name).toBe('exit1')
    expect(policy.nodeOf(new Uint8Array(7))).toBeUndefined()
  })

  it('of a netmap are checked: names, addresses and tags', () => {
    const nodes = [
      node('web1', '100.64.0.1', { tags: ['tag:web'] }),
      node('WEB1', '::ffff:100.64.0.1', { tags: ['tag:nobody', 'web'] }),
    ]
    expect(checkNetmap({ nodes }, parsePolicy(acl('*', '*:*'))).map(problem => [problem.code, problem.node])).toEqual([
      ['duplicate-name', 1],
      ['address-claimed-twice', 1],
      ['tag-without-owner', 1],
      ['not-a-tag', 1],
    ])
    expect(checkNetmap({ nodes }).map(({ code }) => code)).not.toContain('tag-without-owner')
    expect(checkNetmap(network, parsePolicy(acl('*', '*:*')))).toEqual([])
  })

  it('with a tag have no user, whatever the netmap says', () => {
    expect(allows(acl('alice@example.com', '*:*'), 'ci1', 'web1:22')).toBe(false)
    expect(allows(acl('autogroup:member', 'autogroup:self:*'), 'laptop', 'ci1:22')).toBe(false)
  })
})

describe('the tables', () => {
  const selectors = [
    '*',
    'tag:web',
    'tag:db',
    'group:eng',
    'alice@example.com',
    'user:*@example.org',
    'autogroup:member',
  ]
  const more = ['autogroup:tagged', '10.20.0.0/24', '100.64.0.0/28', 'vault', 'office', 'fd7a::/64']
  const source = fc.constantFrom(...selectors, ...more, 'autogroup:danger-all')
  const host = fc.constantFrom(
    ...selectors,
    ...more.map(each => (each.includes('::') ? `[fd7a::]/64` : each)),
    'autogroup:internet',
  )
  const ports = fc.constantFrom('*', '22', '80,443', '400-500', '22,100-200')
  const proto = fc.constantFrom(undefined, 'tcp', 'udp')
  const entry = fc.record({
    src: fc.array(source, { maxLength: 3 }),
    dst: fc.array(fc.tuple(host, ports), { maxLength: 3 }),
    proto,
  })
  const own = entry.map(({ proto: each }) =>
    rule(['autogroup:member'], ['autogroup:self:22'], each ? { proto: each } : {}),
  )
  const any = entry.map(({ src, dst, proto: each }) =>
    rule(
      src,
      dst.map(to => to.join(':')),
      each ? { proto: each } : {},
    ),
  )
  const questions = [
    '100.64.0.1',
    '100.64.0.2',
    '100.64.0.3',
    '100.64.0.4',
    '100.64.0.11',
    '100.64.0.12',
    '100.64.0.13',
  ]
  const elsewhere = ['10.20.0.9', '10.20.1.9', '9.9.9.9', '192.168.1.1', 'fd7a::1', 'fd7a::11', 'fd7a::99']

  it('agree with the rules asked one by one', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof({ weight: 5, arbitrary: any }, own), { maxLength: 40 }), acls => {
        const document = parsePolicy(file({ acls }))
        expect(document.diagnostics).toEqual([])
        agree(document, network)
      }),
      { numRuns: 60 },
    )
  })

  function agree(document: ReturnType<typeof parsePolicy>, netmap: Netmap): void {
    const policy = compilePolicy(document, netmap)
    const reach = new Reach(document, netmap)
    const ends = [...questions, ...elsewhere].map(text => {
      const { family, value } = addressValue(address(text))
      return { bytes: address(text), end: reach.addressEnd(family, value, text) }
    })
    for (const from of ends) {
      for (const to of ends) {
        for (const [protocol, port] of [
          [6, 22],
          [17, 443],
          [6, 450],
          [6, 0],
          [132, 22],
        ] as const) {
          const { level, rules } = reach.verdict(from.end, to.end, protocol, port)
          const first = from.bytes.length === to.bytes.length && level === yes ? rules[0] : -1
          expect(policy.decide(from.bytes, to.bytes, protocol, port)).toBe(first)
        }
      }
    }
  }
})

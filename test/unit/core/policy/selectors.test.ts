// Each row of the tables of src and dst, and the autogroups: what it lets through in a small network, and what is refused.
import { describe, expect, it } from 'vitest'
import { Diagnostics } from '../../../../src/core/policy/diagnostics.js'
import { readIpsets } from '../../../../src/core/policy/ipsets.js'
import { readSelector } from '../../../../src/core/policy/selectors.js'
import { Suggester } from '../../../../src/core/policy/suggest.js'
import { acl, allows, errors, file, grant, network, node, warnings } from './support.js'

describe('a source', () => {
  it('* is the nodes and approved routes of the network (P-src-any)', () => {
    const policy = acl('*', 'tag:web:443')
    expect(allows(policy, 'laptop', 'web1:443')).toBe(true)
    expect(allows(policy, '10.20.3.4', 'web1:443')).toBe(true)
    expect(allows(policy, '192.168.7.7', 'web1:443')).toBe(false)
    expect(allows(policy, '8.8.8.8', 'web1:443')).toBe(false)
    expect(errors(acl('**', 'tag:web:443'))).toHaveLength(1)
  })

  it('a user is the untagged nodes of that user (P-src-user)', () => {
    const policy = acl('alice@example.com', 'tag:web:443')
    expect(allows(policy, 'laptop', 'web1:443')).toBe(true)
    expect(allows(policy, 'desktop', 'web1:443')).toBe(false)
    expect(allows(policy, 'ci1', 'web1:443')).toBe(false)
    expect(errors(acl('*@example.com', 'tag:web:443'))[0]).toContain('write "user:*@example.com"')
  })

  it('a group is the untagged nodes of its members (P-src-group)', () => {
    const policy = acl('group:eng', 'tag:web:443')
    expect(allows(policy, 'desktop', 'web1:443')).toBe(true)
    expect(allows(policy, 'partner', 'web1:443')).toBe(false)
    expect(allows(policy, 'ci1', 'web1:443')).toBe(false)
    expect(allows(acl('group:none', 'tag:web:443'), 'laptop', 'web1:443')).toBe(false)
    expect(errors(acl('group:engg', 'tag:web:443'))).toEqual([
      'undefined-name: "group:engg" is not defined in groups: did you mean "group:eng"?',
    ])
  })

  it('a tag is the addresses of nodes that have it, not the subnets behind them (P-src-tag)', () => {
    const policy = acl('tag:db', 'tag:web:443')
    expect(allows(policy, 'db1', 'web1:443')).toBe(true)
    expect(allows(policy, '10.20.0.5', 'web1:443')).toBe(false)
    expect(allows(policy, 'web1', 'web1:443')).toBe(false)
    expect(errors(acl('tag:dba', 'tag:web:443'))).toEqual([
      'undefined-name: "tag:dba" is not defined in tagOwners: did you mean "tag:db"?',
    ])
  })

  it('an address is exactly that address (P-src-address)', () => {
    const policy = acl('100.64.0.1', 'tag:web:443')
    expect(allows(policy, 'laptop', 'web1:443')).toBe(true)
    expect(allows(policy, 'fd7a::1', '[fd7a::11]:443')).toBe(false)
    expect(errors(acl('100.64.0.256', 'tag:web:443'))[0]).toContain('no IPv4 or IPv6 address')
  })

  it('a CIDR is its addresses, in the network or not (P-src-cidr)', () => {
    const policy = acl(['192.168.0.0/24', 'fd7a::/120'], 'tag:web:443')
    expect(allows(policy, '192.168.0.9', 'web1:443')).toBe(true)
    expect(allows(policy, '192.168.1.9', 'web1:443')).toBe(false)
    expect(allows(policy, 'fd7a::1', '[fd7a::11]:443')).toBe(true)
    expect(errors(acl('192.168.0.1/24', 'tag:web:443'))[0]).toContain('bits behind /24')
  })

  it('a host is exactly its address or CIDR (P-src-host)', () => {
    expect(allows(acl('vault', 'tag:web:443'), 'db1', 'web1:443')).toBe(true)
    expect(allows(acl('office', 'tag:web:443'), '10.20.9.9', 'web1:443')).toBe(true)
    expect(allows(acl('office', 'tag:web:443'), 'db1', 'web1:443')).toBe(false)
    expect(errors(acl('vualt', 'tag:web:443'))[0]).toContain('did you mean "vault"?')
  })

  it('an IP set is what is left in it (P-src-ipset)', () => {
    const ipsets = { 'ipset:lan': ['add host:office', 'remove 10.20.1.0/24'] }
    const policy = file({ ipsets, acls: [{ action: 'accept', src: ['ipset:lan'], dst: ['tag:web:443'] }] })
    expect(allows(policy, '10.20.2.1', 'web1:443')).toBe(true)
    expect(allows(policy, '10.20.1.1', 'web1:443')).toBe(false)
    expect(errors(acl('ipset:lan', 'tag:web:443'))[0]).toContain('not defined in ipsets')
  })

  it('user:*@DOMAIN is the users of a domain (P-src-domain)', () => {
    const policy = acl('user:*@example.com', 'tag:web:443')
    expect(allows(policy, 'desktop', 'web1:443')).toBe(true)
    expect(allows(policy, 'partner', 'web1:443')).toBe(false)
    expect(allows(policy, 'ci1', 'web1:443')).toBe(false)
    expect(errors(acl('user:b*b@example.com', 'tag:web:443'))[0]).toContain('no other wildcard')
  })

  it('autogroup:danger-all is any address, and only a source (P-autogroup-danger-all)', () => {
    expect(allows(acl('autogroup:danger-all', 'tag:web:443'), '8.8.8.8', 'web1:443')).toBe(true)
    expect(errors(acl('*', 'autogroup:danger-all:443'))[0]).toContain('cannot be a destination')
  })

  it('autogroup:shared cannot be evaluated, so its rule grants nothing (P-autogroup-shared)', () => {
    const policy = acl(['autogroup:shared', 'alice@example.com'], 'tag:web:443')
    expect(warnings(policy)).toHaveLength(1)
    expect(allows(policy, 'laptop', 'web1:443')).toBe(false)
    expect(errors(acl('*', 'autogroup:shared:443'))[0]).toContain('cannot be a destination')
  })
})

describe('a destination', () => {
  it('* is any address (P-dst-any)', () => {
    const policy = acl('alice@example.com', '*:443')
    for (const to of ['web1', '10.20.3.4', '8.8.8.8', '192.168.9.9'])
      expect(allows(policy, 'laptop', `${to}:443`)).toBe(true)
    expect(errors(acl('alice@example.com', '0.0.0.0/0:443'))[0]).toContain('is every address: write "*"')
  })

  it('a user is the untagged nodes of that user (P-dst-user)', () => {
    const policy = acl('tag:ci', 'alice@example.com:22')
    expect(allows(policy, 'ci1', 'phone:22')).toBe(true)
    expect(allows(policy, 'ci1', 'desktop:22')).toBe(false)
    expect(allows(policy, 'ci1', 'ci1:22')).toBe(false)
    expect(errors(acl('tag:ci', 'alice@example.com'))[0]).toContain('has no ports')
  })

  it('a group is the untagged nodes of its members (P-dst-group)', () => {
    expect(allows(acl('tag:ci', 'group:eng:22'), 'ci1', 'desktop:22')).toBe(true)
    expect(allows(acl('tag:ci', 'group:eng:22'), 'ci1', 'partner:22')).toBe(false)
    expect(errors(acl('tag:ci', 'group:ops:22'))).toHaveLength(1)
  })

  it('a tag is the addresses of nodes that have it, not the subnets behind them (P-dst-tag)', () => {
    expect(allows(acl('*', 'tag:db:5432'), 'laptop', 'db1:5432')).toBe(true)
    expect(allows(acl('*', 'tag:db:5432'), 'laptop', '10.20.0.1:5432')).toBe(false)
    expect(errors(acl('*', 'tag:db'))[0]).toContain('write "tag:db:*"')
  })

  it('an address is exactly that address, IPv6 in brackets (P-dst-address)', () => {
    expect(allows(acl('*', '100.64.0.12:22'), 'laptop', 'db1:22')).toBe(true)
    expect(allows(acl('*', '100.64.0.12:22'), 'laptop', 'web1:22')).toBe(false)
    expect(allows(acl('*', '[fd7a::11]:22'), 'fd7a::1', '[fd7a::11]:22')).toBe(true)
    expect(errors(acl('*', 'fd7a::11:22'))[0]).toContain('write "[fd7a::11]:22"')
  })

  it('a CIDR is its addresses (P-dst-cidr)', () => {
    expect(allows(acl('*', '10.20.0.0/24:22'), 'laptop', '10.20.0.9:22')).toBe(true)
    expect(allows(acl('*', '10.20.0.0/24:22'), 'laptop', '10.20.1.9:22')).toBe(false)
    expect(errors(acl('*', '10.20.0.0/33:22'))[0]).toContain('0 to 32')
  })

  it('a host is exactly its address or CIDR (P-dst-host)', () => {
    expect(allows(acl('*', 'vault:22'), 'laptop', 'db1:22')).toBe(true)
    expect(allows(acl('*', 'office:22'), 'laptop', '10.20.0.9:22')).toBe(true)
    expect(allows(acl('*', 'vault:22'), 'laptop', '10.20.0.9:22')).toBe(false)
    expect(errors(acl('*', 'valut:22'))[0]).toContain('did you mean "vault"?')
  })

  it('an IP set is what is left in it (P-dst-ipset)', () => {
    const ipsets = { 'ipset:a': ['10.20.0.0/24', 'ipset:b'], 'ipset:b': ['10.20.5.5-10.20.5.9'] }
    const policy = file({ ipsets, grants: [{ src: ['*'], dst: ['ipset:a'], ip: ['22'] }] })
    expect(allows(policy, 'laptop', '10.20.5.7:22')).toBe(true)
    expect(allows(policy, 'laptop', '10.20.5.10:22')).toBe(false)
    expect(errors(acl('*', 'ipset:z:22'))).toHaveLength(1)
  })

  it('user:*@DOMAIN is the users of a domain (P-dst-domain)', () => {
    expect(allows(acl('tag:ci', 'user:*@example.org:22'), 'ci1', 'partner:22')).toBe(true)
    expect(allows(acl('tag:ci', 'user:*@example.org:22'), 'ci1', 'laptop:22')).toBe(false)
    expect(errors(acl('tag:ci', 'user:*:22'))).toHaveLength(1)
  })

  it('a service cannot be evaluated, so its rule grants nothing (P-dst-service)', () => {
    const policy = grant('*', ['svc:shop', 'tag:web'], '443')
    expect(warnings(policy)).toHaveLength(1)
    expect(allows(policy, 'laptop', 'web1:443')).toBe(false)
    expect(errors(grant('svc:shop', '*', '443'))[0]).toContain('cannot be a source')
  })
})

describe('autogroups', () => {
  it('member is every untagged node of a user, by its old name too (P-autogroup-member)', () => {
    for (const name of ['member', 'members']) {
      const policy = acl(`autogroup:${name}`, `autogroup:${name}:22`)
      expect(allows(policy, 'laptop', 'partner:22')).toBe(true)
      expect(allows(policy, 'laptop', 'web1:22')).toBe(false)
      expect(allows(policy, 'ci1', 'laptop:22')).toBe(false)
    }
    expect(errors(acl('autogroup:membr', '*:22'))[0]).toContain('did you mean "autogroup:member"?')
  })

  it('tagged is every node with a tag (P-autogroup-tagged)', () => {
    const policy = acl('autogroup:tagged', 'autogroup:tagged:22')
    expect(allows(policy, 'ci1', 'db1:22')).toBe(true)
    expect(allows(policy, 'laptop', 'db1:22')).toBe(false)
    expect(allows(policy, 'ci1', 'laptop:22')).toBe(false)
    expect(errors(acl('autogroup:tag', '*:22'))).toHaveLength(1)
  })

  it('self is the untagged nodes of the source’s own user (P-autogroup-self)', () => {
    const policy = acl('autogroup:member', 'autogroup:self:22')
    expect(allows(policy, 'laptop', 'phone:22')).toBe(true)
    expect(allows(policy, 'laptop', 'desktop:22')).toBe(false)
    expect(allows(policy, 'laptop', 'ci1:22')).toBe(false)
    expect(allows(policy, 'ci1', 'laptop:22')).toBe(false)
    expect(errors(acl('autogroup:self', '*:22'))[0]).toContain('cannot be a source')
    expect(errors(acl('tag:ci', 'autogroup:self:22'))[0]).toContain('no user that autogroup:self could mean')
  })

  it('internet is public addresses that an exit node leads to (P-autogroup-internet)', () => {
    const policy = acl('autogroup:member', 'autogroup:internet:443')
    expect(allows(policy, 'laptop', '8.8.8.8:443')).toBe(true)
    expect(allows(policy, 'fd7a::1', '[2606:4700::1]:443')).toBe(true)
    for (const to of ['10.20.0.1', '192.168.1.1', '100.64.0.11', '169.254.1.1', '127.0.0.1', '224.0.0.1'])
      expect(allows(policy, 'laptop', `${to}:443`)).toBe(false)
    const nodes = [...network.nodes, node('router', '100.64.0.20', { subnets: '8.8.8.0/24' })]
    expect(allows(policy, 'laptop', '8.8.8.8:443', { nodes })).toBe(false)
    expect(errors(acl('autogroup:internet', '*:22'))[0]).toContain('cannot be a source')
  })

  it('roles are those that the netmap gives; without them the rule grants nothing (P-autogroup-role)', () => {
    const policy = acl('autogroup:admin', 'tag:web:22')
    expect(warnings(policy)[0]).toContain('needs-netmap')
    expect(allows(policy, 'laptop', 'web1:22')).toBe(false)
    const nodes = network.nodes.map(each => (each.name === 'laptop' ? { ...each, roles: ['admin'] } : each))
    expect(allows(policy, 'laptop', 'web1:22', { nodes })).toBe(true)
    expect(allows(policy, 'desktop', 'web1:22', { nodes })).toBe(false)
    expect(errors(acl('autogroup:administrator', '*:22'))).toHaveLength(1)
    for (const role of ['owner', 'admin', 'network-admin', 'it-admin', 'billing-admin', 'auditor']) {
      const having = network.nodes.map(each => (each.name === 'phone' ? { ...each, roles: [role] } : each))
      expect(allows(acl(`autogroup:${role}`, 'tag:web:22'), 'phone', 'web1:22', { nodes: having })).toBe(true)
      expect(allows(acl('tag:ci', `autogroup:${role}:22`), 'ci1', 'phone:22', { nodes: having })).toBe(true)
    }
  })

  it('synced groups are those that the netmap gives; without them the rule grants nothing (P-src-synced-group)', () => {
    const policy = acl(['group:sec@example.com', 'bob@example.com'], 'tag:web:22')
    expect(warnings(policy)[0]).toContain('needs-netmap')
    expect(allows(policy, 'desktop', 'web1:22')).toBe(false)
    const netmap = { ...network, groups: { 'group:sec@example.com': ['alice@example.com'] } }
    expect(allows(policy, 'laptop', 'web1:22', netmap)).toBe(true)
    expect(allows(policy, 'desktop', 'web1:22', netmap)).toBe(true)
    expect(allows(policy, 'partner', 'web1:22', netmap)).toBe(false)
  })

  it('nonroot is none of these (P-autogroup-nonroot)', () => {
    expect(errors(acl('autogroup:nonroot', '*:22'))[0]).toContain('ssh rules')
  })
})

describe('very many names that nothing defines', () => {
  /** Counts how many of its keys are looked at. */
  class Watched<V> extends Map<string, V> {
    seen = 0

    override *keys(): MapIterator<string> {
      for (const key of super.keys()) {
        this.seen++
        yield key
      }
      return undefined
    }
  }
  const place = { line: 1, column: 1 }
  const reading = () => ({ diagnostics: new Diagnostics(), suggest: new Suggester() })
  const filled = <V>(prefix: string, value: V) =>
    new Watched(Array.from({ length: 3000 }, (_, i): [string, V] => [`${prefix}${i}`, value]))

  it('cost a look at the known ones for the first hundred suggestions alone', () => {
    const names = {
      groups: filled<string[]>('group:g', []),
      hosts: filled<[]>('h', []),
      ipsets: filled<[]>('ipset:s', []),
      tagOwners: filled<string[]>('tag:t', []),
    }
    const all = reading()
    for (let i = 0; i < 1000; i++) {
      for (const text of [`tag:x${i}`, `group:x${i}`, `ipset:x${i}`, `x${i}`]) {
        readSelector({ text, place }, 'src', names, all)
      }
    }
    const { groups, hosts, ipsets, tagOwners } = names
    expect(groups.seen + hosts.seen + ipsets.seen + tagOwners.seen).toBeLessThan(100 * 2100)
  })

  it('and so in IP sets', () => {
    const hosts = filled<[]>('h', [])
    const items = Array.from({ length: 1000 }, (_, i) => ({ kind: 'string' as const, place, value: `host:x${i}` }))
    const value = { kind: 'array' as const, place, items }
    readIpsets({ kind: 'object', place, members: [{ key: 'ipset:a', place, value }] }, hosts, reading())
    expect(hosts.seen).toBeLessThan(100 * 2100)
  })
})

// Each row of the tables of ports, proto and ip, and what holds whatever they say: default protocols and ping.
import { describe, expect, it } from 'vitest'
import { acl, address, allows, compiled, errors, file, grant } from './support.js'

const reach = (policy: string, to: string) => allows(policy, 'laptop', to)

describe('ports of acls', () => {
  it('* is every port (P-ports-any)', () => {
    expect(reach(acl('*', 'tag:web:*'), 'web1:1')).toBe(true)
    expect(reach(acl('*', 'tag:web:*'), 'web1:65535')).toBe(true)
    expect(errors(acl('*', 'tag:web:0'))[0]).toContain('port 0')
  })

  it('a number is one port (P-ports-single)', () => {
    expect(reach(acl('*', 'tag:web:22'), 'web1:22')).toBe(true)
    expect(reach(acl('*', 'tag:web:22'), 'web1:23')).toBe(false)
    expect(errors(acl('*', 'tag:web:ssh'))[0]).toContain('write 22')
    expect(errors(acl('*', 'tag:web:65536'))[0]).toContain('above the last port')
  })

  it('a list is each of its ports (P-ports-list)', () => {
    expect(reach(acl('*', 'tag:web:80,443'), 'web1:443')).toBe(true)
    expect(reach(acl('*', 'tag:web:80,443'), 'web1:81')).toBe(false)
    expect(errors(acl('*', 'tag:web:80,'))[0]).toContain('port is missing')
  })

  it('a range has both its ends (P-ports-range)', () => {
    const policy = acl('*', 'tag:web:1000-2000')
    expect([999, 1000, 2000, 2001].map(port => reach(policy, `web1:${port}`))).toEqual([false, true, true, false])
    expect(errors(acl('*', 'tag:web:2000-1000'))[0]).toContain('backward: write "1000-2000"')
  })
})

describe('proto of acls', () => {
  it('none is TCP, UDP, ICMP and ICMPv6 (P-proto-none)', () => {
    const policy = acl('*', 'tag:web:22')
    expect(reach(policy, 'web1:22/6')).toBe(true)
    expect(reach(policy, 'web1:22/17')).toBe(true)
    expect(reach(policy, 'web1:0/1')).toBe(true)
    expect(allows(policy, 'fd7a::1', '[fd7a::11]:0/58')).toBe(true)
    expect(reach(policy, 'web1:22/132')).toBe(false)
    expect(reach(acl('*', 'tag:web:*'), 'web1:0/47')).toBe(false)
  })

  it.each([
    ['icmp', 1],
    ['igmp', 2],
    ['ipv4', 4],
    ['ip-in-ip', 4],
    ['egp', 8],
    ['igp', 9],
    ['gre', 47],
    ['esp', 50],
    ['ah', 51],
  ])('%s is a protocol without ports (P-proto-portless)', (name, number) => {
    expect(reach(acl('*', 'tag:web:*', { proto: name }), `web1:0/${number}`)).toBe(true)
    expect(reach(acl('*', 'tag:web:*', { proto: name }), 'web1:22')).toBe(false)
    expect(errors(acl('*', 'tag:web:22', { proto: name }))[0]).toContain('has none: write "*"')
  })

  it('ipv6-icmp is one as well (P-proto-portless)', () => {
    const policy = acl('*', 'tag:web:*', { proto: 'ipv6-icmp' })
    expect(allows(policy, 'fd7a::1', '[fd7a::11]:0/58')).toBe(true)
    expect(allows(policy, 'fd7a::1', '[fd7a::11]:22')).toBe(false)
    expect(errors(acl('*', 'tag:web:22', { proto: 'ipv6-icmp' }))[0]).toContain('has none: write "*"')
  })

  it.each([
    ['tcp', 6],
    ['udp', 17],
    ['sctp', 132],
  ])('%s has ports (P-proto-ports)', (name, number) => {
    const policy = acl('*', 'tag:web:22', { proto: name })
    for (const each of [6, 17, 132]) expect(reach(policy, `web1:22/${each}`)).toBe(each === number)
    expect(errors(acl('*', 'tag:web:ssh', { proto: name }))).toHaveLength(1)
  })

  it('a number from 1 to 255 is IP’s, in quotes (P-proto-number)', () => {
    expect(reach(acl('*', 'tag:web:*', { proto: '16' }), 'web1:0/16')).toBe(true)
    expect(reach(acl('*', 'tag:web:22', { proto: '6' }), 'web1:22')).toBe(true)
    expect(errors(acl('*', 'tag:web:*', { proto: '256' }))).toHaveLength(1)
    expect(errors(acl('*', 'tag:web:*', { proto: '0' }))).toHaveLength(1)
    expect(errors(acl('*', 'tag:web:*', { proto: 6 }))[0]).toContain('write "6" in quotes')
    expect(errors(acl('*', 'tag:web:*', { proto: 'tpc' }))[0]).toContain('did you mean "tcp"?')
  })
})

describe('ip of grants', () => {
  it('* is every port (P-ip-any)', () => {
    const policy = grant('*', 'tag:web', '*')
    for (const each of ['web1:9/6', 'web1:9/17', 'web1:0/1']) expect(reach(policy, each)).toBe(true)
    expect(reach(policy, 'web1:0/47')).toBe(false)
    expect(errors(file({ grants: [{ src: ['*'], dst: ['tag:web'] }] }))[0]).toContain('neither ip nor app')
  })

  it('a number is one port (P-ip-port)', () => {
    expect(reach(grant('*', 'tag:web', '22'), 'web1:22/17')).toBe(true)
    expect(reach(grant('*', 'tag:web', '22'), 'web1:23')).toBe(false)
    expect(errors(grant('*', 'tag:web', '0'))[0]).toContain('port 0')
    expect(errors(grant('*', 'tag:web', '80,443'))[0]).toContain('an entry for each')
  })

  it('a range has both its ends (P-ip-range)', () => {
    expect(reach(grant('*', 'tag:web', '80-443'), 'web1:443')).toBe(true)
    expect(reach(grant('*', 'tag:web', '80-443'), 'web1:444')).toBe(false)
    expect(errors(grant('*', 'tag:web', '443-80'))[0]).toContain('backward')
  })

  it('PROTO:PORT is ports of one protocol (P-ip-proto-port)', () => {
    const policy = grant('*', 'tag:web', ['tcp:443', 'udp:500-600'])
    expect(['web1:443/6', 'web1:443/17', 'web1:555/17', 'web1:555/6'].map(to => reach(policy, to))).toEqual([
      true,
      false,
      true,
      false,
    ])
    expect(errors(grant('*', 'tag:web', 'tcp:https'))[0]).toContain('write 443')
    expect(errors(grant('*', 'tag:web', 'tpc:443'))[0]).toContain('is no protocol')
  })

  it('PROTO:* is all of a protocol (P-ip-proto-any)', () => {
    expect(reach(grant('*', 'tag:web', 'icmp:*'), 'web1:0/1')).toBe(true)
    expect(reach(grant('*', 'tag:web', 'icmp:*'), 'web1:22')).toBe(false)
    expect(reach(grant('*', 'tag:web', 'gre:*'), 'web1:0/47')).toBe(true)
    expect(errors(grant('*', 'tag:web', 'icmp'))[0]).toContain('write "icmp:*"')
    expect(errors(grant('*', 'tag:web', 'icmp:8'))[0]).toContain('has none')
  })
})

describe('ping', () => {
  it('is allowed by any rule between the two addresses (P-ping)', () => {
    for (const policy of [acl('*', 'tag:web:22', { proto: 'udp' }), grant('*', 'tag:web', 'gre:*')]) {
      expect(reach(policy, 'web1:0/1')).toBe(true)
      expect(compiled(policy).mayPing(address('100.64.0.1'), address('100.64.0.11'))).toBe(true)
      expect(compiled(policy).mayPing(address('100.64.0.1'), address('100.64.0.12'))).toBe(false)
      expect(reach(policy, 'db1:0/1')).toBe(false)
    }
  })
})

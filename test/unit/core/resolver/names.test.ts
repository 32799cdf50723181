import { describe, expect, it } from 'vitest'
import { formatAddress } from '../../../../src/core/base/address.js'
import { checkName, expandName } from '../../../../src/core/resolver/name.js'
import { DnsRoutes } from '../../../../src/core/resolver/routes.js'
import { settingsOf } from '../../../support/dns-world.js'

describe('a host name', () => {
  it.each([
    ['web1', { name: 'web1', absolute: false }],
    ['Web1.Corp.Example.', { name: 'web1.corp.example', absolute: true }],
    ['_sip-x.1a.example', { name: '_sip-x.1a.example', absolute: false }],
    ['xn--bcher-kva.example', { name: 'xn--bcher-kva.example', absolute: false }],
    [`${'a'.repeat(63)}.b`, { name: `${'a'.repeat(63)}.b`, absolute: false }],
  ])('is %s', (text, expected) => {
    expect(checkName(text)).toEqual(expected)
  })

  it.each([
    ['', 'it is empty'],
    ['.', 'it is empty'],
    ['a..b', 'nothing between two of its dots'],
    ['.a', 'nothing between two of its dots'],
    ['web1\0.evil', 'a character that no host name has'],
    ['web 1', 'a character that no host name has'],
    ['web1\n', 'a character that no host name has'],
    ['a/b', 'a character that no host name has'],
    ['bücher.example', 'the xn-- form'],
    // U+212A, which in lower case is a k of ASCII.
    ['\u212aorp.example', 'the xn-- form'],
    [`${'a'.repeat(64)}.b`, 'more than 63 characters'],
    [`${'a'.repeat(63)}.`.repeat(4), 'longer than 253'],
    ['10.7.0.300', 'neither a name nor an address'],
    ['1.2', 'neither a name nor an address'],
    ['localhost', 'nothing in a tunnel is localhost'],
    ['db.localhost.', 'nothing in a tunnel is localhost'],
  ])('is not %j', (text, problem) => {
    expect(checkName(text).problem).toContain(problem)
  })
})

describe('what a name stands for', () => {
  const search = ['corp.example', 'lan']

  it('without a dot, in the search domains first', () => {
    expect(expandName('web1', false, { search, ndots: 1 })).toEqual(['web1.corp.example', 'web1.lan', 'web1'])
  })

  it('with a dot, as it is first', () => {
    expect(expandName('web1.eu', false, { search, ndots: 1 })).toEqual([
      'web1.eu',
      'web1.eu.corp.example',
      'web1.eu.lan',
    ])
    expect(expandName('web1.eu', false, { search, ndots: 2 })).toEqual([
      'web1.eu.corp.example',
      'web1.eu.lan',
      'web1.eu',
    ])
  })

  it('with a dot at the end, nothing else', () => {
    expect(expandName('web1', true, { search, ndots: 1 })).toEqual(['web1'])
  })

  it('no name that would be too long', () => {
    const long = `${'a'.repeat(60)}.`.repeat(4).slice(0, -1)
    expect(expandName(long, false, { search, ndots: 9 })).toEqual([`${long}.lan`, long])
  })
})

describe('the servers of a name', () => {
  const routes = new DnsRoutes(
    settingsOf({
      servers: ['10.7.0.1', '10.7.0.1', '10.7.0.2'],
      routes: { 'corp.example': ['10.7.0.53'], '.Lab.corp.example.': ['10.7.0.54'], 'corp.Example': ['10.7.0.55'] },
    }),
    8,
  )
  const of = (name: string) => routes.serversFor(name).map(formatAddress)

  it('are those of the longest domain that it is in', () => {
    expect(of('db.corp.example')).toEqual(['10.7.0.53', '10.7.0.55'])
    expect(of('corp.example')).toEqual(['10.7.0.53', '10.7.0.55'])
    expect(of('a.b.lab.corp.example')).toEqual(['10.7.0.54'])
  })

  it('are the general ones for any other, and a domain is not the end of a longer word', () => {
    expect(of('example')).toEqual(['10.7.0.1', '10.7.0.2'])
    expect(of('notcorp.example')).toEqual(['10.7.0.1', '10.7.0.2'])
    expect(of('corp.example.org')).toEqual(['10.7.0.1', '10.7.0.2'])
  })

  it('are no more than are allowed, and none where there are none', () => {
    expect(new DnsRoutes(settingsOf({ servers: ['10.7.0.1', '10.7.0.2'] }), 1).serversFor('a')).toHaveLength(1)
    expect(new DnsRoutes(settingsOf({ servers: [], routes: { lan: ['10.7.0.1'] } }), 8).serversFor('a')).toEqual([])
  })
})

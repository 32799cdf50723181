// Names that a netmap gives: nodes with and without its domain, and tags, the likeliest to answer first.
import { describe, expect, it } from 'vitest'
import { formatAddress } from '../../../../src/core/base/address.js'
import { NodeNames } from '../../../../src/node/policy/node-names.js'
import { node } from '../../../support/gated-stack.js'

const nodes = [
  node('web1', 1, ['10.7.0.1', 'fd07::1'], ['tag:web']),
  node('Web2', 2, ['10.7.0.2'], ['tag:WEB', 'tag:web']),
  node('db.internal', 3, ['10.7.0.3'], ['tag:db']),
  node('web3', 4, ['10.7.0.4'], ['tag:web']),
]
const heard = new Map([
  ['web1', 100],
  ['Web2', 300],
  ['web3', Number.NEGATIVE_INFINITY],
])

function find(name: string, domain?: string): string[] | undefined {
  const names = new NodeNames({ nodes, ...(domain !== undefined && { domain }) }, ({ name }) => heard.get(name) ?? 0)
  return names.find(name)?.map(formatAddress)
}

describe('a name', () => {
  it('of a node has its addresses, in any case, with the domain of the netmap or without', () => {
    for (const name of ['web1', 'WEB1', 'web1.', 'web1.corp.example', 'Web1.Corp.Example.']) {
      expect(find(name, 'Corp.Example')).toEqual(['10.7.0.1', 'fd07::1'])
    }
    expect(find('db.internal.corp.example', 'corp.example')).toEqual(['10.7.0.3'])
    expect(find('web1.corp.example')).toBeUndefined()
    expect(find('web1.other.example', 'corp.example')).toBeUndefined()
    expect(find('corp.example', 'corp.example')).toBeUndefined()
  })

  it('of a tag has the addresses of all nodes with it, those heard last first', () => {
    const web = ['10.7.0.2', '10.7.0.1', 'fd07::1', '10.7.0.4']
    for (const name of ['tag:web', 'TAG:Web', 'web.tag', 'web.tag.corp.example.']) {
      expect([name, find(name, 'corp.example')]).toEqual([name, web])
    }
  })

  it('of a tag that nobody has is an error that lists those there are; as a DNS name it may be another', () => {
    expect(() => find('tag:nobody')).toThrow('no node has "tag:nobody": check the tag (known tags: tag:web, tag:db)')
    expect(find('nobody.tag', 'corp.example')).toBeUndefined()
  })
})

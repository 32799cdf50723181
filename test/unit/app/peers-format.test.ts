// The list of `tunless peers`: the JSON is an interface, the table is for people.
import { describe, expect, it } from 'vitest'
import { formatPeers, listPeers } from '../../../src/app/peers-format.js'

const now = Date.parse('2030-01-02T03:04:05.000Z')
const key = (letter: string) => `${letter.repeat(43)}=`
const status = {
  publicKey: key('O'),
  peers: [
    { publicKey: key('A'), name: 'web1', tags: ['tag:web'], addresses: ['10.7.0.3', 'fd07::3'], allowedIps: [] },
    {
      publicKey: key('B'),
      tags: ['tag:web', 'tag:old'],
      addresses: ['10.7.0.4'],
      endpoint: '192.0.2.4:51820',
      lastHandshake: '2030-01-02T03:03:55.000Z',
    },
    { publicKey: key('C'), name: 'web3', tags: [], addresses: [], lastHandshake: '2030-01-02T01:00:00.000Z' },
  ],
  nodes: [
    { name: 'ours', tags: ['tag:ci'], addresses: ['10.7.0.2'], publicKey: key('O') },
    { name: 'web1', tags: ['tag:web'], addresses: ['10.7.0.3'], publicKey: key('A') },
    { name: 'far', tags: ['tag:web'], addresses: ['10.7.0.9'], publicKey: key('F') },
  ],
}

describe('the list of peers', () => {
  it('has every field of each, the one that was heard last first, then who is no peer of this tunnel', () => {
    expect(listPeers(status, now)).toEqual([
      {
        name: null,
        tags: ['tag:web', 'tag:old'],
        addresses: ['10.7.0.4'],
        publicKey: key('B'),
        endpoint: '192.0.2.4:51820',
        lastHandshake: '2030-01-02T03:03:55.000Z',
        live: true,
      },
      expect.objectContaining({ name: 'web3', lastHandshake: '2030-01-02T01:00:00.000Z', live: false }),
      expect.objectContaining({ name: 'web1', endpoint: null, lastHandshake: null, live: false }),
      expect.objectContaining({ name: 'far', publicKey: key('F'), lastHandshake: null, live: null }),
    ])
  })

  it('is a table for people', () => {
    expect(formatPeers(listPeers(status, now), now)).toBe(`\
NAME       TAGS             ADDRESSES         HANDSHAKE
BBBBBBBB…  tag:web,tag:old  10.7.0.4          10 s ago
web3       -                -                 2 h ago
web1       tag:web          10.7.0.3,fd07::3  never
far        tag:web          10.7.0.9          no peer of this tunnel
`)
  })

  it('of a version that says less is what it says', () => {
    expect(listPeers({}, now)).toEqual([])
    expect(listPeers({ peers: [null, 3, { publicKey: key('A') }] }, now)).toMatchObject([{ tags: [], addresses: [] }])
  })
})

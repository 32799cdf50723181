// What `check` tells to compare where no peer answers.
import { describe, expect, it } from 'vitest'
import { keysRemedy } from '../../../../src/app/check/keys.js'

const gateway = { name: 'gateway', publicKey: 'THEIRS', endpoint: '192.0.2.1:51820', hasPresharedKey: false }

describe('where no peer answers, check names what the other side must have', () => {
  it('the public key of this one and of the peer', () => {
    expect(keysRemedy('OURS', [gateway])).toMatch(/a peer OURS, its own is THEIRS\. Then the endpoint/)
  })

  it('a preshared key, where this side has one', () => {
    expect(keysRemedy('OURS', [{ ...gateway, hasPresharedKey: true }])).toMatch(
      /THEIRS, and both .* same PresharedKey\./,
    )
  })

  it('no key of one among several', () => {
    const remedy = keysRemedy('OURS', [gateway, { ...gateway, publicKey: 'OTHER' }])
    expect(remedy).toContain('a peer OURS, ')
    expect(remedy).not.toMatch(/THEIRS|OTHER/)
  })

  it('nothing, where nobody could be called', () => {
    const { endpoint: _, ...waiting } = gateway
    expect(keysRemedy('OURS', [waiting])).toBeUndefined()
  })
})

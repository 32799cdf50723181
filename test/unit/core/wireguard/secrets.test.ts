import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import type { PeerState } from '../../../../src/core/wireguard/peer.js'
import { pair } from '../../../support/wireguard.js'
import { backends } from '../../../support/wireguard-crypto.js'

/** Some bytes that no chance will print. */
const pattern = (first: number) => Uint8Array.from({ length: 32 }, (_, i) => first + i)

describe.each(backends)('with the %s backend, secrets', (_name, crypto) => {
  it('show in no print of a device, a peer, an event or a key', () => {
    const { world, a, b } = pair({ crypto, presharedKey: pattern(64) })
    a.device.setPrivateKey(pattern(128), world.now)
    b.device.setPeer({ publicKey: a.publicKey, presharedKey: pattern(64), endpoint: a.endpoint }, world.now)
    a.send(b, 'x')
    world.run(100)
    expect(a.count('session')).toBe(1)
    const peer = a.peer(b) as PeerState
    const shared = Array.from(peer.staticStatic!).slice(4, 8)
    for (const printed of [a.device, peer, a.events, crypto.privateKey(pattern(128)), peer.keypairs.current]) {
      const text = [
        inspect(printed, { depth: 20, showHidden: true, maxArrayLength: null }),
        JSON.stringify(printed, (key, value) =>
          key === 'u8' || key === 'peer' || key === 'owner' ? undefined : value,
        ),
      ].join('\n')
      for (const bytes of [[68, 69, 70, 71], [132, 133, 134, 135], shared]) {
        expect(text).not.toContain(bytes.join(', '))
        expect(text).not.toContain(bytes.map((byte, i) => `"${i + 4}":${byte}`).join(','))
        expect(text).not.toContain(Buffer.from(bytes).toString('hex'))
      }
    }
  })

  it('are wiped from a peer that is removed (W16)', () => {
    const { world, a, b } = pair({ crypto, presharedKey: pattern(64) })
    a.send(b, 'x')
    world.run(100)
    const peer = a.peer(b) as PeerState
    const { staticStatic, presharedKey } = peer
    const { current } = peer.keypairs
    a.device.removePeer(b.publicKey, world.now)
    expect([staticStatic!, presharedKey].every(secret => secret.every(byte => byte === 0))).toBe(true)
    const memory = crypto.createMemory(2048, 2048)
    for (const key of [current!.sending, current!.receiving])
      expect(() => key.seal(memory, 0, 16, 0, 0)).toThrow('the key was wiped')
  })
})

// The handshake: who is called and answered, when, and what is remembered of it.
import { describe, expect, it } from 'vitest'
import { unmapAddress } from '../../../../src/core/base/address.js'
import { initiationSize } from '../../../../src/core/wire/wireguard.js'
import { endpointOf, type Host, pair, prefix, World } from '../../../support/wireguard.js'
import { backends, bytesOf, loadVectors } from '../../../support/wireguard-crypto.js'

const lowOrder = loadVectors<{ publicKeys: string[] }>('x25519-low-order')

/** Bytes of the first datagram that `host` sent of a type. */
const firstSent = (host: Host, type: number) => host.sent(type)[0]!.bytes

describe.each(backends)('a handshake on the %s backend', (_name, crypto) => {
  it.each([
    ['without a preshared key', undefined],
    ['with a preshared key', new Uint8Array(32).fill(7)],
  ])('%s delivers in both directions', (_text, presharedKey) => {
    const { world, a, b } = pair({ crypto, ...(presharedKey && { presharedKey }) })
    expect(a.send(b, 'hello')).toBe(true)
    world.run(1000)
    expect(b.received).toEqual(['hello'])
    expect(b.send(a, 'and back')).toBe(true)
    world.run(1000)
    expect(a.received).toEqual(['and back'])
    expect(world.sent.map(datagram => [datagram.bytes[0], datagram.bytes.length])).toEqual([
      [1, 148],
      [2, 92],
      [4, 64],
      [4, 64],
    ])
  })
})

describe('a handshake', () => {
  it('is made of what two keys and no preshared key, or 32 zero bytes, give (W1)', () => {
    const { world, a, b } = pair()
    b.device.setPeer({ publicKey: a.publicKey, presharedKey: new Uint8Array(32) }, world.now)
    a.send(b, 'same')
    world.run(100)
    expect(b.received).toEqual(['same'])
    expect(b.peer(a).hasPresharedKey).toBe(false)
  })

  it('fails, silently, when the preshared keys differ', () => {
    const { world, a, b } = pair({ presharedKey: new Uint8Array(32).fill(1) })
    b.device.setPeer({ publicKey: a.publicKey, presharedKey: new Uint8Array(32).fill(2) }, world.now)
    a.send(b, 'lost')
    world.run(4000)
    expect(a.count('session') + b.count('session')).toBe(0)
    expect(a.device.counters.badHandshake).toBe(1)
  })

  it('reports the round trip to the initiator, and the session to both', () => {
    const { world, a, b } = pair()
    a.device.initiate(a.peer(b), world.now)
    world.run(100)
    expect(a.events).toEqual([
      { type: 'initiation', peer: a.peer(b), at: 1000, attempt: 1 },
      { type: 'session', peer: a.peer(b), at: 1020, initiator: true, rtt: 20 },
    ])
    expect(b.events).toEqual([
      { type: 'endpoint', peer: b.peer(a), at: 1010, endpoint: a.endpoint },
      { type: 'session', peer: b.peer(a), at: 1030, initiator: false },
      { type: 'heard', peer: b.peer(a), at: 1030 },
    ])
  })

  it('creates initiations in handleTimeout alone', () => {
    const { world, a, b } = pair()
    a.device.initiate(a.peer(b), world.now)
    expect(world.sent).toHaveLength(0)
    expect(a.device.nextDeadline()).toBe(world.now)
  })

  it('is not begun where a session stands or one is under way', () => {
    const { world, a, b } = pair()
    for (let i = 0; i < 5; i++) a.device.initiate(a.peer(b), world.now)
    world.run(5)
    a.device.initiate(a.peer(b), world.now)
    world.run(100)
    a.device.initiate(a.peer(b), world.now)
    world.run(100)
    expect(a.sent(1)).toHaveLength(1)
  })

  it('does not begin with a peer whose key is of low order, nor answer it (W3)', () => {
    const { world, a } = pair()
    for (const hex of lowOrder.publicKeys) {
      const peer = a.device.setPeer({ publicKey: bytesOf(hex), endpoint: endpointOf('192.0.2.9:9') }, world.now)!
      a.device.initiate(peer, world.now)
    }
    world.run(10_000)
    expect(world.sent).toHaveLength(0)
  })

  it('needs a private key: without one, or with zeros, nothing is sent or answered (W3)', () => {
    const { world, a, b } = pair()
    const callee = a.peer(b)
    b.device.setPrivateKey(new Uint8Array(32), world.now)
    expect(b.device.publicKey).toBeUndefined()
    a.device.initiate(callee, world.now)
    world.run(4000)
    expect(b.device.counters.noIdentity).toBe(1)
    a.device.setPrivateKey(undefined, world.now)
    a.device.initiate(callee, world.now)
    world.run(20_000)
    expect(world.sent).toHaveLength(1)
  })

  it('has MAC1 under the key of its recipient: a flipped bit anywhere, or a reflection, is dropped at once (W4) (X2) (X3)', () => {
    const { world, a, b } = pair()
    a.device.initiate(a.peer(b), world.now)
    world.run(0)
    const initiation = firstSent(a, 1)
    world.filter = () => true
    world.run(100)
    const before = world.sent.length
    const { sessions } = b.device.counters
    for (let bit = 32; bit < (initiationSize - 16) * 8; bit++) {
      const flipped = initiation.slice()
      flipped[bit >> 3] = flipped[bit >> 3]! ^ (1 << (bit & 7))
      b.receive(flipped, a.endpoint)
    }
    expect(b.device.counters.badMac1).toBe((initiationSize - 16) * 8 - 32)
    a.receive(initiation, b.endpoint)
    expect(a.device.counters.badMac1).toBe(1)
    world.run(1000)
    expect(world.sent.slice(before).filter(datagram => datagram.from === b)).toHaveLength(0)
    expect(b.device.counters.sessions).toBe(sessions)
  })

  it('is refused to a caller who is no peer (W25)', () => {
    const { world, a, b } = pair()
    b.device.removePeer(a.publicKey, world.now)
    a.send(b, 'hello')
    world.run(1000)
    expect(b.device.counters.unknownPeer).toBe(1)
    expect(b.sent(2)).toHaveLength(0)
  })
})

describe("an initiation's timestamp", () => {
  it('makes a replay worthless: no answer, no change of endpoint (W9) (W12) (W24) (W25)', () => {
    const { world, a, b } = pair()
    a.send(b, 'one')
    world.run(1000)
    const initiation = firstSent(a, 1)
    for (const after of [0, 30, 60_000]) {
      world.run(after)
      world.inject(initiation, endpointOf('198.51.100.1:1'), b.endpoint)
      world.run(100)
    }
    expect(b.device.counters.replayedInitiation).toBe(3)
    expect(b.sent(2)).toHaveLength(1)
    expect(b.peer(a).endpoint).toEqual(a.endpoint)
  })

  it('is still remembered after stop, zeroing and a change of our own key (W9)', () => {
    const { world, a, b } = pair()
    a.send(b, 'one')
    world.run(1000)
    const initiation = firstSent(a, 1)
    a.device.stop(world.now)
    world.run(600_000)
    b.device.stop(world.now)
    b.device.setPrivateKey(b.secret, world.now)
    world.inject(initiation, a.endpoint, b.endpoint)
    world.run(100)
    expect(b.device.counters.replayedInitiation).toBe(1)
  })

  it('dies with the peer (W9)', () => {
    const { world, a, b } = pair()
    a.send(b, 'one')
    world.run(1000)
    b.device.removePeer(a.publicKey, world.now)
    b.device.setPeer({ publicKey: a.publicKey }, world.now)
    world.inject(firstSent(a, 1), a.endpoint, b.endpoint)
    world.run(10)
    expect(b.sent(2)).toHaveLength(2)
  })

  it('does not go back with the clock, so that a running device is not refused (W9)', () => {
    const { world, a, b } = pair()
    a.send(b, 'one')
    world.run(1000)
    world.wallOffset -= 86_400_000
    world.run(200_000)
    a.send(b, 'two')
    world.run(1000)
    expect(b.received).toEqual(['one', 'two'])
  })

  it('is refused after a restart with the clock stepped back, until it has caught up (W9)', () => {
    const { world, a, b } = pair()
    a.send(b, 'one')
    world.run(1000)
    const again = world.host({ address: '192.0.2.1:1001' })
    world.hosts.shift()
    again.device.setPrivateKey(a.secret, world.now)
    again.device.setPeer({ publicKey: b.publicKey, endpoint: b.endpoint }, world.now)
    world.wallOffset -= 30_000
    again.send(b, 'refused')
    expect(world.run(25_000, () => b.received.includes('refused'))).toBe(false)
    expect(world.run(15_000, () => b.received.includes('refused'))).toBe(true)
  })

  it('is refused when it comes within 20 ms of the last one accepted (W9)', () => {
    const { world, a, b } = pair({ timers: { rekeyTimeout: 5, rekeyTimeoutJitter: 0 } })
    world.filter = datagram => datagram.from === b
    a.device.initiate(a.peer(b), world.now)
    world.run(34)
    expect(b.device.counters.tooSoonInitiation).toBe(3)
    expect(b.sent(2)).toHaveLength(2)
  })
})

describe('retries', () => {
  it('come 5 s to 5.333 s apart, each fresh, and end after 20 (W11)', () => {
    const { world, a, b } = pair()
    world.filter = () => true
    a.send(b, 'into the void')
    world.run(200_000)
    const sent = a.sent(1)
    expect(sent).toHaveLength(20)
    for (let i = 1; i < sent.length; i++) {
      const gap = sent[i]!.at - sent[i - 1]!.at
      expect(gap).toBeGreaterThanOrEqual(5000)
      expect(gap).toBeLessThan(5333)
    }
    expect(new Set(sent.map(datagram => String(datagram.bytes.subarray(4, 8)))).size).toBe(20)
    expect(new Set(sent.map(datagram => String(datagram.bytes.subarray(8, 40)))).size).toBe(20)
    expect(a.events.map(event => event.type)).toEqual([...Array(20).fill('initiation'), 'gave-up'])
    expect(a.device.counters.stagedDropped).toBe(1)
    expect(a.memory.inUse).toBe(0)
  })

  it('go on for as long as there is something to send (W11)', () => {
    const { world, a, b } = pair()
    world.filter = () => true
    for (let i = 0; i < 30; i++) {
      a.send(b, `packet ${i}`)
      world.run(20_000)
    }
    expect(a.count('gave-up')).toBe(0)
    expect(a.sent(1).length).toBeGreaterThan(100)
  })

  it('begin anew when something is sent after the last one (W11)', () => {
    const { world, a, b } = pair()
    world.filter = () => true
    a.send(b, 'into the void')
    world.run(200_000, () => a.count('gave-up') === 1)
    world.filter = () => false
    a.send(b, 'there')
    world.run(1000)
    expect(b.received).toEqual(['there'])
  })

  it('kill the index of the initiation before (W12)', () => {
    const { world, a, b } = pair()
    world.link.delay = 6000
    a.send(b, 'late')
    world.run(12_100)
    expect(a.device.counters.unknownIndex).toBe(1)
    expect(a.count('session')).toBe(0)
  })

  it('keep 5 s from a response that was sent, too (W10)', () => {
    const { world, a, b } = pair({ bothEndpoints: true })
    world.filter = datagram => datagram.bytes[0] === 4
    a.device.initiate(a.peer(b), world.now)
    world.run(15)
    const respondedAt = b.sent(2)[0]!.at
    b.send(a, 'when?')
    expect(world.run(10_000, () => b.sent(1).length === 1)).toBe(true)
    expect(world.now - respondedAt).toBeGreaterThanOrEqual(5000)
    expect(world.now - respondedAt).toBeLessThan(5400)
  })
})

describe('two peers that call each other at once', () => {
  const callAtOnce = (seed: number, afterAnswer: (host: Host, other: Host) => void) => {
    const { world, a, b } = pair({ bothEndpoints: true, seed })
    a.send(b, 'from a')
    b.send(a, 'from b')
    const done = () => {
      if (b.sent(2).length > 0) afterAnswer(b, a)
      return a.received.length > 0 && b.received.length > 0
    }
    expect(world.run(30_000, done)).toBe(true)
    return world.now - 1000
  }

  it('both get through in one round trip and a half (W12)', () => {
    for (let seed = 0; seed < 20; seed++) expect(callAtOnce(seed, () => {})).toBeLessThanOrEqual(30)
  })

  it('lose no time, let alone 5.3 s, when one of them keeps a single handshake state as the kernel does (W12)', () => {
    for (let seed = 0; seed < 20; seed++) {
      const elapsed = callAtOnce(seed, (host, other) => {
        const state = host.peer(other) as unknown as { dropPending(): void }
        state.dropPending()
      })
      expect(elapsed).toBeLessThanOrEqual(40)
    }
  })
})

describe('our own key', () => {
  it('is ignored as a peer, and a peer that has it is removed (W26)', () => {
    const { world, a, b } = pair()
    expect(a.device.setPeer({ publicKey: a.publicKey }, world.now)).toBeUndefined()
    a.device.setPrivateKey(b.secret, world.now)
    expect([...a.device.peers()]).toEqual([])
  })

  it('may be set again without effect (W26)', () => {
    const { world, a, b } = pair()
    a.send(b, 'one')
    world.run(1000)
    a.device.setPrivateKey(a.secret, world.now)
    a.send(b, 'two')
    world.run(1000)
    expect(b.received).toEqual(['one', 'two'])
    expect(a.sent(1)).toHaveLength(1)
  })

  it('changed, stops sending on old sessions, receives on them, and permits a handshake at once (W26)', () => {
    const { world, a, b } = pair()
    a.send(b, 'one')
    world.run(1000)
    const oldKey = a.publicKey
    a.device.setPrivateKey(new Uint8Array(32).fill(77), world.now)
    expect(a.device.canSend(a.peer(b), world.now)).toBe(false)
    b.sendTo(b.device.peer(oldKey)!, 'to the old one')
    a.send(b, 'from the new one')
    b.device.setPeer({ publicKey: a.publicKey, allowedIps: [prefix('0.0.0.0/0')] }, world.now)
    world.run(100)
    expect(a.received).toEqual(['to the old one'])
    expect(b.received).toEqual(['one', 'from the new one'])
    expect(a.sent(1)).toHaveLength(2)
  })
})

describe('a new preshared key', () => {
  it('serves the next handshake, and leaves the session alone (W26)', () => {
    const { world, a, b } = pair()
    a.send(b, 'one')
    world.run(1000)
    const presharedKey = new Uint8Array(32).fill(9)
    a.device.setPeer({ publicKey: b.publicKey, presharedKey }, world.now)
    b.device.setPeer({ publicKey: a.publicKey, presharedKey }, world.now)
    a.send(b, 'two')
    world.run(200_000)
    a.send(b, 'three')
    world.run(1000)
    expect(b.received).toEqual(['one', 'two', 'three'])
    expect(a.count('session')).toBe(2)
  })
})

describe('a v4-mapped source address', () => {
  it('is the IPv4 address that it is (W8)', () => {
    const world = new World()
    const host = world.host({ address: '192.0.2.1:1' })
    const endpoint = endpointOf('[::ffff:192.0.2.7]:7')
    const peer = host.device.setPeer({ publicKey: new Uint8Array(32).fill(3), endpoint }, world.now)!
    expect(peer.endpoint).toEqual({ address: unmapAddress(endpoint.address), port: 7 })
    expect(peer.endpoint?.address).toHaveLength(4)
  })
})

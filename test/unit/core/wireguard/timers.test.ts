// The timers (WireGuard paper, section 6): renewal, expiry, keepalives, silence.
import { describe, expect, it } from 'vitest'
import type { PeerState } from '../../../../src/core/wireguard/peer.js'
import { type Host, pair, type World } from '../../../support/wireguard.js'

const slots = (host: Host, other: Host) => (host.peer(other) as PeerState).keypairs
const state = (host: Host, other: Host) => host.peer(other) as PeerState

function established(options: Parameters<typeof pair>[0] = {}): { world: World; a: Host; b: Host } {
  const world = pair(options)
  world.a.device.initiate(world.a.peer(world.b), world.world.now)
  world.world.run(100)
  world.world.sent.length = 0
  return world
}

/** When `host` sent messages of `type`, in seconds since `from`. */
const times = (host: Host, type: number, from: number) => host.sent(type).map(({ at }) => (at - from) / 1000)

describe('renewal of a session', () => {
  it('is begun by the initiator when it sends 120 s after the handshake, and not before (W16)', () => {
    const { world, a, b } = established()
    const since = a.peer(b).lastHandshakeAt
    for (let i = 1; i < 130; i++) {
      world.run(since + i * 1000 - world.now)
      a.send(b, 'x')
      b.send(a, 'y')
    }
    world.run(100)
    expect(times(a, 1, since)).toEqual([120])
    expect(b.sent(1)).toHaveLength(0)
    expect(a.count('session')).toBe(2)
    expect([a.received.length, b.received.length]).toEqual([129, 129])
  })

  it('is begun by the initiator, once, when it receives 165 s after the handshake (W16)', () => {
    const { world, a, b } = established()
    const since = a.peer(b).lastHandshakeAt
    world.filter = datagram => datagram.from === a
    for (const second of [164, 166, 167, 168]) {
      world.run(since + second * 1000 - world.now)
      b.send(a, 'x')
      world.run(15)
    }
    expect(times(a, 1, since)).toEqual([166.01])
  })

  it('is begun by either side after 2^60 packets (W16)', () => {
    for (const initiator of [true, false]) {
      const { world, a, b } = established()
      a.send(b, 'x')
      world.run(10_000)
      const [host, other] = initiator ? [a, b] : [b, a]
      const keypair = slots(host, other).current!
      keypair.sendHi = 2 ** 28
      keypair.sendLo = 0
      host.send(other, 'at 2^60 itself: not yet due after it')
      world.run(100)
      const before = host.sent(1).length
      host.send(other, 'beyond')
      world.run(100)
      expect(host.sent(1).length).toBe(1)
      expect(before).toBeLessThanOrEqual(1)
    }
  })

  it('lets a transfer live through many sessions with shortened timers, nothing lost', () => {
    const timers = {
      rekeyAfterTime: 3000,
      rejectAfterTime: 9000,
      rekeyTimeout: 500,
      rekeyTimeoutJitter: 33,
      keepaliveTimeout: 1000,
    }
    const { world, a, b } = established({ timers })
    for (let i = 0; i < 3000; i++) {
      a.send(b, String(i))
      b.send(a, String(i))
      world.run(10)
    }
    world.run(100)
    const expected = Array.from({ length: 3000 }, (_, i) => String(i))
    expect(b.received).toEqual(expected)
    expect(a.received).toEqual(expected)
    expect(a.count('session')).toBeGreaterThanOrEqual(9)
    expect(a.count('session')).toBeLessThanOrEqual(11)
  })
})

describe('a keypair', () => {
  it('neither sends nor receives from 180 s on, and is wiped then (W16)', () => {
    const { world, a, b } = established()
    const keypair = slots(a, b).current!
    world.run(keypair.createdAt + 179_999 - world.now)
    expect(a.device.canSend(a.peer(b), world.now)).toBe(true)
    expect(a.device.status(world.now).indices).toBe(1)
    world.run(1)
    expect(a.device.canSend(a.peer(b), world.now)).toBe(false)
    expect(a.device.status(world.now).indices).toBe(0)
    expect(keypair.maySend).toBe(false)
  })

  it('is wiped at its own 180 s even if a younger one stands (W16)', () => {
    const { world, a, b } = established()
    const first = slots(a, b).current!
    world.run(150_000)
    a.send(b, 'renew')
    world.run(1000)
    const second = slots(a, b).current!
    expect(slots(a, b).previous).toBe(first)
    world.run(first.createdAt + 180_000 - world.now)
    expect(slots(a, b).previous).toBeUndefined()
    expect(slots(a, b).current).toBe(second)
    world.run(second.createdAt + 180_000 - world.now)
    expect(slots(a, b).current).toBeUndefined()
  })
})

describe('what is left of a handshake', () => {
  it('is wiped 540 s after the last keypair was derived (W16)', () => {
    const { world, a, b } = established()
    const since = a.peer(b).lastHandshakeAt
    world.run(500_000)
    world.filter = () => true
    a.device.initiate(a.peer(b), world.now)
    world.run(since + 539_000 - world.now)
    expect(state(a, b).pending).toBeDefined()
    world.run(1500)
    const attempts = a.sent(1).length
    expect(attempts).toBeGreaterThan(5)
    world.run(200_000)
    expect(a.count('gave-up')).toBe(1)
    world.run(540_000)
    expect(state(a, b).pending).toBeUndefined()
    expect(a.device.nextDeadline()).toBe(Infinity)
  })
})

describe('a passive keepalive', () => {
  it('is sent 10 s after data that nothing answered, and one only (W17)', () => {
    const { world, a, b } = established()
    a.send(b, 'x')
    world.run(100)
    const since = b.peer(a).lastReceivedAt
    world.run(60_000)
    expect(times(b, 4, since)).toEqual([10])
    expect(b.sent(4)[0]!.bytes).toHaveLength(32)
    expect(a.sent(4)).toHaveLength(1)
  })

  it('is followed by another, 10 s later, if more data came meanwhile (W17)', () => {
    const { world, a, b } = established()
    a.send(b, 'x')
    world.run(5000)
    const since = b.peer(a).lastReceivedAt
    a.send(b, 'y')
    world.run(60_000)
    expect(times(b, 4, since)).toEqual([10, 20])
  })

  it('is cancelled by anything authenticated that is sent (W17)', () => {
    const { world, a, b } = established()
    a.send(b, 'x')
    world.run(5000)
    a.send(b, 'y')
    world.run(2000)
    b.send(a, 'answer')
    world.run(9000)
    expect(b.sent(4)).toHaveLength(1)
  })

  it('never answers a keepalive (W17)', () => {
    const { world, a, b } = established()
    b.send(a, 'x')
    world.run(100_000)
    expect([a.sent(4).length, b.sent(4).length]).toEqual([1, 1])
  })
})

describe('a persistent keepalive', () => {
  it('is sent at once when it is turned on, and then at its interval (W17)', () => {
    const { world, a, b } = established()
    const since = world.now
    a.device.setPeer({ publicKey: b.publicKey, persistentKeepalive: 25 }, world.now)
    world.run(101_000)
    expect(times(a, 4, since)).toEqual([0, 25, 50, 75, 100])
    a.device.setPeer({ publicKey: b.publicKey, persistentKeepalive: 0 }, world.now)
    world.run(100_000)
    expect(a.sent(4)).toHaveLength(5)
  })

  it('waits a full interval from whatever was sent or received (W17)', () => {
    const { world, a, b } = established()
    const since = world.now
    a.device.setPeer({ publicKey: b.publicKey, persistentKeepalive: 25 }, world.now)
    world.run(20_000)
    b.send(a, 'x')
    world.run(10)
    a.send(b, 'y')
    world.run(36_000)
    expect(times(b, 4, since)).toEqual([20, 30.02])
    expect(times(a, 4, since)).toEqual([0, 20.01, 55.03])
  })

  it('opens a session at the start, and a new one whenever the old one has ended (W17)', () => {
    const { world, a, b } = pair()
    a.device.setPeer({ publicKey: b.publicKey, persistentKeepalive: 25 }, world.now)
    world.run(100)
    expect(a.count('session')).toBe(1)
    world.run(3600_000)
    const expected = 3600 / 125
    expect(a.count('session')).toBeGreaterThan(expected - 2)
    expect(a.count('session')).toBeLessThan(expected + 2)
  })

  it('comes back after a silence of any length (W17)', () => {
    const { world, a, b } = pair()
    a.device.setPeer({ publicKey: b.publicKey, persistentKeepalive: 25 }, world.now)
    world.filter = () => true
    world.run(3600_000)
    expect(a.count('gave-up')).toBeGreaterThan(5)
    world.filter = () => false
    expect(world.run(120_000, () => a.count('session') > 0)).toBe(true)
  })

  it('is sent by a device that gets its private key later (W17)', () => {
    const { world, a, b } = pair()
    a.device.setPrivateKey(undefined, world.now)
    a.device.setPeer({ publicKey: b.publicKey, persistentKeepalive: 25 }, world.now)
    world.run(1000)
    expect(world.sent).toHaveLength(0)
    a.device.setPrivateKey(a.secret, world.now)
    world.run(100)
    expect(a.count('session')).toBe(1)
  })
})

describe('silence', () => {
  it('for 15 s after data was sent makes the sender call again (W18)', () => {
    const { world, a, b } = established()
    world.filter = datagram => datagram.from === b
    const since = world.now
    a.send(b, 'anyone?')
    world.run(14_900)
    expect(a.sent(1)).toHaveLength(0)
    world.run(500)
    expect(a.sent(1)).toHaveLength(1)
    expect(times(a, 1, since)[0]).toBeGreaterThanOrEqual(15)
    expect(times(a, 1, since)[0]).toBeLessThan(15.34)
  })

  it('counts from the first data that nothing answered, not from the last (W18)', () => {
    const { world, a, b } = established()
    world.filter = datagram => datagram.from === b
    const since = world.now
    for (let second = 0; second < 16; second++) {
      a.send(b, 'anyone?')
      world.run(1000)
    }
    expect(times(a, 1, since)).toHaveLength(1)
    expect(times(a, 1, since)[0]).toBeLessThan(15.34)
  })

  it('does not count keepalives: an idle session stays as it is (W18)', () => {
    const { world, a, b } = established()
    a.device.setPeer({ publicKey: b.publicKey, persistentKeepalive: 5 }, world.now)
    world.filter = datagram => datagram.from === b
    world.run(60_000)
    expect(a.sent(1)).toHaveLength(0)
  })

  it('of a young session, ended by a new handshake, three times in ten minutes is reported as contested', () => {
    const { world, a, b } = established()
    const silenced = () => {
      world.run(10_000)
      world.filter = datagram => datagram.from === b && datagram.bytes[0] === 4
      a.send(b, 'x')
      world.run(16_000)
      world.filter = () => false
    }
    for (let i = 0; i < 2; i++) silenced()
    expect(a.count('contested')).toBe(0)
    silenced()
    expect(a.count('contested')).toBe(1)
    expect(b.count('contested')).toBe(0)
  })

  it('now and then is not', () => {
    const { world, a, b } = established()
    for (let i = 0; i < 5; i++) {
      world.run(400_000)
      a.send(b, 'x')
      world.run(10_000)
      world.filter = datagram => datagram.from === b && datagram.bytes[0] === 4
      a.send(b, 'x')
      world.run(16_000)
      world.filter = () => false
    }
    expect(a.count('contested')).toBe(0)
  })
})

describe('an idle device', () => {
  it('has nothing to do once its sessions have ended', () => {
    const { world, a, b } = established()
    a.send(b, 'x')
    world.run(700_000)
    expect(a.device.nextDeadline()).toBe(Infinity)
    expect(b.device.nextDeadline()).toBe(Infinity)
  })
})

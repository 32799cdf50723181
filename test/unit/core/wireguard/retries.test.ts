// How often a peer is called, and what giving it up means (WireGuard paper, 6.4; kernel, timers.c and send.c).
import { describe, expect, it } from 'vitest'
import type { PeerState } from '../../../../src/core/wireguard/peer.js'
import { timer } from '../../../../src/core/wireguard/timers.js'
import { endpointOf, type Host, pair } from '../../../support/wireguard.js'

const state = (host: Host, other: Host) => host.peer(other) as PeerState

describe('initiations', () => {
  it('are 5 s apart at least, whatever asks for them (W10)', () => {
    for (let seed = 1; seed <= 4; seed++) {
      const { world, a, b } = pair({ seed })
      world.link.loss = 0.5
      for (let i = 0; i < 400; i++) {
        const event = Math.floor(world.random() * 5)
        if (event === 0) a.device.initiate(a.peer(b), world.now)
        else if (event === 1) a.send(b, `${i}`)
        else if (event === 2) {
          const persistentKeepalive = Math.floor(world.random() * 3)
          a.device.setPeer({ publicKey: b.publicKey, persistentKeepalive }, world.now)
        } else if (event === 3) a.device.setPeer({ publicKey: b.publicKey, endpoint: b.endpoint }, world.now)
        else a.device.announce(world.now)
        world.run(world.random() * (world.random() < 0.1 ? 200_000 : 3000))
      }
      const times = a.sent(1).map(({ at }) => at)
      expect(times.length).toBeGreaterThan(10)
      for (let i = 1; i < times.length; i++) expect(times[i]! - times[i - 1]!).toBeGreaterThanOrEqual(5000)
    }
  })

  it('wait for 5 s after a response that was sent while a retry was due (W10)', () => {
    const { world, a, b } = pair({ bothEndpoints: true })
    world.filter = ({ from, bytes }) => from === a || bytes[0] !== 1
    a.device.initiate(a.peer(b), world.now)
    world.run(4800)
    b.device.initiate(b.peer(a), world.now)
    world.run(100)
    const respondedAt = a.sent(2)[0]!.at
    world.run(5500)
    expect(a.sent(1).map(({ at }) => at)).toEqual([1000, respondedAt + 5000])
  })

  it('have a timestamp greater than the one before, each (W11)', () => {
    const { world, a, b } = pair()
    world.filter = () => true
    const stamps: string[] = []
    a.device.initiate(a.peer(b), world.now)
    world.run(120_000, () => {
      const stamp = state(a, b).lastSentTimestamp
      if (stamp !== undefined) stamps.push(Buffer.from(stamp).toString('hex'))
      return false
    })
    const different = [...new Set(stamps)]
    expect(different).toHaveLength(20)
    expect(different).toEqual(different.toSorted())
  })
})

describe('a peer that is given up', () => {
  /** `b` never answers; `a` calls it until it has had enough. */
  const givenUp = (before: (host: Host, other: Host) => void = () => {}) => {
    const { world, a, b } = pair({ bothEndpoints: true })
    before(a, b)
    world.filter = ({ from }) => from === b
    a.send(b, 'x')
    expect(world.run(300_000, () => a.count('gave-up') === 1)).toBe(true)
    return { world, a, b }
  }

  it('has its handshake zeroed 540 s later, where no session was (W11)', () => {
    const { world, a, b } = givenUp()
    expect(state(a, b).pending).toBeDefined()
    world.run(539_999)
    expect(state(a, b).pending).toBeDefined()
    world.run(1)
    expect(state(a, b).pending).toBeUndefined()
    expect(a.device.status(world.now).indices).toBe(0)
  })

  it('keeps the time of zeroing that a session before has set (W11) (W16)', () => {
    let zeroAt = 0
    const { world, a, b } = givenUp((host, other) => {
      host.send(other, 'session')
      host.world.run(1000)
      zeroAt = host.peer(other).lastHandshakeAt + 540_000
      host.world.run(250_000)
    })
    world.run(zeroAt - 1 - world.now)
    expect(state(a, b).pending).toBeDefined()
    world.run(1)
    expect(state(a, b).pending).toBeUndefined()
  })

  it('is sent no keepalive, and nothing that waited (W11)', () => {
    const { world, a, b } = givenUp((host, other) => host.device.initiate(host.peer(other), host.world.now))
    expect(state(a, b).timers.isSet(timer.keepalive)).toBe(false)
    expect([a.device.counters.stagedDropped, a.memory.inUse]).toEqual([1, 0])
    world.filter = () => false
    const sent = world.sent.length
    world.run(3_600_000)
    expect(world.sent).toHaveLength(sent)
  })

  it('gets no keepalive for what it sent before, either (W11)', () => {
    const { world, a, b } = pair()
    a.device.initiate(a.peer(b), world.now)
    world.run(1000)
    state(a, b).timers.set(timer.initiate, world.now)
    world.filter = ({ bytes }) => bytes[0] === 1
    expect(world.run(150_000, () => a.sent(1).length === 21)).toBe(true)
    b.send(a, 'still here')
    world.run(100)
    expect(state(a, b).timers.isSet(timer.keepalive)).toBe(true)
    const sent = a.sent(4).length
    world.run(20_000)
    expect([a.count('gave-up'), a.sent(4).length]).toEqual([1, sent])
  })

  it('is called 20 times more by the next packet (W11)', () => {
    const { world, a, b } = givenUp()
    a.send(b, 'once more')
    world.run(300_000)
    expect([a.sent(1).length, a.count('gave-up')]).toEqual([40, 2])
  })

  it('while it has no endpoint is not called, and keeps nothing that waits (W22)', () => {
    const { world, a, b } = pair()
    expect(b.send(a, 'where to?')).toBe(false)
    world.run(60_000)
    expect([b.sent(1).length, b.memory.inUse, b.device.counters.noEndpoint]).toEqual([0, 0, 1])
    b.device.setPeer({ publicKey: a.publicKey, endpoint: endpointOf('192.0.2.1:1001') }, world.now)
    expect(b.send(a, 'there')).toBe(true)
    world.run(100)
    expect(a.received).toEqual(['there'])
  })
})

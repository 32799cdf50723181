// A device that is changed while it runs: line 26 and the device's part of line 27.
import { describe, expect, it } from 'vitest'
import { formatEndpoint, formatPrefix } from '../../../../src/core/base/address.js'
import type { PeerState } from '../../../../src/core/wireguard/peer.js'
import { endpointOf, pair, prefix } from '../../../support/wireguard.js'

describe('the initiation that awaits its response', () => {
  it('goes to a second address byte for byte, and the endpoint moves to where the response came from (W24) (W27)', () => {
    const { world, a, b } = pair()
    const peer = a.peer(b)
    a.device.setPeer({ publicKey: b.publicKey, endpoint: endpointOf('198.51.100.9:1') }, world.now)
    a.send(b, 'hello')
    world.run(250)
    expect(a.device.resendInitiation(peer, b.endpoint, world.now)).toBe(true)
    expect(formatEndpoint(peer.endpoint!)).toBe('198.51.100.9:1')
    world.run(1000)
    const [first, second, ...more] = a.sent(1)
    expect(Buffer.from(second!.bytes)).toEqual(Buffer.from(first!.bytes))
    expect(more).toEqual([])
    expect(formatEndpoint(peer.endpoint!)).toBe(formatEndpoint(b.endpoint))
    expect(b.received).toEqual(['hello'])
    const session = a.events.find(event => event.type === 'session')
    expect(session?.type === 'session' && session.rtt).toBeLessThan(100)
  })

  it('is a replay for a responder who got both (W27)', () => {
    const { world, a, b } = pair()
    Object.assign(world.link, { delay: 300, jitter: 0 })
    a.send(b, 'hello')
    world.run(250)
    a.device.resendInitiation(a.peer(b), b.endpoint, world.now)
    world.run(2000)
    expect(b.device.counters).toMatchObject({ replayedInitiation: 1, responsesSent: 1 })
    expect(a.device.counters).toMatchObject({ initiationsSent: 1, sessions: 1 })
    expect(b.received).toEqual(['hello'])
  })

  it('is gone once it was answered: there is nothing to send again (W27)', () => {
    const { world, a, b } = pair()
    a.send(b, 'hello')
    world.run(1000)
    expect(a.device.resendInitiation(a.peer(b), b.endpoint, world.now)).toBe(false)
    expect(a.sent(1).length).toBe(1)
  })

  it('that was asked for before the endpoint was known leaves when it is (W22)', () => {
    const { world, a, b } = pair()
    b.device.removePeer(a.publicKey, world.now)
    const peer = b.device.setPeer({ publicKey: a.publicKey, allowedIps: [prefix('0.0.0.0/0')] }, world.now)!
    b.device.initiate(peer, world.now)
    world.run(60_000)
    expect(b.sent(1)).toEqual([])
    b.device.setPeer({ publicKey: a.publicKey, endpoint: a.endpoint }, world.now)
    world.run(1000)
    expect(b.device.canSend(peer, world.now)).toBe(true)
  })

  it('a peer with a keepalive gets one as soon as its endpoint is known (W17)', () => {
    const { world, a, b } = pair()
    b.device.setPeer({ publicKey: a.publicKey, persistentKeepalive: 25 }, world.now)
    world.run(1000)
    expect(b.sent(1)).toEqual([])
    b.device.setPeer({ publicKey: a.publicKey, endpoint: a.endpoint }, world.now)
    world.run(1000)
    expect(b.device.canSend(b.peer(a), world.now)).toBe(true)
  })
})

describe('a peer that is changed', () => {
  it('loses a prefix that is taken from it, and only from it', () => {
    const { world, a, b } = pair()
    const change = { publicKey: b.publicKey, replaceAllowedIps: true }
    a.device.setPeer({ ...change, allowedIps: [prefix('10.0.0.0/8'), prefix('fd00::/8')] }, world.now)
    const other = new Uint8Array(32).fill(9)
    a.device.setPeer({ publicKey: other, allowedIps: [{ ...prefix('10.0.0.0/8'), remove: true }] }, world.now)
    expect(a.peer(b).allowedIps.map(formatPrefix)).toEqual(['10.0.0.0/8', 'fd00::/8'])
    a.device.setPeer({ publicKey: b.publicKey, allowedIps: [{ ...prefix('10.0.0.0/8'), remove: true }] }, world.now)
    expect(a.peer(b).allowedIps.map(formatPrefix)).toEqual(['fd00::/8'])
    expect(a.device.route(Uint8Array.of(10, 0, 0, 1), 0, 4)).toBeUndefined()
  })

  it('leaves the session of another alone', () => {
    const { world, a, b } = pair()
    a.send(b, 'before')
    world.run(1000)
    const third = new Uint8Array(32).fill(9)
    a.device.setPeer({ publicKey: third, endpoint: endpointOf('198.51.100.9:1'), persistentKeepalive: 1 }, world.now)
    a.device.setPeer({ publicKey: third, presharedKey: new Uint8Array(32).fill(1) }, world.now)
    a.device.removePeer(third, world.now)
    a.send(b, 'after')
    world.run(1000)
    expect(b.received).toEqual(['before', 'after'])
    expect(a.sent(1).filter(datagram => formatEndpoint(datagram.to) === formatEndpoint(b.endpoint)).length).toBe(1)
  })
})

describe('a private key that changes', () => {
  it('leaves old sessions open for what comes in, up to their 180 s, and sends nothing on them (W26)', () => {
    const { world, a, b } = pair()
    a.send(b, 'before')
    world.run(1000)
    const peerOfB = b.peer(a)
    const { createdAt } = (a.peer(b) as PeerState).keypairs.current!
    a.device.setPrivateKey(new Uint8Array(32).fill(77), world.now)
    world.filter = ({ bytes }) => bytes[0] !== 4
    const sent = a.sent(4).length
    for (const second of [50, 100, 170]) {
      world.run(createdAt + second * 1000 - world.now)
      b.sendTo(peerOfB, `at ${second} s`)
      a.send(b, 'waits')
    }
    world.run(createdAt + 179_000 - world.now)
    expect(a.received).toEqual(['at 50 s', 'at 100 s', 'at 170 s'])
    expect(a.sent(4)).toHaveLength(sent)
    world.run(1000)
    expect((a.peer(b) as PeerState).keypairs.oldest()).toBe(Infinity)
  })

  it('calls at once the peers that had a session, and no others (W26)', () => {
    const { world, a, b } = pair()
    a.send(b, 'before')
    world.run(1000)
    a.device.setPeer({ publicKey: new Uint8Array(32).fill(9), endpoint: endpointOf('198.51.100.9:1') }, world.now)
    const start = world.now
    a.device.setPrivateKey(new Uint8Array(32).fill(77), world.now)
    const allowedIps = [prefix('0.0.0.0/0')]
    b.device.setPeer({ publicKey: a.publicKey, allowedIps }, world.now)
    world.run(1000)
    const [, next, ...more] = a.sent(1)
    expect([next?.at, more]).toEqual([start, []])
    expect(a.device.canSend(a.peer(b), world.now)).toBe(true)
    expect(b.device.canSend(b.peer(a), world.now)).toBe(true)
  })
})

describe('a host that moves', () => {
  it('and announces it is followed by the peers that have a session, and calls no others (W24)', () => {
    const { world, a, b } = pair()
    a.send(b, 'before')
    world.run(1000)
    a.device.setPeer({ publicKey: new Uint8Array(32).fill(9), endpoint: endpointOf('198.51.100.9:1') }, world.now)
    a.endpoint = endpointOf('192.0.2.77:1001')
    a.device.announce(world.now)
    world.run(100)
    b.send(a, 'to the new place')
    world.run(100)
    expect(a.received).toEqual(['to the new place'])
    expect(a.sent(1).length).toBe(1)
  })
})

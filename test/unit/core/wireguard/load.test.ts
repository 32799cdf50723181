// Cookies, load and the limiter (WireGuard paper, 5.3).
import { describe, expect, it } from 'vitest'
import { formatEndpoint } from '../../../../src/core/base/address.js'
import { messageType } from '../../../../src/core/wire/wireguard.js'
import { endpointOf, type Host, pair, prefix, World } from '../../../support/wireguard.js'

/** A queue that counts as long at any length: under load, always. */
const loaded = { underLoadQueue: 0 }
const mac2Of = (bytes: Uint8Array) => bytes.subarray(bytes.length - 16)
const zeros = new Uint8Array(16)

describe('under load', () => {
  it('an initiation without a cookie costs one cookie reply, and the retry with MAC2 is answered (W5) (W6) (W7)', () => {
    const { world, a, b } = pair({ ofB: { limits: loaded } })
    a.send(b, 'patience')
    world.run(1000)
    expect(b.sent(messageType.cookieReply)).toHaveLength(1)
    expect(b.sent(messageType.response)).toHaveLength(0)
    expect(mac2Of(a.sent(1)[0]!.bytes)).toEqual(zeros)
    world.run(10_000)
    expect(mac2Of(a.sent(1)[1]!.bytes)).not.toEqual(zeros)
    expect(a.sent(1)).toHaveLength(2)
    expect(b.sent(messageType.response)).toHaveLength(1)
  })

  it('a response suffers as well, until its sender shows a cookie (W5) (W6) (W7)', () => {
    const { world, a, b } = pair()
    const initiator = world.host({ address: '192.0.2.3:1003', limits: loaded })
    const allowedIps = [prefix('0.0.0.0/0')]
    initiator.device.setPeer({ publicKey: b.publicKey, endpoint: b.endpoint, allowedIps }, world.now)
    b.device.setPeer({ publicKey: initiator.publicKey, allowedIps }, world.now)
    world.hosts.splice(world.hosts.indexOf(a), 1)
    initiator.send(b, 'both ways')
    world.run(1000)
    expect(initiator.sent(messageType.cookieReply)).toHaveLength(1)
    expect(b.count('cookie')).toBe(1)
    world.run(6000)
    expect(mac2Of(b.sent(messageType.response)[1]!.bytes)).not.toEqual(zeros)
    expect(b.received).toEqual(['both ways'])
  })

  it('lasts for a second after its cause is gone (W7)', () => {
    const { world, b } = pair({ limits: { underLoadQueue: 3 } })
    const flooder = floodersOf(world, b, 1)[0]!
    flooder.send(b, 'x')
    world.run(0)
    const { bytes } = flooder.sent(1)[0]!
    world.filter = () => true
    for (let i = 0; i < 3; i++) b.receive(bytes, flooder.endpoint)
    expect(b.device.status(world.now).isUnderLoad).toBe(true)
    world.run(999)
    expect(b.device.status(world.now)).toMatchObject({ isUnderLoad: true, queuedHandshakes: 0 })
    world.run(1)
    expect(b.device.status(world.now).isUnderLoad).toBe(false)
  })

  it('begins with 512 messages that wait, or fewer that would take 50 ms (W7)', () => {
    const { world, b } = pair()
    const { bytes, from } = initiationFor(world, b)
    const slow = new World().host({ address: '192.0.2.9:9', crypto: { ...b.crypto, handshakeCost: 10 } })
    for (const [host, enough] of [
      [b, Math.floor(50 / b.crypto.handshakeCost) + 1],
      [slow, 6],
    ] as const) {
      host.device.setPrivateKey(b.secret, world.now)
      for (let i = 1; i < enough; i++) host.receive(bytes, from)
      expect(host.device.status(world.now).isUnderLoad).toBe(false)
      host.receive(bytes, from)
      expect(host.device.status(world.now).isUnderLoad).toBe(true)
    }
    const fast = new World().host({ address: '192.0.2.9:9', crypto: { ...b.crypto, handshakeCost: 0.001 } })
    fast.device.setPrivateKey(b.secret, world.now)
    for (let i = 1; i < 512; i++) fast.receive(bytes, from)
    expect(fast.device.status(world.now).isUnderLoad).toBe(false)
    fast.receive(bytes, from)
    expect(fast.device.status(world.now).isUnderLoad).toBe(true)
  })

  it('a source that shows its cookie is held to 20 handshakes a second, 5 at once (W7) (W8)', () => {
    const world = new World()
    const b = world.host({ address: '192.0.2.2:1002', limits: loaded })
    const sources = floodersOf(world, b, 12, '192.0.2.50')
    for (const source of sources) source.device.initiate(source.peer(b), world.now)
    world.run(1000)
    expect(sources.every(source => source.count('cookie') === 1)).toBe(true)
    world.link.delay = 0
    world.run(6000)
    expect(b.device.counters.rateLimited).toBeGreaterThan(0)
    expect(b.sent(messageType.response).length).toBeLessThanOrEqual(5 + Math.ceil(0.4 * 20))
    expect(b.device.status(world.now).limitedSources).toBeLessThanOrEqual(1)
  })

  it('so many cookie replies leave in a second, however many turns there are (W7) (X4)', () => {
    const limits = { underLoadQueue: 1, cookieRepliesPerTurn: 4, cookieRepliesPerSecond: 100 }
    const { world, a, b } = pair({ ofB: { limits } })
    world.filter = () => true
    a.device.initiate(a.peer(b), world.now)
    world.run(0)
    const initiation = a.sent(1)[0]!.bytes
    for (let i = 0; i < 1000; i++) {
      b.receive(initiation, endpointOf(`192.0.2.9:${i + 1}`))
      world.run(1)
    }
    const { cookieRepliesSent, cookieRepliesWithheld } = b.device.counters
    expect(cookieRepliesSent).toBeGreaterThanOrEqual(100)
    expect(cookieRepliesSent).toBeLessThanOrEqual(104)
    expect(cookieRepliesSent + cookieRepliesWithheld).toBe(1000)
  })

  it('handshakes that never wait in a long queue are load as well, when they take more than a fifth of the time', () => {
    const load = (everyMs: number) => {
      const world = new World()
      const b = world.host({ address: '192.0.2.2:1002' })
      const { bytes, from } = initiationFor(world, b)
      for (let i = 0; i < 5000; i++) {
        b.receive(bytes, from)
        world.run(everyMs)
      }
      return b.device.counters
    }
    expect(load(1).cookieRepliesSent).toBeGreaterThan(1000)
    expect(load(5).cookieRepliesSent).toBe(0)
  })

  it('whoever got no cookie lately comes before those who ask again and again', () => {
    const limits = { underLoadQueue: 1, cookieRepliesPerTurn: 16, cookieRepliesPerSecond: 100 }
    const { world, a, b } = pair({ ofB: { limits } })
    world.filter = () => true
    a.device.initiate(a.peer(b), world.now)
    world.run(0)
    const initiation = a.sent(1)[0]!.bytes
    for (let i = 0; i < 1000; i++) {
      b.receive(initiation, endpointOf(`192.0.2.9:${(i % 20) + 1}`))
      if (i === 500) b.receive(initiation, endpointOf('192.0.2.10:1'))
      world.run(1)
    }
    const toNewcomer = b.sent(messageType.cookieReply).filter(({ to }) => formatEndpoint(to) === '192.0.2.10:1')
    expect(toNewcomer).toHaveLength(1)
    expect(b.device.counters.cookieRepliesSent).toBeGreaterThan(95)
  })

  it('the queue is bounded, and a turn takes a bounded part of it (W7) (X4)', () => {
    const { world, b } = pair({ slots: 16 })
    const { bytes, from } = initiationFor(world, b)
    for (let i = 0; i < 5000; i++) b.receive(bytes, { ...from, port: i + 1 })
    expect(b.device.counters.handshakeQueueFull).toBe(5000 - 4096)
    expect(b.device.status(world.now).queuedHandshakes).toBe(4096)
    world.filter = () => true
    const before = world.sent.length
    b.device.handleTimeout(world.now, 0)
    expect(world.sent.length - before).toBe(64)
    expect(b.device.status(world.now).queuedHandshakes).toBe(4096 - 64)
    expect(b.device.nextDeadline()).toBeLessThanOrEqual(world.now)
    expect(b.memory.inUse).toBe(0)
  })

  it('a turn without cookies answers for about 4 ms, and one message at least (W7) (X4)', () => {
    for (const [handshakeCost, answered] of [
      [0.5, 8],
      [4, 1],
      [40, 1],
    ] as const) {
      const world = new World()
      const b = world.host({ address: '192.0.2.2:1002', limits: { underLoadWork: Infinity } })
      const slow = world.host({
        address: '192.0.2.4:1004',
        crypto: { ...b.crypto, handshakeCost },
        limits: { underLoadWork: Infinity },
      })
      const callers = floodersOf(world, slow, 20)
      for (const caller of callers) caller.device.initiate(caller.peer(slow), world.now)
      for (const caller of callers) caller.settle()
      for (const datagram of world.sent) slow.receive(datagram.bytes, datagram.from.endpoint)
      slow.device.handleTimeout(world.now, 0)
      expect(slow.sent(messageType.response)).toHaveLength(answered)
    }
  })
})

describe('a cookie', () => {
  it('is bound to address and port: MAC2 from elsewhere gets another cookie reply (W5)', () => {
    const { world, a, b } = pair({ ofB: { limits: loaded } })
    a.send(b, 'x')
    world.run(1000)
    a.endpoint = endpointOf('192.0.2.1:2002')
    world.run(5000)
    expect(mac2Of(a.sent(1)[1]!.bytes)).not.toEqual(zeros)
    expect(b.sent(messageType.cookieReply)).toHaveLength(2)
    expect(b.sent(messageType.response)).toHaveLength(0)
  })

  it('serves for 115 s (W5)', () => {
    const { world, a, b } = pair({ ofB: { limits: loaded } })
    a.device.initiate(a.peer(b), world.now)
    world.run(1000)
    const since = a.events.find(event => event.type === 'cookie')!.at
    world.filter = () => true
    const mac2At = (seconds: number) => {
      world.run(since + seconds * 1000 - 6000 - world.now)
      a.device.setPrivateKey(undefined, world.now)
      a.device.setPrivateKey(a.secret, world.now)
      world.run(since + seconds * 1000 - world.now)
      a.device.initiate(a.peer(b), world.now)
      world.run(0)
      return mac2Of(a.sent(1).at(-1)!.bytes)
    }
    expect(mac2At(114.9)).not.toEqual(zeros)
    expect(mac2At(125)).toEqual(zeros)
  })

  it('is honoured until its secret is renewed, on use, after 120 s (W5)', () => {
    const timers = { cookieLifetime: 1e9 }
    for (const [seconds, replies] of [
      [110, 1],
      [120, 2],
    ] as const) {
      const { world, a, b } = pair({ timers, ofB: { limits: loaded } })
      a.device.initiate(a.peer(b), world.now)
      world.run(1000)
      world.filter = () => true
      world.run(b.sent(messageType.cookieReply)[0]!.at + seconds * 1000 - world.now)
      world.filter = () => false
      a.device.initiate(a.peer(b), world.now)
      world.run(100)
      expect(b.sent(messageType.cookieReply)).toHaveLength(replies)
      expect(b.sent(messageType.response)).toHaveLength(2 - replies)
    }
  })

  it('is accepted once, and sends, moves and counts nothing by itself (W6)', () => {
    const { world, a, b } = pair({ ofB: { limits: loaded } })
    a.device.initiate(a.peer(b), world.now)
    world.run(1000)
    const reply = b.sent(messageType.cookieReply)[0]!.bytes
    const before = { ...a.peer(b) }
    const [deadline, sent] = [a.device.nextDeadline(), world.sent.length]
    world.inject(reply, endpointOf('198.51.100.1:1'), a.endpoint)
    world.run(100)
    expect(a.count('cookie')).toBe(1)
    expect(a.device.counters.badCookieReply).toBe(1)
    expect(a.peer(b)).toMatchObject({ rxBytes: before.rxBytes, txBytes: before.txBytes, endpoint: b.endpoint })
    expect([a.device.nextDeadline(), world.sent.length]).toEqual([deadline, sent])
  })

  it('is refused with a flipped bit, or for another message than the last (W6) (X2)', () => {
    const { world, a, b } = pair({ ofB: { limits: loaded } })
    world.filter = datagram => datagram.bytes[0] === messageType.cookieReply
    a.device.initiate(a.peer(b), world.now)
    world.run(1000)
    const reply = b.sent(messageType.cookieReply)[0]!.bytes
    for (let bit = 8 * 8; bit < reply.length * 8; bit++) {
      const flipped = reply.slice()
      flipped[bit >> 3] = flipped[bit >> 3]! ^ (1 << (bit & 7))
      a.receive(flipped, b.endpoint)
    }
    a.settle()
    expect(a.device.counters.badCookieReply).toBe((reply.length - 8) * 8)
    world.run(5000)
    a.receive(reply, b.endpoint)
    a.settle()
    expect(a.device.counters.unknownIndex).toBe(1)
    expect(a.count('cookie')).toBe(0)
  })

  it('of a v4-mapped source is that of the IPv4 address (W5) (W8)', () => {
    const { world, a, b } = pair({ ofB: { limits: loaded } })
    world.filter = datagram => datagram.from === a
    a.device.initiate(a.peer(b), world.now)
    world.run(10)
    world.inject(a.sent(1)[0]!.bytes, endpointOf('[::ffff:192.0.2.1]:1001'), b.endpoint)
    world.run(1000)
    expect(a.count('cookie')).toBe(1)
    world.run(6000)
    world.inject(a.sent(1)[1]!.bytes, a.endpoint, b.endpoint)
    world.run(100)
    expect(b.sent(messageType.response)).toHaveLength(1)
  })
})

describe('a flood of handshakes', () => {
  it('does not stop a session (X4)', () => {
    const { world, a, b } = pair({ slots: 64 })
    a.send(b, 'first')
    world.run(100)
    const { bytes, from } = initiationFor(world, b)
    for (let i = 0; i < 200; i++) {
      for (let j = 0; j < 100; j++) b.receive(bytes, from)
      a.send(b, String(i))
      world.run(10)
    }
    world.run(100)
    expect(b.received).toHaveLength(201)
    expect(b.device.status(world.now).queuedHandshakes).toBe(0)
  })
})

/** Hosts that are peers of `target` and know its endpoint; all behind one address, if that is given. */
function floodersOf(world: World, target: Host, count: number, address?: string): Host[] {
  return Array.from({ length: count }, (_, i) => {
    const host = world.host({ address: address === undefined ? `198.51.100.${i + 1}:1` : `${address}:${i + 1}` })
    host.device.setPeer({ publicKey: target.publicKey, endpoint: target.endpoint }, world.now)
    target.device.setPeer({ publicKey: host.publicKey }, world.now)
    return host
  })
}

/** A genuine initiation for `target`, which never reached it. */
function initiationFor(world: World, target: Host): { bytes: Uint8Array; from: Host['endpoint'] } {
  const [caller] = floodersOf(world, target, 1)
  const { filter } = world
  world.filter = () => true
  caller!.device.initiate(caller!.peer(target), world.now)
  caller!.settle()
  world.filter = filter
  world.hosts.splice(world.hosts.indexOf(caller!), 1)
  return { bytes: caller!.sent(1)[0]!.bytes, from: caller!.endpoint }
}

// What must never work: garbage, replays, reflections, one peer speaking for another.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Host, pair, type World } from '../../../support/wireguard.js'

function established(options: Parameters<typeof pair>[0] = {}): { world: World; a: Host; b: Host } {
  const three = pair(options)
  three.a.send(three.b, 'first')
  three.world.run(100)
  three.b.received.length = 0
  return three
}

/** All that may not change by what is not genuine. */
function stateOf(host: Host, other: Host): unknown {
  const { rxBytes, txBytes, endpoint, lastHandshakeAt, lastReceivedAt } = host.peer(other)
  const { indices, queuedHandshakes, limitedSources } = host.device.status(host.world.now)
  const events = host.events.length
  const { inUse } = host.memory
  return {
    rxBytes,
    txBytes,
    endpoint,
    lastHandshakeAt,
    lastReceivedAt,
    indices,
    queuedHandshakes,
    limitedSources,
    events,
    inUse,
  }
}

describe('garbage', () => {
  it('of every length with every type brings no answer, no throw and no growth (W2) (X1)', () => {
    const { world, a, b } = established({ slotSize: 65_536, slots: 4 })
    const before = stateOf(b, a)
    const sent = world.sent.length
    let dropped = 0
    for (const type of [0, 1, 2, 3, 4, 5, 255]) {
      for (let length = 0; length <= 65_535; length++) {
        const slot = b.memory.alloc()
        b.memory.u8.fill(0, slot, slot + 32)
        b.memory.u8[slot] = type
        b.device.handleDatagram(slot, length, a.endpoint, world.now)
        dropped++
      }
    }
    b.settle()
    const { counters } = b.device
    expect(counters.notAMessage + counters.badMac1 + counters.unknownIndex).toBe(dropped)
    expect(stateOf(b, a)).toEqual(before)
    expect(world.sent).toHaveLength(sent)
  })

  it('of every type that there is none of brings none either, whatever its size (W2) (X1)', () => {
    const { world, a, b } = established()
    const before = stateOf(b, a)
    for (let type = 0; type < 256; type++) {
      for (const length of [1, 4, 31, 32, 64, 92, 148, 1500]) {
        const datagram = new Uint8Array(length)
        datagram[0] = type
        b.receive(datagram, a.endpoint)
      }
    }
    world.run(0)
    expect(stateOf(b, a)).toEqual(before)
  })

  it('of random bytes behind a valid index is dropped as not genuine (X1)', () => {
    const { world, a, b } = established()
    const header = a.sent(4)[0]!.bytes.subarray(0, 16)
    const before = stateOf(b, a)
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 16, maxLength: 1500 }),
        fc.uint8Array({ minLength: 8, maxLength: 8 }),
        (body, counter) => {
          const datagram = new Uint8Array(16 + body.length)
          datagram.set(header)
          datagram.set(counter, 8)
          datagram.set(body, 16)
          b.receive(datagram, a.endpoint)
        },
      ),
      { numRuns: 500 },
    )
    world.run(0)
    expect(stateOf(b, a)).toEqual(before)
  })
})

describe('a message in the wrong place', () => {
  it("is dropped: one's own reflected, another's response, one of an old state (X3)", () => {
    const { world, a, b } = established()
    const messages = world.sent.map(datagram => datagram)
    const before = [stateOf(a, b), stateOf(b, a)]
    const sent = world.sent.length
    for (const { bytes, from } of messages) {
      from.receive(bytes, from.endpoint)
      for (const host of [a, b]) if (host !== from) host.receive(bytes, from.endpoint)
    }
    world.run(0)
    expect([stateOf(a, b), stateOf(b, a)]).toEqual(before)
    expect(world.sent).toHaveLength(sent)
  })

  it("is dropped: a response to another host's initiation (X3)", () => {
    const { world, a, b } = pair()
    const other = world.host({ address: '192.0.2.3:3' })
    other.device.setPeer({ publicKey: b.publicKey, endpoint: b.endpoint }, world.now)
    b.device.setPeer({ publicKey: other.publicKey }, world.now)
    world.filter = datagram => datagram.from === b
    a.device.initiate(a.peer(b), world.now)
    other.device.initiate(other.peer(b), world.now)
    world.run(100)
    const [toA, toOther] = b.sent(2)
    a.receive(toOther!.bytes, b.endpoint)
    other.receive(toA!.bytes, b.endpoint)
    world.run(0)
    expect([a.count('session'), other.count('session')]).toEqual([0, 0])
    a.receive(toA!.bytes, b.endpoint)
    world.run(0)
    expect(a.count('session')).toBe(1)
  })

  it('is dropped: a response with a flipped bit anywhere, and the true one still counts (X2)', () => {
    const { world, a, b } = pair()
    world.filter = datagram => datagram.from === b
    a.device.initiate(a.peer(b), world.now)
    world.run(100)
    const response = b.sent(2)[0]!.bytes
    for (let bit = 0; bit < (response.length - 16) * 8; bit++) {
      const flipped = response.slice()
      flipped[bit >> 3] = flipped[bit >> 3]! ^ (1 << (bit & 7))
      a.receive(flipped, b.endpoint)
    }
    world.run(0)
    expect(a.count('session')).toBe(0)
    a.receive(response, b.endpoint)
    world.run(0)
    expect(a.count('session')).toBe(1)
  })
})

describe('two peers behind one host', () => {
  it('do not reach each other, nor speak for each other (W21) (X6)', () => {
    const { world, a, b } = established()
    const mallory = world.host({ address: '192.0.2.66:66' })
    mallory.device.setPeer({ publicKey: b.publicKey, endpoint: b.endpoint }, world.now)
    b.device.setPeer({ publicKey: mallory.publicKey, allowedIps: [] }, world.now)
    mallory.send(b, 'as if from a')
    world.run(100)
    expect(b.device.counters.badInnerSource).toBe(1)
    expect([a.received, b.received]).toEqual([[], []])
  })
})

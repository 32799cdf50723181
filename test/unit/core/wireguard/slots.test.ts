// The three keypairs of a peer (kernel, noise.c and receive.c): who moves where, and by what.
import { describe, expect, it } from 'vitest'
import { writeDataHeader } from '../../../../src/core/wire/wireguard.js'
import { rejectAfterMessagesHi, rejectAfterMessagesLo } from '../../../../src/core/wireguard/constants.js'
import type { PeerState } from '../../../../src/core/wireguard/peer.js'
import { timer } from '../../../../src/core/wireguard/timers.js'
import { type Host, pair, type World } from '../../../support/wireguard.js'

const state = (host: Host, other: Host) => host.peer(other) as PeerState
const slots = (host: Host, other: Host) => state(host, other).keypairs

/** Has `host` call, although it has a session. */
function callAgain(host: Host, other: Host): void {
  state(host, other).timers.set(timer.initiate, host.world.now)
}

/** A session between two that know each other's endpoints, six seconds old. */
function established(): { world: World; a: Host; b: Host } {
  const three = pair({ bothEndpoints: true })
  three.a.device.initiate(three.a.peer(three.b), three.world.now)
  three.world.run(6000)
  return three
}

describe('a responder', () => {
  it('keeps `current`, drops `previous` and the former `next`, and wipes them (W15)', () => {
    const { world, a, b } = established()
    callAgain(a, b)
    world.run(6000)
    const { previous, current } = slots(b, a)
    expect(previous).toBeDefined()
    world.filter = ({ bytes }) => bytes[0] === 4
    callAgain(a, b)
    world.run(6000)
    const { next } = slots(b, a)
    expect([slots(b, a).previous, slots(b, a).current]).toEqual([undefined, current])
    expect(previous?.maySend).toBe(false)
    callAgain(a, b)
    world.run(100)
    expect(slots(b, a).next).not.toBe(next)
    expect([next?.maySend, slots(b, a).current]).toEqual([false, current])
    expect(b.device.status(world.now).indices).toBe(2)
  })

  it('sends what waits as soon as the first packet, even an empty one, confirms (W15)', () => {
    const { world, a, b } = pair({ bothEndpoints: true })
    world.filter = ({ from, bytes }) => from === b && bytes[0] === 1
    a.device.initiate(a.peer(b), world.now)
    world.run(15)
    b.send(a, 'waits')
    expect(b.sent(4)).toHaveLength(0)
    world.run(100)
    expect(a.received).toEqual(['waits'])
    expect(a.sent(4)[0]!.bytes).toHaveLength(32)
    expect(b.sent(4)[0]!.at).toBe(1030)
  })

  it('is not confirmed by what is forged, or by a counter that is not to be used any more (W14) (W15)', () => {
    const { world, a, b } = pair()
    world.filter = ({ bytes }) => bytes[0] === 4
    a.device.initiate(a.peer(b), world.now)
    world.run(100)
    const genuine = a.sent(4)[0]!.bytes
    const wrong = genuine.slice()
    wrong[20] = wrong[20]! ^ 1
    b.receive(wrong, a.endpoint)
    const { current } = slots(a, b)
    const slot = a.memory.alloc()
    writeDataHeader(a.memory.view, slot, current!.remoteIndex, rejectAfterMessagesHi, rejectAfterMessagesLo)
    current!.sending.seal(a.memory, slot + 16, 0, rejectAfterMessagesHi, rejectAfterMessagesLo)
    b.receive(a.memory.u8.slice(slot, slot + 32), a.endpoint)
    expect(b.device.counters).toMatchObject({ badData: 1, replayedData: 1 })
    expect([slots(b, a).current, b.peer(a).lastHandshakeAt, b.count('session')]).toEqual([undefined, -Infinity, 0])
    b.receive(genuine, a.endpoint)
    expect([slots(b, a).next, b.peer(a).lastHandshakeAt, b.count('session')]).toEqual([undefined, world.now, 1])
  })

  it('confirmed, keeps the former `current` as `previous` (W15)', () => {
    const { world, a, b } = established()
    const { current } = slots(b, a)
    callAgain(a, b)
    world.run(100)
    expect([slots(b, a).previous, slots(b, a).next]).toEqual([current, undefined])
    expect(slots(b, a).current).not.toBe(current)
  })
})

describe('an initiator', () => {
  it('moves `current` to `previous`, and confirms at once by an empty packet (W15)', () => {
    const { world, a, b } = established()
    const { current } = slots(a, b)
    const sent = a.sent(4).length
    callAgain(a, b)
    world.run(100)
    expect(slots(a, b).previous).toBe(current)
    expect(a.sent(4).slice(sent)).toMatchObject([{ at: a.peer(b).lastHandshakeAt }])
  })

  it('or by what waits, without an empty packet (W15)', () => {
    const { world, a, b } = pair()
    a.send(b, 'one')
    a.send(b, 'two')
    world.run(100)
    expect(a.sent(4).map(({ at, bytes }) => [at, bytes.length > 32])).toEqual([
      [1020, true],
      [1020, true],
    ])
    expect(b.received).toEqual(['one', 'two'])
  })

  it('that has a pending `next` moves that to `previous`, and drops its `current` (W15)', () => {
    const { world, a, b } = established()
    const before = slots(a, b).current
    world.filter = ({ bytes }) => bytes[0] === 4
    callAgain(b, a)
    world.run(6000)
    const { next } = slots(a, b)
    expect([next !== undefined, slots(a, b).current]).toEqual([true, before])
    callAgain(a, b)
    world.run(100)
    expect([slots(a, b).previous, slots(a, b).next]).toEqual([next, undefined])
    expect(slots(a, b).current?.isInitiator).toBe(true)
    expect([before?.maySend, next?.maySend]).toEqual([false, true])
    expect(a.device.status(world.now).indices).toBe(2)
  })
})

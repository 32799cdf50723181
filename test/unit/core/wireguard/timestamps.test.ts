// TAI64N between two devices (WireGuard paper, 5.1 and 5.4.2): who is refused, and that nobody is for our own clock's sake.
import { describe, expect, it } from 'vitest'
import { initiationSize } from '../../../../src/core/wire/wireguard.js'
import type { PeerState } from '../../../../src/core/wireguard/peer.js'
import { timer } from '../../../../src/core/wireguard/timers.js'
import { type Host, pair, prefix } from '../../../support/wireguard.js'

const allowedIps = [prefix('0.0.0.0/0')]

/** An initiation that leaves now, whatever was sent before. */
function initiationNow(host: Host, other: Host): Uint8Array {
  const peer = host.peer(other) as PeerState
  peer.lastSentHandshakeAt = -Infinity
  peer.timers.set(timer.initiate, host.world.now)
  host.settle()
  const { bytes } = host.sent(1).at(-1)!
  expect(bytes).toHaveLength(initiationSize)
  return bytes
}

describe('an initiation', () => {
  it('less than 20 ms after the last one accepted is refused, at 20 ms it is not; what is refused moves nothing (W9)', () => {
    const { world, a, b } = pair()
    world.filter = () => true
    const initiations = Array.from({ length: 4 }, () => initiationNow(a, b))
    const arrive = (after: number, bytes: Uint8Array) => {
      world.now += after
      b.receive(bytes, a.endpoint)
      b.settle()
      const { responsesSent, tooSoonInitiation } = b.device.counters
      return [responsesSent, tooSoonInitiation]
    }
    expect(arrive(0, initiations[0]!)).toEqual([1, 0])
    expect(arrive(19, initiations[2]!)).toEqual([1, 1])
    // Neither its timestamp nor its time count: an older one comes in a millisecond later.
    expect(arrive(1, initiations[1]!)).toEqual([2, 1])
    expect(arrive(20, initiations[2]!)).toEqual([3, 1])
    expect(arrive(20, initiations[3]!)).toEqual([4, 1])
  })

  it('must be newer than every one before: an older one that was held back is refused (W9) (W12)', () => {
    const { world, a, b } = pair()
    world.filter = () => true
    const [first, second] = [initiationNow(a, b), initiationNow(a, b)]
    b.receive(second, a.endpoint)
    b.settle()
    world.now += 1000
    for (const bytes of [first, second]) b.receive(bytes, a.endpoint)
    b.settle()
    expect(b.device.counters).toMatchObject({ responsesSent: 1, replayedInitiation: 2 })
  })
})

describe('our own timestamps', () => {
  it('stay ahead of what a peer got from us before it was removed, though the clock was set back (W9)', () => {
    const { world, a, b } = pair()
    a.send(b, 'one')
    world.run(1000)
    world.wallOffset -= 3_600_000
    const { publicKey, endpoint } = b
    a.device.removePeer(publicKey, world.now)
    const peer = a.device.setPeer({ publicKey, endpoint, allowedIps }, world.now)!
    a.sendTo(peer, 'two')
    world.run(100)
    expect(b.received).toEqual(['one', 'two'])
    expect(b.device.counters.replayedInitiation).toBe(0)
  })

  it('do not run ahead of the clock for the number of peers that were removed (W9)', () => {
    const { world, a, b } = pair()
    world.filter = () => true
    const { publicKey, endpoint } = b
    for (let i = 0; i < 100; i++) {
      world.now += 100
      initiationNow(a, b)
      a.device.removePeer(publicKey, world.now)
      a.device.setPeer({ publicKey, endpoint, allowedIps }, world.now)
    }
    world.now += 100
    initiationNow(a, b)
    const stamp = (a.peer(b) as PeerState).lastSentTimestamp!
    const view = new DataView(stamp.buffer)
    const sent = (view.getUint32(4) - 10) * 1000 + view.getUint32(8) / 1e6
    expect(Math.abs(sent - (world.now + world.wallOffset))).toBeLessThan(17)
  })
})

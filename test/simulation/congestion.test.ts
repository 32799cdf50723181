import { describe, expect, it } from 'vitest'
import { createNetwork, createTransfer, type PathOptions } from '../../src/testing/index.js'

/** Datagrams of a full segment that wait for 50 ms at 100 Mbit/s. */
const bdp = 422
/** An event loop's turn comes 0.2 ms after what woke it, and its timers have a tick of 1 ms. */
const loop = { turn: 0.2, timerTick: 1 }

interface Outcome {
  /** Mbit/s of payload after the first two seconds. */
  readonly goodput: number
  /** Share of segments that were sent again. */
  readonly retransmits: number
  readonly spurious: number
}

function run(path: PathOptions, congestion: 'bbr' | 'cubic', direction: 'there' | 'back', seconds = 6): Outcome {
  const network = createNetwork({ crypto: 'plain', path, host: { congestion, memoryBytes: 64 * 1024 * 1024 }, ...loop })
  const { clock, a, b } = network
  const transfer = createTransfer(clock, { from: a, to: b, [direction]: Infinity, check: false })
  const [sender, receiver] =
    direction === 'there' ? [transfer.dialer, transfer.acceptor] : [transfer.acceptor, transfer.dialer]
  clock.runUntil(2000)
  const before = receiver.received
  clock.runUntil(2000 + seconds * 1000)
  const stats = sender.connection?.stats
  const { counters } = (direction === 'there' ? a : b).host.stack
  return {
    goodput: ((receiver.received - before) * 8) / seconds / 1e6,
    retransmits: stats === undefined ? 1 : stats.retransmits / stats.segmentsSent,
    spurious: counters.tcpSpurious,
  }
}

describe.each(['there', 'back'] as const)('data on its way %s', direction => {
  it.each(['bbr', 'cubic'] as const)('fills 100 Mbit/s at 50 ms with a queue of one BDP: %s (N13)', congestion => {
    const { goodput, retransmits } = run({ delay: 25, rate: 100, queue: bdp }, congestion, direction)
    expect(goodput).toBeGreaterThan(88)
    expect(retransmits).toBeLessThan(0.03)
  })

  it('fills 100 Mbit/s at 100 ms where 1 % is lost, as CUBIC does not (N13)', () => {
    const path = { delay: 50, rate: 100, queue: 2 * bdp, loss: 0.01 }
    const { goodput, spurious } = run(path, 'bbr', direction, 10)
    expect(goodput).toBeGreaterThan(80)
    // Nothing is out of order here: no loss is taken back.
    expect(spurious).toBe(0)
    expect(run(path, 'cubic', direction).goodput).toBeLessThan(5)
  })

  it.each([
    [0.02, 75],
    [0.05, 65],
  ])('keeps most of 100 Mbit/s at 100 ms where %d is lost (B7)', (loss, least) => {
    expect(run({ delay: 50, rate: 100, queue: 2 * bdp, loss }, 'bbr', direction, 10).goodput).toBeGreaterThan(least)
  })

  it.each(['bbr', 'cubic'] as const)('loses little on 20 Mbit/s with 64 packets of queue: %s (N13)', congestion => {
    const { goodput, retransmits } = run({ delay: 25, rate: 20, queue: 64 }, congestion, direction, 10)
    expect(goodput).toBeGreaterThan(17)
    expect(retransmits).toBeLessThan(0.05)
  })

  it('takes what a path without a limit gives: a window in each round trip (N13)', () => {
    const { goodput, retransmits } = run({ delay: 25 }, 'bbr', direction, 0.5)
    expect(goodput).toBeGreaterThan(1000)
    expect(retransmits).toBe(0)
  })

  it('fills a path that is shorter than a tick (B2)', () => {
    expect(run({ delay: 0.1, rate: 500, queue: 500 }, 'bbr', direction, 1).goodput).toBeGreaterThan(440)
  })
})

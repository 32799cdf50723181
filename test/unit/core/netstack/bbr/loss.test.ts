import { describe, expect, it } from 'vitest'
import { defaultParameters, draftParameters } from '../../../../../src/core/netstack/bbr/parameters.js'
import { type BbrFlow, createBbrFlow, payloadRate } from '../../../../support/bbr-flow.js'
import { mss } from '../../../../support/congestion-flow.js'

const long = { rate: 50, rtt: 100, queue: 256 }

/** Share of what the headers and the loss leave that a flow gets between 2 and 12 s. */
function share(loss: number, parameters = defaultParameters): number {
  const bbr = createBbrFlow({ ...long, loss }, parameters)
  return bbr.path.goodput(bbr.flow, 2000, 12_000) / payloadRate(50)
}

describe('loss at random', () => {
  it('falls off a cliff as drafted, between 1 % and 5 % (B7)', () => {
    expect(share(0.01, draftParameters)).toBeGreaterThan(0.75)
    expect(share(0.02, draftParameters)).toBeLessThan(0.75)
    expect(share(0.05, draftParameters)).toBeLessThan(0.5)
  })

  it.each([
    [0.01, 0.94],
    [0.02, 0.93],
    [0.05, 0.89],
    [0.1, 0.84],
  ])('of %d costs little more than itself where the round trip does not rise (B7)', (loss, least) => {
    expect(share(loss)).toBeGreaterThan(least)
  })

  it('of a third of a flight at once, without a queue, does not slow the flow down (B7)', () => {
    const bbr = createBbrFlow(long)
    bbr.runTo('up')
    bbr.runTo('cruise')
    bbr.runUntil(bbr.path.clock.now + 300)
    const { bw } = bbr.model
    bbr.path.deadUntil = bbr.path.clock.now + 35
    const { lost } = bbr.flow
    bbr.runUntil(bbr.path.clock.now + 400)
    expect(bbr.flow.lost - lost).toBeGreaterThan(100 * 1368)
    expect(bbr.state).toBe('cruise')
    expect(bbr.model.bw).toBe(bw)
  })

  it('does not end Startup early (B7)', () => {
    const bbr = createBbrFlow({ ...long, loss: 0.05 })
    bbr.runTo('drain')
    expect((bbr.model.maxBw * 8) / 1000 / payloadRate(50)).toBeGreaterThan(0.9)
  })
})

describe('loss while a queue stands', () => {
  /** A flow that was cruising when the path became a fifth slower, with a queue that is full soon. */
  function squeezed(parameters = defaultParameters): BbrFlow {
    const bbr = createBbrFlow({ rate: 40, rtt: 50, queue: 60 }, parameters)
    bbr.runTo('refill')
    bbr.runTo('cruise')
    bbr.path.options.rate = 30
    return bbr
  }

  it('brings the flow down to what is delivered, a round trip at a time, until the next probe (N13)', () => {
    const bbr = squeezed()
    bbr.runUntil(bbr.path.clock.now + 1500)
    expect(bbr.state).toBe('cruise')
    expect(bbr.model.bwShortterm).toBeLessThan(bbr.model.maxBw)
    expect((bbr.model.bw * 8) / 1000 / payloadRate(30)).toBeLessThan(1.05)
    expect((bbr.model.bw * 8) / 1000 / payloadRate(30)).toBeGreaterThan(0.7)
    bbr.runTo('refill')
    expect(bbr.model.bwShortterm).toBe(Infinity)
  })

  it('of a probe sets the long-term bound, and the flow leaves headroom under it (N13)', () => {
    const bbr = createBbrFlow({ rate: 40, rtt: 50, queue: 60 })
    bbr.runTo('refill')
    bbr.runTo('up')
    bbr.runTo('down')
    const { inflightLongterm } = bbr.model
    expect(inflightLongterm).toBeLessThan((166 + 60 + 10) * mss)
    expect(inflightLongterm).toBeGreaterThan(166 * mss)
    bbr.runTo('cruise')
    expect(bbr.control.window).toBeLessThanOrEqual(0.85 * inflightLongterm + 1)
  })

  it("of a policer counts though no queue shows: it is too much to be the path's own (B7)", () => {
    const bbr = createBbrFlow({ rate: 20, rtt: 50, queue: 3 })
    bbr.runTo('refill')
    bbr.runTo('up')
    bbr.runTo('down')
    expect(bbr.model.recentRttBefore).toBeLessThan(bbr.model.minRtt * 1.125)
    expect(bbr.model.inflightLongterm).toBeLessThan(Infinity)
  })

  it('costs little on 20 Mbit/s with 64 packets of queue: under 5 %, and the path stays full (N13)', () => {
    for (const rtt of [20, 50, 100]) {
      const bbr = createBbrFlow({ rate: 20, rtt, queue: 64 })
      expect(bbr.path.goodput(bbr.flow, 2000, 20_000) / payloadRate(20)).toBeGreaterThan(0.95)
      expect(bbr.flow.lost / bbr.flow.sent).toBeLessThan(0.03)
    }
  })
})

describe('a loss that was none', () => {
  it('gives bounds and window back, and resumes the probe that it ended (N13)', () => {
    // As drafted, a probe goes on until it loses.
    const bbr = createBbrFlow({ rate: 40, rtt: 50, queue: 60 }, draftParameters)
    bbr.runTo('refill')
    bbr.runTo('up')
    const { inflightLongterm } = bbr.model
    bbr.runTo('down')
    bbr.control.onSpurious()
    expect(bbr.model.inflightLongterm).toBeGreaterThanOrEqual(Math.min(inflightLongterm, 1e9))
    expect(bbr.state).toBe('refill')
    expect(bbr.model.undoState).toBe(-1)
  })

  it('goes back to Startup where it ended that (N13)', () => {
    const bbr = createBbrFlow({ rate: 40, rtt: 50, queue: 30 })
    bbr.runTo('drain')
    expect(bbr.model.undoState).toBe(0)
    bbr.control.onSpurious()
    expect(bbr.state).toBe('startup')
    expect(bbr.model.fullBwReached).toBe(false)
  })
})

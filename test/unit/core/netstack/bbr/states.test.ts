import { describe, expect, it } from 'vitest'
import { createBbr } from '../../../../../src/core/netstack/bbr/bbr.js'
import {
  type BbrParameters,
  defaultParameters,
  draftParameters,
} from '../../../../../src/core/netstack/bbr/parameters.js'
import { createBbrFlow, mbit, payloadRate } from '../../../../support/bbr-flow.js'
import { mss } from '../../../../support/congestion-flow.js'
import { createBottleneck } from '../../../../support/congestion-path.js'

/** 40 Mbit/s and 50 ms: 166 packets of bandwidth × delay. */
const path = { rate: 40, rtt: 50, queue: 400 }

describe('Startup', () => {
  it('paces at 2.77 initial windows a round trip, and doubles each round trip (N13)', () => {
    const { control, model, runUntil } = createBbrFlow({ ...path, rate: 1000, queue: 10_000 })
    expect(control.pacingRate).toBeCloseTo((2.77 * 10 * mss) / 50)
    expect(control.window).toBe(10 * mss)
    runUntil(120)
    const before = model.maxBw
    runUntil(220)
    expect(model.maxBw / before).toBeGreaterThan(3)
    expect(model.maxBw / before).toBeLessThan(4.5)
  })

  it('ends after three rounds without a quarter more, knowing the bandwidth within 2 % (N13)', () => {
    const { model, runTo } = createBbrFlow(path)
    runTo('drain')
    expect(model.fullBwCount).toBe(3)
    expect(model.fullBwReached).toBe(true)
    expect(mbit(model.maxBw) / payloadRate(40)).toBeGreaterThan(0.98)
    expect(mbit(model.maxBw) / payloadRate(40)).toBeLessThan(1.02)
  })

  it('goes on while the application is the limit (N13)', () => {
    const bbr = createBbrFlow(path)
    const { clock } = bbr.path
    for (let at = 0; at < 10_000; at += 50) {
      clock.schedule(at, () => {
        bbr.flow.active = true
      })
      clock.schedule(at + 2, () => {
        bbr.flow.active = false
      })
    }
    bbr.runUntil(10_000)
    expect(bbr.history.map(entry => entry.state)).not.toContain('drain')
  })

  it('ends where a shallow queue loses much of a round trip (N13)', () => {
    const { model, runTo, path: bottleneck } = createBbrFlow({ rate: 40, rtt: 50, queue: 60 })
    runTo('drain')
    expect(model.inflightLongterm).toBeLessThan(2 * 166 * mss)
    expect(bottleneck.clock.now).toBeLessThan(600)
  })
})

describe('Drain', () => {
  it('ends once no more is in flight than the path itself holds (N13)', () => {
    const bbr = createBbrFlow(path)
    bbr.runTo('drain')
    expect(bbr.flow.inFlight).toBeGreaterThan(1.5 * bbr.model.bdp)
    expect(mbit(bbr.control.pacingRate) / payloadRate(40)).toBeCloseTo(0.5 * 0.99, 1)
    bbr.runTo('cruise')
    expect(bbr.flow.inFlight).toBeLessThanOrEqual(1.01 * bbr.model.bdp)
  })

  it('ends after three rounds where the path has become slower (N13)', () => {
    const bbr = createBbrFlow({ ...path })
    bbr.runTo('drain')
    const round = bbr.model.roundCount
    bbr.path.options.rate = 10
    bbr.runTo('down')
    expect(bbr.flow.inFlight).toBeGreaterThan(bbr.model.bdp)
    expect(bbr.model.roundCount - round).toBe(4)
  })
})

describe('ProbeBW', () => {
  it('goes down, cruises, refills, goes up, in this order, every two to three seconds (N13)', () => {
    const bbr = createBbrFlow(path)
    bbr.runTo('up')
    bbr.runTo('down')
    const from = bbr.history.length - 1
    bbr.runUntil(bbr.path.clock.now + 13_000)
    const cycle = bbr.history.slice(from).filter(entry => entry.state !== 'probe-rtt')
    const states = cycle.map(entry => entry.state)
    expect(states.slice(0, 9)).toEqual(['down', 'cruise', 'refill', 'up', 'down', 'cruise', 'refill', 'up', 'down'])
    const downs = cycle.filter(entry => entry.state === 'down').map(entry => entry.at)
    for (let i = 1; i < downs.length; i++) {
      const apart = (downs[i] as number) - (downs[i - 1] as number)
      expect(apart).toBeGreaterThan(2000)
      expect(apart).toBeLessThan(3600)
    }
  })

  it('probes for the first time soon: Startup may have ended far below what the path gives (N13)', () => {
    const bbr = createBbrFlow(path)
    bbr.runTo('cruise')
    const { now } = bbr.path.clock
    bbr.runTo('up')
    expect(bbr.path.clock.now - now).toBeGreaterThan(500)
    expect(bbr.path.clock.now - now).toBeLessThan(1800)
  })

  it('probes no more often than Reno would lose where little is in flight (N13)', () => {
    // 8 packets of bandwidth × delay: a probe every 8 round trips or so.
    const bbr = createBbrFlow({ rate: 2, rtt: 50, queue: 30 })
    bbr.runTo('cruise')
    const round = bbr.model.roundCount
    bbr.runTo('refill')
    expect(bbr.model.roundCount - round).toBeLessThanOrEqual(10)
  })

  it.each([
    ['as drafted', 0.9, draftParameters],
    ['by default', 0.75, defaultParameters],
  ] as const)('paces at 1, 1, 1.25 and, %s, %d of the bandwidth, less one per cent (N13)', (_, down, parameters) => {
    const bbr = createBbrFlow(path, parameters)
    bbr.runTo('cruise')
    expect(bbr.control.pacingRate / bbr.model.bw).toBeCloseTo(0.99)
    bbr.runTo('refill')
    expect(bbr.control.pacingRate / bbr.model.bw).toBeCloseTo(0.99)
    bbr.runTo('up')
    expect(bbr.control.pacingRate / bbr.model.bw).toBeCloseTo(1.25 * 0.99)
    bbr.runTo('down')
    expect(bbr.control.pacingRate / bbr.model.bw).toBeCloseTo(down * 0.99)
  })

  it('keeps no queue while it cruises (N13)', () => {
    const bbr = createBbrFlow(path)
    bbr.runTo('cruise')
    bbr.runUntil(bbr.path.clock.now + 500)
    expect(bbr.state).toBe('cruise')
    expect(bbr.flow.inFlight).toBeLessThan(1.05 * bbr.model.bdp)
    expect(bbr.control.window).toBeGreaterThan(1.9 * bbr.model.bdp)
  })

  it('drains a queue that grows while it cruises, as a bandwidth of some percent too much makes it (N13)', () => {
    const queueAfter = (parameters?: BbrParameters) => {
      const bbr = createBbrFlow(path, parameters)
      // Until the first probe less time passes.
      bbr.runTo('up')
      bbr.runTo('cruise')
      // The bandwidth that it knows lasts for two cycles.
      bbr.path.options.rate = 0.95 * path.rate
      bbr.runUntil(bbr.path.clock.now + 1500)
      expect(bbr.state).toBe('cruise')
      return bbr.flow.inFlight - 0.95 * bbr.model.bdp
    }
    expect(queueAfter(draftParameters)).toBeGreaterThan(0.6 * 0.05 * payloadRate(40) * 125 * 1500)
    expect(queueAfter()).toBeLessThan(payloadRate(40) * 125 * 12)
  })

  it('ends a probe that has made a queue, as there is no more bandwidth (N13)', () => {
    const longest = (parameters?: BbrParameters) => {
      const bbr = createBbrFlow(path, parameters)
      bbr.runTo('up')
      const began = bbr.path.clock.now
      bbr.runTo('down')
      return bbr.path.clock.now - began
    }
    expect(longest(draftParameters)).toBeGreaterThan(3 * path.rtt)
    expect(longest()).toBeLessThan(2.2 * path.rtt)
  })

  it('finds ten times the bandwidth within two probes or so (N13)', () => {
    const bbr = createBbrFlow({ rate: 4, rtt: 50, queue: 100 })
    bbr.runUntil(5000)
    bbr.path.options.rate = 40
    bbr.runUntil(14_000)
    expect(mbit(bbr.model.maxBw) / payloadRate(40)).toBeGreaterThan(0.9)
  })

  it('forgets a bandwidth that is gone within two cycles (N13)', () => {
    const bbr = createBbrFlow({ rate: 40, rtt: 50, queue: 400 })
    bbr.runUntil(5000)
    bbr.path.options.rate = 4
    bbr.runTo('up')
    bbr.runTo('down')
    expect(mbit(bbr.model.maxBw) / payloadRate(40)).toBeGreaterThan(0.9)
    bbr.runTo('up')
    bbr.runTo('refill')
    expect(mbit(bbr.model.maxBw) / payloadRate(4)).toBeLessThan(1.3)
  })
})

describe('a restart after idling', () => {
  it('paces at the bandwidth, whatever the state asks for, and does not measure the round trip anew (B8)', () => {
    const bbr = createBbrFlow(path)
    bbr.runTo('up')
    bbr.flow.active = false
    bbr.runUntil(bbr.path.clock.now + 7000)
    expect(bbr.flow.inFlight).toBe(0)
    bbr.flow.active = true
    const { clock } = bbr.path
    const from = clock.now
    bbr.runUntil(from + 40)
    expect(bbr.control.pacingRate / bbr.model.bw).toBeCloseTo(0.99)
    expect(bbr.model.idleRestart).toBe(true)
    bbr.runUntil(from + 2000)
    expect(bbr.history.filter(entry => entry.at > from).map(entry => entry.state)).not.toContain('probe-rtt')
    expect(bbr.model.minRtt).toBeLessThan(51)
  })
})

describe('BBR beside others', () => {
  it('shares 20 Mbit/s and 64 packets of queue among four flows, and loses less than 5 % (N13)', () => {
    const bottleneck = createBottleneck({ rate: 20, rtt: 50, queue: 64 })
    const flows = [0, 100, 200, 300].map(at => bottleneck.addFlow(start => createBbr(start), at))
    bottleneck.clock.runUntil(30_000)
    const shares = flows.map(flow => flow.delivered)
    const sum = shares.reduce((a, b) => a + b)
    expect(sum ** 2 / (4 * shares.reduce((a, b) => a + b * b, 0))).toBeGreaterThan(0.9)
    expect(flows.reduce((a, flow) => a + flow.lost, 0) / flows.reduce((a, flow) => a + flow.sent, 0)).toBeLessThan(0.05)
  })
})

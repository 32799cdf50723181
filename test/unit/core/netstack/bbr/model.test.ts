import { describe, expect, it } from 'vitest'
import { createBbr } from '../../../../../src/core/netstack/bbr/bbr.js'
import { createAckClock, segment } from '../../../../support/ack-clock.js'
import { createBbrFlow, mbit, payloadRate } from '../../../../support/bbr-flow.js'
import { mss } from '../../../../support/congestion-flow.js'

const path = { rate: 40, rtt: 50, queue: 400 }

describe('the bandwidth', () => {
  it('takes an application-limited sample only where it is larger (N13)', () => {
    const clock = createAckClock(start => createBbr(start), 50)
    const { model } = clock.control as ReturnType<typeof createBbr>
    clock.round()
    const { maxBw } = model
    clock.sample.appLimited = true
    Object.assign(clock.sample, { rateInterval: 50, rateDelivered: maxBw * 25 })
    clock.control.onAck(clock.sample)
    expect(model.maxBw).toBe(maxBw)
    Object.assign(clock.sample, { rateInterval: 50, rateDelivered: maxBw * 100 })
    clock.control.onAck(clock.sample)
    expect(model.maxBw).toBe(maxBw * 2)
  })

  it('is not touched by an acknowledgement without a sample (N13)', () => {
    const clock = createAckClock(start => createBbr(start), 50)
    const { model } = clock.control as ReturnType<typeof createBbr>
    clock.round()
    const { maxBw } = model
    Object.assign(clock.sample, { rateInterval: 0, rateDelivered: 1e9 })
    clock.control.onAck(clock.sample)
    expect(model.maxBw).toBe(maxBw)
  })

  it('is measured over a few ticks where the path is too short for a sample each (B3)', () => {
    const clock = createAckClock(start => createBbr(start), 0.4)
    const { model } = clock.control as ReturnType<typeof createBbr>
    for (let i = 1; i <= 100; i++) {
      const sample = { delivered: segment, rtt: 0.4, rateInterval: 0, totalDelivered: i * segment, now: i / 10 }
      clock.control.onAck(Object.assign(clock.sample, sample))
    }
    expect(model.maxBw).toBeCloseTo(10 * segment)
  })
})

describe('the shortest round trip', () => {
  it('is not what a late turn says, neither shorter nor as a refreshment (B5)', () => {
    const clock = createAckClock(start => createBbr(start), 50)
    const { model } = clock.control as ReturnType<typeof createBbr>
    clock.runUntil(200)
    const stamp = model.probeRttMinStamp
    clock.sample.late = true
    clock.rtt = 40
    clock.round()
    expect(model.minRtt).toBe(50)
    expect(model.probeRttMinStamp).toBe(stamp)
    clock.sample.late = false
    clock.round()
    expect(model.minRtt).toBe(40)
  })

  it('needs no ProbeRTT where the flow alone keeps the queue empty (B8)', () => {
    const bbr = createBbrFlow(path)
    bbr.runUntil(30_000)
    expect(bbr.history.map(entry => entry.state)).not.toContain('probe-rtt')
    expect(bbr.model.minRtt).toBeLessThan(51)
  })
})

describe('aggregated acknowledgements', () => {
  it('make the window larger by what comes at once (N13)', () => {
    const smooth = createBbrFlow(path)
    const lumpy = createBbrFlow({ ...path, aggregate: 20 })
    for (const bbr of [smooth, lumpy]) bbr.runUntil(4000)
    expect(smooth.model.extraAcked).toBeLessThan(10 * mss)
    expect(lumpy.model.extraAcked).toBeGreaterThan(40 * mss)
    expect(lumpy.control.window).toBeGreaterThan(2 * lumpy.model.bdp + 40 * mss)
  })

  it('are none where our own turn was late (B5)', () => {
    const clock = createAckClock(start => createBbr(start), 50)
    const { model } = clock.control as ReturnType<typeof createBbr>
    clock.runUntil(500)
    clock.sample.late = true
    const before = model.extraAcked
    for (let i = 0; i < 200; i++) {
      clock.sample.delivered = segment
      clock.sample.totalDelivered += segment
      clock.control.onAck(clock.sample)
    }
    expect(model.extraAcked).toBeLessThanOrEqual(before)
    expect(model.extraAckedDelivered).toBe(0)
  })
})

describe('the congestion window', () => {
  it('is worth three turns of the event loop, however short the path (B6)', () => {
    // 400 Mbit/s at 1 ms is 33 packets; a turn each 1.1 ms needs 100 under way.
    const bbr = createBbrFlow({ rate: 400, rtt: 1, queue: 300, tick: 1.1 })
    const goodput = bbr.path.goodput(bbr.flow, 1000, 5000)
    expect(bbr.model.tick).toBeGreaterThan(0.9)
    expect(bbr.control.window).toBeGreaterThan(2.5 * bbr.model.bdp)
    expect(bbr.control.window).toBeGreaterThanOrEqual(Math.floor(3 * bbr.model.bw * bbr.model.tick))
    expect(goodput / payloadRate(400)).toBeGreaterThan(0.93)
  })

  it('is four segments at least (N13)', () => {
    const bbr = createBbrFlow({ rate: 0.2, rtt: 10, queue: 30 })
    bbr.runUntil(20_000)
    expect(bbr.control.window).toBeGreaterThanOrEqual(4 * mss)
  })

  it('comes back after a recovery (N13)', () => {
    const bbr = createBbrFlow(path)
    bbr.runTo('cruise')
    bbr.runUntil(bbr.path.clock.now + 300)
    const { window } = bbr.control
    bbr.control.onTimeout()
    expect(bbr.control.window).toBe(mss)
    bbr.control.onRecovered()
    expect(bbr.control.window).toBeCloseTo(window)
  })
})

describe('pacing', () => {
  it('waits for a first round trip where the handshake gave none (N13)', () => {
    const clock = createAckClock(start => createBbr(start), 50, { rtt: 0 })
    expect(clock.control.pacingRate).toBeCloseTo(2.77 * 10 * segment)
    clock.sample.rateInterval = 0
    clock.sample.rtt = 50
    clock.sample.delivered = segment
    clock.control.onAck(clock.sample)
    expect(clock.control.pacingRate).toBeCloseTo((2.77 * 10 * segment) / 50)
  })

  it('fills a path within 2 % of what its headers leave (N13)', () => {
    const bbr = createBbrFlow({ rate: 100, rtt: 50, queue: 414 })
    expect(bbr.path.goodput(bbr.flow, 2000, 20_000) / payloadRate(100)).toBeGreaterThan(0.98)
    expect(mbit(bbr.model.bw) / payloadRate(100)).toBeLessThan(1.02)
  })
})

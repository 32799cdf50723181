import { describe, expect, it } from 'vitest'
import { createCubic } from '../../../../src/core/netstack/cubic.js'
import { type AckClock, createAckClock, segment } from '../../../support/ack-clock.js'
import { createBottleneck } from '../../../support/congestion-path.js'

/** RFC 9438, figure 1: segments, seconds. */
function wCubic(t: number, wMax: number, k: number): number {
  return 0.4 * (t - k) ** 3 + wMax
}

/** RFC 9438, figure 2. */
function kOf(wMax: number, window: number): number {
  return Math.cbrt((wMax - window) / 0.4)
}

/** A flow with `window` segments that has just recovered from a loss. */
function afterLossAt(window: number, rtt: number): AckClock {
  const clock = createAckClock(createCubic, rtt, { initialWindow: window * segment })
  lose(clock)
  return clock
}

function lose(clock: AckClock): void {
  clock.control.onLoss(clock.control.window, clock.now)
  clock.control.onRecovered(clock.now)
}

describe("CUBIC's window after a loss", () => {
  it('falls to 0.7, not under two segments, and grows only after the recovery (N13)', () => {
    const clock = createAckClock(createCubic, 100, { initialWindow: 100 * segment })
    clock.control.onLoss(100 * segment, 0)
    expect(clock.window).toBeCloseTo(70)
    clock.sample.recovering = true
    clock.round()
    expect(clock.window).toBeCloseTo(70)
    clock.sample.recovering = false
    clock.control.onRecovered(clock.now)
    clock.round()
    expect(clock.window).toBeGreaterThan(71)
    for (let i = 0; i < 20; i++) lose(clock)
    expect(clock.window).toBe(2)
  })

  it('follows W_cubic(t) back to W_max at K, flat there, and steeper beyond (N13)', () => {
    const clock = afterLossAt(400, 200)
    const k = kOf(400, 280)
    expect(k).toBeCloseTo(6.69, 2)
    // The window reaches the curve's point of the next round trip at the end of each.
    for (const t of [1, 2, 4, k, k + 1, k + 2, k + 4]) {
      clock.runUntil(t * 1000)
      const expected = wCubic(clock.now / 1000, 400, k)
      expect(Math.abs(clock.window - expected)).toBeLessThan(0.015 * expected)
    }
    expect(clock.window).toBeGreaterThan(420)
  })

  it('is never smaller than Reno with the same average would be (N13)', () => {
    const clock = afterLossAt(40, 10)
    // 3 (1 − 0.7) / (1 + 0.7) of a segment each round trip, until the window before the loss is reached; then one.
    clock.runUntil(150)
    expect(clock.window).toBeCloseTo(28 + 15 * 0.529, 0)
    const reached = 10 * Math.ceil(12 / 0.529)
    clock.runUntil(reached + 200)
    expect(clock.window).toBeGreaterThan(40 + 19)
    expect(clock.window).toBeLessThan(40 + 21)
    expect(wCubic((reached + 200) / 1000, 40, kOf(40, 28))).toBeLessThan(40)
  })

  it('makes room for others where it fell before it was back: fast convergence (N13)', () => {
    const clock = afterLossAt(400, 200)
    lose(clock)
    const wMax = (280 * 1.7) / 2
    const k = kOf(wMax, 196)
    clock.runUntil(k * 1000)
    expect(clock.window).toBeGreaterThan(wMax - 2)
    expect(clock.window).toBeLessThan(wMax + 2)
  })

  it('grows by half in a round trip at most (N13)', () => {
    const clock = afterLossAt(20, 1000)
    clock.runUntil(4000)
    const before = clock.window
    clock.rtt = 20_000
    clock.round()
    expect(clock.window).toBeGreaterThan(1.4 * before)
    // The target is 1.5 windows at each ACK; it moves while a window's worth of them arrives.
    expect(clock.window).toBeLessThanOrEqual(before * Math.exp(0.5) + 1)
  })
})

describe("CUBIC's time", () => {
  it('stands still while the application is the limit, and so does the window (N13)', () => {
    const clock = afterLossAt(400, 200)
    clock.runUntil(2000)
    const window = clock.window
    clock.sample.windowLimited = false
    clock.runUntil(30_000)
    expect(clock.window).toBe(window)
    clock.sample.windowLimited = true
    clock.runUntil(32_000)
    const expected = wCubic(4, 400, kOf(400, 280))
    expect(Math.abs(clock.window - expected)).toBeLessThan(0.03 * expected)
  })

  it('stands still while nothing is in flight (N13)', () => {
    const clock = afterLossAt(400, 200)
    clock.runUntil(2000)
    const window = clock.window
    clock.control.onIdle(150, clock.now + 150)
    clock.now += 150
    clock.runUntil(2350)
    const expected = wCubic(2.2, 400, kOf(400, 280))
    expect(clock.window).toBeGreaterThan(window)
    expect(Math.abs(clock.window - expected)).toBeLessThan(0.02 * expected)
  })
})

describe("CUBIC's slow start", () => {
  it('begins with the initial window and doubles it each round trip (N13)', () => {
    const clock = createAckClock(createCubic, 100)
    expect(clock.window).toBe(10)
    clock.round()
    expect(clock.window).toBe(20)
    clock.round()
    expect(clock.window).toBe(40)
  })

  it('does not grow what the application does not use (N13)', () => {
    const clock = createAckClock(createCubic, 100)
    clock.sample.windowLimited = false
    for (let i = 0; i < 20; i++) {
      clock.now += 100
      Object.assign(clock.sample, { now: clock.now, delivered: segment, acknowledged: segment })
      clock.sample.priorDelivered = clock.sample.totalDelivered
      clock.sample.totalDelivered += segment
      clock.control.onSent(segment, segment, clock.now)
      clock.sample.priorInFlight = segment
      clock.control.onAck(clock.sample)
    }
    expect(clock.window).toBe(10)
  })

  it('starts again after an idle time longer than the timeout, remembering three quarters (N13)', () => {
    const clock = createAckClock(createCubic, 100)
    clock.runUntil(400)
    expect(clock.window).toBe(160)
    lose(clock)
    clock.control.onIdle(200, clock.now)
    expect(clock.window).toBeCloseTo(112)
    clock.control.onIdle(1000, clock.now)
    expect(clock.window).toBe(10)
    expect(clock.control.slowStartThreshold / segment).toBeCloseTo(112)
  })

  it('is where a timeout leads: one segment, back to 0.7 of what there was, then a curve of its own (N13)', () => {
    const clock = createAckClock(createCubic, 100, { initialWindow: 100 * segment })
    clock.control.onTimeout(100 * segment, 0)
    expect(clock.window).toBe(1)
    clock.runUntil(700)
    expect(clock.window).toBeGreaterThanOrEqual(70)
    clock.control.onRecovered(clock.now)
    const from = clock.now
    clock.runUntil(from + 3000)
    // K is 0 and W_max the window at which the curve began (RFC 9438, 4.8).
    expect(clock.window).toBeGreaterThan(wCubic(2.9, 70, 0))
  })

  it('reduces once where a recovery ends in a timeout (N13)', () => {
    const clock = createAckClock(createCubic, 100, { initialWindow: 100 * segment })
    clock.control.onLoss(100 * segment, 0)
    clock.control.onTimeout(30 * segment, 500)
    expect(clock.control.slowStartThreshold / segment).toBeCloseTo(70)
  })
})

describe('a loss that was none', () => {
  it('gives back window, threshold and curve (N13)', () => {
    const clock = afterLossAt(400, 200)
    clock.runUntil(3000)
    const { window } = clock
    const threshold = clock.control.slowStartThreshold
    lose(clock)
    expect(clock.window).toBeCloseTo(0.7 * window)
    clock.control.onSpurious(clock.now)
    expect(clock.window).toBeCloseTo(window)
    expect(clock.control.slowStartThreshold).toBe(threshold)
    clock.runUntil(5000)
    const expected = wCubic(5, 400, kOf(400, 280))
    expect(Math.abs(clock.window - expected)).toBeLessThan(0.02 * expected)
  })

  it('is not given back twice (N13)', () => {
    const clock = afterLossAt(400, 200)
    clock.control.onSpurious(clock.now)
    expect(clock.window).toBe(400)
    clock.control.onTimeout(0, clock.now)
    clock.control.onSpurious(clock.now)
    clock.control.onSpurious(clock.now)
    expect(clock.window).toBe(400)
  })
})

describe('CUBIC on a path', () => {
  it('spreads a window over its round trip: twice as fast in slow start, 1.2 times after', () => {
    const clock = createAckClock(createCubic, 100)
    expect(clock.control.pacingRate).toBeCloseTo((2 * 10 * segment) / 100)
    lose(clock)
    clock.round()
    expect(clock.control.pacingRate).toBeCloseTo((1.2 * clock.control.window) / 100)
  })

  it('keeps its window in segments when their size changes', () => {
    const clock = createAckClock(createCubic, 100)
    clock.control.setSegmentSize(500)
    expect(clock.control.window).toBe(5000)
  })

  it('fills 100 Mbit/s at 50 ms with a queue of one BDP: 98 % of what its headers leave (N13)', () => {
    const path = createBottleneck({ rate: 100, rtt: 50, queue: 414 })
    const flow = path.addFlow(createCubic)
    expect(path.goodput(flow, 2000, 20_000)).toBeGreaterThan(0.98 * 90.7)
    expect(flow.lost / flow.sent).toBeLessThan(0.01)
  })

  it('shares 20 Mbit/s and 64 packets of queue among four flows (N13)', () => {
    const path = createBottleneck({ rate: 20, rtt: 50, queue: 64 })
    const flows = [0, 100, 200, 300].map(at => path.addFlow(createCubic, at))
    path.clock.runUntil(30_000)
    const shares = flows.map(flow => flow.delivered)
    const sum = shares.reduce((a, b) => a + b)
    expect(sum ** 2 / (4 * shares.reduce((a, b) => a + b * b, 0))).toBeGreaterThan(0.95)
    expect(flows.reduce((a, flow) => a + flow.lost, 0) / flows.reduce((a, flow) => a + flow.sent, 0)).toBeLessThan(0.02)
  })
})

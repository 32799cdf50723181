import { describe, expect, it } from 'vitest'
import { createCubic } from '../../../../src/core/netstack/cubic.js'
import { HyStart } from '../../../../src/core/netstack/hystart.js'
import { createAckClock, segment } from '../../../support/ack-clock.js'
import { createBottleneck } from '../../../support/congestion-path.js'
import { createSample } from '../../../support/congestion-sample.js'

/** Rounds of acknowledgements of so many samples each. */
function createRounds(hystart = new HyStart()) {
  const sample = createSample()
  let sentBefore = 0
  return {
    hystart,
    sample,
    /** Whether slow start was found over. */
    round(rtt: number, samples = 8): boolean {
      let over = false
      const delivered = sample.totalDelivered
      for (let i = 0; i < samples; i++) {
        sample.rtt = rtt
        sample.totalDelivered += segment
        sample.priorDelivered = sentBefore
        over = hystart.onAck(sample) || over
      }
      sentBefore = delivered + samples * segment
      return over
    },
  }
}

describe('HyStart++', () => {
  it.each([
    [16, 4],
    [32, 4],
    [64, 8],
    [100, 12.5],
    [128, 16],
    [400, 16],
  ])('sees a queue where a round trip of %d ms grows by %d ms (N13)', (rtt, thresh) => {
    const below = createRounds()
    below.round(rtt)
    below.round(rtt + thresh - 0.01)
    expect(below.hystart.conservative).toBe(false)
    const above = createRounds()
    above.round(rtt)
    above.round(rtt + thresh)
    expect(above.hystart.conservative).toBe(true)
  })

  it('judges by the shortest of eight samples, not by fewer (N13)', () => {
    const rounds = createRounds()
    rounds.round(50)
    rounds.round(90, 7)
    expect(rounds.hystart.conservative).toBe(false)
    rounds.round(90, 1)
    expect(rounds.hystart.conservative).toBe(false)
    const jittery = createRounds()
    jittery.round(50)
    jittery.sample.rtt = 90
    for (const rtt of [90, 80, 70, 90, 51, 90, 90, 90]) jittery.round(rtt, 1)
    expect(jittery.hystart.conservative).toBe(false)
  })

  it('takes no sample of a turn that came late (N13)', () => {
    const rounds = createRounds()
    rounds.round(50)
    rounds.sample.late = true
    rounds.round(90)
    expect(rounds.hystart.conservative).toBe(false)
  })

  it('is over five rounds later, the one of the discovery counted (N13)', () => {
    const rounds = createRounds()
    rounds.round(50)
    rounds.round(60)
    expect(rounds.hystart.conservative).toBe(true)
    for (let round = 2; round <= 5; round++) expect(rounds.round(60)).toBe(false)
    expect(rounds.round(60)).toBe(true)
  })

  it('goes back to slow start where the growth was jitter (N13)', () => {
    const rounds = createRounds()
    rounds.round(50)
    rounds.round(60)
    rounds.round(59.9)
    expect(rounds.hystart.conservative).toBe(false)
    for (let round = 0; round < 10; round++) expect(rounds.round(59.9)).toBe(false)
  })
})

describe('slow start with HyStart++', () => {
  it('grows by a quarter while it is conservative, then avoids congestion (N13)', () => {
    const clock = createAckClock(createCubic, 50)
    clock.round()
    clock.round()
    expect(clock.window).toBe(40)
    clock.rtt = 60
    clock.round()
    // Eight acknowledgements of this round grew it by one each, the others by a quarter.
    expect(clock.window).toBeCloseTo(40 + 7 + 33 / 4)
    for (let round = 0; round < 5; round++) clock.round()
    expect(clock.control.slowStartThreshold).toBeLessThan(Infinity)
    const { window } = clock
    clock.round()
    expect(clock.window).toBeLessThan(window + 2)
  })

  it('leaves a deep queue without a loss (N13)', () => {
    const path = createBottleneck({ rate: 50, rtt: 40, queue: 2000 })
    const flow = path.addFlow(createCubic)
    path.clock.runUntil(3000)
    expect(flow.control.slowStartThreshold).toBeLessThan(Infinity)
    expect(flow.lost).toBe(0)
  })
})

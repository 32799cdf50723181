import { describe, expect, it } from 'vitest'
import { createBbr } from '../../../../../src/core/netstack/bbr/bbr.js'
import { type BbrFlow, createBbrFlow } from '../../../../support/bbr-flow.js'

/** A flow whose queue another one keeps standing, so that its shortest round trip is not seen again. */
function withNeighbour(): BbrFlow {
  const bbr = createBbrFlow({ rate: 40, rtt: 50, queue: 400 })
  bbr.path.addFlow(start => createBbr(start), 300)
  return bbr
}

describe('ProbeRTT', () => {
  it('comes five seconds after the shortest round trip was seen, and leaves half in flight (B8)', () => {
    const bbr = withNeighbour()
    bbr.runTo('probe-rtt')
    expect(bbr.path.clock.now - bbr.model.minRttStamp).toBeGreaterThan(4900)
    const { bdp } = bbr.model
    expect(bbr.control.window).toBeLessThanOrEqual(0.5 * bdp + 1)
    bbr.runUntil(bbr.path.clock.now + 150)
    expect(bbr.flow.inFlight).toBeLessThanOrEqual(0.55 * bdp)
  })

  it('lasts 200 ms from when it has settled, then cruises with the window it had (B8)', () => {
    const bbr = withNeighbour()
    bbr.runTo('probe-rtt')
    const window = bbr.model.priorWindow
    while (bbr.model.probeRttDoneStamp === 0) bbr.path.clock.step()
    const settled = bbr.path.clock.now
    bbr.runTo('cruise')
    expect(bbr.path.clock.now - settled).toBeGreaterThanOrEqual(200)
    expect(bbr.path.clock.now - settled).toBeLessThan(350)
    expect(bbr.control.window).toBeGreaterThanOrEqual(0.5 * window)
    expect(bbr.control.deadline).toBe(Infinity)
  })

  it('ends by its timer where nothing is acknowledged any more (B8)', () => {
    const bbr = withNeighbour()
    bbr.runTo('probe-rtt')
    while (bbr.model.probeRttDoneStamp === 0) bbr.path.clock.step()
    const { deadline } = bbr.control
    expect(deadline).toBeGreaterThanOrEqual(bbr.model.probeRttDoneStamp)
    bbr.control.handleDeadline(deadline - 1)
    expect(bbr.state).toBe('probe-rtt')
    bbr.control.handleDeadline(deadline)
    expect(bbr.state).toBe('cruise')
    expect(bbr.control.window).toBeGreaterThan(bbr.model.bdp)
    expect(bbr.control.deadline).toBe(Infinity)
  })

  it('is over for one who comes back after idling in it (B8)', () => {
    const bbr = withNeighbour()
    bbr.runTo('probe-rtt')
    while (bbr.model.probeRttDoneStamp === 0) bbr.path.clock.step()
    bbr.control.onIdle(1000, bbr.model.probeRttDoneStamp + 1)
    expect(bbr.state).toBe('cruise')
  })

  it('does not lower the bandwidth by what it sends (B8)', () => {
    const bbr = withNeighbour()
    bbr.runTo('probe-rtt')
    const { maxBw } = bbr.model
    bbr.runTo('cruise')
    bbr.runUntil(bbr.path.clock.now + 60)
    expect(bbr.model.bw).toBeGreaterThan(0.8 * maxBw)
  })
})

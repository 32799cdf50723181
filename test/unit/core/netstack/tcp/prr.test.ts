import { describe, expect, test } from 'vitest'
import { recoveryFast } from '../../../../../src/core/netstack/tcp/tcb.js'
import { createFixed, dataCounter, startOneWay } from '../../../../support/one-way.js'

const segment = 1368

/** Loses what `lost` says, once, of a flow with a window of 40 to 100 segments; looks at the sender after each packet. */
function recover(lost: (index: number) => boolean, look: (flow: ReturnType<typeof startOneWay>) => void) {
  const count = dataCounter()
  const flow = startOneWay({
    bytes: 1_200_000,
    forward: {
      delay: 50,
      rate: 4000,
      drop: packet => {
        look(flow)
        const { index, copy } = count(packet)
        return index >= 0 && copy === 0 && lost(index)
      },
    },
  })
  flow.finish()
  return flow
}

describe('proportional rate reduction', () => {
  test('never sends more than the reduction of what was delivered, and a segment for the start (N13)', () => {
    let looked = 0
    const flow = recover(
      index => index === 60,
      ({ sender: { sender: s, recovery, inFlight, congestion } }) => {
        if (recovery !== recoveryFast || congestion === undefined) return
        const threshold = congestion.slowStartThreshold
        if (inFlight <= threshold) return
        looked++
        expect(s.prrOut).toBeLessThanOrEqual((s.prrDelivered * threshold) / s.recoverFs + segment)
      },
    )
    expect(looked).toBeGreaterThan(20)
    expect(flow.sender.stats).toMatchObject({ retransmits: 1, timeouts: 0 })
  })

  test('halves the flight over a round trip, not at once: what leaves is spread over its ACKs (N13)', () => {
    const sentAt: number[] = []
    let threshold = 0
    recover(
      index => index === 60,
      ({ pair, sender }) => {
        if (sender.recovery !== recoveryFast) return
        sentAt.push(pair.now)
        threshold = sender.congestion?.slowStartThreshold ?? 0
      },
    )
    // Half of the window leaves in the round trip of the recovery.
    expect(sentAt.length * segment).toBeGreaterThan(0.8 * threshold)
    expect(sentAt.length * segment).toBeLessThan(1.2 * threshold)
  })

  test('after heavy loss sends what is delivered, and one more for each ACK that is safe (N13)', () => {
    let looked = 0
    const flow = recover(
      index => index >= 60 && index < 100,
      ({ sender: { sender: s, recovery, inFlight, congestion } }) => {
        if (recovery !== recoveryFast || congestion === undefined || inFlight > congestion.slowStartThreshold) return
        looked++
        expect(inFlight).toBeLessThanOrEqual(congestion.slowStartThreshold)
        expect(s.prrOut).toBeLessThanOrEqual(2 * s.prrDelivered + segment)
      },
    )
    expect(looked).toBeGreaterThan(20)
    expect(flow.sender.stats).toMatchObject({ retransmits: 40, timeouts: 0 })
  })

  test('leaves a controller alone that governs recovery by itself', () => {
    const count = dataCounter()
    let most = 0
    const flow = startOneWay({
      bytes: 600_000,
      congestion: createFixed(100 * segment),
      forward: {
        delay: 50,
        rate: 4000,
        drop: packet => count(packet).index === 150 && flow.sender.stats.retransmits === 0,
      },
    })
    const { pair } = flow
    pair.run(() => {
      if (flow.sender.recovery === recoveryFast) most = Math.max(most, flow.sender.inFlight)
      return flow.done
    })
    expect(most).toBeGreaterThan(98 * segment)
  })

  test('is over with the recovery: the window is the threshold then (N13)', () => {
    const flow = recover(
      index => index === 60,
      () => {},
    )
    expect(flow.sender.stats.congestionWindow).toBeGreaterThanOrEqual(flow.sender.congestion?.slowStartThreshold ?? 0)
    expect(flow.sender.stats.congestionWindow).toBeLessThan(2 * (flow.sender.congestion?.slowStartThreshold ?? 0))
  })
})

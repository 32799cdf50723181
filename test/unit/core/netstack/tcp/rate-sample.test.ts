import { describe, expect, test } from 'vitest'
import type { AckSample, LostSegment } from '../../../../../src/core/netstack/congestion.js'
import { createFixed, dataCounter, startOneWay } from '../../../../support/one-way.js'
import { dialled, payload } from '../../../../support/tcp-handshakes.js'

const segment = 1368

/** Samples of a flow over a link of 1250 bytes of payload a millisecond and a round trip of 100 ms. */
function sampled(window: number, more: { lost?: (index: number) => boolean } = {}) {
  const samples: AckSample[] = []
  const losses: LostSegment[] = []
  const count = dataCounter()
  const flow = startOneWay({
    bytes: 2_000_000,
    congestion: createFixed(window, Infinity, {
      onAck: sample => void samples.push({ ...sample }),
      onSegmentLost: segment => void losses.push({ ...segment }),
    }),
    forward: {
      delay: 50,
      rate: (1250 * (segment + 52)) / segment,
      drop: packet => {
        const { index, copy } = count(packet)
        return index >= 0 && copy === 0 && more.lost?.(index) === true
      },
    },
  })
  flow.finish()
  flow.pair.advance(1000)
  return { flow, samples, losses }
}

describe('the delivery rate', () => {
  test('is what the path carries when it is full, in every sample (B3)', () => {
    const { samples } = sampled(300_000)
    const steady = samples.slice(samples.length >> 1, -20).filter(sample => sample.rateInterval > 0)
    expect(steady.length).toBeGreaterThan(100)
    for (const { rateDelivered, rateInterval } of steady) {
      expect(rateDelivered / rateInterval).toBeGreaterThan(1250 * 0.98)
      expect(rateDelivered / rateInterval).toBeLessThan(1250 * 1.02)
    }
  })

  test('is window over round trip when it is not (B3)', () => {
    const { samples } = sampled(30 * segment)
    const steady = samples.slice(samples.length >> 1).filter(sample => sample.rateInterval > 0)
    for (const { rateDelivered, rateInterval } of steady) expect(rateDelivered / rateInterval).toBeLessThan(450)
  })

  test('is never told of less time than the least round trip (B3)', () => {
    const { flow, samples } = sampled(300_000, { lost: index => index % 37 === 5 })
    for (const { rateInterval } of samples) {
      if (rateInterval > 0) expect(rateInterval).toBeGreaterThanOrEqual(flow.sender.sender.minRtt)
    }
  })

  test('counts what is delivered and lost to the byte; a copy is stamped anew (B3)', () => {
    const { flow, samples, losses } = sampled(100_000, { lost: index => index >= 700 && index < 710 })
    const last = samples.at(-1) as AckSample
    expect(last.totalDelivered).toBe(2_000_000)
    expect(last.totalLost).toBe(10 * segment)
    expect(losses).toHaveLength(10)
    expect(flow.sender.stats.retransmits).toBe(10)
    for (const { length, sentInFlight, priorDelivered } of losses) {
      expect(length).toBe(segment)
      expect(sentInFlight).toBeGreaterThan(70_000)
      expect(priorDelivered).toBeGreaterThan(0)
    }
    // What was lost before the copies left is part of their stamps.
    expect(samples.some(sample => sample.priorLost === last.totalLost)).toBe(true)
    for (const { delivered, priorInFlight, inFlight, lost } of samples) {
      expect(delivered).toBeGreaterThan(0)
      expect(inFlight).toBeLessThanOrEqual(priorInFlight)
      expect(lost).toBeGreaterThanOrEqual(0)
    }
  })
})

describe('a flow is limited by its application', () => {
  /** Of the newest segment of a second flight: the first follows a silence. */
  function limited(window: number, rate: number, peerWindow: number) {
    const samples: AckSample[] = []
    const congestion = createFixed(window, rate, { onAck: sample => void samples.push({ ...sample }) })
    const { s, c } = dialled('mss 1000,sackOK,wscale 7', { congestion }, peerWindow)
    c.write(payload(8000), 0, s.now)
    s.skip()
    s.send(`. 1:1(0) ack 1001 win ${peerWindow}`)
    s.wait(5).skip()
    s.send(`. 1:1(0) ack ${c.stats.bytesSent + 1} win ${peerWindow}`)
    return (samples.at(-1) as AckSample).appLimited
  }

  test('when everything it wrote is sent, and more could be (B4)', () => {
    expect(limited(100_000, Infinity, 30_000)).toBe(true)
  })

  test('not when the window is full, the rate used up, or the peer has no room (B4)', () => {
    expect(limited(3000, Infinity, 30_000)).toBe(false)
    expect(limited(100_000, 250, 30_000)).toBe(false)
    expect(limited(100_000, Infinity, 16)).toBe(false)
  })

  test('not when the turn was over, for datagrams of ours or by its budget (B4)', () => {
    const samples: AckSample[] = []
    const congestion = createFixed(100_000, Infinity, { onAck: sample => void samples.push({ ...sample }) })
    const { s, c } = dialled('mss 1000,sackOK,wscale 7', { congestion }, 30_000)
    const socket = s.stack.bindUdp({ port: 5000 }, { message() {}, error() {} })
    c.write(payload(20_000), 0, s.now)
    for (const datagrams of [0, 2, 3, 0, 1]) {
      for (let i = 0; i < datagrams; i++) socket.send(payload(100), s.peer, 53, s.now)
      s.stack.flush(s.now, 3)
      expect(s.waiting.splice(0)).toHaveLength(3 - datagrams)
      s.now += 5
      s.sendOnly(`. 1:1(0) ack ${c.stats.bytesSent + 1} win 30000`)
    }
    // The first flight follows a silence.
    expect(samples.slice(1).map(sample => sample.appLimited)).toEqual([false, false, false])
  })
})

describe('the round trip that a controller is told', () => {
  test('is of segments that were sent once: a timestamp of a copy feeds the timeout alone (B5)', () => {
    const samples: AckSample[] = []
    const congestion = createFixed(100_000, Infinity, { onAck: sample => void samples.push({ ...sample }) })
    const { s, c } = dialled('mss 1012,sackOK,TS val 1 ecr 0,wscale 7', { congestion }, 30_000)
    const answerIn = (ms: number) => {
      s.wait(ms)
      s.send(`. 1:1(0) ack ${c.stats.bytesSent + 1} win 30000 <TS val 2 ecr ${s.lastTimestamp >>> 0}>`)
      return samples.at(-1) as AckSample
    }
    c.write(payload(1000), 0, s.now)
    s.skip()
    const first = answerIn(40)
    expect(first.rtt).toBeCloseTo(40)
    c.write(payload(1000), 0, s.now)
    s.skip().runUntilSent()
    s.skip()
    const second = answerIn(70)
    expect(second).toMatchObject({ delivered: 1000, rtt: 0 })
    expect(second.smoothedRtt).toBeGreaterThan(first.smoothedRtt + 5)
  })
})

describe('a turn that comes late', () => {
  test('is told with the samples that it brings: more than 5 ms after a deadline that nobody met (B5)', () => {
    for (const [over, late] of [
      [4, false],
      [6, true],
    ] as const) {
      const samples: AckSample[] = []
      const congestion = createFixed(100_000, Infinity, { onAck: sample => void samples.push({ ...sample }) })
      const { s, c } = dialled('mss 1000,sackOK,wscale 7', { congestion }, 30_000)
      c.write(payload(3000), 0, s.now)
      s.skip()
      s.now = s.stack.nextDeadline() + over
      s.send('. 1:1(0) ack 3001 win 30000')
      expect(samples.at(-1)?.late).toBe(late)
      s.stack.handleTimeout(s.now)
      c.write(payload(1000), 0, s.now)
      s.skip()
      s.send('. 1:1(0) ack 4001 win 30000')
      expect(samples.at(-1)?.late).toBe(false)
    }
  })
})

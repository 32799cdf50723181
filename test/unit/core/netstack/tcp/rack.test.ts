import { describe, expect, test, vi } from 'vitest'
import type { Connection } from '../../../../../src/core/netstack/tcp/connection.js'
import { minRttWindow } from '../../../../../src/core/netstack/tcp/constants.js'
import type { Lanes } from '../../../../../src/core/netstack/tcp/lanes.js'
import { sampleMinRtt } from '../../../../../src/core/netstack/tcp/min-rtt.js'
import { reorderingWindow } from '../../../../../src/core/netstack/tcp/rack.js'
import { Scoreboard } from '../../../../../src/core/netstack/tcp/scoreboard.js'
import { SenderState } from '../../../../../src/core/netstack/tcp/sender-state.js'
import { createFixed, dataCounter, startOneWay } from '../../../../support/one-way.js'
import { dialled, payload } from '../../../../support/tcp-handshakes.js'

const segment = 1368

describe('RACK', () => {
  for (const distance of [1, 2, 3, 30, 300]) {
    test(`takes segments that come ${distance} late for reordered, not lost (N12) (S-reorder)`, () => {
      // 400 segments a round trip; each tenth is overtaken by the next `distance`.
      const count = dataCounter()
      const perSegment = 100 / 400
      const flow = startOneWay({
        bytes: 4_000_000,
        congestion: createFixed(400 * segment),
        forward: {
          delay: 50,
          rate: 1420 / perSegment,
          extra: packet => (count(packet).index % 10 === 5 ? distance * perSegment : 0),
        },
      })
      flow.finish()
      const { retransmits, timeouts } = flow.sender.stats
      expect(timeouts).toBe(0)
      // Those that wait while the first is not known to be late; and three quarters of a round trip take DSACKs to learn.
      expect(retransmits).toBeLessThanOrEqual(distance < 100 ? 1 + distance / 10 : 150)
    })
  }

  test('finds a retransmission that is lost, and one that is lost again, without a timeout (N12)', () => {
    const count = dataCounter()
    const flow = startOneWay({
      bytes: 2_000_000,
      congestion: createFixed(100 * segment),
      forward: {
        delay: 50,
        drop: packet => {
          const { index, copy } = count(packet)
          return index === 200 && copy < 4
        },
      },
    })
    flow.finish()
    expect(flow.sender.stats).toMatchObject({ timeouts: 0, retransmits: 4 })
  })

  test('repairs a burst of 300 lost in slow start without a timeout, each sent again once (N12) (S-burst)', () => {
    const count = dataCounter()
    const flow = startOneWay({
      bytes: 3_000_000,
      forward: {
        delay: 50,
        drop: packet => {
          const { index, copy } = count(packet)
          return index >= 500 && index < 800 && copy === 0
        },
      },
    })
    flow.finish()
    expect(flow.sender.stats).toMatchObject({ timeouts: 0, retransmits: 300 })
  })

  test('looks at no more segments for an ACK than it finds lost, and two, however many are in flight', () => {
    const looked = vi.spyOn(Scoreboard.prototype, 'sentAt')
    const flow = startOneWay({
      bytes: 8_000_000,
      congestion: createFixed(4000 * segment),
      forward: { delay: 50, jitter: 5, loss: 0.01 },
    })
    flow.finish()
    expect(looked.mock.calls.length).toBeLessThan(2 * flow.sender.segmentsReceived + flow.sender.stats.retransmits)
    looked.mockRestore()
  })

  test('counts at every step of a bad path what a walk through the segments finds', () => {
    const flow = startOneWay({
      bytes: 400_000,
      seed: 7,
      forward: { delay: 20, jitter: 8, loss: 0.05, duplicate: 0.02, rate: 2000 },
      back: { delay: 20, loss: 0.1 },
    })
    const { pair, sender } = flow
    const { board } = sender
    pair.run(() => {
      let sacked = 0
      let lost = 0
      let underWay = 0
      for (let record = board.head; record < board.tail; record++) {
        if (board.isSacked(record)) sacked += board.lengthOf(record)
        else if (board.isLost(record)) lost += board.lengthOf(record)
        else underWay++
      }
      expect([board.sackedBytes, board.lostBytes]).toEqual([sacked, lost])
      let before = -1
      for (let place = board.underWay.first; place >= 0; place = board.underWay.next(board.lanes as Lanes, place)) {
        expect(board.sentAt(board.at(place))).toBeGreaterThanOrEqual(before)
        before = board.sentAt(board.at(place))
        underWay--
      }
      expect(underWay).toBe(0)
      expect(sender.inFlight).toBe(sender.outstanding - sacked - lost)
      return flow.done
    })
    expect(flow.done).toBe(true)
    expect(sender.stats.retransmits).toBeGreaterThan(5)
  })

  test('widens its window by a quarter of the least round trip a round with a DSACK, to the smoothed one at most (N12)', () => {
    const { s, c } = dialled('mss 1000,sackOK,wscale 7', {}, 30_000)
    const t = c as Connection
    c.write(payload(10_000), 0, s.now)
    s.skip()
    s.wait(100).send('. 1:1(0) ack 10001 win 30000')
    t.sender.minRtt = 100
    t.rto.smoothed = 120
    t.sender.reorderingSeen = true
    expect(reorderingWindow(t)).toBe(25)
    let acked = 10_001
    const widths = []
    for (let round = 0; round < 6; round++) {
      c.write(payload(2000), 0, s.now)
      // Sent again for nothing: without that, a duplicate would be the network's.
      t.retransmits++
      acked += 2000
      s.skip()
      s.send(`. 1:1(0) ack ${acked} win 30000 <sack ${acked - 1000}:${acked}>`)
      t.sender.minRtt = 100
      t.rto.smoothed = 120
      widths.push(reorderingWindow(t))
    }
    expect(widths).toEqual([50, 75, 100, 120, 120, 120])
  })

  test('waits for nobody once three segments above were reported, until it has seen one overtaken', () => {
    const { s, c } = dialled('mss 1000,sackOK,wscale 7', {}, 30_000)
    const t = c as Connection
    c.write(payload(10_000), 0, s.now)
    s.skip()
    t.sender.minRtt = 100
    t.rto.smoothed = 100
    s.send('. 1:1(0) ack 1 win 30000 <sack 1001:3001>').expectNothing()
    s.send('. 1:1(0) ack 1 win 30000 <sack 1001:4001>').expect('. 1:1001(1000)')
  })
})

describe('the least round trip', () => {
  test('is forgotten when it has grown old, for the least since (N12)', () => {
    const s = new SenderState()
    sampleMinRtt(s, 10, 0)
    for (let at = 0; at <= minRttWindow; at += 1000) sampleMinRtt(s, 50 + (at % 7000) / 1000, at)
    expect(s.minRtt).toBe(10)
    sampleMinRtt(s, 60, minRttWindow + 1)
    expect(s.minRtt).toBe(50)
    sampleMinRtt(s, 40, minRttWindow + 2)
    expect(s.minRtt).toBe(40)
  })
})

describe('a tail loss probe', () => {
  test('repairs the last three segments without a timeout (N12) (S-tail-loss)', () => {
    const count = dataCounter()
    const flow = startOneWay({
      bytes: 100 * segment,
      forward: {
        delay: 50,
        drop: packet => {
          const { index, copy } = count(packet)
          return index >= 97 && copy === 0
        },
      },
    })
    const took = flow.finish()
    expect(flow.sender.stats).toMatchObject({ timeouts: 0, retransmits: 3 })
    // Four round trips of slow start and two for the handshake and the data; two until the probe, one for each repair.
    expect(took).toBeLessThan(1000)
    expect(flow.sender.congestion?.slowStartThreshold).toBeLessThan(100 * segment)
  })

  test('of a single segment waits 200 ms more for a delayed ACK (N12)', () => {
    const { s, c } = dialled('mss 1000,sackOK,wscale 7', {}, 30_000)
    const t = c as Connection
    t.rto.sample(100)
    t.rto.sample(100)
    t.rto.smoothed = 100
    c.write(payload(1000), 0, s.now)
    s.expect('P. 1:1001(1000)')
    s.expectAfter(Math.min(400, t.rto.interval), 'P. 1:1001(1000)')
    expect(c.stats.timeouts).toBe(0)
  })

  test('that repaired a loss is told to the congestion control; one that was for nothing is not (N12)', () => {
    for (const [reported, losses] of [
      ['', 1],
      [' <sack 1001:2001>', 0],
    ] as const) {
      let told = 0
      const congestion = createFixed(100_000, Infinity, { onLoss: () => void told++ })
      const { s, c } = dialled('mss 1000,sackOK,wscale 7', { congestion }, 30_000)
      c.write(payload(2000), 0, s.now)
      s.skip()
      s.wait(50)
      expect(c.stats.retransmits).toBe(1)
      s.send(`. 1:1(0) ack 2001 win 30000${reported}`)
      c.write(payload(1000), 0, s.now)
      s.skip()
      s.send('. 1:1(0) ack 3001 win 30000')
      expect(told).toBe(losses)
    }
  })

  test('is new data where there is some, beyond the congestion window', () => {
    const { s, c } = dialled('mss 1000,sackOK,wscale 7', { congestion: createFixed(2000) }, 30_000)
    c.write(payload(5000), 0, s.now)
    s.expect('. 1:1001(1000)').expect('. 1001:2001(1000)').expectNothing()
    s.expectAfter(10, '. 2001:3001(1000)')
    expect(c.stats).toMatchObject({ retransmits: 0, timeouts: 0 })
  })
})

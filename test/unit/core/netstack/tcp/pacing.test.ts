import { describe, expect, test } from 'vitest'
import type { CongestionStart } from '../../../../../src/core/netstack/congestion.js'
import { createFixed, dataCounter, startOneWay } from '../../../../support/one-way.js'
import { dialled, payload } from '../../../../support/tcp-handshakes.js'

const segment = 1368
const wide = 4_000_000

describe('pacing', () => {
  for (const rate of [20, 125, 1250, 12_500, 50_000]) {
    test(`keeps ${(rate * 8) / 1000} Mbit/s within 2 % (B2)`, () => {
      const bytes = Math.max(300_000, rate * 2000)
      const flow = startOneWay({ bytes, congestion: createFixed(wide * 4, rate), forward: { delay: 5 } })
      const { pair } = flow
      pair.run(() => flow.received > 0)
      const started = pair.now
      const before = flow.received
      flow.finish()
      const got = (bytes - before) / (pair.now - started)
      expect(got / rate).toBeGreaterThan(0.98)
      expect(got / rate).toBeLessThan(1.02)
      expect(flow.sender.stats.retransmits).toBe(0)
    })
  }

  test('loses nothing to turns that come late, up to 4 ms of the rate (B2)', () => {
    const congestion = createFixed(wide, 10_000)
    const { s, c } = dialled('mss 1000,sackOK,wscale 10', { congestion, limits: { sendBuffer: 8_000_000 } }, 8000)
    c.write(payload(4_000_000), 0, s.now)
    s.skip()
    let sent = 0
    for (let turn = 0; turn < 60; turn++) {
      s.now += 3.7
      s.stack.handleTimeout(s.now)
      sent += s.take().length * 1000
    }
    expect(sent / (60 * 3.7)).toBeGreaterThan(9800)
    expect(sent / (60 * 3.7)).toBeLessThan(10_200)
  })

  test('lets out no more than 4 ms of the rate, or two segments, however long it was idle (B2)', () => {
    for (const [rate, most] of [
      [10_000, 40],
      [10, 2],
    ] as const) {
      const { s, c } = dialled('mss 1000,sackOK,wscale 10', { congestion: createFixed(wide, rate) }, 8000)
      s.wait(60_000)
      c.write(payload(200_000), 0, s.now)
      expect(s.take()).toHaveLength(most)
    }
  })

  test('holds for retransmissions, too (B2)', () => {
    const count = dataCounter()
    const rate = 1000
    const resentAt: number[] = []
    const flow = startOneWay({
      bytes: 800_000,
      congestion: createFixed(wide, rate),
      forward: {
        delay: 50,
        drop: packet => {
          const { index, copy } = count(packet)
          if (index >= 0 && copy > 0) resentAt.push(flow.pair.now)
          return index >= 100 && index < 200 && copy === 0
        },
      },
    })
    flow.finish()
    expect(resentAt).toHaveLength(100)
    const took = (resentAt.at(-1) as number) - (resentAt[0] as number)
    expect((99 * segment) / took).toBeLessThan(1.02 * rate)
  })

  test('never holds back an ACK without data (B2)', () => {
    const { s, c } = dialled('mss 1000,sackOK,wscale 10', { congestion: createFixed(wide, 1) }, 8000)
    c.write(payload(10_000), 0, s.now)
    s.skip()
    s.send('P. 1:501(500) ack 1 win 8000').expect('. 2001:2001(0) ack 501')
  })

  test('sets no timer for a controller that does not pace, and none where the window is the limit (B2)', () => {
    for (const [rate, window] of [
      [Infinity, 5000],
      [1e6, 5000],
    ] as const) {
      const { s, c } = dialled('mss 1000,sackOK,wscale 10', { congestion: createFixed(window, rate) }, 8000)
      c.write(payload(100_000), 0, s.now)
      expect(s.take()).toHaveLength(5)
      expect((c as unknown as { sender: { paceAt: number } }).sender.paceAt).toBe(Infinity)
    }
  })

  test('wakes a connection once a tick, not once a segment (B2)', () => {
    const { s, c } = dialled('mss 1000,sackOK,wscale 10', { congestion: createFixed(wide, 10_000) }, 8000)
    c.write(payload(262_144), 0, s.now)
    s.skip()
    let turns = 0
    while (c.stats.bytesSent < 200_000) {
      const next = s.stack.nextDeadline()
      expect(next).toBeGreaterThanOrEqual(s.now + (turns === 0 ? 0 : 0.999))
      s.now = next
      s.stack.handleTimeout(s.now)
      s.skip()
      turns++
    }
    expect(turns).toBeLessThan(20)
  })
})

describe('a controller', () => {
  test('is woken at its own deadline, with nothing else to wake it (B8)', () => {
    const woken: number[] = []
    let deadline = Infinity
    const congestion = createFixed(wide, Infinity, {
      get deadline() {
        return deadline
      },
      onAck: ({ now }) => {
        deadline = now + 200
      },
      handleDeadline(now) {
        woken.push(now)
        deadline = Infinity
      },
    })
    const { s, c } = dialled('mss 1000,sackOK,wscale 10', { congestion }, 8000)
    c.write(payload(1000), 0, s.now)
    s.skip()
    s.send('. 1:1(0) ack 1001 win 8000')
    const acked = s.now
    s.wait(1000)
    expect(woken).toEqual([acked + 200])
  })

  test('is told what the handshake measured, what leaves, and how long nothing was in flight', () => {
    const sent: [number, number][] = []
    const idle: number[] = []
    const fixed = createFixed(wide, Infinity, {
      onSent: (bytes, inFlight) => void sent.push([bytes, inFlight]),
      onIdle: ms => void idle.push(ms),
    })
    let rtt = -1
    let drawn = -1
    const congestion = (start: CongestionStart) => {
      rtt = start.rtt
      drawn = start.random()
      return fixed()
    }
    const { s, c } = dialled('mss 1000,sackOK,wscale 10', { congestion }, 8000)
    s.send('. 1:101(100) ack 1 win 8000')
    s.skip()
    expect(rtt).toBe(-1) // A connection that only receives has no controller.
    c.write(payload(2500), 0, s.now)
    s.skip()
    expect(rtt).toBeGreaterThan(0)
    expect(drawn).toBeGreaterThanOrEqual(0)
    expect(drawn).toBeLessThan(1)
    expect(sent).toEqual([
      [1000, 1000],
      [1000, 2000],
      [500, 2500],
    ])
    s.wait(5).send('. 101:101(0) ack 2501 win 8000')
    s.wait(300)
    c.write(payload(10), 0, s.now)
    s.skip()
    expect(idle.at(-1)).toBe(300)
  })
})

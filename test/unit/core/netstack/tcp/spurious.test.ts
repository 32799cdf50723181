import { describe, expect, test } from 'vitest'
import type { Connection } from '../../../../../src/core/netstack/tcp/connection.js'
import { dataCounter, startOneWay } from '../../../../support/one-way.js'
import { dialled, type Established, payload } from '../../../../support/tcp-handshakes.js'

const plain = 'mss 1000,sackOK,wscale 7'

/** Thirty segments of 1000 bytes in flight of 100, a round trip of 100 ms. */
function thirtyInFlight(options = plain): Established & { t: Connection; tail: string } {
  const established = dialled(options, {}, 30_000)
  const { s, c } = established
  const t = c as Connection
  const stamps = options.includes('TS')
  // The handshake took no time.
  t.rto.smoothed = 100
  t.sender.minRtt = 100
  const ack = (n: number) => `. 1:1(0) ack ${n} win 30000${stamps ? ` <TS val 9 ecr ${s.lastTimestamp}>` : ''}`
  c.write(payload(120 * t.segmentSize), 0, s.now)
  let acked = 0
  for (const count of [10, 20]) {
    expect(s.take()).toHaveLength(count)
    acked += count * t.segmentSize
    s.wait(100).send(ack(1 + acked))
  }
  expect(s.take()).toHaveLength(40)
  return { ...established, t, tail: stamps ? ` <TS val 9 ecr ${s.lastTimestamp}>` : '' }
}

describe('a recovery for nothing is undone', () => {
  test('when everything that was resent is reported as a duplicate: DSACK (N13)', () => {
    const { s, t } = thirtyInFlight()
    s.wait(100).send('. 1:1(0) ack 30001 win 30000 <sack 31001:36001>')
    expect(t.stats.retransmits).toBe(1)
    expect(t.stats.congestionWindow).toBe(20_000)
    // The original was late; the copy arrives second.
    s.wait(20).send('. 1:1(0) ack 70001 win 30000').skip()
    expect(t.stats.congestionWindow).toBeLessThan(30_000)
    s.wait(80).send('. 1:1(0) ack 70001 win 30000 <sack 30001:31001>')
    expect(t.stats.congestionWindow).toBeGreaterThanOrEqual(40_000)
    expect(t.congestion?.slowStartThreshold).toBe(Infinity)
    expect(t.sender.reoWndMult).toBe(2)
    expect(s.stack.counters.tcpSpurious).toBe(1)
  })

  test('not by duplicates that the network made of what was never resent (N13)', () => {
    const { s, t } = thirtyInFlight()
    s.wait(100).send('. 1:1(0) ack 30001 win 30000 <sack 31001:36001>')
    expect(t.stats.retransmits).toBe(1)
    s.wait(10).send('. 1:1(0) ack 30001 win 30000 <sack 32001:33001 31001:36001>')
    expect(s.stack.counters.tcpSpurious).toBe(0)
    expect(t.congestion?.slowStartThreshold).toBe(20_000)
  })

  test('even with nothing in flight any more (N13)', () => {
    const { s, c } = dialled(plain, {}, 30_000)
    const t = c as Connection
    t.rto.smoothed = 100
    c.write(payload(10_000), 0, s.now)
    s.skip()
    s.send('. 1:1(0) ack 1 win 30000 <sack 1001:5001>')
    s.send('. 1:1(0) ack 10001 win 30000')
    expect(t.outstanding).toBe(0)
    s.send('. 1:1(0) ack 10001 win 30000 <sack 1:1001>')
    expect(t.congestion?.slowStartThreshold).toBe(Infinity)
  })

  test('not when only a part of it is (N13)', () => {
    const { s, t } = thirtyInFlight()
    s.wait(100).send('. 1:1(0) ack 30001 win 30000 <sack 32001:37001>')
    expect(t.stats.retransmits).toBe(2)
    s.wait(100).send('. 1:1(0) ack 70001 win 30000 <sack 30001:31001>')
    expect(t.congestion?.slowStartThreshold).toBe(20_000)
    expect(s.stack.counters.tcpSpurious).toBe(0)
  })

  test('when the ACK of what was resent echoes a timestamp from before: Eifel (N13)', () => {
    const { s, t, tail } = thirtyInFlight('mss 1012,sackOK,TS val 7 ecr 0,wscale 7')
    s.wait(100).send(`. 1:1(0) ack 30001 win 30000 <${tail.slice(2, -1)},sack 31001:36001>`)
    expect(t.stats.retransmits).toBe(1)
    expect(t.stats.congestionWindow).toBe(20_000)
    s.wait(20).send(`. 1:1(0) ack 36001 win 30000${tail}`)
    expect(t.stats.congestionWindow).toBeGreaterThanOrEqual(40_000)
    expect(t.congestion?.slowStartThreshold).toBe(Infinity)
    expect(t.sender.reorderingSeen).toBe(true)
  })

  test('not when it echoes that of the copy (N13)', () => {
    const { s, t, tail } = thirtyInFlight('mss 1012,sackOK,TS val 7 ecr 0,wscale 7')
    s.wait(100).send(`. 1:1(0) ack 30001 win 30000 <${tail.slice(2, -1)},sack 31001:36001>`)
    s.wait(100).send(`. 1:1(0) ack 36001 win 30000 <TS val 9 ecr ${s.lastTimestamp}>`)
    expect(t.congestion?.slowStartThreshold).toBe(20_000)
  })
})

describe('a timeout for nothing is undone', () => {
  test('when data that was not resent turns out to have arrived: F-RTO (N13) (S-spurious-timeout)', () => {
    const { s, t } = thirtyInFlight()
    s.wait(600)
    expect(t.stats.timeouts).toBe(1)
    expect(t.stats.congestionWindow).toBe(1000)
    expect(t.rto.backoff).toBe(1)
    s.skip()
    const resent = t.stats.retransmits
    s.send('. 1:1(0) ack 31001 win 30000')
    // New data, instead of what is thought lost.
    expect(s.take().every(line => Number(/ (\d+):/.exec(line)?.[1]) > 70_000)).toBe(true)
    s.send('. 1:1(0) ack 33001 win 30000')
    expect(t.stats.congestionWindow).toBeGreaterThanOrEqual(40_000)
    expect(t.congestion?.slowStartThreshold).toBe(Infinity)
    expect(t.rto.backoff).toBe(0)
    expect(t.board.lostBytes).toBe(0)
    expect(t.stats.retransmits).toBe(resent)
  })

  test('not when the next ACK is a duplicate: then what is lost is repaired (N13)', () => {
    const { s, t } = thirtyInFlight()
    s.wait(600).skip()
    s.send('. 1:1(0) ack 31001 win 30000')
    const first = s.take().map(line => Number(/ (\d+):/.exec(line)?.[1]))
    expect(Math.min(...first)).toBeGreaterThan(70_000)
    s.send(`. 1:1(0) ack 31001 win 30000 <sack ${first[0]}:${(first[0] as number) + 1000}>`)
    expect(s.take()[0]).toContain(' 31001:32001(1000)')
    expect(t.congestion?.slowStartThreshold).toBeLessThan(30_000)
    expect(s.stack.counters.tcpSpurious).toBe(0)
  })

  test('at most once a recovery: when a flight and what F-RTO asks with are lost, there is no timeout a segment (N13)', () => {
    const count = dataCounter()
    const flow = startOneWay({
      bytes: 1_200_000,
      forward: {
        delay: 50,
        rate: 4000,
        drop: packet => {
          const { index, copy } = count(packet)
          return index >= 50 && index < 120 && copy === 0
        },
      },
    })
    flow.finish()
    expect(flow.sender.stats.timeouts).toBeLessThanOrEqual(4)
  })

  test('when the first ACK echoes a timestamp from before (N13) (S-spurious-timeout)', () => {
    const { s, t, tail } = thirtyInFlight('mss 1012,sackOK,TS val 7 ecr 0,wscale 7')
    s.wait(600).skip()
    expect(t.stats.timeouts).toBe(1)
    s.send(`. 1:1(0) ack 31001 win 30000${tail}`)
    expect(t.stats.congestionWindow).toBeGreaterThanOrEqual(40_000)
    expect(t.board.lostBytes).toBe(0)
  })
})

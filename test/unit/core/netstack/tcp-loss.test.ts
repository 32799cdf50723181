import { describe, expect, test } from 'vitest'
import { dialled, type Established, payload } from '../../../support/tcp-handshakes.js'

const withoutSack = 'mss 1000,wscale 7'
const withSack = 'mss 1000,sackOK,wscale 7'

/** Twenty segments of 1000 bytes want to leave; the first ten did. */
function tenInFlight(options: string): Established {
  const established = dialled(options)
  established.c.write(payload(20_000), 0, established.s.now)
  expect(established.s.take()).toHaveLength(10)
  return established
}

describe('the retransmission timer', () => {
  test('resends the head after SRTT + max(4 RTTVAR, 200 ms), doubling, with a window of one segment (N3)', () => {
    const { s, c } = tenInFlight(withoutSack)
    s.expectAfter(200, '. 1:1001(1000)').expectNothing()
    s.expectAfter(400, '. 1:1001(1000)')
    s.expectAfter(800, '. 1:1001(1000)')
    expect(c.stats).toMatchObject({ timeouts: 3, retransmits: 3 })
    expect(c.stats.congestionWindow).toBe(1000)
  })

  test('repairs in slow start: each ACK lets two lost segments out, and data that arrived is not sent again', () => {
    const { s } = tenInFlight(withoutSack)
    s.expectAfter(200, '. 1:1001(1000)')
    s.send('. 1:1(0) ack 1001 win 512').expect('. 1001:2001(1000)').expect('. 2001:3001(1000)').expectNothing()
    s.send('. 1:1(0) ack 8001 win 512').expect('. 8001:9001(1000)').expect('. 9001:10001(1000)')
    expect(s.take().length).toBeGreaterThan(0)
  })

  test('halves the threshold once, however often the same data times out', () => {
    const { s, c } = tenInFlight(withoutSack)
    s.wait(1500)
    expect(c.stats.timeouts).toBe(3)
    for (const ack of [1001, 2001, 3001, 4001]) s.send(`. 1:1(0) ack ${ack} win 512`)
    expect(c.stats.congestionWindow).toBe(5000)
  })

  test('is not fooled by the ACK of a segment sent twice (Karn) (N3)', () => {
    const { s, c } = tenInFlight(withoutSack)
    const before = c.stats.rtt
    s.wait(201).skip()
    s.wait(5).send('. 1:1(0) ack 1001 win 512')
    expect(c.stats.rtt).toBe(before)
  })

  test('gives up after 15 retransmissions (N3)', () => {
    const { s, owner } = tenInFlight(withoutSack)
    s.wait(3_000_000)
    expect(owner.error).toBe('ETIMEDOUT')
    expect(s.take().filter(line => line.includes(' 1:1001('))).toHaveLength(15)
    expect(s.stack.stats().connections).toBe(0)
  })

  test('never waits longer than 120 s (N3)', () => {
    const { s } = tenInFlight(withoutSack)
    for (let i = 0; i < 10; i++) s.expectAfter(200 * 2 ** i, '. 1:1001(1000)')
    s.expectAfter(120_000, '. 1:1001(1000)')
    s.expectAfter(120_000, '. 1:1001(1000)')
  })

  test('stops when everything is acknowledged', () => {
    const { s, c } = dialled(withoutSack)
    c.write(payload(10), 0, s.now)
    s.skip()
    s.send('. 1:1(0) ack 11 win 512')
    s.wait(100_000).expectNothing()
  })
})

describe('fast retransmit', () => {
  test('without SACK: two duplicates let new segments out (limited transmit), the third resends the head (N11)', () => {
    const { s, c } = tenInFlight(withoutSack)
    s.send('. 1:1(0) ack 1 win 512').expect('. 10001:11001(1000)')
    s.send('. 1:1(0) ack 1 win 512').expect('. 11001:12001(1000)')
    s.send('. 1:1(0) ack 1 win 512').expect('. 1:1001(1000)').expectNothing()
    expect(c.stats.congestionWindow).toBe(5000)
  })

  test('without SACK: a partial ACK resends the next hole at once (NewReno), and the end of recovery goes on (N11)', () => {
    const { s, c } = tenInFlight(withoutSack)
    for (let i = 0; i < 3; i++) s.send('. 1:1(0) ack 1 win 512')
    s.skip()
    s.send('. 1:1(0) ack 3001 win 512')
    s.expect('. 3001:4001(1000)')
    s.skip()
    s.send('. 1:1(0) ack 12001 win 512')
    expect(c.stats.retransmits).toBe(2)
    s.expect('. 12001:13001(1000)')
    expect(c.stats.congestionWindow).toBe(5000)
  })

  test('is not set off by window updates, data, or duplicates of nothing', () => {
    const { s, c } = tenInFlight(withoutSack)
    for (let i = 0; i < 5; i++) s.send(`. 1:1(0) ack 1 win ${513 + i}`)
    for (let i = 0; i < 5; i++) s.send(`P. ${1 + i}:${2 + i}(1) ack 1 win 517`)
    expect(c.stats.retransmits).toBe(0)
    s.send('. 6:6(0) ack 20001 win 512')
    for (let i = 0; i < 5; i++) s.send('. 6:6(0) ack 20001 win 512')
    expect(c.stats.retransmits).toBe(0)
  })

  test('with SACK: resends exactly the holes that have three segments reported above them', () => {
    const { s, c } = tenInFlight(withSack)
    s.send('. 1:1(0) ack 1001 win 512 <sack 2001:3001>').skip()
    s.send('. 1:1(0) ack 1001 win 512 <sack 2001:4001>').skip()
    s.send('. 1:1(0) ack 1001 win 512 <sack 5001:6001 2001:4001>')
    const lines = s.take()
    expect(lines[0]).toContain(' 1001:2001(1000)')
    expect(c.stats.retransmits).toBe(1)
    s.send('. 1:1(0) ack 1001 win 512 <sack 5001:12001 2001:4001>')
    expect(s.take()[0]).toContain(' 4001:5001(1000)')
    expect(c.stats.retransmits).toBe(2)
    s.send(`. 1:1(0) ack ${1 + c.stats.bytesSent} win 512`).skip()
    s.send(`. 1:1(0) ack ${1 + c.stats.bytesSent} win 512`)
    expect(c.bytesQueued).toBe(0)
    expect(c.stats).toMatchObject({ retransmits: 2, timeouts: 0 })
  })

  test('with SACK: a burst of twenty losses is resent at once, as far as the window goes, without a timeout', () => {
    const { s, c } = dialled(withSack, {}, 30_000)
    c.write(payload(400_000), 0, s.now)
    let acked = 0
    for (const segments of [10, 20, 40]) {
      expect(s.take()).toHaveLength(segments)
      acked += segments * 1000
      s.wait(50).send(`. 1:1(0) ack ${1 + acked} win 30000`)
    }
    expect(s.take()).toHaveLength(80)
    s.send(`. 1:1(0) ack ${1 + acked} win 30000 <sack ${acked + 20_001}:${acked + 80_001}>`)
    const resent = s.take().filter(line => Number(/ (\d+):/.exec(line)?.[1]) < 1 + acked + 20_000)
    expect(resent).toHaveLength(20)
    s.send(`. 1:1(0) ack ${1 + acked + 80_000} win 30000`)
    expect(c.stats).toMatchObject({ retransmits: 20, timeouts: 0 })
  })

  test('with SACK: goes on after a lost retransmission, by the timer', () => {
    const { s, c } = tenInFlight(withSack)
    s.send('. 1:1(0) ack 1 win 512 <sack 1001:6001>')
    expect(s.take()[0]).toContain(' 1:1001(1000)')
    s.wait(1000)
    expect(s.take().filter(line => line.includes(' 1:1001(1000)')).length).toBeGreaterThan(0)
    // F-RTO first asks with new data whether the timeout was one (RFC 5682, 3.1, step 2).
    s.send('. 1:1(0) ack 6001 win 512')
    s.expect('. 10001:11001(1000)').expect('. 11001:12001(1000)').expectNothing()
    s.send('. 1:1(0) ack 6001 win 512 <sack 10001:12001>')
    expect(s.take()[0]).toContain(' 6001:7001(1000)')
    expect(c.stats.timeouts).toBeGreaterThan(0)
  })

  test('with SACK: survives a peer that forgets what it reported (N11)', () => {
    const { s, c } = tenInFlight(withSack)
    s.send('. 1:1(0) ack 1 win 512 <sack 1001:10001>').skip()
    // The hole is filled, and yet only that is acknowledged: the rest was thrown away.
    s.send('. 1:1(0) ack 1001 win 512').skip()
    for (let acked = 1001; acked < 20_001; acked += 1000) {
      s.wait(120_000)
      const lines = s.take()
      expect(lines.some(line => line.includes(` ${acked}:${acked + 1000}(1000)`))).toBe(true)
      s.send(`. 1:1(0) ack ${acked + 1000} win 512`)
    }
    expect(c.bytesQueued).toBe(0)
    expect(s.stack.counters.tcpReneged).toBe(1)
  })

  test('ignores SACK blocks of what was never sent, or upside down', () => {
    const { s, c } = tenInFlight(withSack)
    s.send('. 1:1(0) ack 1 win 512 <sack 1001:90001 5001:3001 400000:500000>')
    s.send('. 1:1(0) ack 1 win 512 <sack 1001:90001 5001:3001 400000:500000>')
    expect(c.stats.retransmits).toBe(0)
  })
})

describe('the congestion window', () => {
  test('doubles in a round trip of slow start', () => {
    const { s, c } = dialled('mss 1000,sackOK,wscale 7', {}, 30_000)
    c.write(payload(1_000_000), 0, s.now)
    let acked = 0
    for (const segments of [10, 20, 40, 80]) {
      expect(s.take()).toHaveLength(segments)
      acked += segments
      s.wait(50).send(`. 1:1(0) ack ${1 + acked * 1000} win 30000`)
    }
  })

  test('does not grow while the application is the limit (N13)', () => {
    const { s, c } = dialled('mss 1000,sackOK,wscale 7', {}, 30_000)
    for (let i = 0; i < 50; i++) {
      c.write(payload(1000), 0, s.now)
      s.skip()
      s.send(`. 1:1(0) ack ${1 + (i + 1) * 1000} win 30000`)
    }
    expect(c.stats.congestionWindow).toBe(10_000)
  })

  test('grows by a segment a round trip after a loss', () => {
    const { s, c } = tenInFlight(withSack)
    s.send('. 1:1(0) ack 1 win 512 <sack 1001:6001>').skip()
    s.send('. 1:1(0) ack 10001 win 512')
    const after = c.stats.congestionWindow
    let acked = 10_001
    c.write(payload(100_000), 0, s.now)
    for (let round = 1; round <= 4; round++) {
      const count = s.take().length
      acked += count * 1000
      s.send(`. 1:1(0) ack ${acked} win 512`)
    }
    expect(c.stats.congestionWindow - after).toBeGreaterThanOrEqual(3000)
    expect(c.stats.congestionWindow - after).toBeLessThanOrEqual(5000)
  })

  test('starts at ten segments again after a long silence (N13)', () => {
    const { s, c } = dialled('mss 1000,sackOK,wscale 7', {}, 30_000)
    c.write(payload(70_000), 0, s.now)
    let acked = 0
    for (let count = s.take().length; count > 0; count = s.take().length) {
      acked += count
      s.send(`. 1:1(0) ack ${1 + acked * 1000} win 30000`)
    }
    expect(c.stats.congestionWindow).toBeGreaterThan(30_000)
    s.wait(10_000)
    c.write(payload(70_000), 0, s.now)
    expect(s.take()).toHaveLength(10)
  })
})

describe('small segments lost side by side', () => {
  /** One by one, as they were written. */
  function small(count: number, bytes: number): Established {
    const established = dialled(withSack)
    const { s, c } = established
    for (let i = 0; i < count; i++) {
      c.write(payload(bytes), 0, s.now)
      s.flush()
    }
    expect(s.take()).toHaveLength(count)
    return established
  }

  test('are resent as one: a peer that keeps nothing out of order costs a packet a round trip (N11)', () => {
    const { s, c } = small(50, 1)
    s.wait(5)
    s.send('. 1:1(0) ack 2 win 512 <sack 50:51>').wait(2).expect('. 2:50(48)').expectNothing()
    s.send('. 1:1(0) ack 51 win 512').expectNothing()
    expect(c.stats).toMatchObject({ retransmits: 1, timeouts: 0 })
    expect(c.bytesQueued).toBe(0)
  })

  test('are resent as far as they fit in a segment, and each counts by itself when it arrives (N11)', () => {
    const { s, c } = small(6, 400)
    s.wait(5)
    s.send('. 1:1(0) ack 1 win 512 <sack 2001:2401>').wait(2).expect('. 1:801(800)').expectNothing()
    s.send('. 1:1(0) ack 401 win 512 <sack 2001:2401>')
      .expect('. 801:1601(800)')
      .expect('. 1601:2001(400)')
      .expectNothing()
    s.send('. 1:1(0) ack 401 win 512 <sack 801:1601 2001:2401>').expectNothing()
    s.wait(10)
    s.send('. 1:1(0) ack 401 win 512 <sack 801:2401>').expect('. 401:801(400)').expectNothing()
    s.send('. 1:1(0) ack 2401 win 512').expectNothing()
    expect([c.bytesQueued, c.stats.retransmits]).toEqual([0, 4])
  })

  test('are resent as one after a timeout too, the FIN with them (N3)', () => {
    const { s, c } = small(10, 5)
    c.end(s.now)
    s.expect('F. 51:51(0)')
    s.expectAfter(10, 'FP. 51:51(0)').expectAfter(200, 'FP. 1:51(50)').expectNothing()
    s.send('. 1:1(0) ack 52 win 512').expectNothing()
    expect(c.state).toBe('fin-wait-2')
  })
})

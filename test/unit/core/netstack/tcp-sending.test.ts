import { describe, expect, test } from 'vitest'
import { createFixed } from '../../../support/one-way.js'
import { accepted, dialled, payload } from '../../../support/tcp-handshakes.js'

describe('segments', () => {
  test('are as large as the peer said, less the options that every one carries (N7)', () => {
    const plain = dialled('mss 1000,sackOK,wscale 7')
    plain.c.write(payload(2500), 0, plain.s.now)
    plain.s.expect('. 1:1001(1000)').expect('. 1001:2001(1000)').expect('P. 2001:2501(500)')
    const stamped = dialled('mss 1000,sackOK,TS val 1 ecr 0,wscale 7')
    stamped.c.write(payload(1500), 0, stamped.s.now)
    stamped.s.expect('. 1:989(988)').expect('P. 989:1501(512)')
  })

  for (const [said, size] of [
    ['sackOK', 536],
    ['mss 0', 536],
    ['mss 1', 48],
    ['mss 48', 48],
    ['mss 9000', 1460],
  ] as const) {
    test(`to a peer that said "${said}" carry ${size} bytes (N7)`, () => {
      const { s, c } = dialled(`${said},wscale 7`)
      c.write(payload(3000), 0, s.now)
      s.expect(`. 1:${1 + size}(${size})`)
    })
  }

  test('without an MSS over IPv6 carry 1220 bytes (N7)', () => {
    const { s, c } = dialled('wscale 7', { family: 6 })
    c.write(payload(3000), 0, s.now)
    s.expect('. 1:1221(1220)')
  })

  test('leave ten at first (IW10) (N13)', () => {
    const { s, c } = dialled()
    c.write(payload(100_000), 0, s.now)
    expect(s.take()).toHaveLength(10)
  })

  test('to a peer without window scale respect 64 KiB', () => {
    const { s, c } = dialled('mss 1460', {}, 5000)
    c.write(payload(10_000), 0, s.now)
    s.expect('. 1:1461(1460)').expect('. 1461:2921(1460)').expect('. 2921:4381(1460)').expectNothing()
  })

  test('written one byte at a time leave at once, or, with Nagle, wait for the ACK (N16)', () => {
    const { s, c } = dialled()
    c.write(payload(1), 0, s.now)
    s.expect('P. 1:2(1)')
    c.write(payload(1), 0, s.now)
    s.expect('P. 2:3(1)')
    c.setNoDelay(false)
    c.write(payload(1), 0, s.now)
    c.write(payload(1), 0, s.now)
    s.expectNothing()
    s.send('. 1:1(0) ack 3 win 512').expect('P. 3:5(2)')
    c.write(payload(1), 0, s.now)
    s.expectNothing()
    c.setNoDelay(true)
    s.expect('P. 5:6(1)')
    c.setNoDelay(false)
    c.write(payload(1), 0, s.now)
    c.end(s.now)
    s.expect('FP. 6:7(1)')
  })

  test('written in one turn are one segment', () => {
    const { s, c } = dialled()
    for (let i = 0; i < 10; i++) c.write(payload(100), 0, s.now)
    s.expect('P. 1:1001(1000)').expectNothing()
  })
})

describe('the send queue', () => {
  test('takes so much, and says when there is room again', () => {
    const { s, c, owner } = dialled(undefined, { limits: { sendBuffer: 10_000, maxSendBuffer: 10_000 } }, 10_000)
    expect(c.write(payload(20_000), 0, s.now)).toBe(10_000)
    expect(c.write(payload(1), 0, s.now)).toBe(0)
    s.skip()
    s.send('. 1:1(0) ack 1461 win 10000')
    expect(owner.log).not.toContain('writable')
    s.send('. 1:1(0) ack 4381 win 10000')
    expect(owner.log).toContain('writable')
    expect(c.bytesQueued).toBe(10_000 - 4380)
  })

  test('grows to twice the congestion window (N10)', () => {
    const { s, c } = dialled(undefined, { limits: { sendBuffer: 20_000 } }, 10_000)
    expect(c.write(payload(200_000), 0, s.now)).toBe(2 * 14_600)
  })
})

describe('the segments in flight of a peer that wants them tiny', () => {
  test('are bounded, and what is known of them counts as memory for sending (N7) (N10)', () => {
    const { s, c } = dialled('mss 48,sackOK,wscale 14', { congestion: createFixed(1 << 25) }, 65535)
    while (c.write(payload(1 << 20), 0, s.now) > 0);
    s.flush()
    expect(s.waiting.splice(0)).toHaveLength(65536)
    expect(s.stack.stats().sendMemory).toBeGreaterThanOrEqual(c.bytesQueued + 65536 * 64)
    s.send('. 1:1(0) ack 97 win 65535')
    expect(s.take()).toHaveLength(2)
    c.reset(s.now)
    expect(s.stack.stats().sendMemory).toBe(0)
  }, 30_000)
})

describe('the send window', () => {
  test('closed: is probed with a byte that counts, after the RTO and doubling, for as long as the peer answers (N4)', () => {
    const { s, c, owner } = dialled(undefined, {}, 0)
    c.write(payload(100), 0, s.now)
    s.expectNothing()
    let wait = 200
    for (let i = 0; i < 8; i++, wait *= 2) {
      s.expectAfter(wait, '. 1:2(1) ack 1')
      s.send('. 1:1(0) ack 1 win 0')
    }
    for (let i = 0; i < 30; i++)
      s.expectAfter(Math.min(wait * 2 ** i, 120_000), '. 1:2(1)').send('. 1:1(0) ack 1 win 0')
    expect(owner.isClosed).toBe(false)
    s.send('. 1:1(0) ack 1 win 512').expect('. 1:2(1)').expect('P. 2:101(99)')
  })

  test('closed, of a peer that answers no more: gives up after 15 probes (N4)', () => {
    const { s, c, owner } = dialled(undefined, {}, 0)
    c.write(payload(100), 0, s.now)
    s.wait(2_000_000)
    expect(owner.error).toBe('ETIMEDOUT')
    expect(s.take().filter(line => line.includes('1:2(1)'))).toHaveLength(15)
  })

  test('closed, and the probe is taken: goes on behind it (N4)', () => {
    const { s, c } = dialled(undefined, {}, 0)
    c.write(payload(100), 0, s.now)
    s.expectAfter(200, '. 1:2(1)')
    s.send('. 1:1(0) ack 2 win 512').expect('P. 2:101(99)')
  })

  test('closed, with only a FIN to send: the FIN is the probe (N4)', () => {
    const { s, c } = dialled(undefined, {}, 0)
    c.end(s.now)
    s.expectNothing()
    s.expectAfter(200, 'F. 1:1(0)')
  })

  test('may shrink below what was sent: the head is resent as a probe, and no congestion is seen in it (N1)', () => {
    const { s, c, owner } = dialled()
    c.write(payload(4000), 0, s.now)
    s.skip()
    s.send('. 1:1(0) ack 1461 win 0')
    for (let i = 0; i < 20; i++) {
      s.wait(120_000)
      s.send('. 1:1(0) ack 1461 win 0')
    }
    expect(owner.isClosed).toBe(false)
    const lines = s.take()
    expect(lines.length).toBeGreaterThan(15)
    for (const line of lines) expect(line).toContain('1461:2921(1460)')
    expect(c.stats.congestionWindow).toBeGreaterThanOrEqual(14_600)
    s.send('. 1:1(0) ack 1461 win 512')
    s.expect('. 1461:2921(1460)')
  })

  test('is not taken from an old segment (N5)', () => {
    const { s, c } = dialled()
    s.sendOnly('P. 1:11(10) ack 1 win 512').sendOnly('P. 11:21(10) ack 1 win 512')
    s.send('. 1:1(0) ack 1 win 0').skip()
    c.write(payload(10), 0, s.now)
    s.expect('P. 1:11(10)')
  })

  test('that is silly waits for half the largest, or for its override (N5)', () => {
    const { s, c } = dialled('mss 1460,sackOK', {}, 4000)
    c.write(payload(10_000), 0, s.now)
    s.skip()
    s.send('. 1:1(0) ack 2921 win 500').expectNothing()
    s.expectAfter(200, '. 2921:3421(500)')
    s.send('. 1:1(0) ack 3421 win 2000').expect('. 3421:4881(1460)').expectNothing()
    s.send('. 1:1(0) ack 4881 win 1400')
    s.expectNothing()
  })

  test('of half the largest is not silly (N5)', () => {
    const { s, c } = dialled('mss 1460,sackOK', {}, 2000, 2000)
    c.write(payload(10_000), 0, s.now)
    s.expect('. 1:1461(1460)').expectNothing()
    s.send('. 1:1(0) ack 1461 win 1100').expect('. 1461:2561(1100)')
  })
})

describe('keepalive', () => {
  test('probes after the idle time, each second, and gives up after ten (N16)', () => {
    const { s, c, owner } = dialled()
    c.setKeepAlive(true, 30_000, s.now)
    s.expectAfter(30_000, '. 0:0(0) ack 1')
    for (let i = 1; i < 10; i++) s.expectAfter(1000, '. 0:0(0) ack 1')
    s.wait(999)
    expect(owner.isClosed).toBe(false)
    s.wait(2)
    expect(owner.error).toBe('ETIMEDOUT')
  })

  test('is content with an answer (N16)', () => {
    const { s, c, owner } = dialled()
    c.setKeepAlive(true, 30_000, s.now)
    for (let i = 0; i < 20; i++) {
      s.expectAfter(30_000, '. 0:0(0) ack 1')
      s.send('. 1:1(0) ack 1 win 512')
    }
    expect(owner.isClosed).toBe(false)
    c.setKeepAlive(false, 0, s.now)
    s.wait(100_000).expectNothing()
  })

  test('is answered (N9)', () => {
    const { s } = accepted()
    s.send('. 0:0(0) ack 1 win 512').expect('. 1:1(0) ack 1')
    for (let i = 0; i < 50; i++) s.send('. 0:0(0) ack 1 win 512').expect('. 1:1(0) ack 1')
    s.send('. 0:1(1) ack 1 win 512').expect('. 1:1(0) ack 1')
  })
})

import { describe, expect, test } from 'vitest'
import { accepted, dialled, payload } from '../../../support/tcp-handshakes.js'

describe('timestamps', () => {
  const options = 'mss 1460,sackOK,TS val 1000 ecr 0,wscale 7'

  test('are echoed from the segment that the last ACK waits for (N15)', () => {
    const { s } = accepted(options)
    s.send('. 1:101(100) ack 1 win 512 <TS val 1001 ecr 0>').expect('. 1:1(0) ack 101 <TS ecr 1001>')
    s.send('. 201:301(100) ack 1 win 512 <TS val 1002 ecr 0>').expect('. 1:1(0) ack 101 <TS ecr 1001>')
    s.send('. 101:201(100) ack 1 win 512 <TS val 1003 ecr 0>').expect('. 1:1(0) ack 301 <TS ecr 1003>')
  })

  test('that are old betray an old segment (PAWS), but not a RST, and not after 24 days (N15)', () => {
    const { s, owner } = accepted(options)
    s.send('. 1:101(100) ack 1 win 512 <TS val 999 ecr 0>').expect('. 1:1(0) ack 1 <TS ecr 1000>')
    expect(owner.received.length).toBe(0)
    expect(s.stack.counters.tcpPaws).toBe(1)
    s.wait(25 * 24 * 3600 * 1000)
    s.send('. 1:101(100) ack 1 win 512 <TS val 999 ecr 0>').expect('. 1:1(0) ack 101 <TS ecr 999>')
    s.send('R 101:101(0) <TS val 5 ecr 0>')
    expect(owner.error).toBe('ECONNRESET')
  })

  test('that a resent head has overtaken are not old while data waits out of order (N15)', () => {
    const { s, owner } = accepted(options)
    s.send('. 201:301(100) ack 1 win 512 <TS val 1003 ecr 0>').expect('. 1:1(0) ack 1')
    s.send('. 1:101(100) ack 1 win 512 <TS val 1060 ecr 0>').expect('. 1:1(0) ack 101 <TS ecr 1060>')
    s.send('. 101:201(100) ack 1 win 512 <TS val 1002 ecr 0>').expect('. 1:1(0) ack 301')
    expect(owner.received.length).toBe(300)
    expect(s.stack.counters.tcpPaws).toBe(0)
    // Nothing waits any more; and what is older than the RTO was not only overtaken.
    s.send('. 301:401(100) ack 1 win 512 <TS val 1002 ecr 0>').expect('. 1:1(0) ack 301')
    s.send('. 501:601(100) ack 1 win 512 <TS val 1061 ecr 0>').expect('. 1:1(0) ack 301')
    s.send('. 301:401(100) ack 1 win 512 <TS val 10 ecr 0>').expect('. 1:1(0) ack 301')
    expect(s.stack.counters.tcpPaws).toBe(2)
    expect(owner.received.length).toBe(300)
  })

  test('may be missing in a segment that is good otherwise (N15)', () => {
    const { s, owner } = accepted(options)
    s.send('. 1:101(100) ack 1 win 512').expect('. 1:1(0) ack 101 <TS ecr 1000>')
    expect(owner.received.length).toBe(100)
  })

  test('that wrap around go on (N15)', () => {
    const { s, owner } = accepted('mss 1460,TS val 4294967290 ecr 0')
    s.send('. 1:101(100) ack 1 <TS val 5 ecr 0>').expect('. 1:1(0) ack 101')
    expect(owner.received.length).toBe(100)
  })

  test('are not used with a peer that did not offer them', () => {
    const { s, c } = dialled('mss 1460,sackOK')
    c.write(payload(10), 0, s.now)
    s.expect('P. 1:11(10) ack 1 <>')
  })
})

import { describe, expect, test } from 'vitest'
import { dialled, payload } from '../../../../support/tcp-handshakes.js'
import { TcpScript } from '../../../../support/tcp-script.js'

const withoutSack = 'mss 1000,wscale 7'
const withSack = 'mss 1000,sackOK,wscale 7'

describe('a deadline that passed while the loop was blocked', () => {
  test('of the retransmission timer: nothing is sent again before what came meanwhile is read (B1)', () => {
    const { s, c } = dialled(withoutSack)
    c.write(payload(10_000), 0, s.now)
    expect(s.take()).toHaveLength(10)
    const sentAt = s.now
    s.now += 300
    s.stack.handleTimeout(s.now, sentAt + 150)
    s.expectNothing()
    expect(s.stack.nextDeadline()).toBe(s.now + 1)
    s.send('. 1:1(0) ack 10001 win 512').expectNothing()
    s.wait(1000).expectNothing()
    expect(c.stats).toMatchObject({ timeouts: 0, retransmits: 0 })
  })

  test('and nothing had come: the head goes again as soon as that is known (B1)', () => {
    const { s, c } = dialled(withoutSack)
    c.write(payload(10_000), 0, s.now)
    expect(s.take()).toHaveLength(10)
    const sentAt = s.now
    s.now += 300
    s.stack.handleTimeout(s.now, sentAt + 150)
    s.now++
    s.stack.handleTimeout(s.now, s.now)
    s.expect('. 1:1001(1000)').expectNothing()
    expect(c.stats.timeouts).toBe(1)
  })

  test('of a loss probe: none leaves before what came meanwhile is read (B1)', () => {
    const { s, c } = dialled(withSack)
    c.write(payload(2000), 0, s.now)
    expect(s.take()).toHaveLength(2)
    const sentAt = s.now
    s.now += 50
    s.stack.handleTimeout(s.now, sentAt + 5)
    s.expectNothing()
    s.send('. 1:1(0) ack 2001 win 512').expectNothing()
    s.wait(1000).expectNothing()
    expect(c.stats.retransmits).toBe(0)
    expect(s.stack.counters.tcpLossProbes).toBe(0)
  })

  test('of the reordering window: who was overtaken is not lost before what came meanwhile is read (B1)', () => {
    const s = new TcpScript()
    const events = { connected() {}, readable() {}, writable() {}, closed() {} }
    const c = s.stack.connect({ address: s.peer, port: s.peerPort }, events, s.now)
    s.expect('S 0:0(0)')
    s.wait(100)
    s.send(`S. 0:0(0) ack 1 win 65535 <${withSack}>`).skip()
    c.write(payload(4000), 0, s.now)
    expect(s.take()).toHaveLength(4)
    s.wait(100)
    s.send('. 1:1(0) ack 1 win 512 <sack 1001:2001>').expectNothing()
    const overtakenAt = s.now
    s.now += 60
    s.stack.handleTimeout(s.now, overtakenAt + 10)
    s.expectNothing()
    s.send('. 1:1(0) ack 4001 win 512').expectNothing()
    s.wait(1000).expectNothing()
    expect(c.stats.retransmits).toBe(0)
  })
})

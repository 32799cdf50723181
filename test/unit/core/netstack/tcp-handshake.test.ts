import { describe, expect, test } from 'vitest'
import { StackError } from '../../../../src/core/netstack/stack.js'
import { Recorder } from '../../../support/tcp-endpoints.js'
import { dialled, payload } from '../../../support/tcp-handshakes.js'
import { TcpScript } from '../../../support/tcp-script.js'

function dial(s: TcpScript, timeout?: number) {
  const owner = new Recorder()
  const options = { address: s.peer, port: s.peerPort, ...(timeout === undefined ? {} : { timeout }) }
  const c = s.stack.connect(options, owner, s.now)
  owner.connection = c
  return { c, owner }
}

describe('a dial', () => {
  test('offers MSS, SACK, timestamps and a window scale for 32 MiB, and is established by the SYN-ACK (N10)', () => {
    const s = new TcpScript()
    const { c, owner } = dial(s)
    expect(c.state).toBe('syn-sent')
    s.expect('S 0:0(0) win 65535 <mss 1460,sackOK,TS,wscale 10>')
    s.send('S. 0:0(0) ack 1 win 65535 <mss 1400,sackOK,wscale 7>')
    s.expect('. 1:1(0) ack 1 <>')
    expect(c.state).toBe('established')
    expect(owner.log).toEqual(['connected'])
  })

  test('offers the MSS of an IPv6 packet (N7)', () => {
    const s = new TcpScript({ family: 6 })
    dial(s)
    s.expect('S 0:0(0) <mss 1440>')
  })

  test('resends a lost SYN after 1, 2, 4, 8, 16 and 32 s and gives up 64 s later (N3)', () => {
    const s = new TcpScript()
    const { owner } = dial(s)
    s.expect('S 0:0(0)')
    for (const seconds of [1, 2, 4, 8, 16, 32]) s.expectAfter(seconds * 1000, 'S 0:0(0)')
    s.wait(63_900)
    expect(owner.isClosed).toBe(false)
    s.wait(200)
    expect(owner.log).toEqual(['closed ETIMEDOUT'])
  })

  test('ends after its own timeout', () => {
    const s = new TcpScript()
    const { owner } = dial(s, 2500)
    s.wait(2499)
    expect(owner.isClosed).toBe(false)
    s.wait(2)
    expect(owner.error).toBe('ETIMEDOUT')
    expect(s.stack.nextDeadline()).toBe(Infinity)
  })

  test('is refused by a RST that acknowledges the SYN', () => {
    const s = new TcpScript()
    const { owner } = dial(s)
    s.expect('S 0:0(0)')
    s.send('R. 0:0(0) ack 1')
    expect(owner.log).toEqual(['closed ECONNREFUSED'])
    s.expectNothing()
  })

  test('ignores a blind RST (N9)', () => {
    const s = new TcpScript()
    const { owner } = dial(s)
    s.expect('S 0:0(0)')
    s.send('R 0:0(0)').send('R. 0:0(0) ack 2').send('R. 0:0(0) ack 0')
    expect(owner.isClosed).toBe(false)
  })

  test('answers a stale ACK with a RST, sends its SYN again behind it and goes on', () => {
    const s = new TcpScript()
    const { c } = dial(s)
    s.expect('S 0:0(0)')
    s.send('. 500:500(0) ack 4711')
    s.expect('R 4711:4711(0)')
    s.expect('S 0:0(0)')
    s.send('S. 0:0(0) ack 1 <mss 1460>')
    s.expect('. 1:1(0) ack 1')
    expect(c.state).toBe('established')
  })

  test('meets another SYN: both sides opened at once (N18)', () => {
    const s = new TcpScript()
    const { c, owner } = dial(s)
    s.expect('S 0:0(0)')
    s.send('S 0:0(0) win 65535 <mss 1460,sackOK,wscale 7>')
    s.expect('S. 0:0(0) ack 1')
    expect(c.state).toBe('syn-received')
    s.send('S. 0:0(0) ack 1 win 65535 <mss 1460,sackOK,wscale 7>')
    s.expect('. 1:1(0) ack 1')
    expect(c.state).toBe('established')
    expect(owner.log).toEqual(['connected'])
    s.send('P. 1:11(10) ack 1 win 512')
    expect(owner.received.length).toBe(10)
  })

  test('neither takes nor acknowledges data in a SYN-ACK (N19)', () => {
    const s = new TcpScript()
    const { owner } = dial(s)
    s.expect('S 0:0(0)')
    s.send('S. 0:5(5) ack 1 <mss 1460>')
    s.expect('. 1:1(0) ack 1')
    expect(owner.received.length).toBe(0)
  })

  test('sends what was written before it was established', () => {
    const s = new TcpScript()
    const { c } = dial(s)
    expect(c.write(payload(10), 0, s.now)).toBe(10)
    s.expect('S 0:0(0)').expectNothing()
    s.send('S. 0:0(0) ack 1 <mss 1460>')
    s.expect('P. 1:11(10) ack 1').expectNothing()
  })

  test('after a lost SYN starts with one segment and an RTO of 3 s where no timestamp tells the round trip (N3)', () => {
    const s = new TcpScript()
    const { c } = dial(s)
    c.write(payload(20_000), 0, s.now)
    s.expect('S 0:0(0)')
    s.expectAfter(1000, 'S 0:0(0)')
    s.wait(50).send('S. 0:0(0) ack 1 <mss 1460>')
    s.expect('. 1:1461(1460) ack 1').expectNothing()
    s.expectAfter(3000, '. 1:1461(1460)')
  })

  test('after a lost SYN starts with ten where a timestamp tells it (N3)', () => {
    const s = new TcpScript()
    const { c } = dial(s)
    c.write(payload(20_000), 0, s.now)
    s.take()
    s.wait(1001)
    const [syn] = s.take() as [string]
    expect(syn).toContain('S 0:0(0)')
    const echo = s.lastTimestamp
    s.wait(50).send(`S. 0:0(0) ack 1 <mss 1460,TS val 1 ecr ${echo}>`)
    expect(s.take()).toHaveLength(10)
    expect(c.stats.rtt).toBeCloseTo(50, -1)
  })

  test('fails for local reasons only by throwing', () => {
    const s = new TcpScript({ route: () => -1 })
    expect(() => dial(s)).toThrow(StackError)
    const other = new TcpScript()
    const { c } = dial(other)
    const again = { address: other.peer, port: other.peerPort, localPort: c.localPort }
    expect(() => other.stack.connect(again, new Recorder(), other.now)).toThrow(
      expect.objectContaining({ code: 'EADDRINUSE' }),
    )
    const alien = { address: other.peer, port: 1, localAddress: other.peer }
    expect(() => other.stack.connect(alien, new Recorder(), other.now)).toThrow(
      expect.objectContaining({ code: 'EADDRNOTAVAIL' }),
    )
  })

  test('may use one local port for many destinations, and runs out of ports for one only (N18)', () => {
    const s = new TcpScript({ limits: { firstEphemeralPort: 40000, lastEphemeralPort: 40003 } })
    for (let port = 1; port <= 3; port++) {
      const ports = new Set<number>()
      for (let i = 0; i < 4; i++) {
        ports.add(s.stack.connect({ address: s.peer, port }, new Recorder(), s.now).localPort)
      }
      expect(ports.size).toBe(4)
      expect(() => s.stack.connect({ address: s.peer, port }, new Recorder(), s.now)).toThrow(
        expect.objectContaining({ code: 'EADDRNOTAVAIL' }),
      )
    }
  })
})

describe('a path that is not up', () => {
  test('holds the first SYN back, and no round trip spans the wait (N17) (W19)', () => {
    const woken: number[] = []
    const s = new TcpScript({ wakePath: path => woken.push(path) })
    s.pathUp = false
    const { c } = dial(s)
    s.wait(20_000).expectNothing()
    expect(woken).toEqual([1])
    s.pathUp = true
    s.stack.handlePathUp(1, s.now)
    s.expect('S 0:0(0)')
    s.wait(30).send('S. 0:0(0) ack 1 <mss 1460>').expect('. 1:1(0) ack 1')
    expect(c.stats.rtt).toBeCloseTo(30, 0)
  })

  test('fails the dial when nobody answers on it', () => {
    const s = new TcpScript()
    s.pathUp = false
    const { owner } = dial(s)
    s.stack.handlePathDown(1, s.now)
    s.flush()
    expect(owner.log).toEqual(['closed EHOSTUNREACH'])
    s.stack.handlePathUp(1, s.now)
    s.expectNothing()
  })

  test('leaves nothing behind of a dial that its owner gave up', () => {
    const s = new TcpScript()
    s.pathUp = false
    const { c, owner } = dial(s)
    c.destroy(s.now)
    s.flush()
    expect(owner.log).toEqual(['closed'])
    s.stack.handlePathUp(1, s.now)
    s.expectNothing()
    expect(s.stack.nextDeadline()).toBe(Infinity)
  })

  test('when it comes back, flows that backed off send their head at once (N17)', () => {
    const { s, c } = dialled()
    c.write(payload(3000), 0, s.now)
    s.take()
    s.wait(20_000).skip()
    s.stack.handlePathUp(1, s.now)
    s.expect('. 1:1461(1460)').expectNothing()
    s.send('. 1:1(0) ack 1461 win 512').expect('. 1461:2921(1460)')
  })

  test('does not disturb flows that are well (N17)', () => {
    const { s, c } = dialled()
    c.write(payload(3000), 0, s.now)
    s.skip()
    s.stack.handlePathUp(1, s.now)
    s.expectNothing()
  })
})

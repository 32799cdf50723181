import { describe, expect, test } from 'vitest'
import { flagSyn } from '../../../../src/core/wire/tcp.js'
import { Recorder } from '../../../support/tcp-endpoints.js'
import { accepted } from '../../../support/tcp-handshakes.js'
import { TcpScript } from '../../../support/tcp-script.js'
import { tcpPacket } from '../../../support/tcp-script-packet.js'

describe('a listener', () => {
  test('accepts when the handshake is done', () => {
    const { c, owner, s } = accepted()
    expect(c.state).toBe('established')
    expect(owner.log).toEqual([])
    expect(c.remotePort).toBe(4000)
    expect(c.localPort).toBe(80)
    expect(s.stack.stats().connections).toBe(1)
  })

  test('resends a lost SYN-ACK by timer and for each SYN that comes again', () => {
    const s = new TcpScript()
    s.stack.listen({ port: 80 }, () => new Recorder())
    s.send('S 0:0(0) <mss 1460>').expect('S. 0:0(0) ack 1')
    s.expectAfter(1000, 'S. 0:0(0) ack 1')
    s.send('S 0:0(0) <mss 1460>').expect('S. 0:0(0) ack 1').expectNothing()
    for (const seconds of [2, 4, 8, 16, 32]) s.expectAfter(seconds * 1000, 'S. 0:0(0) ack 1')
    s.wait(65_000).expectNothing()
    expect(s.stack.stats().connections).toBe(0)
  })

  test('takes data that comes with the final ACK, and data that comes before it was seen', () => {
    const s = new TcpScript()
    const owner = new Recorder()
    s.stack.listen({ port: 80 }, connection => {
      owner.connection = connection
      return owner
    })
    s.send('S 0:0(0) <mss 1460,sackOK>').expect('S. 0:0(0) ack 1')
    s.send('P. 11:21(10) ack 1').expect('. 1:1(0) ack 1 <sack 11:21>')
    s.send('P. 1:11(10) ack 1').expect('. 1:1(0) ack 21')
    expect(owner.received.length).toBe(20)
  })

  test('answers an ACK of something else with a RST and keeps waiting', () => {
    const s = new TcpScript()
    s.stack.listen({ port: 80 }, () => new Recorder())
    s.send('S 0:0(0) <mss 1460>').expect('S. 0:0(0) ack 1')
    s.send('. 1:1(0) ack 77').expect('R 77:77(0)')
    s.send('. 1:1(0) ack 1').expectNothing()
    expect(s.stack.counters.tcpAccepts).toBe(1)
  })

  test('forgets a half-open connection that is reset, and its owner never hears of it', () => {
    const s = new TcpScript()
    s.stack.listen({ port: 80 }, () => new Recorder())
    s.send('S 0:0(0) <mss 1460>').expect('S. 0:0(0) ack 1')
    s.send('R 1:1(0)')
    expect(s.stack.stats().connections).toBe(0)
    expect(s.stack.counters.tcpAccepts).toBe(0)
  })

  test('that one peer fills with SYNs has its share for each other one (N18)', () => {
    const s = new TcpScript()
    s.stack.listen({ port: 80, backlog: 6 }, () => new Recorder())
    const answered = (peer: number, fromPort: number) => {
      const from = Uint8Array.of(10, 7, 0, peer)
      const syn = {
        flags: flagSyn,
        sequence: 1,
        acknowledgment: 0,
        window: 1000,
        options: new Uint8Array(),
        payload: new Uint8Array(),
      }
      const packet = tcpPacket({ from, fromPort, to: s.ours, toPort: 80 }, syn)
      const slot = s.memory.alloc()
      s.memory.u8.set(packet, slot + 16)
      s.stack.handlePacket(slot, slot + 16, packet.length, peer, s.now)
      s.flush()
      return s.waiting.splice(0).length
    }
    const flood = (peer: number, port = 1000) =>
      Array.from({ length: 100 }, (_, i) => answered(peer, port + i)).reduce((a, b) => a + b)
    expect(flood(2)).toBe(6)
    expect(flood(3)).toBe(3)
    expect(flood(4)).toBe(2)
    expect([flood(2, 2000), flood(3, 2000), flood(4, 2000)]).toEqual([0, 0, 0])
    expect(s.stack.stats().connections).toBe(6)
    s.wait(200_000)
    expect(s.stack.stats().connections).toBe(0)
  })

  test('drops SYNs over its backlog, and takes them when there is room again (N18)', () => {
    const s = new TcpScript()
    s.stack.listen({ port: 80, backlog: 2 }, () => new Recorder())
    for (const port of [1, 2, 3]) {
      s.peerPort = port
      s.send('S 0:0(0) <mss 1460>')
    }
    expect(s.take()).toHaveLength(2)
    expect(s.stack.counters.tcpBacklogFull).toBe(1)
    s.peerPort = 2
    s.send('. 1:1(0) ack 1')
    s.peerPort = 3
    s.send('S 0:0(0) <mss 1460>').expect('S. 0:0(0) ack 1')
  })

  test('resets what is half open when it closes, and refuses what comes later', () => {
    const s = new TcpScript()
    const listener = s.stack.listen({ port: 80 }, () => new Recorder())
    s.send('S 0:0(0) <mss 1460>').expect('S. 0:0(0) ack 1')
    listener.close()
    s.expect('R. 1:1(0) ack 1')
    s.send('S 0:0(0) <mss 1460>')
    expect(s.take()[0]).toMatch(/^R\./)
    expect(s.stack.counters.tcpNoListener).toBe(1)
  })

  test('takes a free port for port 0 and refuses one that is taken', () => {
    const s = new TcpScript()
    const first = s.stack.listen({ port: 0 }, () => new Recorder())
    expect(first.port).toBeGreaterThan(1023)
    expect(() => s.stack.listen({ port: first.port }, () => new Recorder())).toThrow(
      expect.objectContaining({ code: 'EADDRINUSE' }),
    )
    first.close()
    expect(s.stack.listen({ port: first.port }, () => new Recorder()).port).toBe(first.port)
  })
})

describe('a closed port', () => {
  test('answers a SYN with RST and ACK, an ACK with a bare RST, and a RST with nothing (N18)', () => {
    const s = new TcpScript()
    s.send('S 0:0(0) <mss 1460>')
    expect(s.take()[0]).toMatch(/^R\. 0:0\(0\) ack 1 /)
    s.send('. 5:5(0) ack 9')
    expect(s.take()[0]).toMatch(/^R 9:9/)
    s.send('R 0:0(0)').send('R. 0:0(0) ack 5').expectNothing()
  })

  test('answers so many a second and no more', () => {
    const s = new TcpScript({ limits: { repliesPerSecond: 3 } })
    for (let i = 0; i < 10; i++) s.send('S 0:0(0)')
    expect(s.take()).toHaveLength(3)
    expect(s.stack.counters.repliesLimited).toBe(7)
    s.wait(1000).send('S 0:0(0)')
    expect(s.take()).toHaveLength(1)
  })
})

import { describe, expect, test } from 'vitest'
import { Recorder } from '../../../support/tcp-endpoints.js'
import { accepted } from '../../../support/tcp-handshakes.js'
import { TcpScript } from '../../../support/tcp-script.js'

describe('TIME-WAIT', () => {
  function waiting(options?: string) {
    const established = accepted(options)
    const { s, c } = established
    const ts = options?.includes('TS') ? ' <TS val 1000 ecr 0>' : ''
    c.end(s.now)
    s.skip()
    s.send(`F. 1:1(0) ack 2 win 512${ts}`).skip()
    expect(s.stack.stats()).toMatchObject({ connections: 0, timeWait: 1 })
    return established
  }

  test('lasts 60 s, and 60 s more after a FIN that came again and was acknowledged again (N6)', () => {
    const { s } = waiting()
    s.wait(30_000).send('F. 1:1(0) ack 2 win 512').expect('. 2:2(0) ack 2')
    s.wait(59_000)
    expect(s.stack.stats().timeWait).toBe(1)
    s.wait(1500)
    expect(s.stack.stats().timeWait).toBe(0)
    expect(s.stack.nextDeadline()).toBe(Infinity)
  })

  test('is not ended by a RST (N6)', () => {
    const { s } = waiting()
    s.send('R 2:2(0)')
    expect(s.stack.stats().timeWait).toBe(1)
  })

  test('gives its place to a SYN with a higher sequence number, with an ISN behind all that was sent (N18)', () => {
    const { s } = waiting()
    const before = s.iss as number
    s.send('S 70000:70000(0) <mss 1460>')
    expect(s.take()).toHaveLength(1)
    expect(((s.iss as number) - before) | 0).toBeGreaterThan(65536)
    expect(s.stack.stats()).toMatchObject({ connections: 1, timeWait: 0 })
  })

  test('acknowledges an old SYN and stays (N18)', () => {
    const { s } = waiting()
    s.send('S 0:0(0) <mss 1460>').expect('. 2:2(0) ack 2')
    expect(s.stack.stats()).toMatchObject({ connections: 0, timeWait: 1 })
  })

  test('gives its place to a SYN with a newer timestamp whatever its number, not to one with an older (N18)', () => {
    const { s } = waiting('mss 1460,TS val 1000 ecr 0')
    s.send('S 70000:70000(0) <mss 1460,TS val 999 ecr 0>')
    expect(s.stack.stats().timeWait).toBe(1)
    s.skip()
    s.send('S 0:0(0) <mss 1460,TS val 1001 ecr 0>').expect('S. 0:0(0) ack 1')
    expect(s.stack.stats().timeWait).toBe(0)
  })

  test('makes room for a newer one at its bound (N6)', () => {
    const s = new TcpScript({ limits: { timeWait: 3 } })
    s.stack.listen({ port: 80 }, connection => {
      connection.end(s.now)
      return new Recorder()
    })
    for (let port = 1; port <= 5; port++) {
      s.peerPort = port
      s.send('S 0:0(0) <mss 1460>').skip()
      s.send('. 1:1(0) ack 1').skip()
      s.send('F. 1:1(0) ack 2').skip()
    }
    expect(s.stack.stats()).toMatchObject({ connections: 0, timeWait: 3 })
  })

  test('can be dialled from again after a second, where timestamps are in use (N18)', () => {
    const s = new TcpScript({ limits: { firstEphemeralPort: 40000, lastEphemeralPort: 40000 } })
    const dial = () => s.stack.connect({ address: s.peer, port: s.peerPort }, new Recorder(), s.now)
    const c = dial()
    s.skip()
    s.send('S. 0:0(0) ack 1 <mss 1460,TS val 1 ecr 0>').skip()
    c.end(s.now)
    s.skip()
    s.send('F. 1:1(0) ack 2 <TS val 2 ecr 0>').skip()
    expect(dial).toThrow(expect.objectContaining({ code: 'EADDRNOTAVAIL' }))
    s.wait(1100)
    expect(dial().localPort).toBe(40000)
    s.expect('S 0:0(0)')
  })
})

import { describe, expect, test } from 'vitest'
import type { PingResult } from '../../../../src/core/netstack/stack.js'
import { decode, icmpPacket, ipPacket } from '../../../support/packets.js'
import { bytes, Recorder } from '../../../support/tcp-endpoints.js'
import { dialled, payload } from '../../../support/tcp-handshakes.js'
import { TcpScript } from '../../../support/tcp-script.js'

for (const family of [4, 6] as const) {
  const request = family === 4 ? 8 : 128
  const reply = family === 4 ? 0 : 129

  describe(`echo over IPv${family} (H-icmp)`, () => {
    test('is answered with the same data', () => {
      const s = new TcpScript({ family })
      s.sendPacket(icmpPacket(s.peer, s.ours, request, 0, 0x12345678, bytes('some data')))
      const answer = decode(s.others[0] as Uint8Array)
      expect(answer.icmp).toMatchObject({ kind: 'echo-reply', identifier: 0x1234, sequence: 0x5678 })
      expect(answer.icmp?.content).toEqual(bytes('some data'))
      expect(answer.source).toEqual(s.ours)
      expect(s.memory.inUse).toBe(0)
    })

    test('asked gives the round trip and the hop limit', () => {
      const s = new TcpScript({ family })
      const results: PingResult[] = []
      s.stack.ping(s.peer, { size: 100 }, result => results.push(result), s.now)
      s.flush().wait(35)
      const asked = decode(s.others[0] as Uint8Array).icmp as NonNullable<ReturnType<typeof decode>['icmp']>
      expect(asked.content).toHaveLength(100)
      const rest = (asked.identifier << 16) | asked.sequence
      s.sendPacket(icmpPacket(s.peer, s.ours, reply, 0, rest, asked.content))
      s.sendPacket(icmpPacket(s.peer, s.ours, reply, 0, rest, asked.content))
      expect(results).toEqual([{ rtt: 35, ttl: 64 }])
      expect(s.stack.nextDeadline()).toBe(Infinity)
    })

    test('without an answer times out; with an unreachable it fails at once', () => {
      const s = new TcpScript({ family })
      const results: PingResult[] = []
      s.stack.ping(s.peer, { timeout: 1000 }, result => results.push(result), s.now)
      s.wait(1001)
      s.stack.ping(s.peer, {}, result => results.push(result), s.now)
      s.flush()
      const [type, code] = family === 4 ? [3, 1] : [1, 3]
      s.sendPacket(icmpPacket(s.peer, s.ours, type, code, 0, s.others[1] as Uint8Array))
      expect(results).toEqual([{ error: 'ETIMEDOUT' }, { error: 'EHOSTUNREACH' }])
    })
  })

  describe(`unreachable over IPv${family} (H-icmp)`, () => {
    const errors =
      family === 4
        ? ([
            [3, 0, 'ENETUNREACH'],
            [3, 1, 'EHOSTUNREACH'],
            [3, 3, 'ECONNREFUSED'],
            [3, 13, 'EACCES'],
            [11, 0, 'EHOSTUNREACH'],
          ] as const)
        : ([
            [1, 0, 'ENETUNREACH'],
            [1, 1, 'EACCES'],
            [1, 3, 'EHOSTUNREACH'],
            [1, 4, 'ECONNREFUSED'],
            [3, 0, 'EHOSTUNREACH'],
          ] as const)
    for (const [type, code, expected] of errors) {
      test(`type ${type} code ${code} ends a dial with ${expected}`, () => {
        const { s, owner, syn } = dial(family)
        s.sendPacket(icmpPacket(s.peer, s.ours, type, code, 0, syn))
        expect(owner.log).toEqual([`closed ${expected}`])
      })
    }

    test('is not believed if the quoted segment is not in flight', () => {
      const { s, owner, syn } = dial(family)
      const forged = syn.slice()
      const sequence = (family === 4 ? 20 : 40) + 4
      forged[sequence] = (forged[sequence] as number) ^ 0x10
      const [type, code] = family === 4 ? [3, 1] : [1, 3]
      s.sendPacket(icmpPacket(s.peer, s.ours, type, code, 0, forged))
      expect(owner.isClosed).toBe(false)
      expect(s.stack.counters.icmpNotBelieved).toBe(1)
    })
  })

  function dial(of: 4 | 6) {
    const s = new TcpScript({ family: of })
    const owner = new Recorder()
    s.stack.connect({ address: s.peer, port: 80 }, owner, s.now)
    s.flush()
    return { s, owner, syn: s.lastPacket }
  }
}

describe('packet too big (N8)', () => {
  /** What a router says of the segment at `sequence` (of ours), which need not exist. */
  function tooBig(s: TcpScript, sequence: number, mtu: number): Uint8Array {
    const quoted = new Uint8Array(28)
    const view = new DataView(quoted.buffer)
    const absolute = ((s.iss as number) + sequence) | 0
    view.setUint16(0, s.ourPort)
    view.setUint16(2, s.peerPort)
    view.setInt32(4, absolute)
    return icmpPacket(s.peer, s.ours, 3, 4, mtu, ipPacket(s.ours, s.peer, 6, quoted))
  }

  function sending() {
    const established = dialled()
    established.c.write(payload(10_000), 0, established.s.now)
    expect(established.s.take()).toHaveLength(7)
    return established
  }

  test('about a segment in flight: what is in flight is cut smaller and sent again, and later segments are smaller', () => {
    const { s, c } = sending()
    s.sendPacket(tooBig(s, 1, 1000))
    const lines = s.take()
    expect(lines[0]).toContain(' 1:961(960)')
    for (const line of lines) expect(Number(/\((\d+)\)/.exec(line)?.[1])).toBeLessThanOrEqual(960)
    s.send(`. 1:1(0) ack ${1 + c.stats.bytesSent} win 512`).skip()
    c.write(payload(2000), 0, s.now)
    s.expect('. 10001:10961(960)')
  })

  test('narrows the MSS of later SYNs on that path, for ten minutes', () => {
    const { s } = sending()
    s.sendPacket(tooBig(s, 1, 1000)).skip()
    s.stack.connect({ address: s.peer, port: 5 }, new Recorder(), s.now)
    expect(s.take()[0]).toContain('mss 960')
    s.wait(11 * 60_000).skip()
    s.stack.connect({ address: s.peer, port: 6 }, new Recorder(), s.now)
    expect(s.take()[0]).toContain('mss 1460')
  })

  test('about nothing in flight, or a larger packet than ever, is not believed', () => {
    const { s, c } = sending()
    s.sendPacket(tooBig(s, 50_000, 1000))
    s.sendPacket(tooBig(s, 0, 1000))
    s.sendPacket(tooBig(s, 1, 1500))
    s.expectNothing()
    s.send('. 1:1(0) ack 10001 win 512')
    c.write(payload(2000), 0, s.now)
    s.expect('. 10001:11461(1460)')
  })

  test('never goes under 576', () => {
    const { s } = sending()
    s.sendPacket(tooBig(s, 1, 68))
    expect(s.take()[0]).toContain(' 1:537(536)')
  })
})

test('an unknown protocol is answered with protocol unreachable (H-icmp)', () => {
  const s = new TcpScript()
  s.sendPacket(ipPacket(s.peer, s.ours, 99, bytes('??')))
  expect(decode(s.others[0] as Uint8Array).icmp?.kind).toBe('protocol-unreachable')
})

test('an ICMP error is never answered with one (H-icmp)', () => {
  const s = new TcpScript()
  s.sendPacket(icmpPacket(s.peer, s.ours, 3, 3, 0, ipPacket(s.ours, s.peer, 17, new Uint8Array(8))))
  s.sendPacket(icmpPacket(s.peer, s.ours, 3, 3, 0, bytes('too short')))
  expect(s.others).toHaveLength(0)
  expect(s.stack.counters.icmpNotBelieved).toBe(2)
})

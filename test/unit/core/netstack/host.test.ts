// The rest of a host: who is answered and who is not, IPv6's extension headers, and a host that talks to itself.
import { describe, expect, it } from 'vitest'
import { parseAddress } from '../../../../src/core/base/address.js'
import type { PingResult, SocketCode } from '../../../../src/core/netstack/stack.js'
import { checksumOf, onesSum } from '../../../../src/core/wire/checksum.js'
import { decode, icmpPacket, ipPacket, scratchMemory, udpPacket } from '../../../support/packets.js'
import { bytes, Recorder, StreamOwner } from '../../../support/tcp-endpoints.js'
import { accepted } from '../../../support/tcp-handshakes.js'
import { TcpScript } from '../../../support/tcp-script.js'

const address = (text: string) => parseAddress(text) as Uint8Array

/** A packet arrives by a path of its own. */
function give(s: TcpScript, packet: Uint8Array, path = 1): void {
  const slot = s.memory.alloc()
  s.memory.u8.set(packet, slot + 16)
  s.stack.handlePacket(slot, slot + 16, packet.length, path, s.now)
}

describe('errors', () => {
  it('are sent within a budget of each path: one peer does not use up the others’ (H-icmp)', () => {
    const s = new TcpScript({ limits: { repliesPerSecond: 5 } })
    const closed = (from: string) => udpPacket(address(from), 9, s.ours, 77, bytes('x'))
    for (let i = 0; i < 100; i++) give(s, closed('10.7.0.2'), 1)
    for (let i = 0; i < 3; i++) give(s, closed('10.7.0.3'), 2)
    s.flush()
    const to = s.others.map(packet => decode(packet).destination[3])
    expect(to.filter(last => last === 2)).toHaveLength(5)
    expect(to.filter(last => last === 3)).toHaveLength(3)
    s.wait(1000)
    give(s, closed('10.7.0.2'), 1)
    s.flush()
    expect(s.others).toHaveLength(9)
  })

  it('share that budget with RSTs and the stray answers of TIME-WAIT (H-icmp)', () => {
    const { s, c } = accepted('mss 1460', { limits: { repliesPerSecond: 4 } })
    c.end(s.now)
    s.expect('F. 1:1(0) ack 1')
    s.send('F. 1:1(0) ack 2 win 512').expect('. 2:2(0) ack 2')
    for (let i = 0; i < 10; i++) s.send('. 100:101(1) ack 2 win 512')
    expect(s.take()).toHaveLength(4)
    expect(s.stack.counters.repliesLimited).toBe(6)
  })

  it('are never sent about an error, or to or from many (H-icmp)', () => {
    const s = new TcpScript()
    give(s, icmpPacket(s.peer, s.ours, 3, 3, 0, udpPacket(s.ours, 1, s.peer, 2, bytes('nobody sent that'))))
    give(s, icmpPacket(s.peer, s.ours, 200, 0, 0, bytes('an unknown type')))
    give(s, udpPacket(s.peer, 9, address('224.0.0.1'), 77, bytes('x')))
    give(s, udpPacket(address('255.255.255.255'), 9, s.ours, 77, bytes('x')))
    give(s, udpPacket(address('10.7.0.1'), 9, s.ours, 77, bytes('as if from ourselves')))
    s.flush()
    expect(s.others).toEqual([])
    expect(s.memory.inUse).toBe(0)
  })

  it('that quote the other family, or a packet of another address of ours, are not believed (H-icmp)', () => {
    const second = address('10.7.0.99')
    const v6 = address('fd07::1')
    const s = new TcpScript({ addresses: [address('10.7.0.1'), second, v6].map(a => ({ address: a, length: 24 })) })
    const owner = new Recorder()
    s.stack.connect({ address: s.peer, port: 80 }, owner, s.now)
    s.flush()
    const syn = s.lastPacket
    give(s, icmpPacket(s.peer, second, 3, 1, 0, syn))
    give(s, icmpPacket(address('fd07::2'), v6, 1, 3, 0, new Uint8Array([...syn, ...new Uint8Array(20)])))
    give(s, icmpPacket(s.peer, s.ours, 3, 1, 0, ipPacket(v6, address('fd07::2'), 6, syn.slice(20))))
    s.flush()
    expect(s.stack.counters.icmpNotBelieved).toBe(3)
    expect(owner.isClosed).toBe(false)
    give(s, icmpPacket(s.peer, s.ours, 3, 1, 0, syn))
    s.flush()
    expect(owner.error).toBe('EHOSTUNREACH')
  })

  it('that quote a later fragment say nothing (H-icmp) (H-fragments)', () => {
    const s = new TcpScript()
    const errors: SocketCode[] = []
    const socket = s.stack.bindUdp({ port: 5000 }, { message() {}, error: code => errors.push(code) })
    socket.connect(s.peer, 53)
    socket.send(new Uint8Array(4000), s.peer, 53, s.now)
    s.flush()
    give(s, icmpPacket(s.peer, s.ours, 3, 1, 0, (s.others[1] as Uint8Array).subarray(0, 28)))
    s.flush()
    expect(errors).toEqual([])
    give(s, icmpPacket(s.peer, s.ours, 3, 1, 0, (s.others[0] as Uint8Array).subarray(0, 28)))
    s.flush()
    expect(errors).toEqual(['EHOSTUNREACH'])
  })
})

describe('a ping', () => {
  it('without a time or a size that is one is refused (H-icmp)', () => {
    const s = new TcpScript()
    const ping = (options: object) => () => s.stack.ping(s.peer, options, () => {}, s.now)
    for (const options of [{ timeout: Number.NaN }, { timeout: 0 }, { timeout: -1 }, { size: 1.5 }, { size: -1 }]) {
      expect(ping(options)).toThrow(expect.objectContaining({ code: 'EINVAL' }))
    }
    expect(ping({ size: 65_508 })).toThrow(expect.objectContaining({ code: 'EINVAL' }))
    expect(s.stack.nextDeadline()).toBe(Infinity)
  })
})

describe('extension headers of IPv6', () => {
  const extended = (s: TcpScript, headers: number[], rest: Uint8Array, first: number): Uint8Array =>
    ipPacket(s.peer, s.ours, first, Uint8Array.from([...headers, ...rest]))
  const options = (next: number) => [next, 0, 1, 4, 0, 0, 0, 0]

  it('are skipped before a datagram (H-ipv6)', () => {
    const s = new TcpScript({ family: 6 })
    const messages: Uint8Array[] = []
    s.stack.bindUdp({ port: 53 }, { message: message => messages.push(message), error() {} })
    const udp = udpPacket(s.peer, 9, s.ours, 53, bytes('behind'))
    const routing = [60, 0, 4, 0, 0, 0, 0, 0]
    give(s, extended(s, [...options(43), ...routing, ...options(17)], udp.slice(40), 0))
    // An atomic fragment is whole, whatever its id (RFC 6946).
    give(s, extended(s, [17, 0, 0, 0, 1, 2, 3, 4], udp.slice(40), 44))
    s.flush()
    expect(messages).toEqual([bytes('behind'), bytes('behind')])
  })

  it('and a protocol that nobody speaks are answered, pointing at what names it, so many a second (H-ipv6)', () => {
    const s = new TcpScript({ family: 6, limits: { repliesPerSecond: 3 } })
    give(s, ipPacket(s.peer, s.ours, 99, bytes('unknown')))
    give(s, extended(s, [...options(60), ...options(99)], bytes('unknown'), 60))
    give(s, extended(s, options(0), new Uint8Array(8), 60))
    give(s, ipPacket(s.peer, s.ours, 99, bytes('unknown')))
    s.flush()
    const answers = s.others.map(packet => decode(packet).icmp)
    expect(answers).toMatchObject([6, 48, 40].map(pointer => ({ type: 4, code: 1, mtu: pointer })))
  })

  it('that say so are answered when they are not understood (H-ipv6)', () => {
    const s = new TcpScript({ family: 6 })
    give(s, extended(s, [17, 0, 0xc2, 4, 0, 1, 0, 0], new Uint8Array(8), 0))
    give(s, extended(s, [17, 0, 0x42, 4, 0, 1, 0, 0], new Uint8Array(8), 60))
    give(s, extended(s, [17, 2, 4, 1, ...new Array(20).fill(0)], new Uint8Array(8), 43))
    s.flush()
    const answers = s.others.map(packet => decode(packet).icmp)
    expect(answers).toMatchObject([
      { type: 4, code: 2, mtu: 42 },
      { type: 4, code: 0, mtu: 42 },
    ])
    expect(s.stack.counters).toMatchObject({ ipOption: 2, ipRouting: 1 })
    expect(s.memory.inUse).toBe(0)
  })

  it('that were answered are not answered again to who sends a source route over IPv4 (H-icmp)', () => {
    const s = new TcpScript({ family: 6 })
    give(s, extended(s, [17, 2, 4, 1, ...new Array(20).fill(0)], new Uint8Array(8), 43))
    s.flush()
    expect(s.others).toHaveLength(1)
    const routed = ipPacket(address('10.7.0.2'), address('10.7.0.1'), 17, Uint8Array.of(131, 3, 4, 0))
    const memory = scratchMemory()
    memory.u8.set(routed)
    memory.u8.set([0x46], 0)
    memory.u8.set([0, 0], 10)
    memory.view.setUint16(10, checksumOf(onesSum(memory, 0, 24)))
    give(s, memory.u8.slice(0, 24), 3)
    s.flush()
    expect(s.stack.counters.ipRouting).toBe(2)
    expect(s.others).toHaveLength(1)
  })

  it('without anything behind them are nothing (H-ipv6)', () => {
    const s = new TcpScript({ family: 6 })
    give(s, extended(s, options(59), bytes('ignored'), 60))
    s.flush()
    expect(s.others).toEqual([])
    expect(s.stack.counters.noNextHeader).toBe(1)
  })
})

for (const family of [4, 6] as const) {
  describe(`a host that talks to itself over IPv${family}`, () => {
    const ourselves = () => {
      const addresses = (family === 4 ? ['10.7.0.1', '10.7.0.99'] : ['fd07::1', 'fd07::99']).map(address)
      const s = new TcpScript({ family, addresses: addresses.map(a => ({ address: a, length: 24 })) })
      return { s, other: addresses[1] as Uint8Array }
    }

    it('sends a stream both ways, from one of its addresses to another (H-loopback)', () => {
      const { s, other } = ourselves()
      const server = new StreamOwner(2, 1, 100_000, () => s.now)
      s.stack.listen({ port: 80, address: other }, connection => server.start(connection))
      const client = new StreamOwner(1, 2, 100_000, () => s.now)
      const connection = s.stack.connect({ address: other, port: 80, localAddress: s.ours }, client, s.now)
      client.start(connection)
      for (let i = 0; i < 50 && !(client.isClosed && server.isClosed); i++) s.flush().wait(10)
      expect([client.read, client.wrong, server.read, server.wrong]).toEqual([100_000, -1, 100_000, -1])
      s.expectNothing()
      expect(s.memory.inUse).toBe(0)
    })

    it('is refused at a port where nobody listens (H-loopback)', () => {
      const { s, other } = ourselves()
      const owner = new Recorder()
      owner.connection = s.stack.connect({ address: other, port: 80 }, owner, s.now)
      const errors: SocketCode[] = []
      const socket = s.stack.bindUdp({}, { message() {}, error: code => errors.push(code) })
      socket.connect(other, 53)
      socket.send(bytes('x'), other, 53, s.now)
      s.flush()
      expect(owner.error).toBe('ECONNREFUSED')
      expect(errors).toEqual(['ECONNREFUSED'])
      s.expectNothing()
    })

    it('sends datagrams of any size, and gets answers from the address asked (H-loopback) (H-udp)', () => {
      const { s, other } = ourselves()
      const got: [string, number][] = []
      const server = s.stack.bindUdp(
        { port: 53 },
        { message: (content, from, port) => server.send(content, from, port, s.now), error() {} },
      )
      const client = s.stack.bindUdp(
        { port: 5000 },
        { message: (content, from) => got.push([from.join('.'), content.length]), error() {} },
      )
      for (const size of [0, 100, 30_000]) client.send(new Uint8Array(size), other, 53, s.now)
      s.flush()
      expect(got).toEqual([0, 100, 30_000].map(size => [other.join('.'), size]))
      expect(s.others).toEqual([])
      expect(s.memory.inUse).toBe(0)
    })

    it('answers its own ping (H-loopback) (H-icmp)', () => {
      const { s, other } = ourselves()
      const results: PingResult[] = []
      for (const size of [56, 20_000]) s.stack.ping(other, { size }, result => results.push(result), s.now)
      s.flush()
      expect(results).toEqual([
        { rtt: 0, ttl: 64 },
        { rtt: 0, ttl: 64 },
      ])
    })
  })
}

describe('UDP queues', () => {
  it('of one socket leave room for other peers, and all together have a bound (H-udp)', () => {
    const s = new TcpScript({ limits: { udpQueue: 100, udpMemory: 40_000 } })
    const messages: number[] = []
    const events = { message: (_: Uint8Array, from: Uint8Array) => messages.push(from[3] as number), error() {} }
    s.stack.bindUdp({ port: 53 }, events)
    s.stack.bindUdp({ port: 54 }, events)
    const flood = (from: string, port: number, path: number, count: number) => {
      for (let i = 0; i < count; i++) give(s, udpPacket(address(from), 9, s.ours, port, new Uint8Array(44)), path)
    }
    flood('10.7.0.2', 53, 1, 200)
    flood('10.7.0.2', 54, 1, 200)
    flood('10.7.0.3', 53, 2, 10)
    s.flush()
    // Each datagram counts 300 bytes: half of 40,000 for the first path.
    expect(messages.filter(last => last === 2)).toHaveLength(67)
    expect(messages.filter(last => last === 3)).toHaveLength(10)
  })
})

// Whatever arrives is dropped and counted, or answered; it never throws, and never keeps a slot.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { packetHeadroom } from '../../../../src/core/netstack/stack.js'
import { createRandom } from '../../../support/netstack-pair.js'
import { icmpPacket, ipPacket, udpPacket } from '../../../support/packets.js'
import { Recorder } from '../../../support/tcp-endpoints.js'
import { accepted } from '../../../support/tcp-handshakes.js'
import { TcpScript } from '../../../support/tcp-script.js'

function give(s: TcpScript, packet: Uint8Array): void {
  const slot = s.memory.alloc()
  s.memory.u8.set(packet, slot + packetHeadroom)
  s.stack.handlePacket(slot, slot + packetHeadroom, packet.length, 1, s.now)
}

describe('garbage', () => {
  test('of any kind', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 1500 }), { maxLength: 20 }), packets => {
        const s = new TcpScript()
        for (const packet of packets) give(s, packet)
        s.flush()
        expect(s.memory.inUse).toBe(0)
      }),
    )
  })

  test('behind good IP headers', () => {
    const s = new TcpScript()
    s.stack.listen({ port: 80 }, () => new Recorder())
    s.stack.bindUdp({ port: 53 }, { message() {}, error() {} })
    fc.assert(
      fc.property(fc.constantFrom(1, 6, 17, 58, 99), fc.uint8Array({ maxLength: 200 }), (protocol, payload) => {
        give(s, ipPacket(s.peer, s.ours, protocol, payload))
        s.flush()
        s.now += 1
        return s.memory.inUse === 0
      }),
      { numRuns: 500 },
    )
  })

  test('that are fragments, multicast, from nowhere, or for others', () => {
    const s = new TcpScript()
    const fragment = ipPacket(s.peer, s.ours, 17, new Uint8Array(32))
    fragment[6] = 0x20
    fragment[10] = 0
    fragment[11] = 0
    let sum = 0
    for (let i = 0; i < 20; i += 2) sum += ((fragment[i] as number) << 8) | (fragment[i + 1] as number)
    sum = ~((sum & 0xffff) + (sum >> 16)) & 0xffff
    fragment[10] = sum >> 8
    fragment[11] = sum & 255
    give(s, fragment)
    give(s, udpPacket(s.peer, 1, Uint8Array.of(224, 0, 0, 1), 2, new Uint8Array(3)))
    give(s, udpPacket(Uint8Array.of(224, 0, 0, 1), 1, s.ours, 2, new Uint8Array(3)))
    give(s, udpPacket(Uint8Array.of(0, 0, 0, 0), 1, s.ours, 2, new Uint8Array(3)))
    give(s, udpPacket(s.peer, 1, Uint8Array.of(10, 7, 0, 77), 2, new Uint8Array(3)))
    s.flush()
    expect(s.stack.counters).toMatchObject({ fragments: 1, badSource: 2, notOurs: 2 })
    expect(s.others).toEqual([])
    expect(s.memory.inUse).toBe(0)
    expect(s.stack.nextDeadline()).toBeLessThan(Infinity)
    s.wait(31_000)
    expect(s.stack.nextDeadline()).toBe(Infinity)
  })
})

test('random segments of a connection, at random times, do no harm', () => {
  for (let seed = 1; seed <= 100; seed++) {
    const random = createRandom(seed)
    const pick = (count: number) => Math.floor(random() * count)
    const { s, c, owner } = accepted('mss 1460,sackOK,wscale 7')
    owner.reading = seed % 2 === 0
    for (let i = 0; i < 300; i++) {
      const flags = ['.', 'P.', 'F.', 'S.', 'S', 'R', 'R.', 'F', 'P', 'U.', 'SF', 'SFRPU.'][
        pick(i < 250 ? 5 : 12)
      ] as string
      const start = pick(3) === 0 ? pick(0x7fffffff) : pick(4000)
      const length = pick(3) === 0 ? 0 : pick(1400)
      const options = pick(3) === 0 ? ` <sack ${pick(9000)}:${pick(9000)} ${pick(100)}:${pick(9000)}>` : ''
      s.sendOnly(`${flags} ${start}:${start + length}(${length}) ack ${pick(20_000)} win ${pick(600)}${options}`)
      const act = pick(12)
      if (act === 0) c.write(new Uint8Array(pick(3000)), 0, s.now)
      else if (act === 1) s.wait(pick(300))
      else if (act === 2) s.flush()
      else if (act === 3) owner.readAll()
      else if (act === 4 && i > 200) c.end(s.now)
    }
    c.reset(s.now)
    s.flush().wait(400_000)
    expect(s.memory.inUse).toBe(0)
    expect(s.stack.stats()).toMatchObject({ connections: 0, reassemblySlots: 0 })
    expect(owner.log.filter(event => event.startsWith('closed'))).toHaveLength(1)
  }
})

test('a SYN flood fills the backlog and nothing else', () => {
  const s = new TcpScript({ limits: { backlog: 50 } })
  s.stack.listen({ port: 80 }, () => new Recorder())
  for (let i = 0; i < 1000; i++) {
    s.peerPort = 1 + i
    s.send('S 0:0(0) <mss 1460>')
  }
  expect(s.stack.stats().connections).toBe(50)
  expect(s.take()).toHaveLength(50)
  s.wait(200_000)
  expect(s.stack.stats().connections).toBe(0)
})

test('an echo flood is answered as far as its share of the queue goes, and crowds out nothing of ours (H-icmp)', () => {
  const s = new TcpScript({ limits: { replyQueue: 20, outputQueue: 5 } })
  for (let i = 0; i < 50; i++) give(s, icmpPacket(s.peer, s.ours, 8, 0, i, new Uint8Array(8)))
  const socket = s.stack.bindUdp({}, { message() {}, error() {} })
  for (let i = 0; i < 5; i++) expect(socket.send(new Uint8Array(1), s.peer, 53, s.now)).toBe(true)
  s.flush()
  expect(s.others.filter(packet => packet[9] === 1)).toHaveLength(10)
  expect(s.others.filter(packet => packet[9] === 17)).toHaveLength(5)
  expect(s.stack.counters.replyQueueFull).toBe(40)
  expect(s.memory.inUse).toBe(0)
})

test('a connection to ourselves goes around inside', () => {
  const s = new TcpScript()
  const server = new Recorder()
  s.stack.listen({ port: 80 }, connection => {
    server.connection = connection
    connection.write(new Uint8Array(5000), 0, s.now)
    connection.end(s.now)
    return server
  })
  const client = new Recorder()
  client.connection = s.stack.connect({ address: s.ours, port: 80 }, client, s.now)
  s.flush()
  client.connection.end(s.now)
  s.flush().wait(1000)
  expect(client.received.length).toBe(5000)
  expect(client.ended && client.isClosed && server.isClosed).toBe(true)
  s.expectNothing()
  expect(s.memory.inUse).toBe(0)
})

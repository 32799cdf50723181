// Datagrams in parts, both ways: put together whatever the order, dropped where the parts contradict each other, and never
// more of them held than one peer's share.
import { describe, expect, it } from 'vitest'
import { formatAddress, parseAddress } from '../../../../src/core/base/address.js'
import type { PingResult } from '../../../../src/core/netstack/stack.js'
import { fragmentOf, fragmentsOf } from '../../../support/fragments.js'
import { createPair, createRandom } from '../../../support/netstack-pair.js'
import { decode, icmpPacket, udpPacket } from '../../../support/packets.js'
import { Recorder } from '../../../support/tcp-endpoints.js'
import { type ScriptOptions, TcpScript } from '../../../support/tcp-script.js'

const content = (length: number, salt = 0) => Uint8Array.from({ length }, (_, i) => (i * 31 + (i >> 8) + salt) & 255)

function script(family: 4 | 6, options: ScriptOptions = {}) {
  const s = new TcpScript({ family, ...options })
  const messages: Uint8Array[] = []
  s.stack.bindUdp({ port: 53 }, { message: bytes => messages.push(bytes), error() {} })
  const datagram = (length: number, salt = 0) => udpPacket(s.peer, 9, s.ours, 53, content(length, salt))
  return { s, messages, datagram }
}

for (const family of [4, 6] as const) {
  describe(`a datagram in fragments over IPv${family}`, () => {
    it.each([
      ['in order', (parts: Uint8Array[]) => parts],
      ['backwards', (parts: Uint8Array[]) => parts.reverse()],
      ['twice each', (parts: Uint8Array[]) => parts.flatMap(part => [part, part])],
      ['shuffled', (parts: Uint8Array[]) => shuffle(parts, createRandom(3))],
    ])('is put together when they come %s (H-fragments)', (_, order) => {
      const { s, messages, datagram } = script(family)
      for (const part of order(fragmentsOf(datagram(5000), 512))) s.sendPacket(part)
      expect(messages).toEqual([content(5000)])
      expect(s.memory.inUse).toBe(0)
      s.wait(61_000)
      expect(s.stack.counters).toMatchObject({ fragmentsReassembled: 1 })
    })

    it('may be as large as IP has it, far larger than a slot (H-fragments)', () => {
      const { s, messages, datagram } = script(family)
      const length = family === 4 ? 65_507 : 65_527
      for (const part of fragmentsOf(datagram(length), 1232)) s.sendPacket(part)
      expect(messages).toEqual([content(length)])
    })

    it('is another one by id, protocol, address or path (H-fragments)', () => {
      const { s, messages, datagram } = script(family)
      const [first, second] = [datagram(100, 1), datagram(100, 2)]
      s.sendPacket(fragmentOf(first, { from: 0, to: 64, id: 1 }))
      s.sendPacket(fragmentOf(second, { from: 64, to: 108, id: 2 }))
      expect(messages).toEqual([])
      s.sendPacket(fragmentOf(first, { from: 64, to: 108, id: 1 }))
      s.sendPacket(fragmentOf(second, { from: 0, to: 64, id: 2 }))
      expect(messages).toEqual([content(100, 1), content(100, 2)])
      const slot = s.memory.alloc()
      const part = fragmentOf(first, { from: 0, to: 64, id: 3 })
      s.memory.u8.set(part, slot + 16)
      s.stack.handlePacket(slot, slot + 16, part.length, 2, s.now)
      s.sendPacket(fragmentOf(first, { from: 64, to: 108, id: 3 }))
      expect(messages).toHaveLength(2)
    })

    it.each([
      ['overlaps another', [0, 64, true], [56, 108, false]],
      ['lies inside of another', [0, 64, true], [8, 24, true]],
      ['covers another', [16, 32, true], [8, 64, true]],
      ['goes on behind the last', [64, 108, false], [104, 120, true]],
      ['is a second, other end', [64, 108, false], [40, 64, false]],
    ] as const)('is dropped whole if a part %s, with all that still comes (H-fragments)', (_, one, other) => {
      const { s, messages, datagram } = script(family)
      const packet = datagram(200)
      for (const [from, to, more] of [one, other]) s.sendPacket(fragmentOf(packet, { from, to, more }))
      expect(s.stack.counters.fragmentsOverlapping).toBe(1)
      s.sendPacket(fragmentOf(packet, { from: 0, to: 104 }))
      s.sendPacket(fragmentOf(packet, { from: 104, to: 208 }))
      expect(messages).toEqual([])
      s.wait(61_000)
      for (const part of fragmentsOf(packet, 64)) s.sendPacket(part)
      expect(messages).toEqual([content(200)])
      expect(s.others).toEqual([])
    })

    it('waits for the rest for so long, and its sender is told if the first part had come (H-fragments) (H-icmp)', () => {
      const patience = family === 4 ? 30_000 : 60_000
      const { s, messages, datagram } = script(family)
      const packet = datagram(200)
      const first = fragmentOf(packet, { from: 0, to: 104, id: 1 })
      s.sendPacket(first)
      s.sendPacket(fragmentOf(packet, { from: 104, to: 208, id: 2 }))
      s.wait(patience - 1)
      expect(s.others).toEqual([])
      s.wait(1)
      expect(s.others).toHaveLength(1)
      const { icmp } = decode(s.others[0] as Uint8Array)
      expect(icmp).toMatchObject({ kind: 'time-exceeded', code: 1, content: first })
      expect(s.stack.nextDeadline()).toBe(Infinity)
      s.sendPacket(fragmentOf(packet, { from: 104, to: 208, id: 1 }))
      expect(messages).toEqual([])
    })

    it('that is too long, empty, or cut at no multiple of eight, is refused (H-fragments)', () => {
      const { s, messages, datagram } = script(family)
      const packet = datagram(60_000)
      s.sendPacket(fragmentOf(packet, { from: 0, to: 12, more: true }))
      s.sendPacket(fragmentOf(packet, { from: 64, to: 64, more: true }))
      const beyond = fragmentOf(packet, { from: 59_000, to: 60_008 })
      if (family === 4) new DataView(beyond.buffer).setUint16(6, 0x1fff)
      else new DataView(beyond.buffer).setUint16(42, 0xfff8)
      if (family === 4) fixChecksum(beyond)
      s.sendPacket(beyond)
      expect(messages).toEqual([])
      expect(s.stack.counters.fragmentsMalformed).toBe(3)
      const answers = s.others.map(other => decode(other).icmp)
      if (family === 4) expect(answers).toEqual([])
      else {
        // RFC 8200, 4.5: at the payload length, or at the fragment offset.
        expect(answers).toMatchObject([4, 4, 42].map(pointer => ({ type: 4, code: 0, mtu: pointer })))
      }
      s.wait(61_000)
      expect(s.memory.inUse).toBe(0)
    })

    it('may hold so many parts and no more: tiny ones cost more than they carry (H-fragments)', () => {
      const { s, messages, datagram } = script(family)
      for (const part of fragmentsOf(datagram(2000), 8)) s.sendPacket(part)
      expect(messages).toEqual([])
      expect(s.stack.counters.fragmentsMalformed).toBe(1)
    })

    it('is an echo request, answered in fragments again (H-fragments) (H-icmp)', () => {
      const { s } = script(family)
      const data = content(4000)
      const request = icmpPacket(s.peer, s.ours, family === 4 ? 8 : 128, 0, 0x10002, data)
      for (const part of fragmentsOf(request, 1400)) s.sendPacket(part)
      const parts = s.others.splice(0)
      expect(parts.length).toBe(3)
      const pair = new TcpScript({ family, addresses: [{ address: s.peer, length: 32 }] })
      pair.stack.bindUdp({ port: 1 }, { message() {}, error() {} })
      for (const part of parts) {
        expect(part.length).toBeLessThanOrEqual(1500)
        expect(decode(part).ip.fragment).toBe(true)
        pair.sendPacket(part)
      }
      expect(pair.stack.counters).toMatchObject({ fragmentsReassembled: 1, icmpChecksum: 0, icmpIgnored: 1 })
    })

    it('is refused like any other, in whatever slot the error is written (H-fragments) (H-icmp)', () => {
      const { s } = script(family)
      const packet = udpPacket(s.peer, 9, s.ours, 99, content(3000))
      const [first, second] = [s.memory.alloc(), s.memory.alloc()]
      const parts = fragmentsOf(packet, 1400)
      for (const [i, part] of parts.entries()) {
        // The last arrives while the lowest slot is free: the error will be written there.
        if (i === 2) s.memory.free(first)
        const slot = i === 2 ? second : s.memory.alloc()
        s.memory.u8.set(part, slot + 16)
        s.stack.handlePacket(slot, slot + 16, part.length, 1, s.now)
      }
      s.flush()
      const { icmp } = decode(s.others[0] as Uint8Array)
      expect(icmp?.kind).toBe('port-unreachable')
      const quoted = icmp?.content as Uint8Array
      const header = family === 4 ? 20 : 40
      expect(quoted.subarray(header)).toEqual(packet.subarray(header, quoted.length))
      expect(s.memory.inUse).toBe(0)
    })

    it('is a TCP segment, taken if it fits in a slot and dropped if not (H-fragments)', () => {
      const { s } = script(family)
      const owner = new Recorder()
      s.stack.listen({ port: 80 }, connection => {
        owner.connection = connection
        return owner
      })
      const bigger = createPair({ family, mtu: 4000 })
      const sent: Uint8Array[] = []
      bigger.setLink('forward', { drop: packet => sent.push(packet) > 0 })
      bigger.a.stack.connect({ address: bigger.b.address, port: 80 }, new Recorder(), bigger.now)
      bigger.run(() => sent.length > 0)
      const syn = sent[0] as Uint8Array
      const to = new TcpScript({ family, addresses: [{ address: bigger.b.address, length: 32 }] })
      to.stack.listen({ port: 80 }, () => new Recorder())
      for (const part of fragmentsOf(syn, 16)) to.sendPacket(part)
      expect(to.take()[0]).toContain('S.')
      const long = new Uint8Array(syn.length + 3000)
      long.set(syn)
      new DataView(long.buffer).setUint16(family === 4 ? 2 : 4, family === 4 ? long.length : long.length - 40)
      for (const part of fragmentsOf(long, 1024, 9)) to.sendPacket(part)
      expect(to.stack.counters.fragmentsTooLong).toBe(1)
      expect(to.memory.inUse).toBe(0)
    })
  })

  describe(`a datagram larger than the MTU over IPv${family}`, () => {
    const largest = family === 4 ? 65_507 : 65_527

    it.each([1473, 4096, largest])(
      'of %i bytes leaves in fragments and arrives whole (H-fragments) (H-udp)',
      length => {
        const pair = createPair({ family, forward: { delay: 1, jitter: 3 } })
        const messages: Uint8Array[] = []
        pair.b.stack.bindUdp({ port: 53 }, { message: bytes => messages.push(bytes), error() {} })
        const socket = pair.a.stack.bindUdp({}, { message() {}, error() {} })
        expect(socket.send(content(length), pair.b.address, 53, pair.now)).toBe(true)
        pair.run()
        expect(messages).toEqual([content(length)])
        expect([pair.a.memory.inUse, pair.b.memory.inUse]).toEqual([0, 0])
      },
    )

    it('is refused beyond what IP carries, and whole where the queue has no room for all of it (H-udp)', () => {
      const s = new TcpScript({ family, limits: { outputQueue: 10 } })
      const socket = s.stack.bindUdp({}, { message() {}, error() {} })
      expect(() => socket.send(new Uint8Array(largest + 1), s.peer, 1, s.now)).toThrow(
        expect.objectContaining({ code: 'EMSGSIZE' }),
      )
      expect(socket.send(new Uint8Array(20_000), s.peer, 1, s.now)).toBe(false)
      s.flush()
      expect(s.others).toEqual([])
      expect(s.memory.inUse).toBe(0)
    })

    it('may be a ping (H-icmp)', () => {
      const pair = createPair({ family, forward: { delay: 10 }, back: { delay: 10 } })
      const results: PingResult[] = []
      pair.a.stack.ping(pair.b.address, { size: 10_000 }, result => results.push(result), pair.now)
      pair.run()
      expect(results).toEqual([{ rtt: 20, ttl: 64 }])
    })
  })
}

describe('the cache of fragments', () => {
  it('never gives one path more than half, whose oldest datagrams make room (H-fragments)', () => {
    const { s, messages, datagram } = script(4, { limits: { fragmentBytes: 64_000 } })
    const other = parseAddress('10.7.0.3') as Uint8Array
    const theirs = udpPacket(other, 9, s.ours, 53, content(3000))
    const parts = fragmentsOf(theirs, 1480)
    const give = (packet: Uint8Array, path: number) => {
      const slot = s.memory.alloc()
      s.memory.u8.set(packet, slot + 16)
      s.stack.handlePacket(slot, slot + 16, packet.length, path, s.now)
      s.flush()
    }
    give(parts[0] as Uint8Array, 2)
    for (let id = 0; id < 1000; id++) give(fragmentOf(datagram(1000), { from: 0, to: 800, id }), 1)
    give(parts[1] as Uint8Array, 2)
    give(parts[2] as Uint8Array, 2)
    expect(messages).toEqual([content(3000)])
    expect(s.stack.counters.fragmentsFull).toBeGreaterThan(900)
    give(fragmentOf(datagram(1000), { from: 800, to: 1008, id: 999 }), 1)
    expect(messages).toHaveLength(2)
    expect(s.memory.inUse).toBe(0)
  })

  it('is empty after the stack has closed (H-fragments)', () => {
    const { s, datagram } = script(4)
    s.sendPacket(fragmentOf(datagram(100), { from: 0, to: 64 }))
    s.stack.close(s.now)
    expect([s.memory.inUse, s.stack.nextDeadline()]).toEqual([0, Infinity])
  })

  it('meets any fragments without harm (H-fragments)', () => {
    for (let seed = 1; seed <= 60; seed++) {
      const random = createRandom(seed)
      const pick = (count: number) => Math.floor(random() * count)
      const { s, messages, datagram } = script(seed % 2 === 0 ? 4 : 6, { limits: { fragmentBytes: 40_000 } })
      const packet = datagram(4000)
      for (let i = 0; i < 200; i++) {
        const from = pick(500) * 8
        const to = Math.min(4008, from + pick(30) * 8 + (pick(4) === 0 ? pick(8) : 0))
        s.sendPacket(fragmentOf(packet, { from, to, more: pick(4) > 0, id: pick(8) }))
        if (pick(20) === 0) s.wait(pick(20_000))
      }
      for (const message of messages) expect(message.length).toBeLessThanOrEqual(4000)
      s.wait(120_000)
      expect(s.memory.inUse).toBe(0)
      expect(s.stack.nextDeadline()).toBe(Infinity)
    }
  })

  it('keeps protocols of one id apart over IPv4, and not over IPv6 (H-fragments)', () => {
    for (const family of [4, 6] as const) {
      const { s, messages, datagram } = script(family)
      const packet = datagram(100)
      const otherProtocol = packet.slice()
      otherProtocol[family === 4 ? 9 : 6] = 99
      if (family === 4) fixChecksum(otherProtocol)
      s.sendPacket(fragmentOf(packet, { from: 0, to: 64 }))
      s.sendPacket(fragmentOf(otherProtocol, { from: 64, to: 108 }))
      expect(messages).toHaveLength(family === 4 ? 0 : 1)
      expect(formatAddress(s.peer)).not.toBe('')
    }
  })
})

function shuffle<T>(items: T[], random: () => number): T[] {
  return items
    .map(item => [random(), item] as const)
    .sort((a, b) => a[0] - b[0])
    .map(([, item]) => item)
}

function fixChecksum(packet: Uint8Array): void {
  packet[10] = 0
  packet[11] = 0
  let sum = 0
  for (let i = 0; i < 20; i += 2) sum += ((packet[i] as number) << 8) | (packet[i + 1] as number)
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16)
  packet[10] = (~sum >> 8) & 255
  packet[11] = ~sum & 255
}

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createDeadlineHeap } from '../../../../src/core/base/deadline-heap.js'
import { createPacketMemory } from '../../../../src/core/base/packet-memory.js'
import { HandshakeQueue } from '../../../../src/core/wireguard/handshake-queue.js'
import { IndexTable } from '../../../../src/core/wireguard/index-table.js'
import { innerPacketLength } from '../../../../src/core/wireguard/inner-packet.js'
import { StagedQueue } from '../../../../src/core/wireguard/staged-queue.js'
import { TimerTable, timer } from '../../../../src/core/wireguard/timers.js'
import { paddedLength } from '../../../../src/core/wireguard/transport.js'
import { endpointOf, ipPacket } from '../../../support/wireguard.js'

describe('indices', () => {
  it('are drawn again while they are in use (W25)', () => {
    const draws = [7, 7, 8]
    const table = new IndexTable<{ kind: 'keypair' }>(bytes =>
      new DataView(bytes.buffer).setUint32(0, draws.shift()!, true),
    )
    const entry = { kind: 'keypair' } as const
    table.set(table.draw(), entry)
    expect(table.draw()).toBe(8)
    expect(table.get(7)).toBe(entry)
  })

  it('are freed only by whom they stand for (W25)', () => {
    const table = new IndexTable<{ kind: 'keypair' }>(() => {})
    const [before, after] = [{ kind: 'keypair' } as const, { kind: 'keypair' } as const]
    table.set(5, before)
    table.set(5, after)
    table.delete(5, before)
    expect(table.get(5)).toBe(after)
    table.delete(5, after)
    expect(table.size).toBe(0)
  })
})

describe('an inner packet', () => {
  const lengthOf = (packet: Uint8Array, plaintextLength = packet.length) =>
    innerPacketLength(packet, 0, plaintextLength)

  it('is as long as its header says, padding not counted (W21)', () => {
    for (const [source, destination] of [
      ['10.0.0.1', '10.0.0.2'],
      ['fd00::1', 'fd00::2'],
    ] as const) {
      const packet = ipPacket(source, destination, 'payload')
      const padded = new Uint8Array(Math.ceil(packet.length / 16) * 16)
      padded.set(packet)
      expect(lengthOf(padded)).toBe(packet.length)
      expect(lengthOf(packet)).toBe(packet.length)
      for (let length = 0; length < packet.length; length++) expect(lengthOf(packet, length)).toBe(0)
    }
  })

  it('is refused when it is neither version, has no complete header, or an impossible one (W21)', () => {
    for (let first = 0; first < 256; first++) {
      const packet = ipPacket('10.0.0.1', '10.0.0.2', 'x'.repeat(60))
      packet[0] = first
      const isIpv4 = first >> 4 === 4 && (first & 15) >= 5
      const isIpv6 = first >> 4 === 6 && 40 + packet[4]! * 256 + packet[5]! <= packet.length
      expect(lengthOf(packet) > 0).toBe(isIpv4 || isIpv6)
    }
    const short = ipPacket('10.0.0.1', '10.0.0.2', '')
    short[3] = 19
    expect(lengthOf(short)).toBe(0)
  })

  it('may have an IPv6 payload length that, with its header, is wider than 16 bits (W21)', () => {
    const packet = new Uint8Array(65_575)
    packet[0] = 0x60
    packet[4] = 0xff
    packet[5] = 0xff
    expect(lengthOf(packet)).toBe(65_575)
    expect(lengthOf(packet, 65_574)).toBe(0)
  })
})

describe('padding', () => {
  it('goes to 16 bytes, but not past the MTU (W20)', () => {
    expect([0, 1, 15, 16, 17, 1404, 1409, 1420].map(length => paddedLength(length, 1420))).toEqual([
      0, 16, 16, 16, 32, 1408, 1420, 1420,
    ])
    expect([1421, 1450, 2840].map(length => paddedLength(length, 1420))).toEqual([1436, 1452, 2840])
    expect([1, 1421].map(length => paddedLength(length, 0))).toEqual([16, 1424])
  })

  it('never shrinks a packet', () => {
    fc.assert(
      fc.property(fc.nat(65535), fc.nat(2000), (length, mtu) => {
        const padded = paddedLength(length, mtu)
        expect(padded).toBeGreaterThanOrEqual(length)
        expect(padded).toBeLessThan(length + 16)
      }),
    )
  })
})

describe('the staged queue', () => {
  it('drops the oldest first, and frees their slots (W19)', () => {
    const memory = createPacketMemory(new ArrayBuffer(16 * 10), 16)
    const queue = new StagedQueue(memory, 3)
    const slots = [1, 2, 3, 4, 5].map(() => memory.alloc())
    expect(slots.map((slot, i) => queue.push(slot, i))).toEqual([0, 0, 0, 1, 1])
    expect([queue.size, memory.inUse]).toEqual([3, 3])
    const lengths: number[] = []
    queue.drain((slot, length) => {
      lengths.push(length)
      memory.free(slot)
    })
    expect(lengths).toEqual([2, 3, 4])
    expect([queue.size, memory.inUse]).toEqual([0, 0])
    queue.push(memory.alloc(), 9)
    expect(queue.clear()).toBe(1)
    expect(memory.inUse).toBe(0)
  })
})

describe('the handshake queue', () => {
  it('keeps copies, in order, up to its limit (X4)', () => {
    const queue = new HandshakeQueue(3)
    const source = endpointOf('192.0.2.1:1')
    const memory = new Uint8Array(8)
    for (let round = 0; round < 5; round++) {
      for (let i = 0; i < 5; i++) {
        memory[2] = i
        expect(queue.push(memory, 1, 3, source)).toBe(i < 3)
      }
      expect([queue.shift(), queue.shift()].map(message => message?.bytes[1])).toEqual([0, 1])
      expect(queue.push(memory, 1, 3, source)).toBe(true)
      expect([queue.shift(), queue.shift(), queue.shift()].map(message => message?.bytes[1])).toEqual([2, 4, undefined])
      expect(queue.size).toBe(0)
    }
  })
})

describe("a peer's timers", () => {
  it('come due in order, each once', () => {
    const heap = createDeadlineHeap<TimerTable<string>>()
    const timers = new TimerTable(heap, 'peer')
    timers.set(timer.zero, 30)
    timers.set(timer.retry, 10)
    timers.set(timer.keepalive, 20)
    expect(heap.next()).toBe(10)
    expect(heap.popDue(20)).toBe(timers)
    expect([timers.takeDue(20), timers.takeDue(20), timers.takeDue(20)]).toEqual([
      timer.retry,
      timer.keepalive,
      undefined,
    ])
    timers.schedule()
    expect(heap.next()).toBe(30)
  })

  it('wake too early at most, never too late, when one moves away', () => {
    const heap = createDeadlineHeap<TimerTable<string>>()
    const timers = new TimerTable(heap, 'peer')
    timers.set(timer.keepalive, 10)
    timers.set(timer.keepalive, 50)
    expect(heap.next()).toBeLessThanOrEqual(50)
    expect(heap.popDue(10)?.takeDue(10)).toBeUndefined()
    timers.schedule()
    expect(heap.next()).toBe(50)
  })

  it('stay silent once the peer is gone', () => {
    const heap = createDeadlineHeap<TimerTable<string>>()
    const timers = new TimerTable(heap, 'peer')
    timers.set(timer.keepalive, 10)
    timers.retire()
    timers.set(timer.retry, 10)
    expect(heap.next()).toBe(Infinity)
  })
})

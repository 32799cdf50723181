import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createPacketMemory } from '../../../../src/core/base/packet-memory.js'
import { SharedBudget } from '../../../../src/core/netstack/shared-budget.js'
import { hold } from '../../../../src/core/netstack/tcp/held-segment.js'
import { Reassembly } from '../../../../src/core/netstack/tcp/reassembly.js'
import { ReceiveQueue } from '../../../../src/core/netstack/tcp/receive-queue.js'

const header = 84

function create(slots = 256, limit = slots) {
  const memory = createPacketMemory(new ArrayBuffer(slots * 2048), 2048)
  const budget = new SharedBudget(limit)
  const unread = new SharedBudget(1 << 20).join(1)
  return {
    memory,
    budget,
    reassembly: new Reassembly(memory, budget.join(1)),
    queue: new ReceiveQueue(memory, unread),
  }
}

/** The byte of the stream at a position. */
const byteAt = (position: number) => (position * 31 + 7) & 0xff

function readAll(queue: ReceiveQueue): number[] {
  const bytes: number[] = []
  for (let slab = queue.read(); slab !== undefined; slab = queue.read()) bytes.push(...slab)
  return bytes
}

/** Segments as start and length, relative to the first sequence number expected. */
const segments = fc.array(fc.tuple(fc.nat(3000), fc.integer({ min: 1, max: 1400 })), { maxLength: 60 })
const base = fc.integer({ min: -0x80000000, max: 0x7fffffff })

describe('reassembly', () => {
  test('delivers what a bitmap of received bytes says, holds ranges of it, and leaks no slot', () => {
    fc.assert(
      fc.property(segments, base, (arrivals, first) => {
        const { memory, budget, reassembly, queue } = create()
        const have = new Set<number>()
        let delivered = 0
        let next = first
        for (const [start, length] of arrivals) {
          // As input-data does: cut what is old, deliver what is next, hold the rest.
          const old = Math.max(0, delivered - start)
          if (old >= length) continue
          const from = start + old
          const size = length - old
          const slot = memory.alloc()
          for (let i = 0; i < size; i++) memory.u8[slot + header + i] = byteAt(from + i)
          for (let i = 0; i < size; i++) have.add(from + i)
          if (from === delivered) {
            hold(memory, slot, next, slot + header, size)
            queue.push(slot)
            next = reassembly.deliver((next + size) | 0, queue)
          } else if (reassembly.insert(slot, (first + from) | 0, slot + header, size) !== 'kept') memory.free(slot)
          while (have.has(delivered)) delivered++
          expect((next - first) | 0).toBe(delivered)
          expectRanges(reassembly, have, delivered, first)
          expect(budget.used + (queue.holdsSlots ? 1 : 0) > 0 || memory.inUse === 0).toBe(true)
        }
        expect(queue.length).toBe(delivered)
        expect(readAll(queue)).toEqual(Array.from({ length: delivered }, (_, i) => byteAt(i)))
        reassembly.clear()
        expect(budget.used).toBe(0)
        expect(memory.inUse).toBe(0)
      }),
      { numRuns: 300 },
    )
  })

  function expectRanges(reassembly: Reassembly, have: Set<number>, delivered: number, first: number): void {
    const expected: [number, number][] = []
    for (const position of [...have].filter(at => at > delivered).sort((x, y) => x - y)) {
      const last = expected.at(-1)
      if (last !== undefined && last[1] === position) last[1]++
      else expected.push([position, position + 1])
    }
    const actual: [number, number][] = []
    for (let i = 0; i < reassembly.count; i++) {
      actual.push([(reassembly.rangeStart(i) - first) | 0, (reassembly.rangeEnd(i) - first) | 0])
    }
    expect(actual).toEqual(expected)
  }

  test('gives the newest ranges first, each once', () => {
    const { memory, reassembly } = create()
    const edges = new Int32Array(8)
    const insert = (sequence: number, length: number) => {
      const slot = memory.alloc()
      if (reassembly.insert(slot, sequence, slot + header, length) !== 'kept') memory.free(slot)
    }
    for (const start of [100, 300, 500, 700, 900]) insert(start, 100)
    expect(reassembly.blocks(edges, 0, 4)).toBe(4)
    expect([...edges]).toEqual([900, 1000, 700, 800, 500, 600, 300, 400])
    insert(400, 100)
    expect(reassembly.blocks(edges, 0, 3)).toBe(3)
    expect([...edges.subarray(0, 6)]).toEqual([300, 600, 900, 1000, 700, 800])
  })

  test('holds segments whatever their size, up to half of a budget that no other connection uses', () => {
    const { memory, reassembly } = create(16, 4)
    const insert = (sequence: number) => {
      const slot = memory.alloc()
      return reassembly.insert(slot, sequence, slot + header, 1400)
    }
    expect([insert(2000), insert(6000), insert(10_000)]).toEqual(['kept', 'kept', 'full'])
  })
})

describe('the receive queue', () => {
  test('returns the bytes in order in slabs of at most 64 KiB, however it was filled, settled and read', () => {
    const steps = fc.array(
      fc.oneof(
        fc.record({ push: fc.integer({ min: 1, max: 1400 }), times: fc.integer({ min: 1, max: 120 }) }),
        fc.constant('settle' as const),
        fc.constant('read' as const),
      ),
      { maxLength: 40 },
    )
    fc.assert(
      fc.property(steps, actions => {
        const { memory, queue } = create(256)
        let written = 0
        let read = 0
        const take = () => {
          const slab = queue.read()
          if (slab === undefined) return false
          expect(slab.length).toBeLessThanOrEqual(65536)
          expect(slab.length).toBeGreaterThan(0)
          for (const byte of slab) if (byte !== byteAt(read++)) throw new Error(`wrong byte at ${read - 1}`)
          return true
        }
        for (const action of actions) {
          if (action === 'settle') {
            queue.settle()
            expect(memory.inUse).toBe(0)
          } else if (action === 'read') take()
          else {
            for (let n = 0; n < action.times; n++) {
              const slot = memory.alloc()
              for (let i = 0; i < action.push; i++) memory.u8[slot + header + i] = byteAt(written++)
              hold(memory, slot, 0, slot + header, action.push)
              queue.push(slot)
            }
          }
          expect(queue.length).toBe(written - read)
          expect(memory.inUse).toBeLessThanOrEqual(64)
        }
        while (take());
        expect(read).toBe(written)
        expect(memory.inUse).toBe(0)
      }),
    )
  })
})

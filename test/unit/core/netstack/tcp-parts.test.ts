// The small parts of TCP, each against its definition.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { RateBudget } from '../../../../src/core/netstack/budget.js'
import { SharedBudget } from '../../../../src/core/netstack/shared-budget.js'
import { FlowTable } from '../../../../src/core/netstack/tcp/flow-table.js'
import { windowShiftFor } from '../../../../src/core/netstack/tcp/receive-window.js'
import { RetransmissionTimeout } from '../../../../src/core/netstack/tcp/rto.js'
import { ChunkPool, SendQueue } from '../../../../src/core/netstack/tcp/send-queue.js'
import { seqAdd, seqAtOrBefore, seqBefore, seqDiff, seqWithin } from '../../../../src/core/netstack/tcp/sequence.js'
import { TimeWaitTable } from '../../../../src/core/netstack/tcp/time-wait.js'
import { onesSum } from '../../../../src/core/wire/checksum.js'
import type { AddressWords } from '../../../../src/core/wire/ip.js'

const anySequence = fc.integer({ min: -0x80000000, max: 0x7fffffff })
const lessThanHalf = fc.integer({ min: 0, max: 0x7fffffff })

describe('sequence numbers', () => {
  test('compare by their distance, across the wrap (N1)', () => {
    fc.assert(
      fc.property(anySequence, lessThanHalf, (a, distance) => {
        const b = seqAdd(a, distance)
        expect(seqDiff(b, a)).toBe(distance)
        expect(seqBefore(a, b)).toBe(distance > 0)
        expect(seqAtOrBefore(a, b)).toBe(true)
        expect(seqBefore(b, a)).toBe(false)
      }),
    )
  })

  test('lie within a range or not (N1)', () => {
    fc.assert(
      fc.property(anySequence, fc.nat(1_000_000), fc.nat(1_000_000), (low, count, offset) => {
        expect(seqWithin(seqAdd(low, offset), low, count)).toBe(offset < count)
      }),
    )
    expect(seqWithin(-1, 0, 10)).toBe(false)
  })
})

describe('the retransmission timeout', () => {
  test('starts at a second and is SRTT + max(4 RTTVAR, 200 ms) (N3)', () => {
    const rto = new RetransmissionTimeout()
    expect(rto.interval).toBe(1000)
    rto.sample(100)
    expect(rto.interval).toBe(100 + 200)
    rto.sample(500)
    // RFC 6298, 2.3: variance 3/4 × 50 + 1/4 × 400, smoothed 7/8 × 100 + 1/8 × 500.
    expect(rto.interval).toBeCloseTo(150 + 4 * 137.5)
  })

  test('doubles, to 120 s at most (N3)', () => {
    const rto = new RetransmissionTimeout()
    rto.sample(100)
    rto.backoff = 3
    expect(rto.interval).toBe(2400)
    rto.backoff = 40
    expect(rto.interval).toBe(120_000)
  })
})

test('the window scale is the smallest that offers the buffer (N10)', () => {
  expect(windowShiftFor(65535)).toBe(0)
  expect(windowShiftFor(65536)).toBe(1)
  expect(windowShiftFor(32 * 1024 * 1024)).toBe(10)
})

describe('the send queue', () => {
  test('gives back any part of what was written, and its sum, however it was written and dropped', () => {
    const steps = fc.array(
      fc.record({
        write: fc.nat(40_000),
        drop: fc.double({ min: 0, max: 1, noNaN: true }),
        at: fc.double({ min: 0, max: 1, noNaN: true }),
        count: fc.nat(1460),
      }),
      { maxLength: 20 },
    )
    fc.assert(
      fc.property(steps, actions => {
        const queue = new SendQueue(new ChunkPool(65536), new SharedBudget(1 << 20).join(1))
        const buffer = new ArrayBuffer(4096)
        const memory = { u8: new Uint8Array(buffer), u32: new Uint32Array(buffer) }
        let written = 0
        let dropped = 0
        for (const { write, drop, at, count } of actions) {
          const bytes = Uint8Array.from({ length: write + 3 }, (_, i) => (written + i - 3) % 253)
          queue.push(bytes, 3, write)
          written += write
          expect(queue.length).toBe(written - dropped)
          const position = Math.floor(queue.length * at)
          const size = Math.min(count, queue.length - position)
          const sum = queue.copyTo(position, size, memory, 100)
          expect(sum).toBe(onesSum(memory, 100, size))
          for (let i = 0; i < size; i++) {
            if (memory.u8[100 + i] !== (dropped + position + i) % 253) throw new Error('another byte was written')
          }
          const away = Math.floor(queue.length * drop)
          queue.drop(away)
          dropped += away
        }
      }),
    )
  })

  test('holds no memory when it is empty', () => {
    const pool = new ChunkPool(16384 * 2)
    const budget = new SharedBudget(1 << 20)
    const queue = new SendQueue(pool, budget.join(1))
    queue.push(new Uint8Array(100_000), 0, 100_000)
    expect(budget.used).toBe(7 * 16384)
    queue.drop(40_000)
    expect(budget.used).toBe(5 * 16384)
    queue.drop(60_000)
    expect([queue.length, budget.used]).toEqual([0, 0])
    queue.clear()
    expect([queue.length, budget.used]).toEqual([0, 0])
  })
})

const address = (n: number): AddressWords => ({ w0: 0, w1: 0, w2: 0xffff, w3: n })

describe('the flow table', () => {
  test('finds exactly what was inserted and not deleted', () => {
    interface Entry {
      local: AddressWords
      remote: AddressWords
      localPort: number
      remotePort: number
      nextInBucket: Entry | undefined
    }
    const key = fc.record({ host: fc.nat(3), localPort: fc.nat(40), remotePort: fc.nat(3), insert: fc.boolean() })
    fc.assert(
      fc.property(fc.array(key, { maxLength: 400 }), keys => {
        const table = new FlowTable<Entry>(99)
        const model = new Map<string, Entry>()
        for (const { host, localPort, remotePort, insert } of keys) {
          const name = `${host} ${localPort} ${remotePort}`
          const known = model.get(name)
          expect(table.find(address(1), localPort, address(host), remotePort)).toBe(known)
          if (insert && known === undefined) {
            const remote = address(host)
            const entry: Entry = { local: address(1), remote, localPort, remotePort, nextInBucket: undefined }
            table.insert(entry)
            model.set(name, entry)
          } else if (!insert && known !== undefined) {
            table.delete(known)
            model.delete(name)
          }
          expect(table.size).toBe(model.size)
        }
        expect(new Set(table.all())).toEqual(new Set(model.values()))
      }),
    )
  })
})

describe('the TIME-WAIT table', () => {
  test('keeps records for a minute in the order in which they came, within its bound (N6)', () => {
    const actions = fc.array(
      fc.record({ port: fc.nat(30), after: fc.nat(9000), what: fc.constantFrom('add', 'restart', 'remove') }),
      { maxLength: 200 },
    )
    fc.assert(
      fc.property(actions, steps => {
        let deadline = Infinity
        const table = new TimeWaitTable(5, 10, at => {
          deadline = at
          table.timer.deadline = at
          table.timer.heapIndex = 0
        })
        let model: { port: number; until: number }[] = []
        let now = 0
        for (const { port, after, what } of steps) {
          now += after
          while (deadline <= now) {
            deadline = Infinity
            table.timer.heapIndex = -1
            table.timer.handleDeadline(now)
          }
          model = model.filter(one => one.until > now)
          const record = table.find(address(1), port, address(2), 80)
          expect(record >= 0).toBe(model.some(one => one.port === port))
          if (what === 'add' && record < 0) {
            table.add(remainsOf(port), now)
            model.push({ port, until: now + 60_000 })
            if (model.length > 10) model.shift()
          } else if (record >= 0) {
            expect(table.sndNxt(record)).toBe(port * 1000)
            expect(table.rcvNxt(record)).toBe(7 - port)
            expect(table.window(record)).toBe(65535 - port)
            expect(table.tsOk(record)).toBe(port % 2 === 0)
            model = model.filter(one => one.port !== port)
            if (what === 'restart') {
              table.restart(record, now)
              model.push({ port, until: now + 60_000 })
            } else table.remove(record)
          }
          expect(table.size).toBe(model.length)
        }
      }),
    )
  })

  const remainsOf = (port: number) => ({
    local: address(1),
    remote: address(2),
    localPort: port,
    remotePort: 80,
    sndNxt: port * 1000,
    rcvNxt: 7 - port,
    tsOk: port % 2 === 0,
    tsOffset: 1,
    tsRecent: 2,
    tsRecentAt: 3,
    window: 65535 - port,
  })
})

test('a budget is spent and comes back each second', () => {
  const budget = new RateBudget(() => 2)
  expect([budget.take(0), budget.take(1), budget.take(999), budget.take(1000)]).toEqual([true, true, false, true])
})

// What one peer, or one that never answers, can take: a bounded part, for a bounded time.
import { describe, expect, it } from 'vitest'
import { parseAddress, parsePrefix } from '../../../../src/core/base/address.js'
import { createPacketMemory } from '../../../../src/core/base/packet-memory.js'
import { SharedBudget } from '../../../../src/core/netstack/shared-budget.js'
import { Stack } from '../../../../src/core/netstack/stack.js'
import { Reassembly } from '../../../../src/core/netstack/tcp/reassembly.js'

const address = (text: string) => parseAddress(text) as Uint8Array

function createStack() {
  const memory = createPacketMemory(new ArrayBuffer(1024 * 2048), 2048)
  const stack = new Stack({
    memory,
    random: bytes => bytes.fill(7),
    keyedHash: () => 1,
    addresses: [parsePrefix('10.7.0.1/32')].flatMap(prefix => prefix ?? []),
    mtu: 1420,
    route: () => 1,
    pathReady: () => false,
    wakePath: () => {},
    sink: { sendPacket: slot => memory.free(slot) },
  })
  const runUntil = (end: number) => {
    for (let now = stack.nextDeadline(); now <= end; now = stack.nextDeadline()) {
      stack.handleTimeout(now)
      while (stack.flush(now, 64));
    }
  }
  return { memory, stack, runUntil }
}

describe('a path that never comes up', () => {
  it('ends a dial without a timeout after some four minutes', () => {
    const { stack, runUntil } = createStack()
    const closed: (string | undefined)[] = []
    const events = { connected() {}, readable() {}, writable() {}, closed: (code?: string) => closed.push(code) }
    stack.connect({ address: address('10.7.0.2'), port: 22 }, events, 0)
    runUntil(253_000)
    expect(closed).toEqual([])
    runUntil(255_000)
    expect(closed).toEqual(['ETIMEDOUT'])
    expect([stack.stats().connections, stack.nextDeadline()]).toEqual([0, Infinity])
  })

  it('gives back the slots of what waits for it', () => {
    const { stack, memory, runUntil } = createStack()
    const socket = stack.bindUdp({}, { message() {}, error() {} })
    for (let i = 0; i < 10; i++) socket.send(new Uint8Array(100), address('10.7.0.2'), 53, 0)
    while (stack.flush(0, 64));
    expect(memory.inUse).toBe(10)
    runUntil(31_000)
    expect([memory.inUse, stack.counters.pathDown, stack.nextDeadline()]).toEqual([0, 10, Infinity])
  })
})

describe('the budget for segments out of order', () => {
  const memory = createPacketMemory(new ArrayBuffer(512 * 2048), 2048)
  const offer = (reassembly: Reassembly, sequence: number) => {
    const slot = memory.alloc()
    const result = reassembly.insert(slot, sequence, slot + 100, 1)
    if (result !== 'kept') memory.free(slot)
    return result
  }

  it('is never taken whole by one connection (N2)', () => {
    const budget = new SharedBudget(400)
    const greedy = new Reassembly(memory, budget.join(1))
    let kept = 0
    while (offer(greedy, 2 * kept + 1) === 'kept') kept++
    expect(kept).toBe(200)
    const other = new Reassembly(memory, budget.join(1))
    for (let i = 0; i < 100; i++) expect(offer(other, 2 * i + 1)).toBe('kept')
    greedy.clear()
    other.clear()
    expect([budget.used, memory.inUse]).toEqual([0, 0])
  })

  it('is never taken whole by the connections of one peer (N2)', () => {
    const budget = new SharedBudget(400)
    const many = Array.from({ length: 50 }, () => new Reassembly(memory, budget.join(1)))
    for (const each of many) for (let i = 0; offer(each, 2 * i + 1) === 'kept'; i++);
    expect(budget.used).toBe(300)
    const other = new Reassembly(memory, budget.join(2))
    for (let i = 0; i < 50; i++) expect(offer(other, 2 * i + 1)).toBe('kept')
    for (const each of [...many, other]) each.clear()
    expect([budget.used, memory.inUse]).toEqual([0, 0])
  })
})

describe('a budget that all share', () => {
  it('gives whole bytes, whatever its limit: a fraction of one in a send queue would move all that follows (N10)', () => {
    const budget = new SharedBudget(100_000_001)
    const share = budget.join(1)
    for (const used of [0, 1000 * 16384, 3040 * 16384, 3050 * 16384, 3051 * 16384]) {
      share.take(used - share.used)
      expect(share.bound(16384) % 1).toBe(0)
    }
  })
})

import { describe, expect, it } from 'vitest'
import { createPath, createSeededRandom, createVirtualClock, type PathOptions } from '../../../src/testing/index.js'

function run(options: PathOptions, count: number, size = 100, seed = 1) {
  const clock = createVirtualClock()
  const arrivals: { at: number; number: number; bytes: Uint8Array }[] = []
  const path = createPath(clock, createSeededRandom(seed), options)
  const receive = (buffer: Uint8Array, offset: number, length: number) => {
    const bytes = buffer.slice(offset, offset + length)
    arrivals.push({ at: clock.now, number: new DataView(bytes.buffer).getUint32(0), bytes })
  }
  for (let i = 0; i < count; i++) {
    const bytes = new Uint8Array(size + 8)
    new DataView(bytes.buffer).setUint32(8, i)
    path.send(bytes, 8, size, receive)
  }
  clock.runUntil(1e9)
  return { arrivals, counters: path.counters, path }
}

describe('a simulated path', () => {
  it('delivers everything in order after its delay when it has no faults', () => {
    const { arrivals } = run({ delay: 25 }, 100)
    expect(arrivals.map(a => a.number)).toEqual(Array.from({ length: 100 }, (_, i) => i))
    expect(new Set(arrivals.map(a => a.at))).toEqual(new Set([25]))
  })

  it('loses about as much as it is told to', () => {
    const { arrivals, counters } = run({ loss: 0.2 }, 10_000)
    expect(counters.lost).toBeGreaterThan(1800)
    expect(counters.lost).toBeLessThan(2200)
    expect(arrivals.length + counters.lost).toBe(10_000)
  })

  it('duplicates, reorders within its jitter, and flips one bit', () => {
    expect(run({ duplicate: 0.5 }, 1000).arrivals.length).toBeGreaterThan(1400)
    const jittered = run({ delay: 10, jitter: 5 }, 1000).arrivals
    expect(jittered.map(a => a.number)).not.toEqual([...jittered.map(a => a.number)].sort((a, b) => a - b))
    expect(jittered.every(a => a.at >= 10 && a.at < 15)).toBe(true)
    const flipped = run({ corrupt: 1 }, 1).arrivals[0]?.bytes as Uint8Array
    expect(flipped.reduce((bits, byte) => bits + byte.toString(2).replaceAll('0', '').length, 0)).toBe(1)
  })

  it('keeps its rate, queues what comes too fast and drops the tail', () => {
    // 972 + 28 bytes at 8 Mbit/s take 1 ms each.
    const { arrivals, counters } = run({ rate: 8, queue: 9 }, 100, 972)
    expect(arrivals.map(a => Math.round(a.at))).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
    expect(counters.overflowed).toBe(90)
  })

  it('counts datagrams in its queue, whatever their size', () => {
    const clock = createVirtualClock()
    const path = createPath(clock, createSeededRandom(1), { rate: 1, queue: 10 })
    const buffer = new Uint8Array(1400)
    let arrived = 0
    const send = (size: number, count: number) => {
      for (let i = 0; i < count; i++) path.send(buffer, 0, size, () => arrived++)
    }
    send(20, 8)
    expect(path.waiting).toBe(7)
    send(1400, 8)
    expect(path.waiting).toBe(10)
    expect(path.counters).toMatchObject({ sent: 16, overflowed: 5, longestQueue: 10 })
    clock.runUntil(48 * 8 * 8 * 0.001 + 0.1)
    expect([arrived, path.waiting]).toEqual([8, 2])
    send(20, 20)
    expect(path.counters).toMatchObject({ overflowed: 17 })
    clock.runUntil(1000)
    expect([arrived, path.waiting]).toEqual([19, 0])
    expect(path.counters).toMatchObject({ passed: 19, passedBytes: 16 * 20 + 3 * 1400 })
  })

  it('loses in bursts of the length that it is told, and no more than that', () => {
    const clock = createVirtualClock()
    const path = createPath(clock, createSeededRandom(1), { loss: 0.05, lossBurst: 10 })
    const count = 200_000
    let [bursts, lost] = [0, 0]
    for (let i = 0; i < count; i++) {
      const before = path.counters.lost
      path.send(new Uint8Array(1), 0, 1, () => {})
      const isLost = path.counters.lost > before
      if (isLost && lost === 0) bursts++
      lost = isLost ? lost + 1 : 0
      clock.runUntil(clock.now + 0.5)
    }
    expect(path.counters.lost / count).toBeGreaterThan(0.04)
    expect(path.counters.lost / count).toBeLessThan(0.06)
    // Two datagrams a millisecond, and of ten milliseconds the ends between two datagrams.
    expect(path.counters.lost / bursts).toBeGreaterThan(17)
    expect(path.counters.lost / bursts).toBeLessThan(23)
  })

  it('delays by its jitter without reordering where it is told to keep the order', () => {
    const { arrivals } = run({ delay: 10, jitter: 5, keepOrder: true }, 1000)
    expect(arrivals.map(a => a.number)).toEqual(Array.from({ length: 1000 }, (_, i) => i))
    expect(new Set(arrivals.map(a => a.at)).size).toBeGreaterThan(5)
  })

  it('hands over in bunches, in order, and all at once after a stall', () => {
    // 972 + 28 bytes at 8 Mbit/s take 1 ms each.
    const bunches = run({ rate: 8, queue: 1000, delay: 10, gather: 4 }, 100, 972).arrivals
    expect(bunches.map(a => a.number)).toEqual(Array.from({ length: 100 }, (_, i) => i))
    expect(new Set(bunches.map(a => a.at)).size).toBe(26)
    expect(bunches.every(a => a.at % 4 === 0)).toBe(true)
    const stalled = run({ rate: 8, queue: 1000, stall: 20, stallEvery: 100 }, 1000, 972).arrivals
    expect(stalled.map(a => a.number)).toEqual(Array.from({ length: 1000 }, (_, i) => i))
    const times = [...new Set(stalled.map(a => a.at))]
    const gaps = times.map((at, i) => at - (times[i - 1] ?? 0)).filter(gap => gap > 10)
    expect(gaps.length).toBeGreaterThan(5)
    expect(gaps.length).toBeLessThan(15)
    expect(Math.max(...gaps)).toBeLessThan(22)
  })

  it('swallows what is larger than its MTU, and everything while it is down', () => {
    expect(run({ mtu: 99 }, 10).counters).toMatchObject({ tooBig: 10, passed: 0 })
    expect(run({ down: true }, 10).arrivals).toEqual([])
  })

  it('does the same again with the same seed, and something else with another', () => {
    const options = { loss: 0.1, jitter: 3, duplicate: 0.1 }
    const numbers = (seed: number) => run(options, 500, 100, seed).arrivals.map(a => a.number)
    expect(numbers(7)).toEqual(numbers(7))
    expect(numbers(7)).not.toEqual(numbers(8))
  })
})

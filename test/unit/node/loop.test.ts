import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Host } from '../../../src/core/host/host.js'
import { createClock } from '../../../src/node/clock.js'
import { createLoop } from '../../../src/node/loop.js'

beforeEach(() => vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setImmediate', 'clearImmediate'] }))
afterEach(() => vi.useRealTimers())

describe('the loop of a tunnel', () => {
  it('meets deadlines that fell into a suspend within 10 s of its end, although timers stood still (W30)', () => {
    const source = {
      elapsed: 0,
      slept: 0,
      monotonic: () => source.elapsed,
      uptime: () => source.elapsed + source.slept,
    }
    const now = createClock(source)
    let deadline = 180_000
    let metAt: number | undefined
    const host = {
      nextDeadline: () => deadline,
      handleTimeout(at: number) {
        metAt = at
        deadline = Infinity
      },
      flush: () => false,
    } as unknown as Host
    const loop = createLoop({ host, now, writable: () => true, afterTurn() {} })
    const awake = (milliseconds: number) => {
      for (let i = 0; i < milliseconds / 100; i++) {
        source.elapsed += 100
        vi.advanceTimersByTime(100)
      }
    }
    loop.changed()
    awake(60_000)
    expect(metAt).toBeUndefined()
    source.slept = 3_600_000
    awake(10_100)
    expect(metAt).toBeGreaterThan(3_660_000)
    loop.stop()
  })

  it('sleeps on where nothing is due, and not at all where nothing is pending', () => {
    let turns = 0
    const host = {
      nextDeadline: () => Infinity,
      handleTimeout() {},
      flush() {
        turns++
        return false
      },
    } as unknown as Host
    const loop = createLoop({ host, now: () => 0, writable: () => true, afterTurn() {} })
    loop.changed()
    vi.advanceTimersByTime(3_600_000)
    expect(turns).toBe(1)
    expect(vi.getTimerCount()).toBe(0)
    loop.stop()
  })
})

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

  describe('judges what was not answered only by what it has read (B1)', () => {
    /** A loop on a clock of its own, and what each call of handleTimeout was told. */
    function watched() {
      const told: { at: number; readUntil: number }[] = []
      const state = { now: 0, deadline: Infinity, told }
      const host = {
        nextDeadline: () => state.deadline,
        handleTimeout(at: number, _wall: number, readUntil: number) {
          told.push({ at, readUntil })
          // As the stack does: what may not be judged yet is looked at a tick later.
          state.deadline = state.deadline <= readUntil ? Infinity : at + 1
        },
        flush: () => false,
      } as unknown as Host
      const loop = createLoop({ host, now: () => state.now, writable: () => true, afterTurn() {} })
      return { state, loop }
    }

    it('a callback that blocks past a deadline: what came meanwhile is read first', () => {
      const { state, loop } = watched()
      state.deadline = 50
      loop.changed()
      vi.advanceTimersByTime(0)
      // Someone's callback, between the poll and our turn, takes 300 ms.
      loop.changed()
      state.now = 300
      vi.advanceTimersByTime(0)
      expect(state.told).toHaveLength(1)
      expect(state.told[0]?.readUntil).toBeLessThan(50)
      // The poll after that turn gives what had waited.
      loop.received()
      state.now = 302
      vi.advanceTimersByTime(2)
      expect(state.told.at(-1)?.readUntil).toBeGreaterThanOrEqual(300)
      loop.stop()
    })

    it('a timer that fires in time: at once', () => {
      const { state, loop } = watched()
      state.deadline = 50
      loop.changed()
      vi.advanceTimersByTime(0)
      state.now = 51
      vi.advanceTimersByTime(51)
      expect(state.told).toEqual([{ at: 51, readUntil: 51 }])
      loop.stop()
    })

    it('a poll of 32 datagrams: there may be more, for 50 ms at most', () => {
      const { state, loop } = watched()
      let judgedAt = 0
      state.deadline = 10
      for (let turn = 0; turn < 100 && judgedAt === 0; turn++) {
        for (let i = 0; i < 32; i++) loop.received()
        state.now += 2
        vi.advanceTimersByTime(2)
        if (state.deadline === Infinity) judgedAt = state.now
      }
      expect(judgedAt).toBeGreaterThan(50)
      expect(judgedAt).toBeLessThan(70)
      loop.stop()
    })
  })
})

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { watchRoutes } from '../../../src/node/route-watch.js'

beforeEach(() => vi.useFakeTimers())
afterEach(() => vi.useRealTimers())

describe('a watch of the routes', () => {
  it('looks while nothing comes after something came, a few times, and then rests', () => {
    const look = vi.fn()
    const watch = watchRoutes(look)
    vi.advanceTimersByTime(60_000)
    expect(look).not.toHaveBeenCalled()
    for (let i = 0; i < 100; i++) {
      watch.heard()
      vi.advanceTimersByTime(100)
    }
    expect(look).not.toHaveBeenCalled()
    vi.advanceTimersByTime(4000)
    expect(look).toHaveBeenCalled()
    vi.advanceTimersByTime(3_600_000)
    expect(look).toHaveBeenCalledTimes(6)
    expect(vi.getTimerCount()).toBe(0)
    watch.heard()
    vi.advanceTimersByTime(4000)
    expect(look).toHaveBeenCalledTimes(7)
    watch.stop()
    expect(vi.getTimerCount()).toBe(0)
  })
})

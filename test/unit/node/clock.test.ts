import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { createClock } from '../../../src/node/clock.js'

function fakeSource() {
  const source = {
    elapsed: 0,
    slept: 0,
    monotonic: () => source.elapsed,
    uptime: () => 5_000_000 + source.elapsed + source.slept,
  }
  return source
}

describe('the clock of a tunnel', () => {
  it('is the monotonic clock while the machine is awake', () => {
    const source = fakeSource()
    const now = createClock(source)
    source.elapsed = 10
    expect(now()).toBe(10)
    source.elapsed = 100_000
    expect(now()).toBe(100_000)
  })

  it('counts the time that the machine slept (W30)', () => {
    const source = fakeSource()
    const now = createClock(source)
    source.elapsed = 1000
    source.slept = 3_600_000
    expect(now()).toBe(3_601_000)
    source.elapsed = 5000
    source.slept += 7000
    expect(now()).toBe(3_612_000)
  })

  it('takes the coarseness of the uptime for no sleep, and never goes back', () => {
    const source = fakeSource()
    const now = createClock(source)
    let last = 0
    for (let i = 1; i < 100; i++) {
      source.elapsed = i * 1000
      source.slept = (i % 3) * 700 - 700
      expect(now()).toBe(i * 1000)
      expect(now()).toBeGreaterThanOrEqual(last)
      last = now()
    }
  })

  it('is the last of what Node gives: the rest that a kernel does is said in the documents (W30)', () => {
    const text = readFileSync(join(import.meta.dirname, '../../../docs/running.md'), 'utf8').replaceAll('\n', ' ')
    expect(text).toMatch(
      /Not to be had in Node, and so not done: ECN and DSCP [^.]* forked or restored from a snapshot/,
    )
  })
})

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { compareTimestamps, TimestampClock } from '../../../../src/core/wireguard/tai64n.js'
import { hexOf } from '../../../support/wireguard-crypto.js'

describe('TAI64N timestamps', () => {
  it('are 2^62 + 10 + Unix seconds, and nanoseconds floored to 2^24 (W9)', () => {
    expect(hexOf(new TimestampClock().next(0, undefined))).toBe('400000000000000a00000000')
    expect(hexOf(new TimestampClock().next(1_700_000_000_999, undefined))).toBe('400000006553f10a3b000000')
    expect(hexOf(new TimestampClock().next(2 ** 32 * 1000, undefined))).toBe('400000010000000a00000000')
  })

  it('hide what the clock shows below 16.7 ms (W9)', () => {
    const stamps = Array.from({ length: 16 }, (_, i) => hexOf(new TimestampClock().next(5000 + i, undefined)))
    expect(new Set(stamps).size).toBe(1)
  })

  it('grow for one peer whatever the wall clock does, and never go back for any (W9)', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.integer({ min: 0, max: 2 }), fc.double({ min: 0, max: 1e13, noNaN: true }))),
        calls => {
          const clock = new TimestampClock()
          const last: (Uint8Array | undefined)[] = [undefined, undefined, undefined]
          let greatest: Uint8Array | undefined
          for (const [peer, wall] of calls) {
            const stamp = clock.next(wall, last[peer])
            if (last[peer] !== undefined) expect(compareTimestamps(stamp, last[peer])).toBeGreaterThan(0)
            if (greatest !== undefined) expect(compareTimestamps(stamp, greatest)).toBeGreaterThanOrEqual(0)
            greatest = stamp
            last[peer] = stamp
          }
        },
      ),
    )
  })

  it('run ahead of a stopped clock by 2^24 ns each, and do not add up over peers (W9)', () => {
    const clock = new TimestampClock()
    const first = clock.next(1000, undefined)
    expect(clock.next(1000, undefined)).toEqual(first)
    expect(hexOf(clock.next(1000, first))).toBe('400000000000000b01000000')
    let stamp = first
    for (let i = 0; i < 60; i++) stamp = clock.next(1000, stamp)
    expect(hexOf(stamp)).toBe('400000000000000c00000000')
  })
})

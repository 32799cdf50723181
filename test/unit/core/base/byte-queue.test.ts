import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createByteQueue } from '../../../../src/core/base/byte-queue.js'

describe('byte queue', () => {
  it('takes no more than its bound', () => {
    const queue = createByteQueue(10)
    expect(queue.push(new Uint8Array(8), 0, 8)).toBe(8)
    expect(queue.push(new Uint8Array(8), 0, 8)).toBe(2)
    expect(queue.push(new Uint8Array(8), 0, 8)).toBe(0)
  })

  it('gives its memory back when it runs empty', () => {
    const queue = createByteQueue(1 << 20)
    queue.push(new Uint8Array(100_000), 0, 100_000)
    expect(queue.capacity).toBeGreaterThanOrEqual(100_000)
    queue.drop(100_000)
    expect(queue.capacity).toBe(0)
  })

  it('keeps what it holds when its bound shrinks', () => {
    const queue = createByteQueue(100)
    queue.push(
      Uint8Array.from({ length: 80 }, (_, i) => i),
      0,
      80,
    )
    queue.setLimit(10)
    expect(queue.push(new Uint8Array(1), 0, 1)).toBe(0)
    const copy = new Uint8Array(80)
    queue.copy(0, 80, copy, 0)
    expect(copy[79]).toBe(79)
  })

  it('refuses to read or drop what it does not hold', () => {
    const queue = createByteQueue(100)
    queue.push(new Uint8Array(5), 0, 5)
    expect(() => queue.copy(3, 3, new Uint8Array(10), 0)).toThrow(RangeError)
    expect(() => queue.drop(6)).toThrow(RangeError)
  })

  it('is a queue of bytes, whatever the order of pushes and drops', () => {
    const step = fc.oneof(
      fc.record({ push: fc.integer({ min: 0, max: 9000 }) }),
      fc.record({ drop: fc.integer({ min: 0, max: 9000 }) }),
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), steps => {
        const queue = createByteQueue(20_000)
        const model: number[] = []
        let counter = 0
        for (const one of steps) {
          if ('push' in one) {
            const bytes = Uint8Array.from({ length: one.push + 2 }, () => counter++)
            const taken = queue.push(bytes, 1, one.push + 1)
            expect(taken).toBe(Math.min(one.push, 20_000 - model.length))
            for (let i = 0; i < taken; i++) model.push(bytes[1 + i] as number)
          } else {
            const count = Math.min(one.drop, model.length)
            queue.drop(count)
            model.splice(0, count)
          }
          expect(queue.length).toBe(model.length)
          const copy = new Uint8Array(model.length + 1)
          queue.copy(0, model.length, copy, 1)
          expect(Array.from(copy.subarray(1))).toEqual(model)
        }
      }),
      { numRuns: 50 },
    )
  })
})

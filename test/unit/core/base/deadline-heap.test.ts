import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createDeadlineHeap, type Deadlined, notScheduled } from '../../../../src/core/base/deadline-heap.js'

interface Item extends Deadlined {
  readonly id: number
}

const item = (id: number): Item => ({ ...notScheduled, id })

describe('deadline heap', () => {
  it('gives items in the order of their deadlines, and only those that are due', () => {
    const heap = createDeadlineHeap<Item>()
    const items = [5, 1, 3].map(deadline => {
      const made = item(deadline)
      heap.set(made, deadline)
      return made
    })
    expect(heap.next()).toBe(1)
    expect(heap.popDue(0.5)).toBeUndefined()
    expect(heap.popDue(4)).toBe(items[1])
    expect(heap.popDue(4)).toBe(items[2])
    expect(heap.popDue(4)).toBeUndefined()
    expect(heap.next()).toBe(5)
  })

  it('is empty for ever after its last item is cancelled', () => {
    const heap = createDeadlineHeap<Item>()
    const only = item(1)
    heap.set(only, 10)
    heap.set(only, Infinity)
    heap.cancel(only)
    expect([heap.next(), heap.size, only.heapIndex, only.deadline]).toEqual([Infinity, 0, -1, Infinity])
  })

  it('agrees with a sorted list under random sets, moves and cancels', () => {
    const operation = fc.tuple(fc.nat(20), fc.option(fc.integer({ min: 0, max: 50 }), { nil: Infinity }))
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 200 }), operations => {
        const heap = createDeadlineHeap<Item>()
        const items = Array.from({ length: 21 }, (_, id) => item(id))
        const model = new Map<number, number>()
        for (const [id, deadline] of operations) {
          heap.set(items[id] as Item, deadline)
          if (deadline === Infinity) model.delete(id)
          else model.set(id, deadline)
          expect(heap.next()).toBe(Math.min(Infinity, ...model.values()))
          expect(heap.size).toBe(model.size)
        }
        const order: number[] = []
        for (let next = heap.popDue(100); next !== undefined; next = heap.popDue(100)) {
          order.push(model.get(next.id) as number)
          model.delete(next.id)
        }
        expect(model.size).toBe(0)
        expect(order).toEqual([...order].sort((a, b) => a - b))
      }),
    )
  })
})

// Deadlines of many things behind one timer: a binary heap whose items know their own place, so that moving a deadline
// costs no search and no allocation.

/** What a heap orders. The two fields belong to the heap; start them with {@link notScheduled}. */
export interface Deadlined {
  heapIndex: number
  /** Monotonic milliseconds; `Infinity` while not scheduled. */
  deadline: number
}

/** The state of an item in no heap: `{ ...notScheduled, … }`. */
export const notScheduled: Readonly<Deadlined> = { heapIndex: -1, deadline: Infinity }

export interface DeadlineHeap<T extends Deadlined> {
  readonly size: number
  /** Adds `item`, or moves it. An infinite deadline cancels. */
  set(item: T, deadline: number): void
  cancel(item: T): void
  /** The earliest deadline, `Infinity` if there is none. */
  next(): number
  /** Removes and returns the earliest item whose deadline is at or before `now`. */
  popDue(now: number): T | undefined
}

export function createDeadlineHeap<T extends Deadlined>(): DeadlineHeap<T> {
  const items: T[] = []

  function place(item: T, index: number): void {
    items[index] = item
    item.heapIndex = index
  }

  function siftUp(item: T, from: number): void {
    let index = from
    while (index > 0) {
      const parentIndex = (index - 1) >> 1
      const parent = items[parentIndex] as T
      if (parent.deadline <= item.deadline) break
      place(parent, index)
      index = parentIndex
    }
    place(item, index)
  }

  function siftDown(item: T, from: number): void {
    let index = from
    for (;;) {
      let childIndex = 2 * index + 1
      if (childIndex >= items.length) break
      const right = items[childIndex + 1]
      if (right !== undefined && right.deadline < (items[childIndex] as T).deadline) childIndex++
      const child = items[childIndex] as T
      if (item.deadline <= child.deadline) break
      place(child, index)
      index = childIndex
    }
    place(item, index)
  }

  function remove(item: T): void {
    const index = item.heapIndex
    if (index < 0) return
    item.heapIndex = -1
    item.deadline = Infinity
    const last = items.pop() as T
    if (last === item) return
    siftUp(last, index)
    if (last.heapIndex === index) siftDown(last, index)
  }

  return {
    get size() {
      return items.length
    },
    set(item, deadline) {
      if (deadline === Infinity) {
        remove(item)
        return
      }
      const index = item.heapIndex
      const before = item.deadline
      item.deadline = deadline
      if (index < 0) siftUp(item, items.length)
      else if (deadline < before) siftUp(item, index)
      else if (deadline > before) siftDown(item, index)
    },
    cancel: remove,
    next: () => (items[0] === undefined ? Infinity : items[0].deadline),
    popDue(now) {
      const first = items[0]
      if (first === undefined || first.deadline > now) return undefined
      remove(first)
      return first
    },
  }
}

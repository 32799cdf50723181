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
  return new BinaryHeap<T>()
}

/** A class, because V8 keeps the properties of an object literal with a getter in a hash table. */
class BinaryHeap<T extends Deadlined> implements DeadlineHeap<T> {
  readonly #items: T[] = []

  get size(): number {
    return this.#items.length
  }

  set(item: T, deadline: number): void {
    if (deadline === Infinity) {
      this.cancel(item)
      return
    }
    const index = item.heapIndex
    const before = item.deadline
    item.deadline = deadline
    if (index < 0) this.#siftUp(item, this.#items.length)
    else if (deadline < before) this.#siftUp(item, index)
    else if (deadline > before) this.#siftDown(item, index)
  }

  cancel(item: T): void {
    const index = item.heapIndex
    if (index < 0) return
    item.heapIndex = -1
    item.deadline = Infinity
    const last = this.#items.pop() as T
    if (last === item) return
    this.#siftUp(last, index)
    if (last.heapIndex === index) this.#siftDown(last, index)
  }

  next(): number {
    const first = this.#items[0]
    return first === undefined ? Infinity : first.deadline
  }

  popDue(now: number): T | undefined {
    const first = this.#items[0]
    if (first === undefined || first.deadline > now) return undefined
    this.cancel(first)
    return first
  }

  #place(item: T, index: number): void {
    this.#items[index] = item
    item.heapIndex = index
  }

  #siftUp(item: T, from: number): void {
    let index = from
    while (index > 0) {
      const parentIndex = (index - 1) >> 1
      const parent = this.#items[parentIndex] as T
      if (parent.deadline <= item.deadline) break
      this.#place(parent, index)
      index = parentIndex
    }
    this.#place(item, index)
  }

  #siftDown(item: T, from: number): void {
    const items = this.#items
    let index = from
    for (;;) {
      let childIndex = 2 * index + 1
      if (childIndex >= items.length) break
      const right = items[childIndex + 1]
      if (right !== undefined && right.deadline < (items[childIndex] as T).deadline) childIndex++
      const child = items[childIndex] as T
      if (item.deadline <= child.deadline) break
      this.#place(child, index)
      index = childIndex
    }
    this.#place(item, index)
  }
}

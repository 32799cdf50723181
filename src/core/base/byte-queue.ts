// A queue of bytes that is copied into once and read by position: the send queue of a connection, or bytes received and
// not yet read. It grows by doubling up to a bound and gives its memory back when it runs empty.

export interface ByteQueue {
  /** Bytes held. */
  readonly length: number
  /** Bytes of memory behind it. */
  readonly capacity: number
  /** Copies as much of `bytes[from…to)` as the bound allows to the end; returns how many bytes that was. */
  push(bytes: Uint8Array, from: number, to: number): number
  /** Copies `count` bytes, `position` bytes behind the head, to `target[at…]`. They stay in the queue. */
  copy(position: number, count: number, target: Uint8Array, at: number): void
  /** Drops `count` bytes at the head. */
  drop(count: number): void
  /** Moves the bound; bytes already held stay. */
  setLimit(limit: number): void
}

const smallest = 4096

/** A queue of at most `limit` bytes. */
export function createByteQueue(limit: number): ByteQueue {
  let bound = limit
  let ring: Uint8Array | undefined // its size is a power of two
  let head = 0
  let length = 0

  function reserve(needed: number): Uint8Array {
    if (ring !== undefined && ring.length >= needed) return ring
    let size = smallest
    while (size < needed) size *= 2
    const grown = new Uint8Array(size)
    if (ring !== undefined) copyOut(ring, 0, length, grown, 0)
    ring = grown
    head = 0
    return grown
  }

  function copyOut(from: Uint8Array, position: number, count: number, target: Uint8Array, at: number): void {
    const start = (head + position) & (from.length - 1)
    const first = Math.min(count, from.length - start)
    target.set(from.subarray(start, start + first), at)
    if (first < count) target.set(from.subarray(0, count - first), at + first)
  }

  return {
    get length() {
      return length
    },
    get capacity() {
      return ring === undefined ? 0 : ring.length
    },
    push(bytes, from, to) {
      const count = Math.min(to - from, bound - length)
      if (count <= 0) return 0
      const into = reserve(length + count)
      const start = (head + length) & (into.length - 1)
      const first = Math.min(count, into.length - start)
      into.set(bytes.subarray(from, from + first), start)
      if (first < count) into.set(bytes.subarray(from + first, from + count), 0)
      length += count
      return count
    },
    copy(position, count, target, at) {
      if (position + count > length) throw new RangeError(`${position} + ${count} bytes of a queue of ${length}`)
      if (ring !== undefined) copyOut(ring, position, count, target, at)
    },
    drop(count) {
      if (count > length) throw new RangeError(`drop ${count} of ${length}`)
      length -= count
      if (length === 0) ring = undefined
      else head = (head + count) & ((ring as Uint8Array).length - 1)
    },
    setLimit(limit) {
      bound = limit
    },
  }
}

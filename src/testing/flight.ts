// The datagrams that are under way on a path, in the order in which they will arrive. Buffers are used again: a simulation
// of a gigabit carries 100,000 datagrams a second.
import { TimeQueue } from './time-queue.js'

/** Who gets a datagram: `bytes[offset … offset + length)`, theirs during the call only. */
export type Receive = (bytes: Uint8Array, offset: number, length: number) => void

/** Most datagrams fit into a buffer that is kept for the next one. */
const bufferSize = 2048

export class Flight {
  readonly #queue = new TimeQueue()
  // By the number that the queue knows a datagram by.
  readonly #buffers: Uint8Array[] = []
  readonly #lengths: number[] = []
  readonly #receivers: Receive[] = []
  readonly #free: number[] = []

  /** When the next one arrives, ms; Infinity if none does. */
  get nextAt(): number {
    return this.#queue.nextAt
  }

  /** Takes a copy; returns it, to be damaged. */
  add(at: number, bytes: Uint8Array, offset: number, length: number, receive: Receive): Uint8Array {
    const number = this.#free.pop() ?? this.#buffers.length
    let buffer = this.#buffers[number]
    if (buffer === undefined || buffer.length < length) buffer = new Uint8Array(Math.max(bufferSize, length))
    buffer.set(bytes.subarray(offset, offset + length))
    this.#buffers[number] = buffer
    this.#lengths[number] = length
    this.#receivers[number] = receive
    this.#queue.push(at, number)
    return buffer
  }

  /** The next one arrives; returns its length. */
  deliver(): number {
    const number = this.#queue.pop()
    const receive = this.#receivers[number] as Receive
    const length = this.#lengths[number] as number
    receive(this.#buffers[number] as Uint8Array, 0, length)
    this.#free.push(number)
    return length
  }
}

// Handshake messages between their arrival and their turn: a flood of them waits here, bounded, while data flows past.
import type { Endpoint } from '../base/address.js'

export interface QueuedHandshake {
  readonly bytes: Uint8Array
  readonly source: Endpoint
}

export class HandshakeQueue {
  readonly #limit: number
  #messages: QueuedHandshake[] = []
  #first = 0

  constructor(limit: number) {
    this.#limit = limit
  }

  get size(): number {
    return this.#messages.length - this.#first
  }

  /** Keeps a copy of the message; false if the queue is full. */
  push(memory: Uint8Array, offset: number, length: number, source: Endpoint): boolean {
    if (this.size >= this.#limit) return false
    this.#messages.push({ bytes: memory.slice(offset, offset + length), source })
    return true
  }

  shift(): QueuedHandshake | undefined {
    const message = this.#messages[this.#first]
    if (message === undefined) return undefined
    this.#first++
    if (this.#first === this.#messages.length) this.clear()
    else if (this.#first >= this.#limit) {
      this.#messages = this.#messages.slice(this.#first)
      this.#first = 0
    }
    return message
  }

  clear(): void {
    this.#messages = []
    this.#first = 0
  }
}

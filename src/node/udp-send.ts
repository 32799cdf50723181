// One UDP socket's way out. A callback a packet would cost more than the rest of the call; without any, Node hides errors and
// tells nobody when a datagram that had to wait has left its slot. So the latest datagram waits for the next one or the turn's
// end, and the last of a turn has a callback.
import type { Socket } from 'node:dgram'
import { noSlot, type PacketMemory } from '../core/base/packet-memory.js'

export interface SenderOptions {
  readonly socket: Socket
  readonly memory: PacketMemory
  /** The kernel, or Node, refused a send. */
  readonly failed: (error: NodeJS.ErrnoException) => void
  /** Nothing waits for the kernel any more. */
  readonly drained: () => void
}

/** Where to; undefined on a connected socket. */
export interface Destination {
  readonly port: number
  readonly address: string
}

/** Of so many slots the view is kept: those freed last are used first, and to make a view costs 0.2 us of a send's 4. */
const keptViews = 64

export class Sender {
  readonly #options: SenderOptions
  readonly #views: Uint8Array[] = []
  #slot = noSlot
  #length = 0
  #destination: Destination | undefined
  /** Slots that the kernel had no room for, in the order in which they leave: Node still reads them. */
  #held: number[] = []
  /** Of those held, how many precede each callback that is still to come. */
  #before: number[] = []

  constructor(options: SenderOptions) {
    this.#options = options
  }

  /** False while a datagram waits for room in the kernel. */
  get writable(): boolean {
    return this.#held.length === 0
  }

  /** Sends `memory.u8[slot … slot + length)`, at the latest at {@link endTurn}, and frees the slot. */
  send(slot: number, length: number, destination: Destination | undefined): void {
    if (this.#slot !== noSlot) this.#transmit(undefined)
    this.#slot = slot
    this.#length = length
    this.#destination = destination
  }

  endTurn(): void {
    if (this.#slot !== noSlot) this.#transmit(this.#sent)
  }

  /** The socket is closed: nothing reads the slots any more. */
  release(): void {
    const { memory } = this.#options
    if (this.#slot !== noSlot) memory.free(this.#slot)
    for (const slot of this.#held) memory.free(slot)
    this.#slot = noSlot
    this.#held = []
    this.#before = []
  }

  #transmit(callback: ((error: Error | null) => void) | undefined): void {
    const { socket, memory, failed } = this.#options
    const slot = this.#slot
    const to = this.#destination
    this.#slot = noSlot
    const datagram = this.#view(slot, this.#length)
    try {
      if (to === undefined) socket.send(datagram, callback)
      else socket.send(datagram, to.port, to.address, callback)
    } catch (error) {
      memory.free(slot)
      failed(error as NodeJS.ErrnoException)
      return
    }
    if (socket.getSendQueueCount() === 0) memory.free(slot)
    else this.#held.push(slot)
    if (callback !== undefined) this.#before.push(this.#held.length)
  }

  #view(slot: number, length: number): Uint8Array {
    const { u8, slotSize } = this.#options.memory
    const index = Math.floor(slot / slotSize)
    const kept = this.#views[index]
    if (kept !== undefined && kept.length === length) return kept
    const view = u8.subarray(slot, slot + length)
    if (index < keptViews) this.#views[index] = view
    return view
  }

  /** Datagrams leave in order, so with this one all that were held before it have left. */
  readonly #sent = (error: Error | null): void => {
    if (error !== null) this.#options.failed(error)
    const left = this.#before.shift() ?? 0
    if (left === 0) return
    for (const slot of this.#held.splice(0, left)) this.#options.memory.free(slot)
    for (let i = 0; i < this.#before.length; i++) this.#before[i] = (this.#before[i] as number) - left
    if (this.writable) this.#options.drained()
  }
}

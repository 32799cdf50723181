// What the stack knows of a path: whether it is waited for, by whom, what was learnt of its MTU and when it was heard.
import { type Deadlined, notScheduled } from '../base/deadline-heap.js'
import type { PacketMemory } from '../base/packet-memory.js'
import type { StackCounters } from './counters.js'
import { pathMtuExpiry } from './tcp/constants.js'

/** A flow whose first packet waits for its path. */
export interface PathWaiter {
  pathUp(now: number): void
  pathDown(now: number): void
}

/** A packet waits no longer for its path, ms: who sent it has given up or sends another. */
const packetPatience = 30_000

export interface Path extends Deadlined {
  readonly id: number
  /** The packets that wait have waited long enough. */
  handleDeadline(now: number): void
  /** Flows whose first packet waits. */
  readonly waiting: Set<PathWaiter>
  /** Packets that wait: slot and length by turns. */
  readonly packets: number[]
  heardAt: number
  /** Learnt by packet-too-big, 0 if nothing was. */
  mtu: number
  mtuAt: number
}

/** Path number of packets to ourselves. */
export const loopbackPath = -2

export interface PathOptions {
  readonly memory: PacketMemory
  readonly counters: StackCounters
  /** Datagrams that wait for one path. */
  readonly queue: number
  readonly mtu: number
  pathReady(path: number): boolean
  wakePath(path: number, now: number): void
  schedule(path: Path, deadline: number): void
}

export class PathTable {
  readonly #options: PathOptions
  readonly #paths = new Map<number, Path>()

  constructor(options: PathOptions) {
    this.#options = options
  }

  get(id: number): Path {
    let path = this.#paths.get(id)
    if (path === undefined) {
      const made: Path = {
        ...notScheduled,
        id,
        handleDeadline: () => this.#freePackets(made),
        waiting: new Set(),
        packets: [],
        heardAt: -Infinity,
        mtu: 0,
        mtuAt: 0,
      }
      path = made
      this.#paths.set(id, path)
    }
    return path
  }

  ready(id: number): boolean {
    return id === loopbackPath || this.#options.pathReady(id)
  }

  /** The flow is told when the path is up, or that it will not be. */
  wait(id: number, waiter: PathWaiter, now: number): void {
    this.get(id).waiting.add(waiter)
    this.#options.wakePath(id, now)
  }

  forget(id: number, waiter: PathWaiter): void {
    this.#paths.get(id)?.waiting.delete(waiter)
  }

  /** Keeps a packet until the path is up. Takes the slot. */
  hold(id: number, slot: number, length: number, now: number): void {
    const path = this.get(id)
    if (path.packets.length >= 2 * this.#options.queue) {
      this.#options.counters.pathQueueFull++
      this.#options.memory.free(slot)
      return
    }
    if (path.packets.length === 0) this.#options.schedule(path, now + packetPatience)
    path.packets.push(slot, length)
    this.#options.wakePath(id, now)
  }

  up(id: number, now: number, send: (slot: number, length: number) => void): void {
    const path = this.#paths.get(id)
    if (path === undefined) return
    for (const waiter of drain(path.waiting)) waiter.pathUp(now)
    const packets = path.packets.splice(0)
    this.#options.schedule(path, Infinity)
    for (let i = 0; i < packets.length; i += 2) send(packets[i] as number, packets[i + 1] as number)
  }

  down(id: number, now: number): void {
    const path = this.#paths.get(id)
    if (path === undefined) return
    for (const waiter of drain(path.waiting)) waiter.pathDown(now)
    this.#freePackets(path)
  }

  heard(id: number, now: number): void {
    const path = this.#paths.get(id)
    if (path !== undefined) path.heardAt = now
  }

  /** Largest packet for a path, as far as is known. */
  mtu(id: number, now: number): number {
    const path = this.#paths.get(id)
    if (path === undefined || path.mtu === 0 || now - path.mtuAt > pathMtuExpiry) return this.#options.mtu
    return Math.min(path.mtu, this.#options.mtu)
  }

  learnMtu(id: number, mtu: number, now: number): void {
    const path = this.get(id)
    path.mtu = mtu
    path.mtuAt = now
  }

  clear(): void {
    for (const path of this.#paths.values()) {
      this.#freePackets(path)
      path.waiting.clear()
    }
  }

  #freePackets(path: Path): void {
    const packets = path.packets.splice(0)
    this.#options.schedule(path, Infinity)
    for (let i = 0; i < packets.length; i += 2) {
      this.#options.memory.free(packets[i] as number)
      this.#options.counters.pathDown++
    }
  }
}

function drain(waiting: Set<PathWaiter>): PathWaiter[] {
  const waiters = [...waiting]
  waiting.clear()
  return waiters
}

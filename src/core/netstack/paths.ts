// What the stack knows of a path: whether it is waited for, by whom, what was learnt of its MTU and when it was heard.
import { type Deadlined, notScheduled } from '../base/deadline-heap.js'
import type { PacketMemory } from '../base/packet-memory.js'
import type { StackCounters } from './counters.js'
import { PathMtu } from './path-mtu.js'

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
  packetsUntil: number
  /** When the other end was last heard, whatever it said. */
  heardAt: number
  readonly mtu: PathMtu
  /** Answers that strangers on the path may still provoke in the second that began then. */
  repliesLeft: number
  repliesSince: number
}

/** Path number of packets to ourselves. */
export const loopbackPath = -2

export interface PathOptions {
  readonly memory: PacketMemory
  readonly counters: StackCounters
  /** Datagrams that wait for one path. */
  readonly queue: number
  readonly mtu: number
  /** RSTs and ICMP errors a second for each path. */
  readonly repliesPerSecond: number
  pathReady(path: number): boolean
  wakePath(path: number, now: number): void
  schedule(path: Path, deadline: number): void
  /** Packets larger than `mtu` vanish on the path, although no router says so. */
  reportMtu(path: number, mtu: number): void
}

export class PathTable {
  readonly #options: PathOptions
  readonly #paths = new Map<number, Path>()
  /** The one that was heard last: mostly the next one too. */
  #latest: Path | undefined

  constructor(options: PathOptions) {
    this.#options = options
  }

  get(id: number): Path {
    let path = this.#paths.get(id)
    if (path === undefined) {
      const made: Path = {
        ...notScheduled,
        id,
        handleDeadline: now => this.#handleDeadline(made, now),
        waiting: new Set(),
        packets: [],
        packetsUntil: Infinity,
        heardAt: -Infinity,
        mtu: new PathMtu(),
        repliesLeft: 0,
        repliesSince: -Infinity,
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
    if (path.packets.length === 0) {
      path.packetsUntil = now + packetPatience
      this.#schedule(path)
    }
    path.packets.push(slot, length)
    this.#options.wakePath(id, now)
  }

  up(id: number, now: number, send: (slot: number, length: number) => void): void {
    const path = this.#paths.get(id)
    if (path === undefined) return
    path.heardAt = now
    for (const waiter of drain(path.waiting)) waiter.pathUp(now)
    const packets = path.packets.splice(0)
    path.packetsUntil = Infinity
    this.#schedule(path)
    for (let i = 0; i < packets.length; i += 2) send(packets[i] as number, packets[i + 1] as number)
  }

  down(id: number, now: number): void {
    const path = this.#paths.get(id)
    if (path === undefined) return
    for (const waiter of drain(path.waiting)) waiter.pathDown(now)
    this.#freePackets(path)
  }

  /** The path is gone for good: nothing of it is kept. */
  remove(id: number, now: number): void {
    this.down(id, now)
    const path = this.#paths.get(id)
    if (path === undefined) return
    this.#options.schedule(path, Infinity)
    this.#paths.delete(id)
    if (this.#latest === path) this.#latest = undefined
  }

  /** Anything that the path's other end has sent, and nobody else can have. */
  heard(id: number, now: number): void {
    if (this.#latest?.id !== id) this.#latest = this.get(id)
    this.#latest.heardAt = now
  }

  heardAt(id: number): number {
    return this.#paths.get(id)?.heardAt ?? -Infinity
  }

  /** Whether a stranger on the path is answered once more. */
  mayReply(id: number, now: number): boolean {
    const path = this.get(id)
    if (now - path.repliesSince >= 1000) {
      path.repliesSince = now
      path.repliesLeft = this.#options.repliesPerSecond
    }
    if (path.repliesLeft > 0) {
      path.repliesLeft--
      return true
    }
    this.#options.counters.repliesLimited++
    return false
  }

  /** Largest packet for a path, as far as is known. */
  mtu(id: number, now: number): number {
    const path = this.#paths.get(id)
    return path === undefined ? this.#options.mtu : path.mtu.current(this.#options.mtu, now)
  }

  /** A router's packet-too-big about a packet of ours, of `length` bytes; false if it is not to be believed. */
  believeMtu(id: number, version: 4 | 6, mtu: number, length: number, now: number): boolean {
    const believed = this.get(id).mtu.believe(version, mtu, length, this.#options.mtu, now)
    if (believed) this.#options.counters.pathMtuLearnt++
    return believed
  }

  /** Packets of `length` bytes vanish, and smaller ones do not; false if nothing smaller may be tried. */
  stepDownMtu(id: number, version: 4 | 6, length: number, proven: boolean, now: number): boolean {
    const path = this.get(id)
    if (!path.mtu.stepDown(version, length, proven, now)) return false
    this.#options.counters.pathMtuBlackHoles++
    this.#schedule(path)
    return true
  }

  /** Whether packets were found to vanish by their size alone. */
  hasBlackHole(id: number): boolean {
    return this.#paths.get(id)?.mtu.silent ?? false
  }

  /** When a larger packet may be tried on the path than is sent now, Infinity if never. */
  mtuProbeAt(id: number): number {
    return this.#paths.get(id)?.mtu.probeAt ?? Infinity
  }

  /** The size of a packet to try on the path now, 0 if none is due. Who sends it says so, and then what came of it. */
  mtuProbe(id: number, now: number): number {
    return this.get(id).mtu.nextProbe(this.#options.mtu, now)
  }

  mtuProbeSent(id: number, length: number, now: number): void {
    this.get(id).mtu.probeSent(length, now)
  }

  mtuProbed(id: number, length: number, passed: boolean, now: number): void {
    const path = this.get(id)
    if (passed) path.mtu.probePassed(length, this.#options.mtu, now)
    else path.mtu.probeLost(length, now)
    this.#schedule(path)
  }

  clear(): void {
    for (const path of this.#paths.values()) {
      path.mtu.reportAt = Infinity
      this.#freePackets(path)
      path.waiting.clear()
    }
  }

  #handleDeadline(path: Path, now: number): void {
    if (path.packetsUntil <= now) this.#freePackets(path)
    if (path.mtu.reportAt <= now) {
      const mtu = path.mtu.takeReport()
      if (mtu > 0) this.#options.reportMtu(path.id, mtu)
    }
    this.#schedule(path)
  }

  #schedule(path: Path): void {
    this.#options.schedule(path, Math.min(path.packetsUntil, path.mtu.reportAt))
  }

  #freePackets(path: Path): void {
    const packets = path.packets.splice(0)
    path.packetsUntil = Infinity
    this.#schedule(path)
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

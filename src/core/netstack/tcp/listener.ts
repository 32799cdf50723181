// Listeners by port and address, and the bound on connections that are half open.
import { type AddressWords, sameWords } from '../../wire/ip.js'
import type { TcpConnection, TcpEvents, TcpListener } from '../types.js'
import { abort, remove } from './close.js'
import { stateClosed, stateSynReceived } from './states.js'
import type { Tcb } from './tcb.js'

export class Listener implements TcpListener {
  readonly port: number
  /** undefined: any of our addresses. */
  readonly address: AddressWords | undefined
  readonly backlog: number
  readonly halfOpen = new Set<Tcb>()
  /** How many of them each path has. */
  readonly #byPath = new Map<number, number>()
  readonly accept: (connection: TcpConnection) => TcpEvents
  /** Told of a half-open connection that came to nothing. */
  abandoned: ((c: Tcb) => void) | undefined
  closed = false
  readonly #table: ListenerTable

  constructor(
    table: ListenerTable,
    address: AddressWords | undefined,
    port: number,
    backlog: number,
    accept: (connection: TcpConnection) => TcpEvents,
  ) {
    this.#table = table
    this.address = address
    this.port = port
    this.backlog = backlog
    this.accept = accept
  }

  close(): void {
    this.#table.close(this)
  }

  join(c: Tcb): void {
    c.listener = this
    this.halfOpen.add(c)
    const { path } = c.sendShare
    this.#byPath.set(path, (this.#byPath.get(path) ?? 0) + 1)
  }

  leave(c: Tcb): void {
    c.listener = undefined
    if (!this.halfOpen.delete(c)) return
    const { path } = c.sendShare
    const left = (this.#byPath.get(path) as number) - 1
    if (left === 0) this.#byPath.delete(path)
    else this.#byPath.set(path, left)
  }

  /**
   * Whether there is room for one more of `path`. Where all is taken, the oldest of who has the most makes room for who would
   * still have less: one peer that never answers does not keep the others out.
   */
  hasRoom(path: number): boolean {
    if (this.halfOpen.size < this.backlog) return true
    let most = path
    let count = (this.#byPath.get(path) ?? 0) + 1
    for (const [other, held] of this.#byPath) {
      if (held <= count) continue
      most = other
      count = held
    }
    if (most === path) return false
    for (const c of this.halfOpen) {
      if (c.sendShare.path !== most || c.stateCode !== stateSynReceived) continue
      remove(c, 'ETIMEDOUT')
      return true
    }
    return false
  }
}

export class ListenerTable {
  readonly #byPort = new Map<number, Listener[]>()

  /** The listener for a destination: one on that address before one on any. */
  find(address: AddressWords, port: number): Listener | undefined {
    const listeners = this.#byPort.get(port)
    if (listeners === undefined) return undefined
    let any: Listener | undefined
    for (const listener of listeners) {
      if (listener.address === undefined) any = listener
      else if (sameWords(listener.address, address)) return listener
    }
    return any
  }

  /** Whether a listener on the same address, or on any where that is asked for, holds the port. */
  isTaken(address: AddressWords | undefined, port: number): boolean {
    for (const listener of this.#byPort.get(port) ?? []) {
      if (address === undefined || listener.address === undefined || sameWords(listener.address, address)) return true
    }
    return false
  }

  add(listener: Listener): void {
    const listeners = this.#byPort.get(listener.port)
    if (listeners === undefined) this.#byPort.set(listener.port, [listener])
    else listeners.push(listener)
  }

  close(listener: Listener): void {
    if (listener.closed) return
    listener.closed = true
    const left = (this.#byPort.get(listener.port) ?? []).filter(other => other !== listener)
    if (left.length === 0) this.#byPort.delete(listener.port)
    else this.#byPort.set(listener.port, left)
    for (const c of [...listener.halfOpen]) abort(c, undefined, c.layer.context.now)
  }

  closeAll(): void {
    for (const listeners of [...this.#byPort.values()]) for (const listener of listeners) this.close(listener)
  }

  get size(): number {
    let size = 0
    for (const listeners of this.#byPort.values()) size += listeners.length
    return size
  }

  /** The handshake of `c` is done, and the turn ends: its owner learns of it, if it still stands. */
  accept(c: Tcb): void {
    const listener = c.listener
    if (listener === undefined || c.stateCode === stateClosed) return
    listener.leave(c)
    c.layer.context.counters.tcpAccepts++
    c.events = listener.accept(c as Tcb & TcpConnection)
  }

  /** `c` came to its end half open. */
  leave(c: Tcb): void {
    const { listener } = c
    listener?.leave(c)
    listener?.abandoned?.(c)
  }
}

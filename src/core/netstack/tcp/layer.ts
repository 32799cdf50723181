// What the connections of a stack share: tables, pools, the queue of those with something to send, the queue of events.

import type { AddressWords, IpHeader } from '../../wire/ip.js'
import { createTcpHeader, type TcpHeader } from '../../wire/tcp.js'
import { RateBudget } from '../budget.js'
import type { StackContext } from '../context.js'
import { SharedBudget } from '../shared-budget.js'
import { armOrphan } from './close.js'
import { flowQuantum, minMss } from './constants.js'
import { FlowTable } from './flow-table.js'
import { LanesPool } from './lanes.js'
import { type Listener, ListenerTable } from './listener.js'
import { ChunkPool } from './send-queue.js'
import { stateClosed } from './states.js'
import type { Tcb } from './tcb.js'
import { eventAccept, eventAllSent, eventClosed, eventConnected, eventReadable, eventWritable } from './tcb.js'
import { TimeWaitTable } from './time-wait.js'
import { transmit, transmitBudgetLeft, transmitDone, transmitNoSlot } from './transmit.js'

export class TcpLayer {
  readonly context: StackContext
  readonly flows: FlowTable<Tcb>
  readonly timeWait: TimeWaitTable
  readonly listeners = new ListenerTable()
  readonly chunks: ChunkPool
  readonly lanes = new LanesPool()
  /** Bytes received and not read, bytes written and not acknowledged, slots received out of order. */
  readonly receiveMemory: SharedBudget
  readonly sendMemory: SharedBudget
  readonly reassemblySlots: SharedBudget
  readonly challenges: RateBudget
  /** What becomes of a SYN to an address that is none of ours, set by who forwards. */
  handleForwarded: ((ip: IpHeader, h: TcpHeader, path: number, now: number) => void) | undefined
  /** Answers a segment that the gate refuses; takes its slot. Set by the stack. */
  prohibit: (slot: number, ip: IpHeader, path: number, now: number) => void = slot => this.context.memory.free(slot)
  /** Filled by each segment that arrives. */
  readonly header = createTcpHeader()
  orphans = 0
  /** Those that may have something to send, from `#nextSender` on. */
  #senders: Tcb[] = []
  #nextSender = 0
  #withEvents: Tcb[] = []

  constructor(context: StackContext) {
    const { limits, random, memory } = context
    this.context = context
    this.flows = new FlowTable(random.next())
    this.timeWait = new TimeWaitTable(random.next(), limits.timeWait, deadline =>
      context.deadlines.set(this.timeWait.timer, deadline),
    )
    this.chunks = new ChunkPool(limits.sendPool)
    this.receiveMemory = new SharedBudget(limits.receiveMemory)
    this.sendMemory = new SharedBudget(limits.sendMemory)
    this.reassemblySlots = new SharedBudget(Math.floor(memory.capacity * limits.reassemblyShare))
    const challenges = limits.challengeAcksPerSecond
    this.challenges = new RateBudget(() => Math.ceil(challenges / 2) + random.below(challenges))
  }

  get wantsFlush(): boolean {
    return this.#senders.length > this.#nextSender || this.#withEvents.length > 0
  }

  /** Who listens at an address of ours. */
  listenerFor(address: AddressWords, port: number): Listener | undefined {
    return this.context.isOwn(address) ? this.listeners.find(address, port) : undefined
  }

  /** The MSS to announce: what a packet of the path holds beside headers without options (RFC 6691). */
  mssFor(c: Pick<Tcb, 'version' | 'path'>, now: number): number {
    return this.context.paths.mtu(c.path, now) - headersLength(c.version)
  }

  /** Asks for a turn at sending. */
  wantSend(c: Tcb): void {
    if (c.sendQueued) return
    c.sendQueued = true
    this.#senders.push(c)
  }

  /** Notes an event for the end of the turn. */
  raise(c: Tcb, event: number): void {
    if (c.pendingEvents === 0) this.#withEvents.push(c)
    c.pendingEvents |= event
  }

  /** Moves the connection's deadline nearer if one of its timers asks for it. A timer that moved away is met lazily. */
  schedule(c: Tcb): void {
    const { reorderAt, lossProbeAt, paceAt } = c.sender
    const repair = Math.min(c.retransmitAt, reorderAt, lossProbeAt, paceAt, c.congestion?.deadline ?? Infinity)
    const due = Math.min(repair, c.ackAt, c.keepAliveAt, c.lifetimeAt)
    if (due < c.deadline) this.context.deadlines.set(c, due)
  }

  /** Our FIN left. */
  finLeft(c: Tcb, now: number): void {
    if (c.orphan) armOrphan(c, now)
  }

  /** Sends at most `budget` packets, a quantum a flow in turn; returns what is left of it, or −1 if memory ran out. */
  output(now: number, budget: number): number {
    let left = budget
    while (left > 0 && this.#nextSender < this.#senders.length) {
      const c = this.#senders[this.#nextSender++] as Tcb
      c.sendQueued = false
      if (c.stateCode !== stateClosed) {
        const quantum = Math.min(left, flowQuantum)
        const result = transmit(c, quantum, now)
        left -= quantum - transmitBudgetLeft()
        if (result !== transmitDone) this.wantSend(c)
        if (result === transmitNoSlot) {
          this.#compact()
          return -1
        }
      }
      if (this.#nextSender > 256 && this.#nextSender * 2 > this.#senders.length) this.#compact()
    }
    if (this.#nextSender === this.#senders.length) this.#compact()
    return left
  }

  #compact(): void {
    if (this.#nextSender === this.#senders.length) this.#senders.length = 0
    else this.#senders.splice(0, this.#nextSender)
    this.#nextSender = 0
  }

  /** Tells owners what happened. What they provoke by that is told in the same go. */
  runEvents(now: number): void {
    for (let i = 0; i < this.#withEvents.length; i++) this.#tell(this.#withEvents[i] as Tcb, now)
    this.#withEvents.length = 0
  }

  #tell(c: Tcb, now: number): void {
    const pending = c.pendingEvents
    c.pendingEvents = 0
    if ((pending & eventAccept) !== 0) this.listeners.accept(c)
    const events = c.events
    if (events !== undefined) {
      if ((pending & eventConnected) !== 0 && !c.released) events.connected(now)
      if ((pending & eventReadable) !== 0 && !c.released) events.readable()
      if ((pending & eventAllSent) !== 0 && !c.released) events.allSent?.()
      if ((pending & eventWritable) !== 0 && !c.released && c.stateCode !== stateClosed) events.writable()
      if ((pending & eventClosed) !== 0) {
        c.events = undefined
        events.closed(c.released ? undefined : c.closeCode)
      }
    }
    // The turn is over for what was received: what nobody read leaves its slots.
    if (c.received.holdsSlots) c.received.settle()
  }
}

/** IP and TCP headers without options. */
export function headersLength(version: 4 | 6): number {
  return version === 4 ? 40 : 60
}

/** RFC 9293, 3.7.1, with options taken off (RFC 6691). */
export function segmentSizeFor(peerMss: number, own: number, optionBytes: number): number {
  return Math.max(8, Math.max(minMss, Math.min(peerMss, own)) - optionBytes)
}

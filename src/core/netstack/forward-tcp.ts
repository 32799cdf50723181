// SYNs to forwarded prefixes: each is kept until its handler has said what becomes of it, and only then answered. A bounded
// table in which each path has its share; what is repeated is not asked again.
import type { IpAddress } from '../base/address.js'
import { notScheduled } from '../base/deadline-heap.js'
import { noSlot } from '../base/packet-memory.js'
import { type AddressWords, addressOf, copyWords, createIpHeader, type IpHeader, protocolTcp } from '../wire/ip.js'
import { createTcpHeader, flagFin, flagSyn, parseTcp, type TcpHeader } from '../wire/tcp.js'
import type { StackContext, Timed } from './context.js'
import { FairCount } from './fair-count.js'
import type { Forwarding } from './forward.js'
import type { ForwardedDial, ForwardRefusal } from './forward-types.js'
import type { FlowGate, FlowTicket } from './gate.js'
import type { IcmpLayer } from './icmp.js'
import { packetHeadroom } from './output.js'
import { abort } from './tcp/close.js'
import { type Flow, FlowTable } from './tcp/flow-table.js'
import { handleListen } from './tcp/input-handshake.js'
import type { TcpLayer } from './tcp/layer.js'
import { Listener } from './tcp/listener.js'
import { replyReset } from './tcp/reply.js'
import type { Tcb } from './tcp/tcb.js'
import type { TcpConnection, TcpEvents } from './types.js'

/** Linux's: far from everything the old connection sent. */
const sequenceGap = 65537

export class ForwardedDials {
  readonly layer: TcpLayer
  readonly icmp: IcmpLayer
  readonly shares: FairCount
  /** Holds connections from their SYN-ACK to the peer's answer. */
  readonly listener: Listener
  readonly #pending: FlowTable<Dial>
  readonly #halfOpen = new Map<Tcb, Dial>()
  #asked: Dial[] = []

  constructor(layer: TcpLayer, icmp: IcmpLayer) {
    const { limits, random } = layer.context
    this.layer = layer
    this.icmp = icmp
    this.shares = new FairCount(limits.forwardPending)
    this.#pending = new FlowTable(random.next())
    this.listener = new Listener(layer.listeners, undefined, 0, limits.forwardPending, c => this.#established(c))
    this.listener.abandoned = c => this.#halfOpenLost(c)
  }

  get wantsFlush(): boolean {
    return this.#asked.length > 0
  }

  /** A segment without ACK or RST, its checksum good. Its slot stays the caller's. */
  handleSyn(ip: IpHeader, h: TcpHeader, path: number, now: number, forwarding: Forwarding): void {
    const { counters, deadlines, limits, memory } = this.layer.context
    const before = this.#pending.find(ip.destination, h.destinationPort, ip.source, h.sourcePort)
    if (before !== undefined) {
      counters.forwardRepeated++
      if (before.sequence === h.sequence) return
      // Another dial from the same port: the peer has given up the first.
      before.abandon()
    }
    if (forwarding.handlers.tcp === undefined || (h.flags & (flagSyn | flagFin)) !== flagSyn) {
      counters.notOurs++
      return
    }
    if (!this.shares.take(path)) {
      counters.forwardFull++
      return
    }
    const packet = memory.u8.slice(ip.start, h.payload)
    const { gate } = this.layer.context
    const { source, destination } = ip
    const ticket = gate?.admit(false, protocolTcp, destination, h.destinationPort, source, h.sourcePort, path, now)
    if (gate !== undefined && ticket === undefined) {
      this.shares.give(path)
      this.icmp.prohibitAbout(packet, ip.version, source, destination, path, now)
      return
    }
    counters.forwardRequests++
    const dial = new Dial(this, forwarding, ip, h, packet, path, ticket)
    this.#pending.insert(dial)
    deadlines.set(dial, now + limits.forwardTimeout)
    this.#asked.push(dial)
  }

  runEvents(): void {
    const asked = this.#asked
    this.#asked = []
    for (const dial of asked) if (dial.isPending) dial.forwarding.handlers.tcp?.(dial)
  }

  /** It waits no longer; its share is its connection's, if it has one now. */
  forget(dial: Dial, connection: Tcb | undefined): void {
    this.#pending.delete(dial)
    const { deadlines, gate, now } = this.layer.context
    deadlines.cancel(dial)
    // The connection has it now, if there is one.
    if (connection === undefined && dial.ticket !== undefined) gate?.ended(dial.ticket, 0, 0, false, now)
    if (connection === undefined) this.shares.give(dial.path)
    else this.#halfOpen.set(connection, dial)
  }

  #established(connection: TcpConnection): TcpEvents {
    const c = connection as Tcb & TcpConnection
    const dial = this.#halfOpen.get(c) as Dial
    this.#halfOpen.delete(c)
    this.shares.give(dial.path)
    return (dial.established as NonNullable<Dial['established']>)(connection)
  }

  #halfOpenLost(c: Tcb): void {
    const dial = this.#halfOpen.get(c)
    if (dial === undefined) return
    this.#halfOpen.delete(c)
    this.shares.give(dial.path)
    dial.abandoned?.()
  }

  /** Drops the requests that the gate would not let through any more. */
  recheck(gate: FlowGate): void {
    for (const dial of this.#pending.all()) {
      if (dial.ticket !== undefined && !gate.mayGoOn(dial.ticket, dial.path)) dial.abandon()
    }
  }

  close(forwarding: Forwarding): void {
    for (const dial of this.#pending.all()) if (dial.forwarding === forwarding) dial.abandon()
    for (const [c, dial] of [...this.#halfOpen]) {
      if (dial.forwarding === forwarding) abort(c, undefined, this.layer.context.now)
    }
  }
}

class Dial implements ForwardedDial, Flow<Dial>, Timed {
  heapIndex = notScheduled.heapIndex
  deadline = notScheduled.deadline
  nextInBucket: Dial | undefined = undefined
  readonly forwarding: Forwarding
  readonly local: AddressWords
  readonly localPort: number
  readonly remote: AddressWords
  readonly remotePort: number
  readonly sequence: number
  readonly path: number
  readonly ticket: FlowTicket | undefined
  abandoned: (() => void) | undefined = undefined
  established: ((connection: TcpConnection) => TcpEvents) | undefined = undefined
  isPending = true
  readonly #table: ForwardedDials
  readonly #version: 4 | 6
  /** The SYN without its data, which is not taken, and how much of that is IP's. */
  readonly #packet: Uint8Array
  readonly #headerLength: number

  constructor(
    table: ForwardedDials,
    forwarding: Forwarding,
    ip: IpHeader,
    h: TcpHeader,
    packet: Uint8Array,
    path: number,
    ticket: FlowTicket | undefined,
  ) {
    this.#table = table
    this.forwarding = forwarding
    this.local = copyWords(ip.destination)
    this.localPort = h.destinationPort
    this.remote = copyWords(ip.source)
    this.remotePort = h.sourcePort
    this.sequence = h.sequence
    this.path = path
    this.ticket = ticket
    this.#version = ip.version
    this.#packet = packet
    this.#headerLength = ip.payload - ip.start
  }

  get localAddress(): IpAddress {
    return addressOf(this.local)
  }

  get remoteAddress(): IpAddress {
    return addressOf(this.remote)
  }

  accept(established: (connection: TcpConnection) => TcpEvents, now: number): boolean {
    if (!this.isPending) return false
    this.isPending = false
    const { layer, listener } = this.#table
    layer.context.now = now
    this.established = established
    const slot = this.#restore(layer.context)
    if (slot !== noSlot) {
      const { flows, timeWait } = layer
      const record = timeWait.find(this.local, this.localPort, this.remote, this.remotePort)
      const least = record < 0 ? undefined : (timeWait.sndNxt(record) + sequenceGap) | 0
      if (record >= 0) timeWait.remove(record)
      handleListen(layer, listener, syn, synTcp, this.path, now, least, this.ticket)
      layer.context.memory.free(slot)
      const c = flows.find(this.local, this.localPort, this.remote, this.remotePort)
      this.#table.forget(this, c)
      return c !== undefined
    }
    this.#table.forget(this, undefined)
    return false
  }

  refuse(refusal: ForwardRefusal, now: number): void {
    if (!this.isPending) return
    this.isPending = false
    const { layer, icmp } = this.#table
    const { context } = layer
    context.now = now
    // A SYN that is dropped comes again, and is not asked for again: the record stays until its time is over.
    if (refusal === 'drop') return
    this.#table.forget(this, undefined)
    const slot = this.#restore(context)
    if (slot === noSlot) return
    if (refusal === 'refused') replyReset(context, slot, syn, synTcp, this.path, now)
    else icmp.refuse(context.memory, slot, syn, refusal === 'prohibited' ? 'prohibited' : 'host', this.path, now)
  }

  /** The SYN in a slot, and parsed, as if it came now. */
  #restore({ memory, counters }: StackContext): number {
    const slot = memory.alloc()
    if (slot === noSlot) {
      counters.noSlot++
      return noSlot
    }
    const packet = slot + packetHeadroom
    memory.u8.set(this.#packet, packet)
    syn.version = this.#version
    syn.source = this.remote
    syn.destination = this.local
    syn.start = packet
    syn.payload = packet + this.#headerLength
    syn.payloadLength = this.#packet.length - this.#headerLength
    parseTcp(memory, syn.payload, syn.payloadLength, synTcp)
    return slot
  }

  /** Nobody waits for the answer any more. */
  abandon(): void {
    const wasPending = this.isPending
    this.isPending = false
    this.#table.forget(this, undefined)
    if (wasPending) this.abandoned?.()
  }

  handleDeadline(): void {
    if (this.isPending) this.#table.layer.context.counters.forwardExpired++
    this.abandon()
  }
}

/** The one SYN in hand. */
const syn = createIpHeader()
const synTcp = createTcpHeader()

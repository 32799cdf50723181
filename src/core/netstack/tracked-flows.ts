// UDP flows and echoes as a gate sees them: the first packet is judged, those that follow either way pass until nothing was
// sent for a while. A bounded table in which each path has its share; only there if there is a gate.
import { notScheduled } from '../base/deadline-heap.js'
import { type AddressWords, copyWords, type IpHeader, protocolUdp } from '../wire/ip.js'
import type { UdpHeader } from '../wire/udp.js'
import type { StackContext, Timed } from './context.js'
import { FairCount } from './fair-count.js'
import type { FlowGate, FlowTicket } from './gate.js'
import { loopbackPath } from './paths.js'
import { type Flow, FlowTable } from './tcp/flow-table.js'

/** How long a flow without an answer is remembered, ms: Linux's nf_conntrack_udp_timeout. One with answers, as long as it may be idle. */
const unanswered = 30_000

/** Stands for the port that a ping goes to: who may ping us need not be pinged by us. */
export const echoPort = 8

/** `refused` by the gate; `dropped` for other reasons. */
export type Passage = 'passes' | 'refused' | 'dropped'

export class TrackedFlows {
  readonly context: StackContext
  readonly gate: FlowGate
  readonly #shares: FairCount
  readonly #tables = new Map<number, FlowTable<Tracked>>()

  constructor(context: StackContext, gate: FlowGate) {
    this.context = context
    this.gate = gate
    this.#shares = new FairCount(context.limits.trackedFlows)
  }

  get size(): number {
    return this.#shares.total
  }

  /** A packet with `bytes` of payload came. */
  receive(
    protocol: number,
    local: AddressWords,
    localPort: number,
    remote: AddressWords,
    remotePort: number,
    path: number,
    bytes: number,
    now: number,
  ): Passage {
    // What we send to ourselves was judged when it was sent.
    if (path === loopbackPath) return 'passes'
    const flow = this.#tableOf(protocol).find(local, localPort, remote, remotePort)
    if (flow !== undefined) {
      if (flow.path !== path && !this.#move(flow, path)) return 'dropped'
      flow.received += bytes
      flow.use(now)
      return 'passes'
    }
    const added = this.#admit(false, protocol, local, localPort, remote, remotePort, path, now)
    if (typeof added === 'string') return added
    added.received = bytes
    return 'passes'
  }

  /** A UDP datagram came, whose headers these are. */
  receiveDatagram(ip: IpHeader, h: UdpHeader, path: number, now: number): Passage {
    const { destination, source } = ip
    const { destinationPort, sourcePort, payloadLength } = h
    return this.receive(protocolUdp, destination, destinationPort, source, sourcePort, path, payloadLength, now)
  }

  /** A packet with `bytes` of payload is to be sent. */
  send(
    protocol: number,
    local: AddressWords,
    localPort: number,
    remote: AddressWords,
    remotePort: number,
    path: number,
    bytes: number,
    now: number,
  ): Passage {
    const table = this.#tableOf(protocol)
    let flow = table.find(local, localPort, remote, remotePort)
    // An answer to ourselves.
    if (flow === undefined && path === loopbackPath) flow = table.find(remote, remotePort, local, localPort)
    if (flow === undefined) {
      const added = this.#admit(true, protocol, local, localPort, remote, remotePort, path, now)
      if (typeof added === 'string') return added
      flow = added
    }
    flow.sent += bytes
    flow.use(now)
    return 'passes'
  }

  /** A new flow, or why there is none. */
  #admit(
    outbound: boolean,
    protocol: number,
    local: AddressWords,
    localPort: number,
    remote: AddressWords,
    remotePort: number,
    path: number,
    now: number,
  ): Tracked | 'refused' | 'dropped' {
    if (!this.#shares.take(path)) {
      this.context.counters.trackedFlowsFull++
      return 'dropped'
    }
    const ticket = this.gate.admit(outbound, protocol, local, localPort, remote, remotePort, path, now)
    if (ticket !== undefined) return this.#add(ticket, path, now)
    this.#shares.give(path)
    return 'refused'
  }

  /** An echo was answered by us, or by the other: bytes of a flow that stands. */
  answered(
    protocol: number,
    local: AddressWords,
    remote: AddressWords,
    isOurs: boolean,
    bytes: number,
    now: number,
  ): void {
    const flow = this.#tableOf(protocol).find(local, isOurs ? echoPort : 0, remote, isOurs ? 0 : echoPort)
    if (flow === undefined) return
    if (isOurs) flow.sent += bytes
    else flow.received += bytes
    flow.use(now)
  }

  has(protocol: number, local: AddressWords, localPort: number, remote: AddressWords, remotePort: number): boolean {
    return this.#tableOf(protocol).find(local, localPort, remote, remotePort) !== undefined
  }

  /** Ends what the gate does not allow any more. */
  recheck(now: number): void {
    for (const table of this.#tables.values()) {
      for (const flow of table.all()) if (!this.gate.mayGoOn(flow.ticket, flow.path)) this.end(flow, true, now)
    }
  }

  close(now: number): void {
    for (const table of this.#tables.values()) for (const flow of table.all()) this.end(flow, false, now)
  }

  end(flow: Tracked, cut: boolean, now: number): void {
    this.#tableOf(flow.ticket.protocol).delete(flow)
    this.#shares.give(flow.share)
    this.context.deadlines.cancel(flow)
    this.gate.ended(flow.ticket, flow.sent, flow.received, cut, now)
  }

  /** Its packets come by another path: whoever is there has to be allowed, too. */
  #move(flow: Tracked, path: number): boolean {
    if (!this.gate.mayGoOn(flow.ticket, path)) {
      this.context.counters.movedFlowsRefused++
      return false
    }
    flow.path = path
    return true
  }

  #add(ticket: FlowTicket, path: number, now: number): Tracked {
    const flow = new Tracked(this, ticket, path)
    this.#tableOf(ticket.protocol).insert(flow)
    flow.use(now)
    this.context.deadlines.set(flow, now + unanswered)
    return flow
  }

  #tableOf(protocol: number): FlowTable<Tracked> {
    let table = this.#tables.get(protocol)
    if (table === undefined) {
      table = new FlowTable(this.context.random.next())
      this.#tables.set(protocol, table)
    }
    return table
  }
}

class Tracked implements Flow<Tracked>, Timed {
  heapIndex = notScheduled.heapIndex
  deadline = notScheduled.deadline
  nextInBucket: Tracked | undefined = undefined
  readonly local: AddressWords
  readonly localPort: number
  readonly remote: AddressWords
  readonly remotePort: number
  readonly ticket: FlowTicket
  /** Whose share of the table it is. */
  readonly share: number
  path: number
  sent = 0
  received = 0
  readonly #flows: TrackedFlows
  #usedAt = 0

  constructor(flows: TrackedFlows, ticket: FlowTicket, path: number) {
    this.#flows = flows
    this.ticket = ticket
    this.local = copyWords(ticket.local)
    this.localPort = ticket.localPort
    this.remote = copyWords(ticket.remote)
    this.remotePort = ticket.remotePort
    this.path = path
    this.share = path
  }

  use(now: number): void {
    this.#usedAt = now
  }

  handleDeadline(now: number): void {
    const { context } = this.#flows
    const isAnswered = this.sent > 0 && this.received > 0
    const due = this.#usedAt + (isAnswered ? context.limits.forwardIdle : unanswered)
    if (due > now) context.deadlines.set(this, due)
    else this.#flows.end(this, false, now)
  }
}

// UDP flows to forwarded prefixes: the first datagram is asked for, those that follow wait with it; an accepted flow lives
// as long as something is sent. A bounded table in which each path has its share.
import type { IpAddress } from '../base/address.js'
import { notScheduled } from '../base/deadline-heap.js'
import type { PacketMemory } from '../base/packet-memory.js'
import type { IcmpHeader, QuotedPacket } from '../wire/icmp.js'
import { type AddressWords, addressOf, copyWords, type IpHeader, protocolUdp } from '../wire/ip.js'
import { createUdpHeader, parseUdp, type UdpHeader } from '../wire/udp.js'
import type { StackContext, Timed } from './context.js'
import { FairCount } from './fair-count.js'
import type { Forwarding } from './forward.js'
import type { ForwardedFlow, ForwardRefusal, UdpFlow, UdpFlowEvents } from './forward-types.js'
import type { IcmpLayer } from './icmp.js'
import { defaultHopLimit } from './output.js'
import { type Flow as Chained, FlowTable } from './tcp/flow-table.js'
import { codeOf } from './tcp/icmp-error.js'
import type { TrackedFlows } from './tracked-flows.js'
import type { SocketCode } from './types.js'
import type { UdpOutput } from './udp-output.js'

/** What a datagram that waits costs beside its bytes. */
const datagramCost = 256
/** How much of a datagram is kept to be quoted by an error: what fits in one over IPv6. */
const quotedBytes = 1232
/** How much of it an accepted flow keeps: the longest IP header that we take, and UDP's. */
const keptBytes = 68
/** Nobody asks again for so long after a refusal, ms. */
const refusalLasts = 30_000

export class ForwardedFlows {
  readonly context: StackContext
  readonly icmp: IcmpLayer
  readonly output: UdpOutput
  readonly #shares: FairCount
  readonly memory: FairCount
  readonly #flows: FlowTable<UdpForward>
  readonly #header = createUdpHeader()
  #asked: UdpForward[] = []
  #withEvents: UdpForward[] = []

  constructor(context: StackContext, icmp: IcmpLayer, output: UdpOutput) {
    this.context = context
    this.icmp = icmp
    this.output = output
    this.#shares = new FairCount(context.limits.forwardFlows)
    this.memory = new FairCount(context.limits.udpMemory)
    this.#flows = new FlowTable(context.random.next())
  }

  get wantsFlush(): boolean {
    return this.#asked.length > 0 || this.#withEvents.length > 0
  }

  get size(): number {
    return this.#flows.size
  }

  /** The slot stays the caller's. */
  handleDatagram(memory: PacketMemory, ip: IpHeader, path: number, now: number, forwarding: Forwarding): void {
    const { counters, deadlines, limits } = this.context
    const h = this.#header
    const drop = parseUdp(memory, ip, h)
    if (drop !== undefined) {
      counters[drop]++
      return
    }
    const { tracked } = this.context
    if (tracked !== undefined) {
      const told = tracked.receiveDatagram(ip, h, path, now)
      if (told === 'refused') this.#prohibit(memory, ip, path, now)
      if (told !== 'passes') return
    }
    let flow = this.#flows.find(ip.destination, h.destinationPort, ip.source, h.sourcePort)
    if (flow === undefined) {
      if (!this.#shares.take(path)) {
        counters.forwardFull++
        return
      }
      counters.forwardRequests++
      flow = new UdpForward(this, forwarding, ip, h, path)
      this.#flows.insert(flow)
      deadlines.set(flow, now + limits.forwardTimeout)
      this.#asked.push(flow)
    }
    counters.udpIn++
    flow.receive(memory, ip, h, path, now)
  }

  #prohibit({ u8 }: PacketMemory, ip: IpHeader, path: number, now: number): void {
    const end = Math.min(ip.payload + ip.payloadLength, ip.start + quotedBytes)
    this.icmp.prohibitAbout(u8.slice(ip.start, end), ip.version, ip.source, ip.destination, path, now)
  }

  /** Ends the flows that the gate has let go. */
  recheck(tracked: TrackedFlows): void {
    for (const flow of this.#flows.all()) {
      const { local, localPort, remote, remotePort } = flow
      if (!tracked.has(protocolUdp, local, localPort, remote, remotePort)) flow.end()
    }
  }

  handleError(quoted: QuotedPacket, h: IcmpHeader, path: number): boolean {
    const { source, sourcePort, destination, destinationPort, version, length } = quoted
    const { paths, now } = this.context
    if (h.kind === 'packet-too-big') {
      return this.output.hasSent(quoted, path) && paths.believeMtu(path, version, h.mtu, length, now)
    }
    const flow = this.#flows.find(source, sourcePort, destination, destinationPort)
    if (flow === undefined || flow.path !== path || !flow.isOpen) return false
    flow.fail(codeOf(h.kind))
    return true
  }

  noteEvents(flow: UdpForward): void {
    this.#withEvents.push(flow)
  }

  runEvents(now: number): void {
    const asked = this.#asked
    this.#asked = []
    for (const flow of asked) if (flow.isPending) flow.forwarding.handlers.udp?.(flow)
    const flows = this.#withEvents
    this.#withEvents = []
    for (const flow of flows) flow.runEvents(now)
  }

  remove(flow: UdpForward): void {
    this.#flows.delete(flow)
    this.#shares.give(flow.share)
    this.context.deadlines.cancel(flow)
  }

  close(forwarding: Forwarding): void {
    for (const flow of this.#flows.all()) if (flow.forwarding === forwarding) flow.end()
  }
}

class UdpForward implements ForwardedFlow, UdpFlow, Timed, Chained<UdpForward> {
  heapIndex = notScheduled.heapIndex
  deadline = notScheduled.deadline
  nextInBucket: UdpForward | undefined = undefined
  readonly forwarding: Forwarding
  readonly local: AddressWords
  readonly localPort: number
  readonly remote: AddressWords
  readonly remotePort: number
  /** Whose share of the table it is. */
  readonly share: number
  path: number
  abandoned: (() => void) | undefined = undefined
  isPending = true
  readonly #table: ForwardedFlows
  readonly #version: 4 | 6
  #first: Uint8Array | undefined
  #queue: { readonly bytes: Uint8Array; readonly path: number }[] = []
  #events: UdpFlowEvents | undefined
  #refusal: ForwardRefusal | undefined
  #error: SocketCode | undefined
  #noted = false
  #ended = false
  #usedAt = 0

  constructor(table: ForwardedFlows, forwarding: Forwarding, ip: IpHeader, h: UdpHeader, path: number) {
    this.#table = table
    this.forwarding = forwarding
    this.local = copyWords(ip.destination)
    this.localPort = h.destinationPort
    this.remote = copyWords(ip.source)
    this.remotePort = h.sourcePort
    this.path = path
    this.share = path
    this.#version = ip.version
  }

  get localAddress(): IpAddress {
    return addressOf(this.local)
  }

  get remoteAddress(): IpAddress {
    return addressOf(this.remote)
  }

  get isOpen(): boolean {
    return this.#events !== undefined && !this.#ended
  }

  receive(memory: PacketMemory, ip: IpHeader, h: UdpHeader, path: number, now: number): void {
    const { context } = this.#table
    const end = Math.min(ip.payload + ip.payloadLength, ip.start + quotedBytes)
    if (this.#refusal !== undefined) {
      this.#answer(memory.u8.slice(ip.start, end), this.#refusal, now)
      return
    }
    this.path = path
    this.#usedAt = now
    const cost = h.payloadLength + datagramCost
    const { udpQueue } = context.limits
    if (this.#queue.length >= udpQueue || !this.#table.memory.take(path, cost)) {
      context.counters.udpQueueFull++
      return
    }
    this.#queue.push({ bytes: memory.u8.slice(h.payload, h.payload + h.payloadLength), path })
    if (this.isPending) this.#first ??= memory.u8.slice(ip.start, end)
    else this.#note()
  }

  accept(events: UdpFlowEvents, now: number): UdpFlow | undefined {
    if (!this.isPending) return undefined
    this.isPending = false
    this.#first = this.#first?.slice(0, keptBytes)
    this.#events = events
    this.#usedAt = now
    this.#table.context.deadlines.set(this, now + this.#table.context.limits.forwardIdle)
    this.#note()
    return this
  }

  refuse(refusal: ForwardRefusal, now: number): void {
    const { context } = this.#table
    if (this.isOpen) {
      context.now = now
      if (this.#first !== undefined) this.#answer(this.#first, refusal, now)
      this.close()
    }
    if (!this.isPending) return
    context.now = now
    this.isPending = false
    this.#refusal = refusal
    this.#empty()
    if (this.#first !== undefined) this.#answer(this.#first, refusal, now)
    this.#first = undefined
    context.deadlines.set(this, now + refusalLasts)
  }

  #answer(packet: Uint8Array, refusal: ForwardRefusal, now: number): void {
    if (refusal === 'drop') return
    const error = refusal === 'refused' ? 'port' : refusal === 'prohibited' ? 'prohibited' : 'host'
    this.#table.icmp.refuseAbout(packet, this.#version, this.remote, this.local, error, this.path, now)
  }

  send(bytes: Uint8Array, now: number): boolean {
    if (!this.isOpen) return false
    const { context, output } = this.#table
    context.now = now
    this.#usedAt = now
    const { local, localPort, remote, remotePort, path } = this
    const told = context.tracked?.send(protocolUdp, local, localPort, remote, remotePort, path, bytes.length, now)
    if (told !== undefined && told !== 'passes') return false
    return output.send(bytes, local, localPort, remote, remotePort, defaultHopLimit, path, now)
  }

  fail(code: SocketCode): void {
    this.#error = code
    this.#note()
  }

  close(): void {
    this.#events = undefined
    this.end()
  }

  /** It is over, and its owner learns of it. */
  end(): void {
    if (this.#ended) return
    const wasPending = this.isPending
    this.#ended = true
    this.isPending = false
    this.#empty()
    this.#table.remove(this)
    if (wasPending) this.abandoned?.()
    else if (this.#events !== undefined) this.#note()
  }

  handleDeadline(now: number): void {
    const { context } = this.#table
    const due = this.#usedAt + context.limits.forwardIdle
    if (this.#events !== undefined && due > now) {
      context.deadlines.set(this, due)
      return
    }
    if (this.isPending) context.counters.forwardExpired++
    this.end()
  }

  runEvents(now: number): void {
    this.#noted = false
    const error = this.#error
    this.#error = undefined
    for (const { bytes } of this.#empty()) this.#events?.message(bytes)
    if (error !== undefined) this.#events?.error(error)
    if (!this.#ended) return
    const events = this.#events
    this.#events = undefined
    events?.closed()
    this.#table.context.now = now
  }

  #empty(): { readonly bytes: Uint8Array }[] {
    const queue = this.#queue
    this.#queue = []
    for (const { bytes, path } of queue) this.#table.memory.give(path, bytes.length + datagramCost)
    return queue
  }

  #note(): void {
    if (this.#noted) return
    this.#noted = true
    this.#table.noteEvents(this)
  }
}

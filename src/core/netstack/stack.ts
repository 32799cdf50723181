// A host without a kernel: TCP, UDP and ICMP over packets that someone else carries. Sans-IO: packets and times come in
// by handle*, packets and socket events go out in flush(), once a turn; nextDeadline() says when to call again.
import type { IpAddress } from '../base/address.js'
import { createDeadlineHeap, type DeadlineHeap } from '../base/deadline-heap.js'
import type { PacketMemory } from '../base/packet-memory.js'
import {
  type AddressWords,
  addressOf,
  createIpHeader,
  type IpHeader,
  isMapped,
  parseIp,
  protocolIcmp,
  protocolIcmpv6,
  protocolTcp,
  protocolUdp,
  sameWords,
  wordsOf,
} from '../wire/ip.js'
import { RateBudget } from './budget.js'
import type { CongestionControlFactory } from './congestion.js'
import type { StackContext, Timed } from './context.js'
import { createCounters, type StackCounters } from './counters.js'
import { IcmpLayer } from './icmp.js'
import { Identity } from './identity.js'
import { defaultLimits, type StackLimits } from './limits.js'
import { createNewReno } from './newreno.js'
import { PacketOutput, packetHeadroom } from './output.js'
import { loopbackPath, PathTable } from './paths.js'
import { RandomNumbers } from './random.js'
import { abort } from './tcp/close.js'
import { dial, listen } from './tcp/dial.js'
import { handleSegment } from './tcp/input.js'
import { TcpLayer } from './tcp/layer.js'
import { resumeFlows } from './tcp/resume.js'
import type {
  ConnectOptions,
  ListenOptions,
  Ping,
  PingOptions,
  PingResult,
  StackOptions,
  TcpConnection,
  TcpEvents,
  TcpListener,
  UdpEvents,
  UdpOptions,
  UdpSocket,
} from './types.js'
import { StackError } from './types.js'
import { UdpLayer } from './udp.js'

export type { CongestionControlFactory } from './congestion.js'
export { packetHeadroom } from './output.js'
export * from './types.js'

/** What stands, for a person to read. */
export interface StackStats {
  readonly connections: number
  readonly timeWait: number
  readonly orphans: number
  readonly listeners: number
  readonly udpSockets: number
  readonly slotsInUse: number
  readonly reassemblySlots: number
  /** Bytes received and not read, written and not acknowledged, as their memory counts. */
  readonly receiveMemory: number
  readonly sendMemory: number
}

export class Stack implements StackContext {
  readonly memory: PacketMemory
  readonly mtu: number
  readonly limits: StackLimits
  readonly counters: StackCounters = createCounters()
  readonly deadlines: DeadlineHeap<Timed> = createDeadlineHeap<Timed>()
  readonly paths: PathTable
  readonly output: PacketOutput
  readonly random: RandomNumbers
  readonly identity: Identity
  readonly congestion: CongestionControlFactory
  readonly replies: RateBudget
  now = 0
  readonly #addresses: AddressWords[]
  readonly #route: StackOptions['route']
  readonly #tcp: TcpLayer
  readonly #udp: UdpLayer
  readonly #icmp: IcmpLayer
  readonly #ip = createIpHeader()
  #closed = false

  constructor(options: StackOptions) {
    const limits = { ...defaultLimits, ...options.limits }
    this.memory = options.memory
    this.mtu = options.mtu
    this.limits = limits
    this.#addresses = options.addresses.map(prefix => wordsOf(prefix.address))
    this.#route = (bytes, offset, length) => options.route(bytes, offset, length)
    this.random = new RandomNumbers(options.random)
    this.identity = new Identity(options.keyedHash)
    this.congestion = options.congestion ?? createNewReno
    this.replies = new RateBudget(() => limits.repliesPerSecond)
    this.paths = new PathTable({
      memory: options.memory,
      counters: this.counters,
      queue: limits.pathQueue,
      mtu: options.mtu,
      pathReady: path => options.pathReady(path),
      wakePath: (path, now) => options.wakePath(path, now),
      schedule: (path, deadline) => this.deadlines.set(path, deadline),
    })
    this.output = new PacketOutput(options.memory, options.sink, this.paths, this.counters, limits.outputQueue)
    this.#tcp = new TcpLayer(this)
    this.#udp = new UdpLayer(this)
    this.#icmp = new IcmpLayer(this, this.#tcp, this.#udp)
  }

  /** An IP packet stands at `offset` (at least slot + {@link packetHeadroom}) in `slot`. The slot is given away. */
  handlePacket(slot: number, offset: number, length: number, path: number, now: number): void {
    const ip = this.#ip
    this.now = now
    this.counters.packetsIn++
    if (offset < slot + packetHeadroom) throw new RangeError('a packet starts at least packetHeadroom into its slot')
    const drop = parseIp(this.memory, offset, length, ip) ?? this.#reasonToDrop(ip, path)
    if (drop !== undefined) {
      this.counters[drop]++
      this.memory.free(slot)
      return
    }
    switch (ip.protocol) {
      case protocolTcp:
        handleSegment(this.#tcp, slot, ip, path, now)
        return
      case protocolUdp:
        this.#udp.handleDatagram(slot, ip, path, now)
        return
      case protocolIcmp:
      case protocolIcmpv6:
        this.#icmp.handleMessage(slot, ip, path, now)
        return
      default:
        this.counters.unknownProtocol++
        this.#icmp.unreachable(slot, ip, 'protocol', path, now)
    }
  }

  /** Packets may leave on the path: what waited for it leaves, and flows that had lost it send their head at once. */
  handlePathUp(path: number, now: number): void {
    this.now = now
    this.paths.up(path, now, (slot, length) => this.output.enqueue(slot, length, path))
    resumeFlows(this.#tcp, path, now)
  }

  /** The path's other end was heard, with or without a packet for us. */
  handlePathHeard(path: number, now: number): void {
    this.now = now
    this.paths.heard(path, now)
  }

  /** Nobody answers on the path: what waited for it fails. Established flows go on trying. */
  handlePathDown(path: number, now: number): void {
    this.now = now
    this.paths.down(path, now)
  }

  handleTimeout(now: number): void {
    this.now = now
    for (let item = this.deadlines.popDue(now); item !== undefined; item = this.deadlines.popDue(now)) {
      item.handleDeadline(now)
    }
  }

  /** When to call {@link handleTimeout}; it may be earlier than anything is due, never later. */
  nextDeadline(): number {
    return this.deadlines.next()
  }

  get wantsFlush(): boolean {
    return this.output.waiting > 0 || this.#tcp.wantsFlush || this.#udp.wantsFlush || this.#icmp.wantsFlush
  }

  /**
   * Once a turn: at most `budget` packets leave, then owners hear what happened, then what they said leaves. True if
   * there is more to do.
   */
  flush(now: number, budget: number): boolean {
    this.now = now
    this.output.loop((slot, length) => this.handlePacket(slot, slot + packetHeadroom, length, loopbackPath, now))
    const left = this.#send(now, budget)
    this.#tcp.runEvents(now)
    this.#udp.runEvents()
    this.#icmp.runEvents()
    if (left > 0) this.#send(now, left)
    return this.wantsFlush
  }

  #send(now: number, budget: number): number {
    const left = budget - this.output.drain(now, budget)
    return left > 0 ? this.#tcp.output(now, left) : 0
  }

  /** Dials; throws a StackError for local reasons only. */
  connect(options: ConnectOptions, events: TcpEvents, now: number): TcpConnection {
    this.#refuseIfClosed()
    return dial(this.#tcp, options, events, now)
  }

  /** `accept` gets each connection whose handshake is done and says who owns it. */
  listen(options: ListenOptions, accept: (connection: TcpConnection) => TcpEvents): TcpListener {
    this.#refuseIfClosed()
    return listen(this.#tcp, options, accept)
  }

  bindUdp(options: UdpOptions, events: UdpEvents): UdpSocket {
    this.#refuseIfClosed()
    return this.#udp.bind(options, events)
  }

  ping(address: IpAddress, options: PingOptions, done: (result: PingResult) => void, now: number): Ping {
    this.#refuseIfClosed()
    return this.#icmp.ping(address, options, done, now)
  }

  stats(): StackStats {
    return {
      connections: this.#tcp.flows.size,
      timeWait: this.#tcp.timeWait.size,
      orphans: this.#tcp.orphans,
      listeners: this.#tcp.listeners.size,
      udpSockets: this.#udp.size,
      slotsInUse: this.memory.inUse,
      reassemblySlots: this.#tcp.reassemblySlots.used,
      receiveMemory: this.#tcp.receiveMemory.used,
      sendMemory: this.#tcp.sendMemory.used,
    }
  }

  /** Resets every connection and tells the owners; nothing of the stack is left afterwards. */
  close(now: number): void {
    if (this.#closed) return
    this.#closed = true
    this.now = now
    this.#tcp.listeners.closeAll()
    for (const c of this.#tcp.flows.all()) abort(c, 'ECONNABORTED', now)
    this.#tcp.timeWait.clear()
    this.deadlines.cancel(this.#tcp.timeWait.timer)
    this.#udp.close()
    this.#icmp.close()
    this.flush(now, this.limits.outputQueue + 1)
    this.output.clear()
    this.paths.clear()
  }

  isOwn(address: AddressWords): boolean {
    for (const own of this.#addresses) if (sameWords(own, address)) return true
    return false
  }

  sourceFor(remote: AddressWords): AddressWords | undefined {
    if (this.isOwn(remote)) return remote
    const mapped = isMapped(remote)
    return this.#addresses.find(own => isMapped(own) === mapped)
  }

  routeTo(remote: AddressWords): number {
    if (this.isOwn(remote)) return loopbackPath
    const bytes = addressOf(remote)
    return this.#route(bytes, 0, bytes.length as 4 | 16)
  }

  #refuseIfClosed(): void {
    if (this.#closed) throw new StackError('ECONNABORTED', 'the stack is closed')
  }

  #reasonToDrop(ip: IpHeader, path: number): 'notOurs' | 'badSource' | 'fragments' | undefined {
    if (this.#closed || !this.isOwn(ip.destination)) return 'notOurs'
    if (!isUnicast(ip.source) || (path !== loopbackPath && this.isOwn(ip.source))) return 'badSource'
    return ip.fragment ? 'fragments' : undefined
  }
}

/** Neither unspecified nor loopback nor multicast nor broadcast: someone else, who can be answered. */
function isUnicast(address: AddressWords): boolean {
  const { w0, w1, w2, w3 } = address
  if (isMapped(address)) return w3 >>> 24 !== 0 && w3 >>> 24 !== 127 && w3 >>> 28 < 14
  return w0 >>> 24 !== 0xff && ((w0 | w1 | w2) !== 0 || w3 >>> 0 > 1)
}

// A host without a kernel: TCP, UDP and ICMP over packets that someone else carries. Sans-IO: packets and times come in
// by handle*, packets and socket events go out in flush(), once a turn; nextDeadline() says when to call again.
import type { IpAddress } from '../base/address.js'
import { createDeadlineHeap, type DeadlineHeap } from '../base/deadline-heap.js'
import type { PacketMemory } from '../base/packet-memory.js'
import { type AddressWords, addressOf, isMapped, sameWords, wordsOf } from '../wire/ip.js'
import type { CongestionControlFactory } from './congestion.js'
import { selectCongestionControl } from './congestion-control.js'
import type { StackContext, Timed } from './context.js'
import { createCounters, type StackCounters } from './counters.js'
import { ForwardLayer } from './forward.js'
import type { Forwarder, ForwardHandlers, ForwardOptions } from './forward-types.js'
import type { FlowGate } from './gate.js'
import { IcmpLayer } from './icmp.js'
import { Identity } from './identity.js'
import { createLargeMemory } from './large-packet.js'
import { defaultLimits, type StackLimits } from './limits.js'
import { PacketOutput, packetHeadroom } from './output.js'
import { PacketInput } from './packet-input.js'
import { loopbackPath, PathTable } from './paths.js'
import { RandomNumbers } from './random.js'
import { abort, cutRefused } from './tcp/close.js'
import { dial, listen } from './tcp/dial.js'
import { TcpLayer } from './tcp/layer.js'
import { resumeFlows } from './tcp/resume.js'
import { TrackedFlows } from './tracked-flows.js'
import type {
  ConnectOptions,
  ListenOptions,
  Ping,
  PingOptions,
  PingResult,
  StackOptions,
  StackStats,
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
export * from './forward-types.js'
export { packetHeadroom } from './output.js'
export * from './types.js'

/** A deadline that nobody met for so long, ms: the packets that come now have waited, too. */
const lateTurn = 5

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
  readonly gate: FlowGate | undefined
  readonly tracked: TrackedFlows | undefined
  now = 0
  /** Set by an owner who knows of it, or seen from a deadline that nobody met; ends with the turn. */
  late = false
  readUntil = 0
  readonly #addresses: AddressWords[]
  readonly #route: StackOptions['route']
  readonly #tcp: TcpLayer
  readonly #udp: UdpLayer
  readonly #icmp: IcmpLayer
  readonly #forward: ForwardLayer
  readonly #input: PacketInput
  #large: PacketMemory | undefined
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
    this.congestion = selectCongestionControl(options.congestion)
    this.paths = new PathTable({
      memory: options.memory,
      counters: this.counters,
      queue: limits.pathQueue,
      mtu: options.mtu,
      repliesPerSecond: limits.repliesPerSecond,
      reportMtu: (path, mtu) => options.sink.reportMtu?.(path, mtu),
      pathReady: path => options.pathReady(path),
      wakePath: (path, now) => options.wakePath(path, now),
      schedule: (path, deadline) => this.deadlines.set(path, deadline),
    })
    this.gate = options.gate
    this.tracked = options.gate && new TrackedFlows(this, options.gate)
    const firstId = this.random.next()
    this.output = new PacketOutput(options.memory, options.sink, this.paths, this.counters, limits, firstId)
    const tcp = new TcpLayer(this)
    const udp = new UdpLayer(this, (memory, slot, ip, path, now, gated) => {
      if (gated) icmp.prohibit(memory, slot, ip, path, now)
      else icmp.refuse(memory, slot, ip, 'port', path, now)
    })
    const icmp: IcmpLayer = new IcmpLayer(this, tcp, (quoted, h, path) =>
      (this.isOwn(quoted.source) ? udp : forward).handleError(quoted, h, path),
    )
    const forward: ForwardLayer = new ForwardLayer(this, tcp, icmp, udp.output)
    tcp.prohibit = (slot, ip, path, now) => icmp.prohibit(this.memory, slot, ip, path, now)
    this.#tcp = tcp
    this.#udp = udp
    this.#icmp = icmp
    this.#forward = forward
    this.#input = new PacketInput(this, { tcp, udp, icmp, forward })
  }

  /** An IP packet stands at `offset` (at least slot + {@link packetHeadroom}) in `slot`. The slot is given away. */
  handlePacket(slot: number, offset: number, length: number, path: number, now: number): void {
    this.now = now
    if (now - this.deadlines.next() > lateTurn) this.late = true
    this.counters.packetsIn++
    if (offset < slot + packetHeadroom) throw new RangeError('a packet starts at least packetHeadroom into its slot')
    this.paths.heard(path, now)
    if (!this.#closed) this.#input.handlePacket(slot, offset, length, path, now)
    else {
      this.counters.notOurs++
      this.memory.free(slot)
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

  /** Nobody answers on the path, or it is `gone` for good: what waited for it fails. Established flows go on trying. */
  handlePathDown(path: number, now: number, gone = false): void {
    this.now = now
    if (gone) this.paths.remove(path, now)
    else this.paths.down(path, now)
  }

  /** Does what is due at `now`; of losses nothing is judged that was due after `readUntil`: input from then may wait. */
  handleTimeout(now: number, readUntil = now): void {
    this.now = now
    this.readUntil = readUntil
    for (let item = this.deadlines.popDue(now); item !== undefined; item = this.deadlines.popDue(now)) {
      item.handleDeadline(now)
    }
  }

  /** When to call {@link handleTimeout}; it may be earlier than anything is due, never later. */
  nextDeadline(): number {
    return this.deadlines.next()
  }

  get wantsFlush(): boolean {
    const { waiting } = this.output
    const layers = this.#tcp.wantsFlush || this.#udp.wantsFlush || this.#icmp.wantsFlush || this.#forward.wantsFlush
    return waiting > 0 || layers
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
    this.#forward.runEvents(now)
    if (left > 0) this.#send(now, left)
    this.late = false
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

  /**
   * Answers for whole prefixes: each dial, UDP flow and echo to an address of them that is none of ours is handed to its
   * handler, and nothing is said to the peer before the handler has decided.
   */
  forward(options: ForwardOptions, handlers: ForwardHandlers): Forwarder {
    this.#refuseIfClosed()
    return this.#forward.open(options, handlers)
  }

  ping(address: IpAddress, options: PingOptions, done: (result: PingResult) => void, now: number): Ping {
    this.#refuseIfClosed()
    return this.#icmp.ping(address, options, done, now)
  }

  /** Asks the gate again about every flow, and ends those that it allows no more: their owners hear EACCES. */
  recheck(now: number): void {
    const { gate, tracked } = this
    if (gate === undefined || tracked === undefined) return
    this.now = now
    cutRefused(this.#tcp, gate, now)
    tracked.recheck(now)
    this.#forward.recheck(gate, tracked)
  }

  stats(): StackStats {
    return {
      connections: this.#tcp.flows.size,
      timeWait: this.#tcp.timeWait.size,
      orphans: this.#tcp.orphans,
      listeners: this.#tcp.listeners.size,
      udpSockets: this.#udp.size,
      slotsInUse: this.memory.inUse,
      fragmentBytes: this.#input.fragments.size,
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
    this.#forward.close()
    this.#input.fragments.close()
    this.tracked?.close(now)
    this.flush(now, this.limits.outputQueue + this.limits.replyQueue + 1)
    this.output.clear()
    this.paths.clear()
  }

  get large(): PacketMemory {
    this.#large ??= createLargeMemory()
    return this.#large
  }

  get ownAddresses(): IpAddress[] {
    return this.#addresses.map(addressOf)
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
}

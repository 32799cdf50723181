// UDP (RFC 768): sockets by port and address, and whom a datagram or an ICMP error about one is for.
import type { PacketMemory } from '../base/packet-memory.js'
import type { IcmpHeader, QuotedPacket } from '../wire/icmp.js'
import { type AddressWords, type IpHeader, sameWords, wordsOf } from '../wire/ip.js'
import { createUdpHeader, parseUdp } from '../wire/udp.js'
import type { StackContext } from './context.js'
import { FairCount } from './fair-count.js'
import { codeOf } from './tcp/icmp-error.js'
import { StackError, type UdpEvents, type UdpOptions } from './types.js'
import { UdpOutput } from './udp-output.js'
import { Socket } from './udp-socket.js'

/** Answers a datagram that nobody wants, or that the gate refuses. Takes the slot, of `memory`. */
export type RefuseDatagram = (
  memory: PacketMemory,
  slot: number,
  ip: IpHeader,
  path: number,
  now: number,
  gated: boolean,
) => void

export class UdpLayer {
  readonly context: StackContext
  readonly output: UdpOutput
  /** Bytes that the queues of all sockets hold. */
  readonly memory: FairCount
  size = 0
  readonly #refuse: RefuseDatagram
  readonly #byPort = new Map<number, Socket[]>()
  readonly #header = createUdpHeader()
  #withEvents: Socket[] = []

  constructor(context: StackContext, refuse: RefuseDatagram) {
    this.context = context
    this.output = new UdpOutput(context)
    this.memory = new FairCount(context.limits.udpMemory)
    this.#refuse = refuse
  }

  get wantsFlush(): boolean {
    return this.#withEvents.length > 0
  }

  bind(options: UdpOptions, events: UdpEvents): Socket {
    const { context } = this
    const address = options.address === undefined ? undefined : wordsOf(options.address)
    if (address !== undefined && !context.isOwn(address)) {
      throw new StackError('EADDRNOTAVAIL', 'the address is none of ours')
    }
    if (this.size >= context.limits.udpSockets) throw new StackError('EMFILE', 'too many UDP sockets')
    const asked = options.port ?? 0
    if (!Number.isInteger(asked) || asked < 0 || asked > 0xffff) throw new StackError('EINVAL', 'the port is none')
    const port = asked === 0 ? this.#freePort(address) : asked
    if (port < 0 || this.#isTaken(address, port)) throw new StackError('EADDRINUSE', 'the port is in use')
    const socket = new Socket(this, address, port, events)
    const others = this.#byPort.get(port)
    if (others === undefined) this.#byPort.set(port, [socket])
    else others.push(socket)
    this.size++
    return socket
  }

  /** Takes the slot, of `memory`. */
  handleDatagram(memory: PacketMemory, slot: number, ip: IpHeader, path: number, now: number): void {
    const { counters } = this.context
    const h = this.#header
    const drop = parseUdp(memory, ip, h)
    if (drop !== undefined) {
      counters[drop]++
      memory.free(slot)
      return
    }
    const { tracked } = this.context
    if (tracked !== undefined) {
      const told = tracked.receiveDatagram(ip, h, path, now)
      if (told === 'refused') this.#refuse(memory, slot, ip, path, now, true)
      else if (told === 'dropped') memory.free(slot)
      if (told !== 'passes') return
    }
    const socket = this.#find(ip.destination, h.destinationPort, ip.source, h.sourcePort)
    if (socket === undefined) {
      counters.udpNoSocket++
      this.#refuse(memory, slot, ip, path, now, false)
      return
    }
    counters.udpIn++
    const bytes = memory.u8.slice(h.payload, h.payload + h.payloadLength)
    if (!socket.receive(bytes, ip, h.sourcePort, path)) counters.udpQueueFull++
    memory.free(slot)
  }

  /** An ICMP error about a datagram of ours. True if it told something: of the path, or to a connected socket. */
  handleError(quoted: QuotedPacket, h: IcmpHeader, path: number): boolean {
    const { source, sourcePort, destination, destinationPort, version, length } = quoted
    const { paths, now } = this.context
    if (h.kind === 'packet-too-big') {
      return this.output.hasSent(quoted, path) && paths.believeMtu(path, version, h.mtu, length, now)
    }
    const socket = this.#find(source, sourcePort, destination, destinationPort)
    if (socket === undefined || !socket.isConnectedTo(destination, destinationPort)) return false
    if (this.context.routeTo(destination) !== path) return false
    socket.fail(codeOf(h.kind))
    return true
  }

  noteEvents(socket: Socket): void {
    this.#withEvents.push(socket)
  }

  runEvents(): void {
    const sockets = this.#withEvents
    this.#withEvents = []
    for (const socket of sockets) socket.runEvents()
  }

  remove(socket: Socket): void {
    const left = (this.#byPort.get(socket.port) ?? []).filter(other => other !== socket)
    if (left.length === 0) this.#byPort.delete(socket.port)
    else this.#byPort.set(socket.port, left)
    this.size--
  }

  close(): void {
    for (const sockets of [...this.#byPort.values()]) for (const socket of sockets) socket.close()
  }

  /** A socket connected to the sender, before one on the address, before one on any. */
  #find(local: AddressWords, port: number, remote: AddressWords, remotePort: number): Socket | undefined {
    let best: Socket | undefined
    let bestRank = 0
    for (const socket of this.#byPort.get(port) ?? []) {
      if (socket.address !== undefined && !sameWords(socket.address, local)) continue
      if (socket.isConnected && !socket.isConnectedTo(remote, remotePort)) continue
      const rank = (socket.isConnected ? 2 : 0) + (socket.address !== undefined ? 1 : 0) + 1
      if (rank > bestRank) {
        best = socket
        bestRank = rank
      }
    }
    return best
  }

  #isTaken(address: AddressWords | undefined, port: number): boolean {
    for (const other of this.#byPort.get(port) ?? []) {
      if (address === undefined || other.address === undefined || sameWords(address, other.address)) return true
    }
    return false
  }

  #freePort(address: AddressWords | undefined): number {
    const { firstEphemeralPort: first, lastEphemeralPort: last } = this.context.limits
    const count = last - first + 1
    const start = this.context.random.below(count)
    for (let i = 0; i < count; i++) {
      const port = first + ((start + i) % count)
      if (!this.#isTaken(address, port)) return port
    }
    return -1
  }
}

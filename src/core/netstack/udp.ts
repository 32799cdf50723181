// UDP sockets (RFC 768): bounded queues both ways, replies from the address that was asked, ICMP errors for connected ones.
import type { IpAddress } from '../base/address.js'
import { noSlot } from '../base/packet-memory.js'
import type { IcmpKind, QuotedPacket } from '../wire/icmp.js'
import {
  type AddressWords,
  addressOf,
  copyWords,
  type IpHeader,
  ipHeaderLength,
  isMapped,
  protocolUdp,
  sameWords,
  wordsOf,
  writeIpHeader,
} from '../wire/ip.js'
import { createUdpHeader, parseUdp, udpHeaderLength, writeUdpHeader } from '../wire/udp.js'
import type { StackContext } from './context.js'
import { defaultHopLimit, packetHeadroom } from './output.js'
import { codeOf } from './tcp/icmp-error.js'
import { type SocketCode, StackError, type UdpEvents, type UdpOptions, type UdpSocket } from './types.js'

/** Who asks a host with several addresses is answered from the one asked; so many are remembered for a socket. */
const rememberedPeers = 256

/** Answers a datagram that nobody wants. Takes the slot. */
export type RefuseDatagram = (slot: number, ip: IpHeader, path: number, now: number) => void

export class UdpLayer {
  readonly context: StackContext
  /** Set by ICMP, which answers for closed ports. */
  refuse: RefuseDatagram
  size = 0
  readonly #byPort = new Map<number, Socket[]>()
  readonly #header = createUdpHeader()
  #withEvents: Socket[] = []

  constructor(context: StackContext) {
    this.context = context
    this.refuse = slot => context.memory.free(slot)
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

  /** Takes the slot. */
  handleDatagram(slot: number, ip: IpHeader, path: number, now: number): void {
    const { memory, counters } = this.context
    const h = this.#header
    const drop = parseUdp(memory, ip, h)
    if (drop !== undefined) {
      counters[drop]++
      memory.free(slot)
      return
    }
    const socket = this.#find(ip.destination, h.destinationPort, ip.source, h.sourcePort)
    if (socket === undefined) {
      counters.udpNoSocket++
      this.refuse(slot, ip, path, now)
      return
    }
    counters.udpIn++
    const taken = socket.receive(memory.u8.slice(h.payload, h.payload + h.payloadLength), ip, h.sourcePort)
    if (!taken) counters.udpQueueFull++
    memory.free(slot)
  }

  /** An ICMP error about a datagram of ours. True if a connected socket had sent it. */
  handleError(quoted: QuotedPacket, kind: IcmpKind, path: number): boolean {
    const { source, sourcePort, destination, destinationPort } = quoted
    const socket = this.#find(source, sourcePort, destination, destinationPort)
    if (socket === undefined || !socket.isConnectedTo(destination, destinationPort)) return false
    if (kind === 'packet-too-big' || this.context.routeTo(destination) !== path) return false
    socket.fail(codeOf(kind))
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

interface Message {
  readonly bytes: Uint8Array
  readonly address: IpAddress
  readonly port: number
}

class Socket implements UdpSocket {
  readonly address: AddressWords | undefined
  readonly port: number
  readonly #layer: UdpLayer
  readonly #events: UdpEvents
  #remote: AddressWords | undefined
  #remotePort = 0
  #queue: Message[] = []
  #queuedBytes = 0
  #error: SocketCode | undefined
  #noted = false
  #closed = false
  /** Which of our addresses a peer asked, by its address and port. */
  #asked: Map<string, AddressWords> | undefined

  constructor(layer: UdpLayer, address: AddressWords | undefined, port: number, events: UdpEvents) {
    this.#layer = layer
    this.address = address
    this.port = port
    this.#events = events
  }

  get isConnected(): boolean {
    return this.#remote !== undefined
  }

  isConnectedTo(remote: AddressWords, port: number): boolean {
    return this.#remote !== undefined && this.#remotePort === port && sameWords(this.#remote, remote)
  }

  connect(address: IpAddress, port: number): void {
    this.#remote = wordsOf(address)
    this.#remotePort = port
  }

  send(bytes: Uint8Array, address: IpAddress, port: number, now: number): boolean {
    const { context } = this.#layer
    const { memory, output, counters, paths } = context
    context.now = now
    const remote = wordsOf(address)
    const local = this.address ?? this.#asked?.get(peerKey(remote, port)) ?? context.sourceFor(remote)
    if (this.#closed) throw new StackError('EINVAL', 'the socket is closed')
    if (local === undefined || isMapped(local) !== isMapped(remote)) {
      throw new StackError('ENETUNREACH', 'no own address of that family')
    }
    const path = context.routeTo(remote)
    if (path === -1) throw new StackError('ENETUNREACH', 'no route to the address')
    const version = isMapped(local) ? 4 : 6
    const headers = ipHeaderLength(version) + udpHeaderLength
    if (headers + bytes.length > paths.mtu(path, now) || output.full) return false
    const slot = memory.alloc()
    if (slot === noSlot) {
      counters.noSlot++
      return false
    }
    const packet = slot + packetHeadroom
    const header = packet + ipHeaderLength(version)
    memory.u8.set(bytes, header + udpHeaderLength)
    writeUdpHeader(memory, header, this.port, port, bytes.length, local, remote)
    const length = udpHeaderLength + bytes.length
    writeIpHeader(memory, packet, version, length, protocolUdp, defaultHopLimit, local, remote)
    counters.udpOut++
    return output.enqueue(slot, headers + bytes.length, path)
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#queue = []
    this.#layer.remove(this)
  }

  /** The layer's: a datagram came. False if there is no room for it. */
  receive(bytes: Uint8Array, ip: IpHeader, port: number): boolean {
    const { limits } = this.#layer.context
    if (this.#queue.length >= limits.udpQueue || this.#queuedBytes + bytes.length > limits.udpQueueBytes) return false
    this.#queue.push({ bytes, address: addressOf(ip.source), port })
    this.#queuedBytes += bytes.length
    if (this.address === undefined) this.#rememberAsked(ip, port)
    this.#note()
    return true
  }

  fail(code: SocketCode): void {
    this.#error = code
    this.#note()
  }

  runEvents(): void {
    this.#noted = false
    const messages = this.#queue
    const error = this.#error
    this.#queue = []
    this.#queuedBytes = 0
    this.#error = undefined
    for (const message of messages) {
      if (!this.#closed) this.#events.message(message.bytes, message.address, message.port)
    }
    if (error !== undefined && !this.#closed) this.#events.error(error)
  }

  #note(): void {
    if (this.#noted) return
    this.#noted = true
    this.#layer.noteEvents(this)
  }

  #rememberAsked(ip: IpHeader, port: number): void {
    const usual = this.#layer.context.sourceFor(ip.source)
    if (usual !== undefined && sameWords(usual, ip.destination) && this.#asked === undefined) return
    this.#asked ??= new Map()
    const asked = this.#asked
    const key = peerKey(ip.source, port)
    asked.delete(key)
    asked.set(key, copyWords(ip.destination))
    if (asked.size > rememberedPeers) asked.delete(asked.keys().next().value as string)
  }
}

function peerKey(address: AddressWords, port: number): string {
  return `${address.w0},${address.w1},${address.w2},${address.w3},${port}`
}

// One UDP socket (RFC 768): a bounded queue in which each path has its share, replies from the address that was asked, ICMP
// errors where it is connected.
import type { IpAddress } from '../base/address.js'
import {
  type AddressWords,
  addressOf,
  copyWords,
  type IpHeader,
  isMapped,
  protocolUdp,
  sameWords,
  wordsOf,
} from '../wire/ip.js'
import { FairCount } from './fair-count.js'
import { defaultHopLimit } from './output.js'
import { type SocketCode, StackError, type UdpEvents, type UdpSocket } from './types.js'
import type { UdpLayer } from './udp.js'

/** Who asks a host with several addresses is answered from the one asked; so many are remembered for a socket. */
const rememberedPeers = 256
/** What a datagram in a queue costs beside its bytes. */
const datagramCost = 256

interface Message {
  readonly bytes: Uint8Array
  readonly address: IpAddress
  readonly port: number
  readonly path: number
}

export class Socket implements UdpSocket {
  readonly address: AddressWords | undefined
  readonly port: number
  hopLimit = defaultHopLimit
  readonly #layer: UdpLayer
  readonly #events: UdpEvents
  #remote: AddressWords | undefined
  #remotePort = 0
  #queue: Message[] = []
  /** Datagrams and bytes of the queue. */
  readonly #count: FairCount
  readonly #bytes: FairCount
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
    this.#count = new FairCount(layer.context.limits.udpQueue)
    this.#bytes = new FairCount(layer.context.limits.udpQueueBytes)
  }

  get isConnected(): boolean {
    return this.#remote !== undefined
  }

  isConnectedTo(remote: AddressWords, port: number): boolean {
    return this.#remote !== undefined && this.#remotePort === port && sameWords(this.#remote, remote)
  }

  connect(address: IpAddress, port: number): void {
    const remote = wordsOf(address)
    this.#sourceFor(remote, port)
    this.#remote = remote
    this.#remotePort = port
  }

  disconnect(): void {
    this.#remote = undefined
  }

  send(bytes: Uint8Array, address: IpAddress, port: number, now: number): boolean {
    const { context, output } = this.#layer
    context.now = now
    const remote = wordsOf(address)
    const local = this.#sourceFor(remote, port)
    const path = context.routeTo(remote)
    const told = context.tracked?.send(protocolUdp, local, this.port, remote, port, path, bytes.length, now)
    if (told === 'refused') throw new StackError('EACCES', 'no rule of the policy allows it')
    if (told === 'dropped') return false
    return output.send(bytes, local, this.port, remote, port, this.hopLimit, path, now)
  }

  #sourceFor(remote: AddressWords, port: number): AddressWords {
    const { context } = this.#layer
    if (this.#closed) throw new StackError('EINVAL', 'the socket is closed')
    const local = this.address ?? this.#asked?.get(peerKey(remote, port)) ?? context.sourceFor(remote)
    if (local === undefined || isMapped(local) !== isMapped(remote)) {
      throw new StackError('ENETUNREACH', 'no own address of that family')
    }
    if (context.routeTo(remote) === -1) throw new StackError('ENETUNREACH', 'no route to the address')
    return local
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#empty()
    this.#layer.remove(this)
  }

  /** The layer's: a datagram came. False if there is no room for it. */
  receive(bytes: Uint8Array, ip: IpHeader, port: number, path: number): boolean {
    const cost = bytes.length + datagramCost
    if (!this.#count.take(path)) return false
    if (!this.#bytes.take(path, cost)) {
      this.#count.give(path)
      return false
    }
    if (!this.#layer.memory.take(path, cost)) {
      this.#count.give(path)
      this.#bytes.give(path, cost)
      return false
    }
    this.#queue.push({ bytes, address: addressOf(ip.source), port, path })
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
    const messages = this.#empty()
    const error = this.#error
    this.#error = undefined
    for (const message of messages) {
      if (!this.#closed) this.#events.message(message.bytes, message.address, message.port)
    }
    if (error !== undefined && !this.#closed) this.#events.error(error)
  }

  #empty(): Message[] {
    const messages = this.#queue
    this.#queue = []
    for (const { bytes, path } of messages) {
      const cost = bytes.length + datagramCost
      this.#count.give(path)
      this.#bytes.give(path, cost)
      this.#layer.memory.give(path, cost)
    }
    return messages
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

// Echo requests to forwarded prefixes: the handler answers each, or not, in its own time. A bounded number of them waits.
import type { IpAddress } from '../base/address.js'
import { notScheduled } from '../base/deadline-heap.js'
import { noSlot, type PacketMemory } from '../base/packet-memory.js'
import { createIcmpHeader, type IcmpHeader, icmpHeaderLength } from '../wire/icmp.js'
import { type AddressWords, addressOf, copyWords, createIpHeader, type IpHeader } from '../wire/ip.js'
import type { StackContext, Timed } from './context.js'
import { FairCount } from './fair-count.js'
import type { Forwarding } from './forward.js'
import type { ForwardedEcho, ForwardRefusal } from './forward-types.js'
import type { IcmpLayer } from './icmp.js'
import { packetHeadroom } from './output.js'

/** How much of a request is kept beside its data, to be quoted by an error. */
const quotedBytes = 1232

export class ForwardedEchoes {
  readonly context: StackContext
  readonly icmp: IcmpLayer
  readonly #shares: FairCount
  readonly #pending = new Set<Echo>()
  #asked: Echo[] = []

  constructor(context: StackContext, icmp: IcmpLayer) {
    this.context = context
    this.icmp = icmp
    this.#shares = new FairCount(context.limits.forwardEchoes)
  }

  get wantsFlush(): boolean {
    return this.#asked.length > 0
  }

  /** The slot stays the caller's. */
  handleRequest(
    memory: PacketMemory,
    ip: IpHeader,
    h: IcmpHeader,
    path: number,
    now: number,
    forwarding: Forwarding,
  ): void {
    const { counters, deadlines, limits } = this.context
    if (!this.#shares.take(path)) {
      counters.forwardFull++
      return
    }
    counters.forwardRequests++
    counters.icmpEchoRequests++
    const echo = new Echo(this, forwarding, memory, ip, h, path)
    this.#pending.add(echo)
    deadlines.set(echo, now + limits.forwardTimeout)
    this.#asked.push(echo)
  }

  runEvents(): void {
    const asked = this.#asked
    this.#asked = []
    for (const echo of asked) if (echo.isPending) echo.forwarding.handlers.echo?.(echo)
  }

  forget(echo: Echo): void {
    this.#pending.delete(echo)
    this.#shares.give(echo.path)
    this.context.deadlines.cancel(echo)
  }

  close(forwarding: Forwarding): void {
    for (const echo of [...this.#pending]) if (echo.forwarding === forwarding) echo.abandon()
  }
}

class Echo implements ForwardedEcho, Timed {
  heapIndex = notScheduled.heapIndex
  deadline = notScheduled.deadline
  readonly forwarding: Forwarding
  readonly path: number
  readonly identifier: number
  readonly sequence: number
  readonly bytes: Uint8Array
  abandoned: (() => void) | undefined = undefined
  isPending = true
  readonly #table: ForwardedEchoes
  readonly #version: 4 | 6
  readonly #local: AddressWords
  readonly #remote: AddressWords
  readonly #packet: Uint8Array

  constructor(
    table: ForwardedEchoes,
    forwarding: Forwarding,
    memory: PacketMemory,
    ip: IpHeader,
    h: IcmpHeader,
    path: number,
  ) {
    this.#table = table
    this.forwarding = forwarding
    this.path = path
    this.identifier = h.identifier
    this.sequence = h.sequence
    this.bytes = memory.u8.slice(h.body, h.body + h.bodyLength)
    this.#version = ip.version
    this.#local = copyWords(ip.destination)
    this.#remote = copyWords(ip.source)
    this.#packet = memory.u8.slice(ip.start, Math.min(ip.payload + ip.payloadLength, ip.start + quotedBytes))
  }

  get localAddress(): IpAddress {
    return addressOf(this.#local)
  }

  get remoteAddress(): IpAddress {
    return addressOf(this.#remote)
  }

  answer(now: number): void {
    if (!this.#finish(now)) return
    const { context, icmp } = this.#table
    const { large } = context
    const slot = large.alloc()
    if (slot === noSlot) return
    const body = slot + packetHeadroom + 40 + icmpHeaderLength
    large.u8.set(this.bytes, body)
    request.version = this.#version
    request.source = this.#remote
    request.destination = this.#local
    requestIcmp.identifier = this.identifier
    requestIcmp.sequence = this.sequence
    requestIcmp.body = body
    requestIcmp.bodyLength = this.bytes.length
    icmp.answerEcho(large, slot, request, requestIcmp, this.path, now)
  }

  refuse(refusal: ForwardRefusal, now: number): void {
    if (!this.#finish(now) || refusal === 'drop') return
    const error = refusal === 'prohibited' ? 'prohibited' : 'host'
    this.#table.icmp.refuseAbout(this.#packet, this.#version, this.#remote, this.#local, error, this.path, now)
  }

  #finish(now: number): boolean {
    if (!this.isPending) return false
    this.isPending = false
    this.#table.context.now = now
    this.#table.forget(this)
    return true
  }

  abandon(): void {
    if (!this.isPending) return
    this.isPending = false
    this.#table.forget(this)
    this.abandoned?.()
  }

  handleDeadline(): void {
    this.#table.context.counters.forwardExpired++
    this.abandon()
  }
}

/** The one request in hand. */
const request = createIpHeader()
const requestIcmp = createIcmpHeader()

// Echo requests of ours (RFC 792, RFC 4443 4.1) and who waits for their replies.
import type { IpAddress } from '../base/address.js'
import { notScheduled } from '../base/deadline-heap.js'
import { noSlot } from '../base/packet-memory.js'
import { echoType, type IcmpHeader, icmpHeaderLength, type QuotedPacket, writeIcmpHeader } from '../wire/icmp.js'
import {
  type AddressWords,
  type IpHeader,
  ipHeaderLength,
  isMapped,
  protocolIcmp,
  protocolIcmpv6,
  sameWords,
  wordsOf,
  writeIpHeader,
} from '../wire/ip.js'
import type { StackContext, Timed } from './context.js'
import { maxPayload, sendInFragments } from './large-packet.js'
import { defaultHopLimit, packetHeadroom } from './output.js'
import type { PathWaiter } from './paths.js'
import { codeOf } from './tcp/icmp-error.js'
import { echoPort } from './tracked-flows.js'
import { type Ping, type PingOptions, type PingResult, StackError } from './types.js'

const defaultSize = 56
const defaultTimeout = 5000

export class PingTable {
  readonly context: StackContext
  readonly identifier: number
  readonly #waiting = new Map<number, EchoRequest>()
  #done: EchoRequest[] = []
  #nextSequence: number

  constructor(context: StackContext) {
    this.context = context
    this.identifier = context.random.below(0x10000)
    this.#nextSequence = context.random.below(0x10000)
  }

  get wantsFlush(): boolean {
    return this.#done.length > 0
  }

  start(address: IpAddress, options: PingOptions, done: (result: PingResult) => void, now: number): Ping {
    const { context } = this
    context.now = now
    const remote = wordsOf(address)
    const local = context.sourceFor(remote)
    if (local === undefined) throw new StackError('ENETUNREACH', 'no own address of that family')
    const path = context.routeTo(remote)
    if (path === -1) throw new StackError('ENETUNREACH', 'no route to the address')
    const protocol = isMapped(local) ? protocolIcmp : protocolIcmpv6
    const told = context.tracked?.send(protocol, local, 0, remote, echoPort, path, options.size ?? defaultSize, now)
    if (told === 'refused') throw new StackError('EACCES', 'no rule of the policy allows it')
    if (told === 'dropped') throw new StackError('EMFILE', 'too many flows')
    if (this.#waiting.size >= context.limits.pings) throw new StackError('EMFILE', 'too many pings')
    const size = options.size ?? defaultSize
    const timeout = options.timeout ?? defaultTimeout
    if (!(Number.isInteger(size) && size >= 0 && icmpHeaderLength + size <= maxPayload(isMapped(local) ? 4 : 6))) {
      throw new StackError('EINVAL', 'the size does not fit in a packet')
    }
    const whole = options.whole ?? false
    if (whole && ipHeaderLength(isMapped(local) ? 4 : 6) + icmpHeaderLength + size > context.mtu) {
      throw new StackError('EMSGSIZE', 'the size does not fit in one packet of our MTU')
    }
    if (!(timeout > 0)) throw new StackError('EINVAL', 'the timeout is none')
    while (this.#waiting.has(this.#nextSequence)) this.#nextSequence = (this.#nextSequence + 1) & 0xffff
    const sequence = this.#nextSequence
    this.#nextSequence = (sequence + 1) & 0xffff
    const request = new EchoRequest(this, local, remote, path, sequence, size, whole, timeout, done)
    this.#waiting.set(sequence, request)
    request.start(now)
    return request
  }

  handleReply(ip: IpHeader, h: IcmpHeader, now: number): void {
    const request = h.identifier === this.identifier ? this.#waiting.get(h.sequence) : undefined
    if (request === undefined || !sameWords(request.remote, ip.source)) {
      this.context.counters.icmpIgnored++
      return
    }
    this.context.tracked?.answered(ip.protocol, ip.destination, ip.source, false, h.bodyLength, now)
    request.finish({ rtt: now - request.sentAt, ttl: ip.hopLimit })
  }

  /** True if the quoted packet is a request that waits. */
  handleError(quoted: QuotedPacket, h: IcmpHeader, path: number, now: number): boolean {
    // Bytes 4 to 7 of a request are its identifier and number.
    if (quoted.word >>> 16 !== this.identifier) return false
    const request = this.#waiting.get(quoted.word & 0xffff)
    if (request === undefined || request.path !== path || !sameWords(request.remote, quoted.destination)) return false
    if (h.kind === 'packet-too-big') {
      const { version, length } = quoted
      if (!this.context.paths.believeMtu(path, version, h.mtu, length, now)) return false
    }
    request.finish({ error: codeOf(h.kind) })
    return true
  }

  forget(request: EchoRequest): void {
    this.#waiting.delete(request.sequence)
  }

  report(request: EchoRequest): void {
    this.#done.push(request)
  }

  runEvents(): void {
    const done = this.#done
    this.#done = []
    for (const request of done) request.tell()
  }

  close(): void {
    for (const request of [...this.#waiting.values()]) request.finish({ error: 'ECONNABORTED' })
  }
}

class EchoRequest implements Ping, Timed, PathWaiter {
  heapIndex = notScheduled.heapIndex
  deadline = notScheduled.deadline
  readonly remote: AddressWords
  readonly sequence: number
  sentAt = 0
  readonly #table: PingTable
  readonly #local: AddressWords
  readonly path: number
  readonly #size: number
  readonly #whole: boolean
  readonly #timeout: number
  readonly #done: (result: PingResult) => void
  #result: PingResult | undefined

  constructor(
    table: PingTable,
    local: AddressWords,
    remote: AddressWords,
    path: number,
    sequence: number,
    size: number,
    whole: boolean,
    timeout: number,
    done: (result: PingResult) => void,
  ) {
    this.#table = table
    this.#local = local
    this.remote = remote
    this.path = path
    this.sequence = sequence
    this.#size = size
    this.#whole = whole
    this.#timeout = timeout
    this.#done = done
  }

  start(now: number): void {
    const { paths, deadlines } = this.#table.context
    deadlines.set(this, now + this.#timeout)
    if (paths.ready(this.path)) this.#send(now)
    else paths.wait(this.path, this, now)
  }

  cancel(): void {
    this.#leave()
    this.#result = undefined
  }

  pathUp(now: number): void {
    this.#table.context.deadlines.set(this, now + this.#timeout)
    this.#send(now)
  }

  pathDown(): void {
    this.finish({ error: 'EHOSTUNREACH' })
  }

  handleDeadline(): void {
    this.finish({ error: 'ETIMEDOUT' })
  }

  finish(result: PingResult): void {
    this.#leave()
    this.#result = result
    this.#table.report(this)
  }

  /** The table's: the turn ends. */
  tell(): void {
    if (this.#result !== undefined) this.#done(this.#result)
    this.#result = undefined
  }

  #leave(): void {
    const { paths, deadlines } = this.#table.context
    this.#table.forget(this)
    deadlines.cancel(this)
    paths.forget(this.path, this)
  }

  #send(now: number): void {
    const { context, identifier } = this.#table
    const { memory, output, counters } = context
    this.sentAt = now
    const version = isMapped(this.#local) ? 4 : 6
    const headers = ipHeaderLength(version)
    const length = icmpHeaderLength + this.#size
    const isLarge = !this.#whole && headers + length > context.paths.mtu(this.path, now)
    const target = isLarge ? context.large : memory
    const slot = target.alloc()
    if (slot === noSlot) {
      // As if it were lost: the deadline tells.
      counters.noSlot++
      return
    }
    const packet = slot + packetHeadroom
    const message = packet + headers
    const body = message + icmpHeaderLength
    for (let i = 0; i < this.#size; i++) target.u8[body + i] = i
    const rest = (identifier << 16) | this.sequence
    const type = echoType(version, false) << 8
    writeIcmpHeader(target, message, version, type, rest, this.#size, this.#local, this.remote)
    const protocol = version === 4 ? protocolIcmp : protocolIcmpv6
    if (isLarge) {
      sendInFragments(context, target, message, length, protocol, this.#local, this.remote, version, this.path, now)
      target.free(slot)
      return
    }
    writeIpHeader(memory, packet, version, length, protocol, defaultHopLimit, this.#local, this.remote)
    output.enqueue(slot, headers + length, this.path)
  }
}

// ICMP and ICMPv6 (RFC 792, 1122 3.2.2, 4443): echo answered and asked, errors consumed and, within a path's budget, sent.
import type { IpAddress } from '../base/address.js'
import { noSlot, type PacketMemory } from '../base/packet-memory.js'
import {
  createIcmpHeader,
  echoType,
  errorType,
  type IcmpError,
  type IcmpHeader,
  icmpHeaderLength,
  parseIcmp,
  parseQuoted,
  writeIcmpHeader,
} from '../wire/icmp.js'
import {
  type AddressWords,
  copyWords,
  createIpHeader,
  type IpHeader,
  ipHeaderLength,
  protocolIcmp,
  protocolIcmpv6,
  protocolTcp,
  protocolUdp,
  sameWords,
  writeIpHeader,
} from '../wire/ip.js'
import type { StackContext } from './context.js'
import { sendInFragments } from './large-packet.js'
import { defaultHopLimit, packetHeadroom } from './output.js'
import { PingTable } from './ping.js'
import { handleTcpError } from './tcp/icmp-error.js'
import type { TcpLayer } from './tcp/layer.js'
import { echoPort } from './tracked-flows.js'
import type { Ping, PingOptions, PingResult } from './types.js'

/** RFC 1812, 4.3.2.3 and RFC 4443, 2.4(c): how large an error may be. */
const maxError4 = 576
const maxError6 = 1280

/** What ICMP says of a datagram of ours. True if it was one. */
export type HandleUdpError = (
  quoted: NonNullable<ReturnType<typeof parseQuoted>>,
  h: IcmpHeader,
  path: number,
) => boolean

export class IcmpLayer {
  readonly #context: StackContext
  readonly #tcp: TcpLayer
  readonly #handleUdpError: HandleUdpError
  readonly #pings: PingTable
  readonly #header = createIcmpHeader()
  /** Of a packet that is gone but for its beginning. */
  readonly #kept = createIpHeader()

  constructor(context: StackContext, tcp: TcpLayer, handleUdpError: HandleUdpError) {
    this.#context = context
    this.#tcp = tcp
    this.#handleUdpError = handleUdpError
    this.#pings = new PingTable(context)
  }

  get wantsFlush(): boolean {
    return this.#pings.wantsFlush
  }

  /** Takes the slot, of `memory`. */
  handleMessage(memory: PacketMemory, slot: number, ip: IpHeader, path: number, now: number): void {
    const { counters } = this.#context
    const h = this.#header
    const drop = parseIcmp(memory, ip, h)
    if (drop !== undefined) counters[drop]++
    else if (h.kind === 'echo-request') {
      if (this.mayPass(memory, ip, h, path, now)) {
        counters.icmpEchoRequests++
        this.answerEcho(memory, slot, ip, h, path, now)
        return
      }
    } else if (h.kind === 'echo-reply') this.#pings.handleReply(ip, h, now)
    else if (h.kind === 'other' || h.kind === 'parameter-problem') counters.icmpIgnored++
    else this.#handleError(memory, ip, h, path, now)
    memory.free(slot)
  }

  ping(address: IpAddress, options: PingOptions, done: (result: PingResult) => void, now: number): Ping {
    return this.#pings.start(address, options, done, now)
  }

  runEvents(): void {
    this.#pings.runEvents()
  }

  close(): void {
    this.#pings.close()
  }

  /**
   * Tells the sender of the packet in `slot` why it is dropped; `rest` is bytes 4 to 7 of the message. Never about another
   * error, a later fragment or a packet to or from many: none of these comes here. Takes the slot, of `memory`.
   */
  refuse(
    memory: PacketMemory,
    slot: number,
    ip: IpHeader,
    error: IcmpError,
    path: number,
    now: number,
    code = 0,
    rest = 0,
  ): void {
    const { counters, output, paths, memory: ownMemory } = this.#context
    // What was put together from fragments stands in a memory of its own.
    const isElsewhere = memory !== ownMemory
    if (!paths.mayReply(path, now)) {
      memory.free(slot)
      return
    }
    const target = isElsewhere ? ownMemory.alloc() : slot
    if (target === noSlot) {
      counters.noSlot++
      memory.free(slot)
      return
    }
    counters.icmpErrorsOut++
    const { version } = ip
    const headers = ipHeaderLength(version) + icmpHeaderLength
    const limit = (version === 4 ? maxError4 : maxError6) - headers
    const quoted = Math.min(limit, ip.payload + ip.payloadLength - ip.start)
    const packet = target + packetHeadroom
    const body = packet + headers
    if (!isElsewhere) memory.u8.copyWithin(body, ip.start, ip.start + quoted)
    else {
      ownMemory.u8.set(memory.u8.subarray(ip.start, ip.start + quoted), body)
      memory.free(slot)
    }
    this.#write(packet, ip, errorType(version, error) | code, rest, quoted)
    output.enqueueReply(target, headers + quoted, path)
  }

  /** Whether the gate lets the echo request through; its sender is told if not. The slot stays the caller's. */
  mayPass(memory: PacketMemory, ip: IpHeader, h: IcmpHeader, path: number, now: number): boolean {
    const { tracked } = this.#context
    if (tracked === undefined) return true
    const { protocol, destination, source, version, start } = ip
    const told = tracked.receive(protocol, destination, echoPort, source, 0, path, h.bodyLength, now)
    if (told !== 'refused') return told === 'passes'
    const end = Math.min(ip.payload + ip.payloadLength, start + maxError6)
    this.prohibitAbout(memory.u8.slice(start, end), version, source, destination, path, now)
    return false
  }

  /** The gate does not let the packet in `slot` through. Who sends in another's name is not told so. Takes the slot, of `memory`. */
  prohibit(memory: PacketMemory, slot: number, ip: IpHeader, path: number, now: number): void {
    if (this.#context.gate?.isFrom(ip.source, path) === true) this.refuse(memory, slot, ip, 'prohibited', path, now)
    else memory.free(slot)
  }

  /** As {@link prohibit}, of a packet that is kept only as far as it is quoted. */
  prohibitAbout(
    packet: Uint8Array,
    version: 4 | 6,
    from: AddressWords,
    to: AddressWords,
    path: number,
    now: number,
  ): void {
    if (this.#context.gate?.isFrom(from, path) !== true) return
    this.refuseAbout(packet, version, from, to, 'prohibited', path, now)
  }

  /** A protocol that nobody here speaks; of IPv6, what names it is pointed at (RFC 4443, 3.4). */
  refuseProtocol(memory: PacketMemory, slot: number, ip: IpHeader, path: number, now: number): void {
    this.refuse(memory, slot, ip, 'protocol', path, now, 0, ip.version === 6 ? ip.protocolAt : 0)
  }

  /** As {@link refuse}, of a packet that went from `from` to `to` and that is kept only as far as it is quoted. */
  refuseAbout(
    packet: Uint8Array,
    version: 4 | 6,
    from: AddressWords,
    to: AddressWords,
    error: IcmpError,
    path: number,
    now: number,
  ): void {
    const { memory, counters } = this.#context
    const slot = memory.alloc()
    if (slot === noSlot) {
      counters.noSlot++
      return
    }
    const ip = this.#kept
    ip.version = version
    ip.source = from
    ip.destination = to
    ip.start = slot + packetHeadroom
    ip.payload = ip.start
    ip.payloadLength = Math.min(packet.length, maxError6)
    memory.u8.set(packet.subarray(0, maxError6), ip.start)
    this.refuse(memory, slot, ip, error, path, now)
  }

  /** Sends an echo's data back. Takes the slot, of `memory`. */
  answerEcho(memory: PacketMemory, slot: number, ip: IpHeader, h: IcmpHeader, path: number, now: number): void {
    const context = this.#context
    const { version } = ip
    const source = copyWords(ip.destination)
    const destination = copyWords(ip.source)
    const message = h.body - icmpHeaderLength
    const length = icmpHeaderLength + h.bodyLength
    const rest = (h.identifier << 16) | h.sequence
    const protocol = version === 4 ? protocolIcmp : protocolIcmpv6
    context.tracked?.answered(protocol, source, destination, true, h.bodyLength, now)
    writeIcmpHeader(memory, message, version, echoType(version, true) << 8, rest, h.bodyLength, source, destination)
    const headers = ipHeaderLength(version)
    if (memory === context.memory && headers + length <= context.paths.mtu(path, now)) {
      const packet = slot + packetHeadroom
      memory.u8.copyWithin(packet + headers, message, message + length)
      writeIpHeader(memory, packet, version, length, protocol, defaultHopLimit, source, destination)
      context.output.enqueueReply(slot, headers + length, path)
      return
    }
    sendInFragments(context, memory, message, length, protocol, source, destination, version, path, now, true)
    memory.free(slot)
  }

  /** Headers of a message back to where `ip` came from, in front of a body that is in place. */
  #write(packet: number, ip: IpHeader, typeAndCode: number, rest: number, bodyLength: number): void {
    const { memory } = this.#context
    const { version } = ip
    const source: AddressWords = copyWords(ip.destination)
    const destination: AddressWords = copyWords(ip.source)
    const protocol = version === 4 ? protocolIcmp : protocolIcmpv6
    const message = packet + ipHeaderLength(version)
    writeIcmpHeader(memory, message, version, typeAndCode, rest, bodyLength, source, destination)
    const length = icmpHeaderLength + bodyLength
    writeIpHeader(memory, packet, version, length, protocol, defaultHopLimit, source, destination)
  }

  /** Believed only if it came to where the quoted packet is from, by the path on which that left: no peer speaks for another's. */
  #handleError(memory: PacketMemory, ip: IpHeader, h: IcmpHeader, path: number, now: number): void {
    const { counters } = this.#context
    counters.icmpErrorsIn++
    const quoted = parseQuoted(memory, h)
    let believed = false
    if (quoted !== undefined && quoted.version === ip.version && sameWords(quoted.source, ip.destination)) {
      if (quoted.protocol === protocolTcp) believed = handleTcpError(this.#tcp, quoted, h.kind, h.mtu, path, now)
      else if (quoted.protocol === protocolUdp) believed = this.#handleUdpError(quoted, h, path)
      else if (quoted.protocol === (quoted.version === 4 ? protocolIcmp : protocolIcmpv6)) {
        believed = this.#pings.handleError(quoted, h, path, now)
      }
    }
    if (!believed) counters.icmpNotBelieved++
  }
}

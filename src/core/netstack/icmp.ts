// ICMP and ICMPv6 (RFC 792, 1122 3.2.2, 4443): echo answered and asked, errors consumed and, within a budget, sent.
import type { IpAddress } from '../base/address.js'
import {
  createIcmpHeader,
  echoType,
  type IcmpHeader,
  icmpHeaderLength,
  parseIcmp,
  parseQuoted,
  unreachableType,
  writeIcmpHeader,
} from '../wire/icmp.js'
import {
  copyWords,
  type IpHeader,
  ipHeaderLength,
  protocolIcmp,
  protocolIcmpv6,
  protocolTcp,
  protocolUdp,
  writeIpHeader,
} from '../wire/ip.js'
import type { StackContext } from './context.js'
import { defaultHopLimit, packetHeadroom } from './output.js'
import { PingTable } from './ping.js'
import { handleTcpError } from './tcp/icmp-error.js'
import type { TcpLayer } from './tcp/layer.js'
import type { Ping, PingOptions, PingResult } from './types.js'
import type { UdpLayer } from './udp.js'

/** RFC 1812, 4.3.2.3 and RFC 4443, 2.4(c): how large an error may be. */
const maxError4 = 576
const maxError6 = 1280

export class IcmpLayer {
  readonly #context: StackContext
  readonly #tcp: TcpLayer
  readonly #udp: UdpLayer
  readonly #pings: PingTable
  readonly #header = createIcmpHeader()

  constructor(context: StackContext, tcp: TcpLayer, udp: UdpLayer) {
    this.#context = context
    this.#tcp = tcp
    this.#udp = udp
    this.#pings = new PingTable(context)
    udp.refuse = (slot, ip, path, now) => this.unreachable(slot, ip, 'port', path, now)
  }

  get wantsFlush(): boolean {
    return this.#pings.wantsFlush
  }

  /** Takes the slot. */
  handleMessage(slot: number, ip: IpHeader, path: number, now: number): void {
    const { memory, counters } = this.#context
    const h = this.#header
    const drop = parseIcmp(memory, ip, h)
    if (drop !== undefined) {
      counters[drop]++
      memory.free(slot)
      return
    }
    if (h.kind === 'echo-request') {
      this.#answerEcho(slot, ip, h, path)
      return
    }
    if (h.kind === 'echo-reply') this.#pings.handleReply(ip, h, now)
    else if (h.kind === 'other' || h.kind === 'parameter-problem') counters.icmpIgnored++
    else this.#handleError(h, path, now)
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

  /** Tells the sender of the packet in `slot` that nobody here wants it. Takes the slot. */
  unreachable(slot: number, ip: IpHeader, what: 'port' | 'protocol', path: number, now: number): void {
    const { memory, counters, replies, output } = this.#context
    if (!replies.take(now)) {
      counters.repliesLimited++
      memory.free(slot)
      return
    }
    counters.icmpErrorsOut++
    const { version } = ip
    const headers = ipHeaderLength(version) + icmpHeaderLength
    const limit = (version === 4 ? maxError4 : maxError6) - headers
    const quoted = Math.min(limit, ip.payload + ip.payloadLength - ip.start)
    const packet = slot + packetHeadroom
    // RFC 4443, 3.4: an unrecognised next header is pointed at.
    const rest = version === 6 && what === 'protocol' ? 6 : 0
    memory.u8.copyWithin(packet + headers, ip.start, ip.start + quoted)
    this.#write(packet, ip, unreachableType(version, what), rest, quoted)
    output.enqueue(slot, headers + quoted, path)
  }

  #answerEcho(slot: number, ip: IpHeader, h: IcmpHeader, path: number): void {
    const { memory, counters, output } = this.#context
    counters.icmpEchoRequests++
    const packet = slot + packetHeadroom
    const headers = ipHeaderLength(ip.version) + icmpHeaderLength
    memory.u8.copyWithin(packet + headers, h.body, h.body + h.bodyLength)
    this.#write(packet, ip, echoType(ip.version, true) << 8, (h.identifier << 16) | h.sequence, h.bodyLength)
    output.enqueue(slot, headers + h.bodyLength, path)
  }

  /** Headers of a message back to where `ip` came from. */
  #write(packet: number, ip: IpHeader, typeAndCode: number, rest: number, bodyLength: number): void {
    const { memory } = this.#context
    const { version } = ip
    const source = copyWords(ip.destination)
    const destination = copyWords(ip.source)
    const protocol = version === 4 ? protocolIcmp : protocolIcmpv6
    const message = packet + ipHeaderLength(version)
    writeIcmpHeader(memory, message, version, typeAndCode, rest, bodyLength, source, destination)
    const length = icmpHeaderLength + bodyLength
    writeIpHeader(memory, packet, version, length, protocol, defaultHopLimit, source, destination)
  }

  /** Believed only from the path that the quoted packet left on: no peer speaks for another's. */
  #handleError(h: IcmpHeader, path: number, now: number): void {
    const { memory, counters } = this.#context
    counters.icmpErrorsIn++
    const quoted = parseQuoted(memory, h)
    let believed = false
    if (quoted !== undefined && this.#context.isOwn(quoted.source)) {
      if (quoted.protocol === protocolTcp) believed = handleTcpError(this.#tcp, quoted, h.kind, h.mtu, path, now)
      else if (quoted.protocol === protocolUdp) believed = this.#udp.handleError(quoted, h.kind, path)
      else if (quoted.protocol === (quoted.version === 4 ? protocolIcmp : protocolIcmpv6)) {
        believed = this.#pings.handleError(quoted, h.kind, path)
      }
    }
    if (!believed) counters.icmpNotBelieved++
  }
}

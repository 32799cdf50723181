// A packet's way in: what is not for us is dropped, fragments wait for one another, the rest goes to its protocol.
import { noSlot, type PacketMemory } from '../base/packet-memory.js'
import {
  type AddressWords,
  createIpHeader,
  type IpHeader,
  isMapped,
  parseIp,
  protocolIcmp,
  protocolIcmpv6,
  protocolNone,
  protocolTcp,
  protocolUdp,
} from '../wire/ip.js'
import { problemField } from '../wire/ipv6.js'
import type { StackContext } from './context.js'
import type { Forwarding, ForwardLayer } from './forward.js'
import { FragmentCache } from './fragments.js'
import type { IcmpLayer } from './icmp.js'
import { packetHeadroom } from './output.js'
import { loopbackPath } from './paths.js'
import { handleSegment } from './tcp/input.js'
import type { TcpLayer } from './tcp/layer.js'
import type { UdpLayer } from './udp.js'

export interface InputLayers {
  readonly tcp: TcpLayer
  readonly udp: UdpLayer
  readonly icmp: IcmpLayer
  readonly forward: ForwardLayer
}

export class PacketInput {
  readonly fragments: FragmentCache
  readonly #context: StackContext
  readonly #layers: InputLayers
  readonly #ip = createIpHeader()
  readonly #wholeIp = createIpHeader()
  /** Where the fragment in hand is malformed, −1 if it is not. */
  #malformedAt = -1

  constructor(context: StackContext, layers: InputLayers) {
    this.#context = context
    this.#layers = layers
    this.fragments = new FragmentCache(context, {
      whole: (memory, slot, length, path, now) => this.#handleWhole(memory, slot, length, path, now),
      expired: (packet, version, from, to, protocol, path, now) => {
        // An error is not answered with one.
        if (protocol === protocolIcmp || protocol === protocolIcmpv6 || !this.#mayTalk(to, from, path)) return
        layers.icmp.refuseAbout(packet, version, from, to, 'reassembly-time', path, now)
      },
      malformed: problemAt => {
        this.#malformedAt = problemAt
      },
    })
  }

  /** Takes the slot. */
  handlePacket(slot: number, offset: number, length: number, path: number, now: number): void {
    const { memory, counters } = this.#context
    const ip = this.#ip
    const drop = parseIp(memory, offset, length, ip)
    if (drop !== undefined) {
      counters[drop]++
      if (drop === 'ipRouting' || drop === 'ipOption') this.#refuseHeader(slot, ip, path, now)
      else memory.free(slot)
      return
    }
    const isOwn = this.#context.isOwn(ip.destination)
    const forwarding = isOwn || !isForwardable(ip.destination) ? undefined : this.#layers.forward.find(memory, ip)
    if (!isOwn && forwarding === undefined) {
      counters.notOurs++
      memory.free(slot)
    } else if (!isUnicast(ip.source) || (path !== loopbackPath && this.#context.isOwn(ip.source))) {
      counters.badSource++
      memory.free(slot)
    } else if (ip.fragment) {
      if (this.#mayTalk(ip.destination, ip.source, path)) this.#handleFragment(slot, ip, path, now)
      else {
        counters.gatedFragments++
        memory.free(slot)
      }
    } else this.#dispatch(memory, slot, ip, path, now, forwarding)
  }

  #handleFragment(slot: number, ip: IpHeader, path: number, now: number): void {
    this.#malformedAt = -1
    this.fragments.handleFragment(ip, path, now)
    if (this.#malformedAt < 0) this.#context.memory.free(slot)
    else {
      ip.problem = problemField
      ip.problemAt = this.#malformedAt
      this.#answerProblem(slot, ip, path, now)
    }
  }

  /** A packet that was put together from fragments stands in the memory for large ones. Takes the slot. */
  #handleWhole(memory: PacketMemory, slot: number, length: number, path: number, now: number): void {
    const { counters } = this.#context
    const ip = this.#wholeIp
    const drop = parseIp(memory, slot + packetHeadroom, length, ip)
    if (drop !== undefined || ip.fragment) {
      counters[drop ?? 'fragmentsMalformed']++
      memory.free(slot)
      return
    }
    const isOwn = this.#context.isOwn(ip.destination)
    const forwarding = isOwn ? undefined : this.#layers.forward.find(memory, ip)
    if (!isOwn && forwarding === undefined) {
      counters.notOurs++
      memory.free(slot)
    } else if (ip.protocol === protocolTcp) {
      // Only TCP keeps what it gets where it stands.
      const small = this.#shrink(memory, slot, ip, length)
      if (small !== noSlot) this.#dispatch(this.#context.memory, small, ip, path, now, forwarding)
    } else this.#dispatch(memory, slot, ip, path, now, forwarding)
  }

  /** Moves a packet to a slot like others; noSlot if it does not fit in one, or there is none. Takes the slot. */
  #shrink(memory: PacketMemory, slot: number, ip: IpHeader, length: number): number {
    const { memory: target, counters } = this.#context
    const fits = packetHeadroom + length <= target.slotSize
    const small = fits ? target.alloc() : noSlot
    if (!fits) counters.fragmentsTooLong++
    else if (small === noSlot) counters.noSlot++
    else {
      target.u8.set(memory.u8.subarray(ip.start, ip.start + length), small + packetHeadroom)
      ip.payload += small + packetHeadroom - ip.start
      ip.start = small + packetHeadroom
    }
    memory.free(slot)
    return small
  }

  #dispatch(
    memory: PacketMemory,
    slot: number,
    ip: IpHeader,
    path: number,
    now: number,
    forwarding: Forwarding | undefined,
  ): void {
    const { tcp, udp, icmp, forward } = this.#layers
    if (forwarding !== undefined) {
      forward.handlePacket(memory, slot, ip, path, now, forwarding)
      return
    }
    switch (ip.protocol) {
      case protocolTcp:
        handleSegment(tcp, slot, ip, path, now)
        return
      case protocolUdp:
        udp.handleDatagram(memory, slot, ip, path, now)
        return
      case protocolIcmp:
      case protocolIcmpv6:
        icmp.handleMessage(memory, slot, ip, path, now)
        return
      case protocolNone:
        if (ip.version === 6) {
          this.#context.counters.noNextHeader++
          memory.free(slot)
          return
        }
    }
    if (!this.#isAdmitted(ip, path, now)) {
      icmp.prohibit(memory, slot, ip, path, now)
      return
    }
    this.#context.counters.unknownProtocol++
    icmp.refuseProtocol(memory, slot, ip, path, now)
  }

  /** Of a protocol that nobody here speaks: whether the gate would let it through, and so its sender may learn that. */
  #isAdmitted({ protocol, destination, source }: IpHeader, path: number, now: number): boolean {
    const { gate } = this.#context
    if (gate === undefined || path === loopbackPath) return true
    const ticket = gate.admit(false, protocol, destination, 0, source, 0, path, now)
    if (ticket !== undefined) gate.ended(ticket, 0, 0, false, now)
    return ticket !== undefined
  }

  /** Before it is known what the packet is: whether there is anything that the two may say to each other. */
  #mayTalk(local: AddressWords, remote: AddressWords, path: number): boolean {
    const { gate } = this.#context
    return gate === undefined || path === loopbackPath || gate.mayTalk(local, remote, path)
  }

  /** An IPv6 header that says itself that it must be understood, or that the packet is to go on. Takes the slot. */
  #refuseHeader(slot: number, ip: IpHeader, path: number, now: number): void {
    const { memory } = this.#context
    const isOurs =
      ip.version === 6 &&
      ip.problem >= 0 &&
      this.#context.isOwn(ip.destination) &&
      isUnicast(ip.source) &&
      !this.#context.isOwn(ip.source) &&
      this.#mayTalk(ip.destination, ip.source, path)
    if (isOurs) this.#answerProblem(slot, ip, path, now)
    else memory.free(slot)
  }

  #answerProblem(slot: number, ip: IpHeader, path: number, now: number): void {
    const { icmp } = this.#layers
    icmp.refuse(this.#context.memory, slot, ip, 'parameter', path, now, ip.problem, ip.problemAt)
  }
}

/** Neither unspecified nor loopback nor multicast nor broadcast: someone else, who can be answered. */
function isUnicast(address: AddressWords): boolean {
  const { w0, w1, w2, w3 } = address
  if (isMapped(address)) return w3 >>> 24 !== 0 && w3 >>> 24 !== 127 && w3 >>> 28 < 14
  return w0 >>> 24 !== 0xff && ((w0 | w1 | w2) !== 0 || w3 >>> 0 > 1)
}

/** Nor of a link: those go no further, whatever the prefix (RFC 3927, 2.7; RFC 4291, 2.5.6). */
function isForwardable(address: AddressWords): boolean {
  if (!isUnicast(address)) return false
  return isMapped(address) ? address.w3 >>> 16 !== 0xa9fe : address.w0 >>> 22 !== 0xfe80 >> 6
}

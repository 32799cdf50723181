// Answers for whole prefixes: packets to addresses that are none of ours but of a forwarder's go to its handlers, which
// say what becomes of each dial, flow and echo.
import type { PacketMemory } from '../base/packet-memory.js'
import { createPrefixTable } from '../base/prefix-table.js'
import { createIcmpHeader, type IcmpHeader, parseIcmp, type QuotedPacket } from '../wire/icmp.js'
import { type IpHeader, protocolIcmp, protocolIcmpv6, protocolTcp, protocolUdp } from '../wire/ip.js'
import type { StackContext } from './context.js'
import { ForwardedEchoes } from './forward-echo.js'
import { ForwardedDials } from './forward-tcp.js'
import type { Forwarder, ForwardHandlers, ForwardOptions } from './forward-types.js'
import { ForwardedFlows } from './forward-udp.js'
import type { FlowGate } from './gate.js'
import type { IcmpLayer } from './icmp.js'
import { handleSegment } from './tcp/input.js'
import type { TcpLayer } from './tcp/layer.js'
import type { TrackedFlows } from './tracked-flows.js'
import type { UdpOutput } from './udp-output.js'

/** One call of forward(), for as long as it stands. */
export interface Forwarding extends Forwarder {
  readonly handlers: ForwardHandlers
}

export class ForwardLayer {
  readonly #context: StackContext
  readonly #tcp: TcpLayer
  readonly #icmp: IcmpLayer
  readonly #dials: ForwardedDials
  readonly #flows: ForwardedFlows
  readonly #echoes: ForwardedEchoes
  readonly #prefixes = createPrefixTable<Forwarding>()
  readonly #icmpHeader = createIcmpHeader()

  constructor(context: StackContext, tcp: TcpLayer, icmp: IcmpLayer, output: UdpOutput) {
    this.#context = context
    this.#tcp = tcp
    this.#icmp = icmp
    this.#dials = new ForwardedDials(tcp, icmp)
    this.#flows = new ForwardedFlows(context, icmp, output)
    this.#echoes = new ForwardedEchoes(context, icmp)
    tcp.handleForwarded = (ip, h, path, now) => {
      const forwarding = this.find(context.memory, ip)
      if (forwarding !== undefined) this.#dials.handleSyn(ip, h, path, now, forwarding)
    }
  }

  get wantsFlush(): boolean {
    return this.#dials.wantsFlush || this.#flows.wantsFlush || this.#echoes.wantsFlush
  }

  open(options: ForwardOptions, handlers: ForwardHandlers): Forwarder {
    const forwarding: Forwarding = { handlers, close: () => this.#close(forwarding) }
    for (const prefix of options.prefixes) this.#prefixes.insert(prefix, forwarding)
    return forwarding
  }

  /** Who answers for the packet's destination, if anybody does. */
  find(memory: PacketMemory, ip: IpHeader): Forwarding | undefined {
    if (this.#prefixes.size === 0) return undefined
    return this.#prefixes.lookup(memory.u8, ip.start + (ip.version === 4 ? 16 : 24), ip.version === 4 ? 4 : 16)
  }

  /** A whole packet for `forwarding`. Takes the slot, of `memory`. */
  handlePacket(
    memory: PacketMemory,
    slot: number,
    ip: IpHeader,
    path: number,
    now: number,
    forwarding: Forwarding,
  ): void {
    const { counters } = this.#context
    const { handlers } = forwarding
    switch (ip.protocol) {
      case protocolTcp:
        handleSegment(this.#tcp, slot, ip, path, now)
        return
      case protocolUdp:
        if (handlers.udp !== undefined) this.#flows.handleDatagram(memory, ip, path, now, forwarding)
        else counters.notOurs++
        break
      case protocolIcmp:
      case protocolIcmpv6: {
        const h = this.#icmpHeader
        const drop = parseIcmp(memory, ip, h)
        if (drop !== undefined) counters[drop]++
        else if (h.kind !== 'echo-request') {
          this.#icmp.handleMessage(memory, slot, ip, path, now)
          return
        } else if (!this.#icmp.mayPass(memory, ip, h, path, now)) break
        else if (handlers.echo !== undefined) this.#echoes.handleRequest(memory, ip, h, path, now, forwarding)
        else counters.notOurs++
        break
      }
      default:
        counters.unknownProtocol++
    }
    memory.free(slot)
  }

  /** ICMP says something of a datagram from a forwarded address. True if it was one of a flow. */
  handleError(quoted: QuotedPacket, h: IcmpHeader, path: number): boolean {
    return this.#flows.handleError(quoted, h, path)
  }

  runEvents(now: number): void {
    this.#dials.runEvents()
    this.#flows.runEvents(now)
    this.#echoes.runEvents()
  }

  /** Ends what the gate does not allow any more; `tracked` has let go of it already. */
  recheck(gate: FlowGate, tracked: TrackedFlows): void {
    this.#dials.recheck(gate)
    this.#flows.recheck(tracked)
  }

  #close(forwarding: Forwarding): void {
    for (const [prefix, other] of [...this.#prefixes.entries()]) {
      if (other === forwarding) this.#prefixes.remove(prefix)
    }
    this.#dials.close(forwarding)
    this.#flows.close(forwarding)
    this.#echoes.close(forwarding)
  }

  close(): void {
    for (const forwarding of new Set([...this.#prefixes.entries()].map(([, value]) => value))) forwarding.close()
  }
}

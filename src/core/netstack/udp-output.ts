// UDP datagrams on their way out (RFC 768), whole or in fragments, and the last of them: an ICMP error is believed only
// about a datagram that left.
import { noSlot } from '../base/packet-memory.js'
import type { QuotedPacket } from '../wire/icmp.js'
import { type AddressWords, ipHeaderLength, isMapped, protocolUdp, writeIpHeader } from '../wire/ip.js'
import { udpHeaderLength, writeUdpHeader } from '../wire/udp.js'
import type { StackContext } from './context.js'
import { maxPayload, sendInFragments } from './large-packet.js'
import { packetHeadroom } from './output.js'
import { StackError } from './types.js'

/** Datagrams that are remembered for a packet-too-big, and what of each: ports, length and checksum, path. */
const remembered = 64
const stride = 3
/** A smaller packet passes everywhere. */
const smallestLimit = 576

export class UdpOutput {
  readonly context: StackContext
  readonly #sent = new Int32Array(remembered * stride)
  #next = 0

  constructor(context: StackContext) {
    this.context = context
  }

  /** False if it does not fit in the queue now; throws EMSGSIZE for more than a datagram holds. */
  send(
    bytes: Uint8Array,
    local: AddressWords,
    localPort: number,
    remote: AddressWords,
    remotePort: number,
    hopLimit: number,
    path: number,
    now: number,
  ): boolean {
    const { context } = this
    const { memory, output, counters, paths } = context
    const version = isMapped(local) ? 4 : 6
    const headers = ipHeaderLength(version)
    const length = udpHeaderLength + bytes.length
    if (length > maxPayload(version)) throw new StackError('EMSGSIZE', 'the message is too long for a datagram')
    const isLarge = headers + length > paths.mtu(path, now)
    if (output.room <= 0) return false
    const target = isLarge ? context.large : memory
    const slot = target.alloc()
    if (slot === noSlot) {
      counters.noSlot++
      return false
    }
    const packet = slot + packetHeadroom
    const header = packet + headers
    target.u8.set(bytes, header + udpHeaderLength)
    writeUdpHeader(target, header, localPort, remotePort, bytes.length, local, remote)
    if (headers + length > smallestLimit) {
      this.#remember(target.view.getInt32(header), target.view.getInt32(header + 4), path)
    }
    let isSent: boolean
    if (isLarge) {
      isSent = sendInFragments(
        context,
        target,
        header,
        length,
        protocolUdp,
        local,
        remote,
        version,
        path,
        now,
        false,
        hopLimit,
      )
      target.free(slot)
    } else {
      writeIpHeader(memory, packet, version, length, protocolUdp, hopLimit, local, remote)
      isSent = output.enqueue(slot, headers + length, path)
    }
    if (isSent) counters.udpOut++
    return isSent
  }

  /** Whether the quoted datagram is one that left on the path not long ago. */
  hasSent(quoted: QuotedPacket, path: number): boolean {
    const ports = (quoted.sourcePort << 16) | quoted.destinationPort
    const sent = this.#sent
    for (let at = 0; at < sent.length; at += stride) {
      if (sent[at] === ports && sent[at + 1] === quoted.word && sent[at + 2] === path) return true
    }
    return false
  }

  #remember(ports: number, lengthAndChecksum: number, path: number): void {
    const at = this.#next * stride
    this.#sent[at] = ports
    this.#sent[at + 1] = lengthAndChecksum
    this.#sent[at + 2] = path
    this.#next = (this.#next + 1) % remembered
  }
}

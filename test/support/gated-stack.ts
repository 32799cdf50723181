// A stack behind a policy's gate, without WireGuard: a test plays every peer, each on a path of its own, and puts any packet it
// likes on any of them.
import { type IpAddress, parseAddress, parsePrefix } from '../../src/core/base/address.js'
import { createPacketMemory } from '../../src/core/base/packet-memory.js'
import type { FlowPolicy, FlowReport } from '../../src/core/host/flow-policy.js'
import { PolicyGate } from '../../src/core/host/policy-gate.js'
import type { StackLimits } from '../../src/core/netstack/limits.js'
import { packetHeadroom, Stack } from '../../src/core/netstack/stack.js'
import { compilePolicy } from '../../src/core/policy/compile.js'
import type { NetmapNode } from '../../src/core/policy/netmap.js'
import { parsePolicy } from '../../src/core/policy/policy.js'
import { checksumOf, onesSum } from '../../src/core/wire/checksum.js'
import { protocolTcp, pseudoHeaderSum, wordsOf } from '../../src/core/wire/ip.js'
import { createTcpHeader, parseTcp, tcpChecksumOffset, writeTcpHeader } from '../../src/core/wire/tcp.js'
import { createRandom, keyedHash, randomBytes } from './netstack-pair.js'
import { decode, ipPacket, scratchMemory } from './packets.js'

export const ip = (text: string): IpAddress => {
  const address = parseAddress(text)
  if (address === undefined) throw new Error(`${text} is no address`)
  return address
}

/** The key of the peer on a path. */
export const keyOn = (path: number): Uint8Array => new Uint8Array(32).fill(path)

export function node(name: string, path: number, addresses: string[], tags: string[], more: Partial<NetmapNode> = {}) {
  return { name, key: keyOn(path), addresses: addresses.map(ip), tags, routes: [], ...more } satisfies NetmapNode
}

export function routes(...texts: string[]): NetmapNode['routes'] {
  return texts.map(text => parsePrefix(text)!)
}

export function policyOf(text: string, nodes: NetmapNode[], more: Partial<FlowPolicy> = {}): FlowPolicy {
  const document = parsePolicy(text)
  return { compiled: compilePolicy(document, { nodes }), nodes, expired: [], mode: 'enforce', ...more }
}

export interface Sent {
  readonly path: number
  readonly bytes: Uint8Array
}

/** A stack at 10.7.0.1 and fd07::1. What goes to 10.7.0.N and fd07::N takes path N, everything else path 4. */
export function createGatedStack(policy: FlowPolicy, limits: Partial<StackLimits> = {}) {
  const memory = createPacketMemory(new ArrayBuffer(4096 * 2048), 2048)
  const sent: Sent[] = []
  const flows: FlowReport[] = []
  const gone = new Set<number>()
  const gate = new PolicyGate({
    policy,
    keyOf: path => (gone.has(path) ? undefined : keyOn(path)),
    report: flow => flows.push(flow),
  })
  let now = 1000
  const stack = new Stack({
    memory,
    gate,
    limits,
    random: randomBytes(createRandom(1)),
    keyedHash: keyedHash(1),
    addresses: [
      { address: ip('10.7.0.1'), length: 24 },
      { address: ip('fd07::1'), length: 64 },
    ],
    mtu: 1420,
    route: (bytes, offset, length) => {
      const isNear = length === 16 || (bytes[offset] === 10 && bytes[offset + 1] === 7)
      return isNear ? (bytes[offset + length - 1] as number) : 4
    },
    pathReady: () => true,
    wakePath: () => {},
    sink: {
      sendPacket(slot, offset, length, path) {
        sent.push({ path, bytes: memory.u8.slice(offset, offset + length) })
        memory.free(slot)
      },
    },
  })
  const flush = () => {
    while (stack.wantsFlush) stack.flush(now, 256)
  }
  return {
    stack,
    gate,
    memory,
    flows,
    /** Paths whose peer is there no more. */
    gone,
    get now() {
      return now
    },
    flush,
    /** Everything that left since it was asked last. */
    take(): Sent[] {
      flush()
      return sent.splice(0)
    },
    put(path: number, packet: Uint8Array): void {
      const slot = memory.alloc()
      memory.u8.set(packet, slot + packetHeadroom)
      stack.handlePacket(slot, slot + packetHeadroom, packet.length, path, now)
      flush()
    },
    wait(ms: number): void {
      const until = now + ms
      while (stack.nextDeadline() <= until) {
        now = Math.max(now, stack.nextDeadline())
        stack.handleTimeout(now)
        flush()
      }
      now = until
    },
    setPolicy(next: FlowPolicy): void {
      gate.setPolicy(next)
      stack.recheck(now)
      flush()
    },
  }
}

export type GatedStack = ReturnType<typeof createGatedStack>

export const syn = 2
export const ack = 16

export interface Segment {
  from: string
  fromPort?: number
  to?: string
  port: number
  flags?: number
  sequence?: number
  acknowledgment?: number
}

export function segment({ from, fromPort = 40000, to, port, flags = syn, sequence = 1, acknowledgment = 0 }: Segment) {
  const source = ip(from)
  const destination = ip(to ?? (source.length === 4 ? '10.7.0.1' : 'fd07::1'))
  const memory = scratchMemory()
  writeTcpHeader(memory, 0, fromPort, port, sequence, acknowledgment, 20, flags, 65535)
  const sum = pseudoHeaderSum(wordsOf(source), wordsOf(destination), protocolTcp, 20) + onesSum(memory, 0, 20)
  memory.view.setUint16(tcpChecksumOffset, checksumOf(sum))
  return ipPacket(source, destination, protocolTcp, memory.u8.slice(0, 20))
}

/** What a packet is, in a word: `syn-ack`, `rst`, `ack`, `udp`, or the kind of an ICMP message. */
export function kindOf({ bytes }: Sent): string {
  const decoded = decode(bytes)
  if (decoded.udp !== undefined) return 'udp'
  if (decoded.icmp !== undefined) return decoded.icmp.kind
  const { flags } = tcpOf(bytes)
  return flags & 4 ? 'rst' : (flags & 18) === 18 ? 'syn-ack' : flags & 2 ? 'syn' : flags & 1 ? 'fin' : 'ack'
}

export function tcpOf(bytes: Uint8Array) {
  const { ip: header } = decode(bytes)
  const memory = scratchMemory()
  memory.u8.set(bytes)
  const tcp = createTcpHeader()
  parseTcp(memory, header.payload, header.payloadLength, tcp)
  return tcp
}

export const silent = { connected() {}, readable() {}, writable() {}, closed() {} }

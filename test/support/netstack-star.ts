// One stack, the hub, and several peers, each on a path of its own, in virtual time: what a peer can take from the others.
import { type IpAddress, parseAddress, parsePrefix } from '../../src/core/base/address.js'
import { createPacketMemory, noSlot, type PacketMemory } from '../../src/core/base/packet-memory.js'
import type { StackLimits } from '../../src/core/netstack/limits.js'
import { packetHeadroom, Stack } from '../../src/core/netstack/stack.js'
import { createRandom, keyedHash, randomBytes } from './netstack-pair.js'

const slotSize = 2048
const mtu = 1420

interface Node {
  readonly stack: Stack
  readonly memory: PacketMemory
  readonly address: IpAddress
}

export interface Star {
  readonly hub: Node
  /** Peer number i is 10.8.0.<i + 1>, on the hub's path i. */
  readonly peers: readonly Node[]
  readonly now: number
  /** Lets `ms` of virtual time pass; `each` is called after each step. */
  advance(ms: number, each?: () => void): void
}

/** One way, ms. */
const delay = 10
/** Packets that arrive in one turn. */
const batch = 64
/** So much of a connection is in flight at most: links have no rate, and whole windows would arrive at one instant. */
const paced: Partial<StackLimits> = { sendBuffer: 256 * 1024, maxSendBuffer: 256 * 1024 }

export function createStar(count: number, limits: Partial<StackLimits>): Star {
  let now = 1000
  /** In the order in which they arrive, from `first` on. */
  const flights: { at: number; to: Node; path: number; packet: Uint8Array }[] = []
  let first = 0

  function createNode(text: string, seed: number, own: Partial<StackLimits>, route: (last: number) => number): Node {
    const memory = createPacketMemory(new ArrayBuffer(8192 * slotSize), slotSize)
    const address = parseAddress(text) as IpAddress
    const stack = new Stack({
      memory,
      random: randomBytes(createRandom(seed)),
      keyedHash: keyedHash(seed),
      addresses: [{ ...(parsePrefix('10.0.0.0/8') as { length: number }), address }],
      mtu,
      route: (bytes, offset) => route(bytes[offset + 3] as number),
      pathReady: () => true,
      wakePath: () => {},
      limits: { ...paced, ...own },
      sink: {
        sendPacket(slot, offset, length, path) {
          const packet = memory.u8.slice(offset, offset + length)
          memory.free(slot)
          const to = stack === hub.stack ? (peers[path] as Node) : hub
          flights.push({ at: now + delay, to, path: to === hub ? seed - 1 : 0, packet })
        },
      },
    })
    return { memory, address, stack }
  }

  const hub = createNode('10.7.0.1', 99, limits, last => last - 1)
  const peers = Array.from({ length: count }, (_, i) => createNode(`10.8.0.${i + 1}`, i + 1, {}, () => 0))
  const nodes = [hub, ...peers]

  /** A turn. False if nothing happens before `limit`. */
  function step(limit: number): boolean {
    for (const { stack } of nodes) while (stack.wantsFlush) stack.flush(now, 256)
    const next = Math.min(flights[first]?.at ?? Infinity, ...nodes.map(({ stack }) => stack.nextDeadline()))
    if (next > limit) return false
    now = Math.max(now, next)
    for (let i = 0; i < batch && first < flights.length; i++) {
      const { at, to, path, packet } = flights[first] as (typeof flights)[number]
      if (at > now) break
      first++
      const slot = to.memory.alloc()
      if (slot === noSlot) continue
      to.memory.u8.set(packet, slot + packetHeadroom)
      to.stack.handlePacket(slot, slot + packetHeadroom, packet.length, path, now)
    }
    if (first > 10_000) flights.splice(0, first)
    if (first > 10_000) first = 0
    for (const { stack } of nodes) stack.handleTimeout(now)
    return true
  }

  return {
    hub,
    peers,
    get now() {
      return now
    },
    advance(ms, each = () => {}) {
      const until = now + ms
      while (step(until)) each()
      now = until
    },
  }
}

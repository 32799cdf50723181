// WireGuard devices on a virtual clock, joined by a link that loses, delays, reorders and doubles datagrams as told.
import type { Endpoint, Prefix } from '../../src/core/base/address.js'
import { formatEndpoint, parseAddress, parsePrefix } from '../../src/core/base/address.js'
import { noSlot, type PacketMemory } from '../../src/core/base/packet-memory.js'
import type { Crypto } from '../../src/core/crypto/crypto.js'
import {
  Device,
  type DeviceEvent,
  type DeviceLimits,
  type DeviceTrace,
  type Peer,
  type Timers,
} from '../../src/core/wireguard/device.js'
import { nodeCrypto } from '../../src/node/crypto/node.js'

/** mulberry32: a small generator whose seed replays a run. Gives numbers in [0, 1). */
function seededRandom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 0x1_0000_0000
  }
}

export interface LinkConditions {
  /** One way, milliseconds. */
  delay: number
  /** Added to the delay, up to this, so that datagrams overtake each other. */
  jitter: number
  /** Probabilities. */
  loss: number
  duplicate: number
}

/** A datagram that left a host. */
export interface Sent {
  readonly at: number
  readonly from: Host
  readonly to: Endpoint
  readonly bytes: Uint8Array
}

interface InFlight {
  readonly at: number
  readonly order: number
  readonly from: Endpoint
  readonly to: string
  readonly bytes: Uint8Array
}

export interface HostOptions {
  readonly address: string
  readonly crypto?: Crypto
  readonly timers?: Partial<Timers>
  readonly limits?: Partial<DeviceLimits>
  readonly mtu?: number
  readonly slots?: number
  /** Drawn by chance where it is not given. */
  readonly secret?: Uint8Array
  readonly slotSize?: number
  readonly trace?: DeviceTrace
}

export class World {
  now = 1000
  /** Wall clock minus monotonic clock. */
  wallOffset = 1_700_000_000_000
  readonly link: LinkConditions = { delay: 10, jitter: 0, loss: 0, duplicate: 0 }
  readonly random: () => number
  readonly hosts: Host[] = []
  /** Everything that was sent, lost or not. */
  readonly sent: Sent[] = []
  /** Drops what it returns true for. */
  filter: (datagram: Sent) => boolean = () => false
  /** Checked after every step. */
  invariant: () => void = () => {}
  #order = 0
  #inFlight: InFlight[] = []

  constructor(seed = 1) {
    this.random = seededRandom(seed)
  }

  host(options: HostOptions): Host {
    const host = new Host(this, options)
    this.hosts.push(host)
    return host
  }

  send(from: Host, bytes: Uint8Array, to: Endpoint): void {
    const datagram = { at: this.now, from, to, bytes }
    this.sent.push(datagram)
    if (this.filter(datagram) || this.random() < this.link.loss) return
    const copies = this.random() < this.link.duplicate ? 2 : 1
    for (let i = 0; i < copies; i++) this.inject(bytes, from.endpoint, to)
  }

  /** Puts a datagram on the link, from wherever it claims to come. */
  inject(bytes: Uint8Array, from: Endpoint, to: Endpoint): void {
    const at = this.now + this.link.delay + this.random() * this.link.jitter
    this.#inFlight.push({ at, order: this.#order++, from, to: formatEndpoint(to), bytes: bytes.slice() })
    this.#inFlight.sort((a, b) => a.at - b.at || a.order - b.order)
  }

  /** Runs the clock for `milliseconds`, or until `done` says so; whether it did. */
  run(milliseconds: number, done: () => boolean = () => false): boolean {
    const end = this.now + milliseconds
    this.#settle()
    while (!done()) {
      const next = Math.min(
        this.#inFlight[0]?.at ?? Infinity,
        ...this.hosts.map(host => (host.isSuspended ? Infinity : host.device.nextDeadline())),
      )
      if (next > end) {
        this.now = end
        return done()
      }
      this.now = Math.max(this.now, next)
      while (this.#inFlight[0] !== undefined && this.#inFlight[0].at <= this.now) {
        const datagram = this.#inFlight.shift() as InFlight
        for (const host of this.hosts) {
          if (formatEndpoint(host.endpoint) === datagram.to) host.receive(datagram.bytes, datagram.from)
        }
      }
      this.#settle()
    }
    return true
  }

  #settle(): void {
    for (const host of this.hosts) if (!host.isSuspended) host.settle()
    this.invariant()
  }
}

let hostCount = 0

export class Host {
  /** A number that no other host has. */
  readonly id = hostCount++
  readonly world: World
  endpoint: Endpoint
  readonly crypto: Crypto
  readonly memory: PacketMemory
  readonly device: Device
  readonly secret: Uint8Array
  readonly events: DeviceEvent[] = []
  /** Inner packets, as text of their payload, in the order in which they came. */
  readonly received: string[] = []
  /** Hears of each inner packet, and of the peer that it came from. */
  onPacket: (packet: Uint8Array, peer: Peer) => void = () => {}
  /** Added to the world's wall clock. */
  wallOffset = 0
  /** The machine sleeps: nothing is received, nothing runs, and time goes on. */
  isSuspended = false

  constructor(world: World, options: HostOptions) {
    this.world = world
    this.endpoint = endpointOf(options.address)
    this.crypto = options.crypto ?? nodeCrypto
    const slotSize = options.slotSize ?? 2048
    this.memory = this.crypto.createMemory(slotSize * (options.slots ?? 512), slotSize)
    const { timers, limits, mtu, trace } = options
    this.device = new Device({
      crypto: this.crypto,
      memory: this.memory,
      random: bytes => {
        for (let i = 0; i < bytes.length; i++) bytes[i] = Math.floor(world.random() * 256)
      },
      sink: {
        sendDatagram: (slot, length, endpoint) => {
          const bytes = this.memory.u8.slice(slot, slot + length)
          this.memory.free(slot)
          world.send(this, bytes, endpoint)
        },
        deliverPacket: (slot, offset, length, peer) => {
          const packet = this.memory.u8.slice(offset, offset + length)
          this.memory.free(slot)
          this.received.push(payloadOf(packet))
          this.onPacket(packet, peer)
        },
        report: event => this.events.push(event),
      },
      ...(timers === undefined ? {} : { timers }),
      ...(limits === undefined ? {} : { limits }),
      ...(mtu === undefined ? {} : { mtu }),
      ...(trace === undefined ? {} : { trace }),
    })
    this.secret = options.secret ?? new Uint8Array(32).map(() => Math.floor(world.random() * 256))
    this.device.setPrivateKey(this.secret, world.now)
  }

  get publicKey(): Uint8Array {
    return this.device.publicKey as Uint8Array
  }

  /** The peer that `other` is. */
  peer(other: Host): Peer {
    return this.device.peer(other.publicKey) as Peer
  }

  receive(bytes: Uint8Array, from: Endpoint): void {
    const slot = this.isSuspended ? noSlot : this.memory.alloc()
    if (slot === noSlot) return
    this.memory.u8.set(bytes, slot)
    this.device.handleDatagram(slot, bytes.length, from, this.world.now)
  }

  settle(): void {
    while (this.device.nextDeadline() <= this.world.now)
      this.device.handleTimeout(this.world.now, this.world.now + this.world.wallOffset + this.wallOffset)
  }

  /** Sends an IP packet that carries `payload`. */
  send(other: Host, payload: string, addresses = { source: '10.0.0.1', destination: '10.0.0.2' }): boolean {
    return this.sendBytes(this.peer(other), ipPacket(addresses.source, addresses.destination, payload))
  }

  sendTo(peer: Peer, payload: string): boolean {
    return this.sendBytes(peer, ipPacket('10.0.0.1', '10.0.0.2', payload))
  }

  sendBytes(peer: Peer, packet: Uint8Array): boolean {
    const slot = this.isSuspended ? noSlot : this.memory.alloc()
    if (slot === noSlot) return false
    this.memory.u8.set(packet, slot + 16)
    return this.device.sendPacket(slot, slot + 16, packet.length, peer, this.world.now)
  }

  count(type: DeviceEvent['type']): number {
    return this.events.filter(event => event.type === type).length
  }

  /** What this host sent, of one message type. */
  sent(type: number): Sent[] {
    return this.world.sent.filter(datagram => datagram.from === this && datagram.bytes[0] === type)
  }
}

export function endpointOf(text: string): Endpoint {
  const colon = text.lastIndexOf(':')
  const address = parseAddress(text.slice(0, colon).replace(/^\[|\]$/g, ''))
  if (address === undefined) throw new Error(`not an endpoint: ${text}`)
  return { address, port: Number(text.slice(colon + 1)) }
}

export function prefix(text: string): Prefix {
  const parsed = parsePrefix(text)
  if (parsed === undefined) throw new Error(`not a prefix: ${text}`)
  return parsed
}

/** Two hosts, `a` with the endpoint of `b`, who does not know that of `a`. */
export function pair(
  options: {
    seed?: number
    presharedKey?: Uint8Array
    bothEndpoints?: boolean
    /** What only `b` has. */
    ofB?: Partial<HostOptions>
  } & Omit<HostOptions, 'address'> = {},
): { world: World; a: Host; b: Host } {
  const world = new World(options.seed)
  const a = world.host({ ...options, address: '192.0.2.1:1001' })
  const b = world.host({ ...options, address: '192.0.2.2:1002', ...options.ofB })
  const shared = options.presharedKey === undefined ? {} : { presharedKey: options.presharedKey }
  const allowedIps = [prefix('0.0.0.0/0'), prefix('::/0')]
  a.device.setPeer({ publicKey: b.publicKey, endpoint: b.endpoint, allowedIps, ...shared }, world.now)
  const toA = options.bothEndpoints === true ? { endpoint: a.endpoint } : {}
  b.device.setPeer({ publicKey: a.publicKey, ...toA, allowedIps, ...shared }, world.now)
  return { world, a, b }
}

/** An IPv4 or IPv6 packet of no protocol in particular. */
export function ipPacket(source: string, destination: string, payload: string): Uint8Array {
  const from = parseAddress(source) as Uint8Array
  const to = parseAddress(destination) as Uint8Array
  const body = new TextEncoder().encode(payload)
  const isIpv4 = from.length === 4
  const packet = new Uint8Array((isIpv4 ? 20 : 40) + body.length)
  const view = new DataView(packet.buffer)
  if (isIpv4) {
    packet[0] = 0x45
    view.setUint16(2, packet.length)
    packet[8] = 64
    packet[9] = 253
    packet.set(from, 12)
    packet.set(to, 16)
    let sum = 0
    for (let at = 0; at < 20; at += 2) sum += view.getUint16(at)
    view.setUint16(10, ~((sum & 0xffff) + (sum >>> 16)))
  } else {
    packet[0] = 0x60
    view.setUint16(4, body.length)
    packet[6] = 253
    packet[7] = 64
    packet.set(from, 8)
    packet.set(to, 24)
  }
  packet.set(body, isIpv4 ? 20 : 40)
  return packet
}

function payloadOf(packet: Uint8Array): string {
  return new TextDecoder().decode(packet.subarray((packet[0] as number) >> 4 === 4 ? 20 : 40))
}

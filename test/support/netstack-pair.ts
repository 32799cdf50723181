// Two stacks joined by a link in virtual time: delay, loss, reordering and duplicates from a seed. The product's own
// simulator works over whole hosts; this one needs no WireGuard.
import { type IpAddress, parseAddress, parsePrefix } from '../../src/core/base/address.js'
import { createPacketMemory, noSlot, type PacketMemory } from '../../src/core/base/packet-memory.js'
import { packetHeadroom, Stack, type StackOptions } from '../../src/core/netstack/stack.js'

/** A generator of numbers in [0, 1) from a seed (mulberry32). */
export function createRandom(seed: number): () => number {
  let state = seed | 0
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296
  }
}

export function randomBytes(random: () => number): (bytes: Uint8Array) => void {
  return bytes => {
    for (let i = 0; i < bytes.length; i++) bytes[i] = Math.floor(random() * 256)
  }
}

/** A hash that is good enough for a test, keyed by the seed. */
export function keyedHash(seed: number): (bytes: Uint8Array) => number {
  return bytes => {
    let hash = seed | 0
    for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193)
    return hash >>> 0
  }
}

export interface LinkOptions {
  /** One way, ms. */
  delay?: number
  /** Added at random up to this, ms: packets overtake each other. */
  jitter?: number
  /** Probabilities. */
  loss?: number
  duplicate?: number
  corrupt?: number
  /** Bytes a millisecond; unlimited without it. */
  rate?: number
  /** Bytes that may wait for the rate; unlimited without it. */
  queue?: number
  /** Packets larger than this vanish. */
  mtu?: number
  /** How much longer this packet takes, ms. */
  extra?: (packet: Uint8Array) => number
  /** Drops a packet if it says so; sees the IP packet. */
  drop?: (packet: Uint8Array, now: number) => boolean
}

export interface PairOptions {
  seed?: number
  family?: 4 | 6
  mtu?: number
  slots?: number
  /** From a to b, and from b to a. */
  forward?: LinkOptions
  back?: LinkOptions
  a?: Partial<StackOptions>
  b?: Partial<StackOptions>
}

interface Flight {
  at: number
  order: number
  to: Side
  packet: Uint8Array
}

export interface Side {
  readonly stack: Stack
  readonly memory: PacketMemory
  readonly address: IpAddress
  /** Packets that left. */
  sent: number
  /** MTUs that the stack reported of black holes. */
  readonly reports: number[]
}

export interface Pair {
  readonly a: Side
  readonly b: Side
  readonly now: number
  readonly inFlight: number
  /** The path is up; true at first. */
  setPath(up: boolean): void
  setLink(direction: 'forward' | 'back', options: LinkOptions): void
  /** Runs until `done`, or until nothing will happen any more, or until the time; returns whether `done` was met. */
  run(done?: () => boolean, until?: number): boolean
  /** Lets `ms` of virtual time pass. */
  advance(ms: number): void
}

export const pathNumber = 1

export function createPair(options: PairOptions = {}): Pair {
  const seed = options.seed ?? 1
  const random = createRandom(seed)
  const family = options.family ?? 4
  const mtu = options.mtu ?? 1420
  const flights: Flight[] = []
  let now = 1000
  let order = 0
  let pathUp = true
  const links = { forward: options.forward ?? {}, back: options.back ?? {} }
  const busyUntil = { forward: 0, back: 0 }

  function carry(direction: 'forward' | 'back', packet: Uint8Array): void {
    const link = links[direction]
    if (link.drop?.(packet, now)) return
    if (link.mtu !== undefined && packet.length > link.mtu) return
    if (link.loss !== undefined && random() < link.loss) return
    let start = now
    if (link.rate !== undefined) {
      const waiting = Math.max(0, busyUntil[direction] - now)
      if (link.queue !== undefined && waiting * link.rate > link.queue) return
      start = now + waiting
      busyUntil[direction] = start + packet.length / link.rate
      start = busyUntil[direction]
    }
    const copies = link.duplicate !== undefined && random() < link.duplicate ? 2 : 1
    for (let i = 0; i < copies; i++) {
      const copy = packet.slice()
      if (link.corrupt !== undefined && random() < link.corrupt) {
        const at = Math.floor(random() * copy.length)
        copy[at] = (copy[at] as number) ^ (1 << Math.floor(random() * 8))
      }
      push({
        at: start + (link.delay ?? 0) + random() * (link.jitter ?? 0) + (link.extra?.(copy) ?? 0),
        order: order++,
        to: direction === 'forward' ? b : a,
        packet: copy,
      })
    }
  }

  function push(flight: Flight): void {
    let i = flights.length
    flights.push(flight)
    while (i > 0) {
      const parent = (i - 1) >> 1
      if (!before(flight, flights[parent] as Flight)) break
      flights[i] = flights[parent] as Flight
      i = parent
    }
    flights[i] = flight
  }

  function pop(): Flight {
    const first = flights[0] as Flight
    const last = flights.pop() as Flight
    if (flights.length === 0) return first
    let i = 0
    for (;;) {
      let child = 2 * i + 1
      if (child >= flights.length) break
      if (child + 1 < flights.length && before(flights[child + 1] as Flight, flights[child] as Flight)) child++
      if (!before(flights[child] as Flight, last)) break
      flights[i] = flights[child] as Flight
      i = child
    }
    flights[i] = last
    return first
  }

  function createSide(name: 'a' | 'b'): Side {
    const slotSize = Math.max(2048, Math.ceil((mtu + 32) / 16) * 16)
    const memory = createPacketMemory(new ArrayBuffer((options.slots ?? 8192) * slotSize), slotSize)
    const host = name === 'a' ? 1 : 2
    const address = parseAddress(family === 4 ? `10.7.0.${host}` : `fd07::${host}`) as IpAddress
    const direction = name === 'a' ? 'forward' : 'back'
    const side: Side = {
      memory,
      address,
      sent: 0,
      reports: [],
      stack: new Stack({
        memory,
        random: randomBytes(createRandom(seed + host)),
        keyedHash: keyedHash(seed + host),
        addresses: [{ ...(parsePrefix(family === 4 ? '10.7.0.0/24' : 'fd07::/64') as { length: number }), address }],
        mtu,
        route: () => pathNumber,
        pathReady: () => pathUp,
        wakePath: () => {},
        sink: {
          sendPacket(slot, offset, length) {
            const packet = memory.u8.slice(offset, offset + length)
            memory.free(slot)
            side.sent++
            carry(direction, packet)
          },
          reportMtu: (_, size) => side.reports.push(size),
        },
        ...options[name],
      }),
    }
    return side
  }

  const a = createSide('a')
  const b = createSide('b')

  function flush(): boolean {
    let more = false
    for (const side of [a, b]) {
      for (let i = 0; i < 1000 && side.stack.wantsFlush; i++) side.stack.flush(now, 256)
      more ||= side.stack.wantsFlush
    }
    return more
  }

  /** Does what happens next. False if nothing will. */
  function step(limit: number): boolean {
    const next = Math.min(flights[0]?.at ?? Infinity, a.stack.nextDeadline(), b.stack.nextDeadline())
    if (next === Infinity || next > limit) {
      if (limit !== Infinity) now = Math.max(now, limit)
      return false
    }
    now = Math.max(now, next)
    while (flights[0] !== undefined && flights[0].at <= now) {
      const { to, packet } = pop()
      const slot = to.memory.alloc()
      if (slot === noSlot) continue
      to.memory.u8.set(packet, slot + packetHeadroom)
      to.stack.handlePacket(slot, slot + packetHeadroom, packet.length, pathNumber, now)
    }
    a.stack.handleTimeout(now)
    b.stack.handleTimeout(now)
    flush()
    return true
  }

  return {
    a,
    b,
    get now() {
      return now
    },
    get inFlight() {
      return flights.length
    },
    setPath(up) {
      pathUp = up
      for (const side of [a, b]) if (up) side.stack.handlePathUp(pathNumber, now)
    },
    setLink(direction, link) {
      links[direction] = link
    },
    run(done = () => false, until = Infinity) {
      flush()
      for (let steps = 0; !done(); steps++) {
        if (steps > 20_000_000) throw new Error('the stacks never come to rest')
        if (!step(until)) return done()
      }
      return true
    },
    advance(ms) {
      const until = now + ms
      flush()
      while (step(until));
    },
  }
}

function before(x: Flight, y: Flight): boolean {
  return x.at < y.at || (x.at === y.at && x.order < y.order)
}

// Fragments on their way in (RFC 791, 3.2; RFC 8200, 4.5): parts of a datagram wait for the others, copied out of their
// slots, in a bounded cache where each path has its share. Overlaps drop the datagram (RFC 5722).
import { notScheduled } from '../base/deadline-heap.js'
import type { PacketMemory } from '../base/packet-memory.js'
import { type AddressWords, copyWords, type IpHeader, ipHeaderLength, writeIpHeader } from '../wire/ip.js'
import type { StackContext, Timed } from './context.js'
import { FairCount } from './fair-count.js'
import { packetHeadroom } from './output.js'

/** RFC 1122, 3.3.2 as Linux has it; RFC 8200, 4.5. */
const patience4 = 30_000
const patience6 = 60_000
/** A datagram of 65535 bytes in packets of 576 has 119. */
const maxParts = 128
const maxLength = 65535
/** What a datagram and a part cost beside their bytes. */
const datagramCost = 512
const partCost = 128

interface Part {
  readonly start: number
  readonly bytes: Uint8Array
}

export interface FragmentSink {
  /** A whole packet stands in `memory`, its checksums still to be looked at. Takes the slot. */
  whole(memory: PacketMemory, slot: number, length: number, path: number, now: number): void
  /** `packet`, the first fragment, came from `from` to `to`, and others did not in time. */
  expired(
    packet: Uint8Array,
    version: 4 | 6,
    from: AddressWords,
    to: AddressWords,
    protocol: number,
    path: number,
    now: number,
  ): void
  /** The fragment in hand is malformed; where in its header. */
  malformed(problemAt: number): void
}

export class FragmentCache {
  readonly context: StackContext
  readonly sink: FragmentSink
  readonly shares: FairCount
  readonly #datagrams = new Map<string, Datagram>()

  constructor(context: StackContext, sink: FragmentSink) {
    this.context = context
    this.sink = sink
    this.shares = new FairCount(context.limits.fragmentBytes)
  }

  /** Bytes held, as they are counted. */
  get size(): number {
    return this.shares.total
  }

  /** Copies the fragment; its slot stays the caller's. */
  handleFragment(ip: IpHeader, path: number, now: number): void {
    const { counters } = this.context
    counters.fragments++
    const end = ip.fragmentOffset + ip.payloadLength
    if (ip.payloadLength === 0 || (ip.moreFragments && (ip.payloadLength & 7) !== 0)) {
      counters.fragmentsMalformed++
      if (ip.version === 6) this.sink.malformed(4)
      return
    }
    // Of IPv4 the length counts the header too.
    if (end + (ip.version === 4 ? ipHeaderLength(4) : 0) > maxLength) {
      counters.fragmentsMalformed++
      if (ip.version === 6) this.sink.malformed(ip.payload - ip.start - 6)
      return
    }
    const key = keyOf(ip, path)
    let datagram = this.#datagrams.get(key)
    if (datagram === undefined) {
      if (!this.#makeRoom(path, datagramCost)) return
      datagram = new Datagram(this, key, ip, path)
      this.#datagrams.set(key, datagram)
      this.context.deadlines.set(datagram, now + (ip.version === 4 ? patience4 : patience6))
    }
    if (datagram.isRefused) return
    const fit = datagram.place(ip)
    if (fit === 'duplicate') return
    if (fit === 'refused') {
      datagram.refuse()
      return
    }
    const cost = ip.payloadLength + partCost
    if (!this.#makeRoom(path, cost, datagram)) return
    datagram.add(ip, fit, cost)
    if (!datagram.isComplete) return
    this.forget(datagram)
    datagram.deliver(now)
  }

  /** Takes `cost` of the path's share, from its oldest datagrams if need be. False if even that is not enough. */
  #makeRoom(path: number, cost: number, keep?: Datagram): boolean {
    while (!this.shares.take(path, cost)) {
      this.context.counters.fragmentsFull++
      let oldest: Datagram | undefined
      for (const datagram of this.#datagrams.values()) {
        if (datagram.path !== path || datagram === keep) continue
        oldest = datagram
        break
      }
      if (oldest === undefined) return false
      this.forget(oldest)
    }
    return true
  }

  forget(datagram: Datagram): void {
    this.#datagrams.delete(datagram.key)
    this.context.deadlines.cancel(datagram)
    this.shares.give(datagram.path, datagram.cost)
  }

  close(): void {
    for (const datagram of [...this.#datagrams.values()]) this.forget(datagram)
  }
}

class Datagram implements Timed {
  heapIndex = notScheduled.heapIndex
  deadline = notScheduled.deadline
  readonly key: string
  readonly path: number
  cost = datagramCost
  isRefused = false
  readonly #cache: FragmentCache
  readonly #version: 4 | 6
  readonly #source: AddressWords
  readonly #destination: AddressWords
  /** In order, without overlaps. */
  #parts: Part[] = []
  #received = 0
  /** −1 until the last fragment came. */
  #length = -1
  /** Of the first fragment: its headers, and what follows them. */
  #head: Uint8Array | undefined
  #protocol = 0
  #hopLimit = 0

  constructor(cache: FragmentCache, key: string, ip: IpHeader, path: number) {
    this.#cache = cache
    this.key = key
    this.path = path
    this.#version = ip.version
    this.#source = copyWords(ip.source)
    this.#destination = copyWords(ip.destination)
  }

  get isComplete(): boolean {
    return this.#received === this.#length && this.#head !== undefined
  }

  /** Where among the parts the fragment belongs; a duplicate to the byte range is none (RFC 8200, 4.5). */
  place(ip: IpHeader): number | 'duplicate' | 'refused' {
    const { counters } = this.#cache.context
    const start = ip.fragmentOffset
    const end = start + ip.payloadLength
    const parts = this.#parts
    let at = parts.length
    while (at > 0 && (parts[at - 1] as Part).start >= start) at--
    const after = parts[at]
    if (after?.start === start && after.bytes.length === ip.payloadLength) return 'duplicate'
    const before = parts[at - 1]
    const overlaps =
      (before !== undefined && before.start + before.bytes.length > start) || (after !== undefined && after.start < end)
    const last = parts.at(-1)
    const received = last === undefined ? 0 : last.start + last.bytes.length
    const beyond = this.#length >= 0 && (end > this.#length || (!ip.moreFragments && end !== this.#length))
    const short = !ip.moreFragments && received > end
    if (overlaps || beyond || short) {
      counters.fragmentsOverlapping++
      return 'refused'
    }
    if (parts.length < maxParts) return at
    counters.fragmentsMalformed++
    return 'refused'
  }

  add(ip: IpHeader, at: number, cost: number): void {
    const { u8 } = this.#cache.context.memory
    const start = ip.fragmentOffset
    this.cost += cost
    this.#parts.splice(at, 0, { start, bytes: u8.slice(ip.payload, ip.payload + ip.payloadLength) })
    this.#received += ip.payloadLength
    if (!ip.moreFragments) this.#length = start + ip.payloadLength
    if (start !== 0) return
    this.#head = u8.slice(ip.start, ip.payload)
    this.#protocol = ip.protocol
    this.#hopLimit = ip.hopLimit
  }

  /** Whatever else comes of the datagram is dropped too, as long as it might come. */
  refuse(): void {
    const { shares } = this.#cache
    this.isRefused = true
    this.#parts = []
    this.#head = undefined
    shares.give(this.path, this.cost - datagramCost)
    this.cost = datagramCost
  }

  /** Puts the packet together, without options and extension headers. */
  deliver(now: number): void {
    const { context, sink } = this.#cache
    const memory = context.large
    const slot = memory.alloc()
    const packet = slot + packetHeadroom
    const header = ipHeaderLength(this.#version)
    for (const { start, bytes } of this.#parts) memory.u8.set(bytes, packet + header + start)
    writeIpHeader(
      memory,
      packet,
      this.#version,
      this.#length,
      this.#protocol,
      this.#hopLimit,
      this.#source,
      this.#destination,
    )
    context.counters.fragmentsReassembled++
    sink.whole(memory, slot, header + this.#length, this.path, now)
  }

  handleDeadline(now: number): void {
    const { context, sink } = this.#cache
    const head = this.#head
    const first = this.#parts[0]
    this.#cache.forget(this)
    if (this.isRefused) return
    context.counters.fragmentsExpired++
    if (head === undefined || first === undefined) return
    const packet = new Uint8Array(head.length + first.bytes.length)
    packet.set(head)
    packet.set(first.bytes, head.length)
    sink.expired(packet, this.#version, this.#source, this.#destination, this.#protocol, this.path, now)
  }
}

/** RFC 791 and RFC 8200: in IPv6 the protocol is no part of it. */
function keyOf(ip: IpHeader, path: number): string {
  const { source: s, destination: d } = ip
  const ends = `${s.w0},${s.w1},${s.w2},${s.w3},${d.w0},${d.w1},${d.w2},${d.w3}`
  return `${path},${ip.version},${ip.fragmentId},${ip.version === 4 ? ip.protocol : 0},${ends}`
}

// A scripted peer in the style of packetdrill: a test says what the peer sends, and when, and what must come back, in one
// line a segment. Sequence numbers count from each side's SYN.
//
//     S. 0:0(0) ack 1 win 65535 <mss 1460,sackOK,TS val 7 ecr 3,wscale 7>
//
// Flags are S F R P U E W and . for ACK, - for none. What an expected line does not mention (win, options, PSH) may be
// anything; `<>` stands for no option at all, `<only …>` for these and no other. test/scenarios/README.md has the whole language of scripts in files.
import { expect } from 'vitest'
import { type IpAddress, parseAddress } from '../../src/core/base/address.js'
import { createPacketMemory, type PacketMemory } from '../../src/core/base/packet-memory.js'
import { createNewReno } from '../../src/core/netstack/newreno.js'
import { packetHeadroom, Stack, type StackOptions } from '../../src/core/netstack/stack.js'
import { onesSum, sumIsValid } from '../../src/core/wire/checksum.js'
import { createIpHeader, parseIp, protocolTcp, pseudoHeaderSum } from '../../src/core/wire/ip.js'
import { createTcpHeader, parseTcp, type TcpHeader } from '../../src/core/wire/tcp.js'
import { createRandom, keyedHash, randomBytes } from './netstack-pair.js'
import { encodeOptions, flagLetters, type Line, parseLines } from './tcp-script-line.js'
import { type Ends, fragmentsOf, tcpPacket, tooBigPacket } from './tcp-script-packet.js'

/** The peer's first sequence number is near the wrap, so that every longer script crosses it. */
const peerIsn = 0xfffffe00 | 0

/** The streams of scripts, ours and the peer's: what stands at a sequence number. */
export function streamByteAt(sequence: number): number {
  return (((sequence % 251) + 251) % 251) & 255
}

export interface ScriptOptions extends Partial<StackOptions> {
  family?: 4 | 6
  peerPort?: number
  ourPort?: number
}

export interface Sent {
  at: number
  header: TcpHeader
  payload: Uint8Array
}

export class TcpScript {
  readonly stack: Stack
  readonly memory: PacketMemory
  readonly ours: IpAddress
  readonly peer: IpAddress
  now = 100_000
  pathUp = true
  /** Every packet that is not TCP, as it left. */
  readonly others: Uint8Array[] = []
  ourPort: number
  peerPort: number
  /** The last TCP packet that left, whole. */
  lastPacket = new Uint8Array(0)
  /** Our timestamp in the last segment that carried one, and by how much our clock of them is ahead of `now`. */
  lastTimestamp = 0
  timestampOffset = 0
  /** TCP that left and was not looked at yet. */
  readonly waiting: Sent[] = []
  /** What our SYNs said, by the peer's port: the base of our numbers. */
  readonly #iss = new Map<number, number>()
  #fragmentId = 0
  #last: number
  readonly #family: 4 | 6

  constructor(options: ScriptOptions = {}) {
    this.#family = options.family ?? 4
    this.memory = createPacketMemory(new ArrayBuffer(4096 * 2048), 2048)
    this.ours = parseAddress(this.#family === 4 ? '10.7.0.1' : 'fd07::1') as IpAddress
    this.peer = parseAddress(this.#family === 4 ? '10.7.0.2' : 'fd07::2') as IpAddress
    this.ourPort = options.ourPort ?? 80
    this.peerPort = options.peerPort ?? 4000
    this.#last = this.now
    this.stack = new Stack({
      memory: this.memory,
      random: randomBytes(createRandom(1)),
      keyedHash: keyedHash(1),
      addresses: [{ address: this.ours, length: this.#family === 4 ? 24 : 64 }],
      mtu: 1500,
      // Not paced, and halved by a loss: what a script can count on its fingers.
      congestion: createNewReno,
      route: () => 1,
      pathReady: () => this.pathUp,
      wakePath: () => {},
      sink: { sendPacket: (slot, offset, length) => this.#capture(slot, offset, length) },
      ...options,
    })
  }

  /** The peer sends a segment now. Payload is counted bytes of the stream: byte n is n mod 251. */
  send(text: string): this {
    this.sendOnly(text)
    this.flush()
    return this
  }

  /** As {@link send}, in the same turn as what follows. */
  sendOnly(text: string): this {
    for (const line of parseLines(text)) this.deliver(this.#packetOf(line))
    return this
  }

  /** The segment arrives in fragments with the bytes from … to of the IP packet's payload. */
  sendFragments(text: string, ranges: [number, number][]): this {
    const [line] = parseLines(text) as [Line]
    for (const fragment of fragmentsOf(this.#packetOf(line), ++this.#fragmentId, ranges)) this.deliver(fragment)
    return this
  }

  /** A router says that our segment at `sequence` was too big. */
  sendTooBig(sequence: number, mtu: number): this {
    return this.deliver(tooBigPacket(this.#ends(), ((this.iss ?? 0) + sequence) | 0, mtu))
  }

  /** What our last SYN to this port of the peer said. */
  get iss(): number | undefined {
    return this.#iss.get(this.peerPort)
  }

  #ends(): Ends {
    return { from: this.peer, fromPort: this.peerPort, to: this.ours, toPort: this.ourPort }
  }

  #packetOf(line: Line): Uint8Array {
    const base = this.iss ?? 0
    return tcpPacket(this.#ends(), {
      flags: line.flags,
      sequence: (peerIsn + line.start) | 0,
      acknowledgment: line.ack === undefined ? 0 : (base + line.ack) | 0,
      window: line.win ?? 65535,
      options: encodeOptions(line.options ?? [], base),
      payload: Uint8Array.from({ length: line.length }, (_, i) => streamByteAt(line.start + i)),
    })
  }

  /** Any packet arrives. */
  sendPacket(bytes: Uint8Array): this {
    return this.deliver(bytes).flush()
  }

  /** As {@link sendPacket}, in the same turn as what follows. */
  deliver(bytes: Uint8Array): this {
    const slot = this.memory.alloc()
    this.memory.u8.set(bytes, slot + packetHeadroom)
    this.stack.handlePacket(slot, slot + packetHeadroom, bytes.length, 1, this.now)
    this.#last = this.now
    return this
  }

  flush(): this {
    for (let i = 0; i < 100 && this.stack.wantsFlush; i++) this.stack.flush(this.now, 1000)
    return this
  }

  /** `ms` pass, with everything that is due in them. */
  wait(ms: number): this {
    const until = this.now + ms
    this.flush()
    for (let next = this.stack.nextDeadline(); next <= until; next = this.stack.nextDeadline()) {
      this.now = Math.max(this.now, next)
      this.stack.handleTimeout(this.now)
      this.flush()
    }
    this.now = until
    this.#last = until
    return this
  }

  /** The next segments that we sent, now or before, look like that. */
  expect(text: string): this {
    this.flush()
    for (const line of parseLines(text)) {
      const sent = this.waiting.shift()
      if (sent === undefined) throw new Error(`nothing was sent, expected ${text}`)
      this.#check(sent, line, text)
    }
    return this
  }

  /** The next segment leaves `ms` after the last step of the script. */
  expectAfter(ms: number, text: string): this {
    const started = this.#last
    if (!this.runUntilSent()) throw new Error(`nothing will be sent, expected ${text}`)
    const { at } = this.waiting[0] as Sent
    this.expect(text)
    expect(Math.abs(at - started - ms), `${at - started} ms instead of ${ms} before ${text}`).toBeLessThan(1 + ms / 100)
    return this
  }

  /** Lets time pass until something is sent. False if nothing ever will be, or not by `limit`. */
  runUntilSent(limit = Infinity): boolean {
    this.flush()
    if (this.waiting.length > 0) throw new Error(`sent at once: ${this.format(this.waiting[0] as Sent)}`)
    for (let guard = 0; this.waiting.length === 0; guard++) {
      const next = this.stack.nextDeadline()
      if (next === Infinity || next > limit || guard > 1000) return false
      this.now = Math.max(this.now, next)
      this.stack.handleTimeout(this.now)
      this.flush()
    }
    return true
  }

  /** Nothing (more) was sent. */
  expectNothing(): this {
    this.flush()
    expect(this.waiting.map(sent => this.format(sent))).toEqual([])
    return this
  }

  /** Takes all that was sent, as lines. */
  take(): string[] {
    this.flush()
    return this.waiting.splice(0).map(sent => this.format(sent))
  }

  /** Payload of everything sent and not taken yet is dropped; for scripts that do not care. */
  skip(): this {
    this.take()
    return this
  }

  #check(sent: Sent, line: Line, text: string): void {
    this.#last = this.now
    const h = sent.header
    const actual = this.format(sent)
    const ignored = (line.flags & 8) === 0 ? 8 : 0
    expect(h.flags & ~ignored, `flags of ${actual}, expected ${text}`).toBe(line.flags)
    expect(this.#relative(h), `sequence of ${actual}, expected ${text}`).toBe(line.start)
    expect(h.payloadLength, `length of ${actual}, expected ${text}`).toBe(line.length)
    if (line.ack !== undefined)
      expect((h.acknowledgment - peerIsn) | 0, `ack of ${actual}, expected ${text}`).toBe(line.ack)
    if (line.win !== undefined) expect(h.window, `window of ${actual}, expected ${text}`).toBe(line.win)
    if (line.options === undefined) return
    const options = this.#options(h)
    const only = line.options.length === 0 || line.options[0]?.startsWith('only ')
    for (const option of line.options) expect(options, `options of ${actual}`).toContain(option.replace('only ', ''))
    if (only) expect(options.filter(option => !option.startsWith('TS ')).length).toBe(line.options.length)
  }

  #relative(h: TcpHeader): number {
    const iss = this.#iss.get(h.destinationPort)
    // A RST that answers no ACK of ours has no base.
    return iss === undefined ? h.sequence : (h.sequence - iss) | 0
  }

  #options(h: TcpHeader): string[] {
    const options: string[] = []
    if (h.mss > 0) options.push(`mss ${h.mss}`)
    if (h.sackPermitted) options.push('sackOK')
    if (h.hasTimestamps) options.push('TS', `TS ecr ${h.timestampEcho}`)
    if (h.windowScale >= 0) options.push(`wscale ${h.windowScale}`)
    if (h.sackCount > 0) {
      const edges = [...h.sackEdges.subarray(0, h.sackCount * 2)].map(edge => (edge - peerIsn) | 0)
      const blocks: string[] = []
      for (let i = 0; i < edges.length; i += 2) blocks.push(`${edges[i]}:${edges[i + 1]}`)
      options.push(`sack ${blocks.join(' ')}`)
    }
    return options
  }

  /** A segment as a line. */
  format(sent: Sent): string {
    const h = sent.header
    const flags = flagLetters.map(([letter, bit]) => ((h.flags & bit) !== 0 ? letter : '')).join('')
    const start = this.#relative(h)
    const ack = (h.flags & 16) !== 0 ? ` ack ${(h.acknowledgment - peerIsn) | 0}` : ''
    const options = this.#options(h).filter(option => option !== 'TS')
    return `${flags} ${start}:${start + h.payloadLength}(${h.payloadLength})${ack} win ${h.window} <${options.join(',')}>`
  }

  #capture(slot: number, offset: number, length: number): void {
    const { memory } = this
    const ip = createIpHeader()
    expect(parseIp(memory, offset, length, ip)).toBeUndefined()
    if (ip.protocol !== protocolTcp) this.others.push(memory.u8.slice(offset, offset + length))
    else {
      this.lastPacket = memory.u8.slice(offset, offset + length)
      const header = createTcpHeader()
      const pseudo = pseudoHeaderSum(ip.source, ip.destination, protocolTcp, ip.payloadLength)
      expect(sumIsValid(pseudo + onesSum(memory, ip.payload, ip.payloadLength))).toBe(true)
      expect(parseTcp(memory, ip.payload, ip.payloadLength, header)).toBe(true)
      // The two flags of RFC 3168, which the stack has no use for.
      header.flags |= (memory.u8[ip.payload + 13] as number) & 0xc0
      if (header.hasTimestamps) {
        this.lastTimestamp = header.timestamp
        this.timestampOffset = (header.timestamp - Math.floor(this.now)) | 0
      }
      if ((header.flags & 2) !== 0) {
        this.#iss.set(header.destinationPort, header.sequence)
        this.ourPort = header.sourcePort
      }
      const payload = memory.u8.slice(header.payload, header.payload + header.payloadLength)
      this.waiting.push({ at: this.now, header, payload })
    }
    memory.free(slot)
  }
}

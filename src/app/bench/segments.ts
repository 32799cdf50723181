// A TCP data segment out of a stack and into another: what the netstack costs a packet, without crypto and without sockets.
// Two stacks share one packet memory, so that a segment goes from one to the other as it lies there.
import { randomFillSync } from 'node:crypto'
import { type IpAddress, parsePrefix } from '../../core/base/address.js'
import type { PacketMemory } from '../../core/base/packet-memory.js'
import type { Crypto } from '../../core/crypto/crypto.js'
import { packetHeadroom, Stack, type TcpConnection, type TcpEvents } from '../../core/netstack/stack.js'
import type { Expect, Task } from './tasks.js'
import { slowSum } from './vectors.js'

const mtu = 1420
/** A turn's packets. */
const budget = 64
const port = 9
const path = 0
/** A turn's length, ms. */
const step = 1
const chunk = randomFillSync(new Uint8Array(65536))

export function segmentTasks(crypto: Crypto): Task[] {
  let made: Pair | undefined
  const pair = () => {
    made ??= new Pair(crypto.createMemory(16 * 1024 * 1024, 2048))
    return made
  }
  const task = (which: 'out' | 'in'): Task => ({
    id: `micro/segment-${which}/tunless`,
    operations: 1,
    check: expect => pair().check(expect),
    run() {
      const { out, into, segments } = pair().turn()
      return (which === 'out' ? out : into) / segments
    },
  })
  return [task('out'), task('in')]
}

interface Turn {
  /** ms for the write, the segments, and the ACKs that answer them. */
  readonly out: number
  /** ms for the segments, their reading, and the ACKs. */
  readonly into: number
  readonly segments: number
}

/** A packet on its way: slot and length. */
type Packets = [slot: number, length: number][]

class Pair {
  readonly #memory: PacketMemory
  readonly #sender: Stack
  readonly #receiver: Stack
  #there: Packets = []
  #back: Packets = []
  #now = 1000
  readonly #connection: TcpConnection
  #accepted: TcpConnection | undefined
  #written = 0
  #received = 0
  /** Where what is read has to be looked at. */
  #look: ((slab: Uint8Array) => void) | undefined

  constructor(memory: PacketMemory) {
    this.#memory = memory
    this.#sender = this.#createStack('10.7.0.1/32', packets => this.#there.push(packets))
    this.#receiver = this.#createStack('10.7.0.2/32', packets => this.#back.push(packets))
    const events = (): TcpEvents => ({ connected() {}, readable: () => this.#read(), writable() {}, closed() {} })
    this.#receiver.listen({ port }, connection => {
      this.#accepted = connection
      return events()
    })
    const address = addressOf('10.7.0.2/32')
    this.#connection = this.#sender.connect({ address, port }, events(), this.#now)
    for (let i = 0; i < 8 && this.#connection.state !== 'established'; i++) this.#exchange()
    if (this.#connection.state !== 'established') throw new Error('no connection')
  }

  #createStack(address: string, push: (packet: [number, number]) => void): Stack {
    let hash = 1
    return new Stack({
      memory: this.#memory,
      random: bytes => void randomFillSync(bytes),
      keyedHash: () => hash++,
      addresses: [prefixOf(address)],
      mtu,
      route: () => path,
      pathReady: () => true,
      wakePath() {},
      sink: { sendPacket: (slot, _offset, length) => push([slot, length]) },
    })
  }

  #read(): void {
    const connection = this.#accepted
    for (let slab = connection?.read(); slab; slab = connection?.read()) {
      this.#look?.(slab)
      this.#received += slab.length
    }
  }

  /** Hands over what is on its way. */
  #deliver(stack: Stack, packets: Packets): void {
    for (const [slot, length] of packets) stack.handlePacket(slot, slot + packetHeadroom, length, path, this.#now)
  }

  #exchange(): Turn {
    const began = performance.now()
    for (;;) {
      const from = this.#written % chunk.length
      const taken = this.#connection.state === 'established' ? this.#connection.write(chunk, from, this.#now) : 0
      if (taken === 0) break
      this.#written += taken
      if (this.#written % chunk.length === 0 && this.#connection.bytesQueued > 4 * chunk.length) break
    }
    this.#pass(this.#sender)
    const sent = performance.now()
    const there = this.#there
    this.#there = []
    this.#now += step / 2
    this.#deliver(this.#receiver, there)
    this.#pass(this.#receiver)
    const received = performance.now()
    const back = this.#back
    this.#back = []
    this.#now += step / 2
    this.#deliver(this.#sender, back)
    const answered = performance.now()
    return { out: sent - began + answered - received, into: received - sent, segments: there.length }
  }

  #pass(stack: Stack): void {
    if (stack.nextDeadline() <= this.#now) stack.handleTimeout(this.#now)
    stack.flush(this.#now, budget)
  }

  /** Turns until segments went over: the rate lets none out in some. */
  turn(): Turn {
    let [out, into] = [0, 0]
    for (let i = 0; i < 1000; i++) {
      const turn = this.#exchange()
      out += turn.out
      into += turn.into
      if (turn.segments > 0) return { out, into, segments: turn.segments }
    }
    throw new Error('no segment leaves any more')
  }

  /** Whether the headers' and segments' sums are right by RFC 1071's own loop, and whether what is read is what was written. */
  check(expect: Expect): void {
    this.#look = slab => {
      let at = this.#received
      for (let from = 0; from < slab.length; ) {
        const length = Math.min(slab.length - from, chunk.length - (at % chunk.length))
        const begin = at % chunk.length
        const equal = Buffer.compare(slab.subarray(from, from + length), chunk.subarray(begin, begin + length)) === 0
        expect('whether what was read is what was written', equal, true)
        from += length
        at += length
      }
    }
    const before = this.#received
    for (let i = 0; i < 64; i++) {
      this.#exchange()
      // What the rate let out meanwhile is looked at before it is handed over.
      this.#pass(this.#sender)
      for (const [slot, length] of this.#there) this.#checkSums(slot + packetHeadroom, length, expect)
    }
    expect('whether anything was read', this.#received > before + 64 * 1024, true)
    this.#look = undefined
  }

  #checkSums(at: number, length: number, expect: Expect): void {
    const { u8 } = this.#memory
    expect("the sum of a segment's IP header", slowSum(u8, at, 20), 0xffff)
    const pseudo = slowSum(u8, at + 12, 8) + 6 + (length - 20)
    expect('the sum of a segment', (slowSum(u8, at + 20, length - 20) + pseudo) % 0xffff, 0)
  }
}

function prefixOf(text: string) {
  const prefix = parsePrefix(text)
  if (prefix === undefined) throw new Error(`${text} is no prefix`)
  return prefix
}

function addressOf(text: string): IpAddress {
  return prefixOf(text).address
}

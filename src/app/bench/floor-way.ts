// The floor under a packet's way, without TCP: a header, the checksum, the AEAD and a UDP socket, and the reverse; what is left is
// what Node and the kernel take. Both ends know the key. A window keeps the sender from what the receiver cannot take.
import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { parseAddress } from '../../core/base/address.js'
import { noSlot, type PacketMemory } from '../../core/base/packet-memory.js'
import type { TransportKey } from '../../core/crypto/crypto.js'
import { checksumOf, onesSum, sumIsValid } from '../../core/wire/checksum.js'
import {
  createIpHeader,
  ipv4HeaderLength,
  parseIp,
  protocolTcp,
  pseudoHeaderSum,
  wordsOf,
  writeIpHeader,
} from '../../core/wire/ip.js'
import {
  flagAck,
  tcpChecksumOffset,
  tcpHeaderLength,
  timestampsLength,
  writeTcpHeader,
  writeTimestamps,
} from '../../core/wire/tcp.js'
import { dataCounterLo, dataHeaderSize, messageType, writeDataHeader } from '../../core/wire/wireguard.js'
import { selectCrypto } from '../../node/crypto/select.js'
import { addresses } from './services.js'

const mtu = 1420
const headersLength = ipv4HeaderLength + tcpHeaderLength + timestampsLength
/** Payload of a full packet. */
export const segmentSize = mtu - headersLength
/** Packets on their way: less than what Linux's stock buffers hold. */
const windowSize = 128
/** More than are ever on their way: a slot is used again only after its packet arrived. */
const slotCount = 1024
const slotSize = 2048
/** Asked of the kernel. */
const bufferBytes = 4 * 1024 * 1024
/** Without a word for so long, ms, what is on its way counts as lost. */
const lostAfter = 20
/** Beside data messages: how far the other end got, and where the source shall begin and end. */
const kinds = { credit: 0xf0, start: 0xf1, stop: 0xf2, bare: 0xf3 } as const

/** `seal`: everything. `bare`: datagrams of the same size, and nothing done to them. */
export type Mode = 'seal' | 'bare'

export interface WayEvents {
  /** Payload that was opened, in packet memory; gone after the call. In `bare` mode nothing is there. */
  received(memory: PacketMemory, offset: number, length: number): void
  /** The receiver got further: there is room. */
  room(): void
  /** A batch is over: what was received may go on. True if the sender may send more. */
  turn(): boolean
  started?(mode: Mode): void
  stopped?(): void
}

export class Way {
  mode: Mode = 'seal'
  readonly #socket: Socket
  readonly #events: WayEvents
  readonly #memory: PacketMemory
  readonly #key: TransportKey
  readonly #slots: readonly number[]
  readonly #inSlot: number
  readonly #ip = createIpHeader()
  readonly #local = wordsOf(parseAddress(addresses.near) as Uint8Array)
  readonly #remote = wordsOf(parseAddress(addresses.far) as Uint8Array)
  readonly #pseudoSum = pseudoHeaderSum(this.#local, this.#remote, protocolTcp, 0)
  readonly #control = Buffer.alloc(8)
  #to = 0
  #sent = 0
  #acknowledged = 0
  #heardAt = performance.now()
  #highest = 0
  #due = false
  #turn: NodeJS.Immediate | undefined

  private constructor(socket: Socket, key: Uint8Array, events: WayEvents) {
    const crypto = selectCrypto()
    this.#socket = socket
    this.#events = events
    this.#memory = crypto.createMemory((slotCount + 1) * slotSize, slotSize)
    this.#key = crypto.transportKey(key)
    this.#slots = Array.from({ length: slotCount }, () => this.#memory.alloc())
    this.#inSlot = this.#memory.alloc()
    if (this.#inSlot === noSlot) throw new Error('the packet memory is too small')
    socket.on('message', message => this.#receive(message))
    socket.on('error', () => {})
    setInterval(() => this.#lookForLoss(), lostAfter)
  }

  static async open(key: Uint8Array, events: WayEvents): Promise<Way> {
    const socket = createSocket({
      type: 'udp4',
      recvBufferSize: bufferBytes,
      sendBufferSize: bufferBytes,
      lookup: (address, _options, callback) => callback(null, address, 4),
    })
    const listening = once(socket, 'listening')
    socket.bind(0, '127.0.0.1')
    await listening
    return new Way(socket, key, events)
  }

  get port(): number {
    return this.#socket.address().port
  }

  /** Where datagrams go; without it, to whoever sent the last one. */
  connect(port: number): void {
    this.#to = port
  }

  /** Packets that may be sent now. */
  get room(): number {
    return windowSize - (this.#sent - this.#acknowledged)
  }

  /** Sends at most {@link segmentSize} bytes; returns how many. */
  send(bytes: Uint8Array, from: number): number {
    const slot = this.#slots[this.#sent % slotCount] as number
    const length = Math.min(segmentSize, bytes.length - from)
    if (this.#sent === this.#acknowledged) this.#heardAt = performance.now()
    const counter = ++this.#sent
    if (this.mode === 'bare') {
      this.#memory.u8[slot] = kinds.bare
      this.#memory.view.setUint32(slot + 8, counter, true)
      this.#transmit(slot, dataHeaderSize + mtu + 16)
      return length
    }
    const memory = this.#memory
    const packet = slot + dataHeaderSize
    const header = packet + ipv4HeaderLength
    const payload = packet + headersLength
    const segment = tcpHeaderLength + timestampsLength + length
    memory.u8.set(from === 0 && length === bytes.length ? bytes : bytes.subarray(from, from + length), payload)
    writeTimestamps(memory, header + tcpHeaderLength, counter, counter)
    writeTcpHeader(memory, header, 1, 1, counter, counter, tcpHeaderLength + timestampsLength, flagAck, 0xffff)
    const sum = this.#pseudoSum + segment + onesSum(memory, header, segment)
    memory.view.setUint16(header + tcpChecksumOffset, checksumOf(sum))
    writeIpHeader(memory, packet, 4, segment, protocolTcp, 64, this.#local, this.#remote)
    const padded = Math.min(mtu, Math.ceil((headersLength + length) / 16) * 16)
    writeDataHeader(memory.view, slot, 1, 0, counter)
    this.#key.seal(memory, packet, padded, 0, counter)
    this.#transmit(slot, dataHeaderSize + padded + 16)
    return length
  }

  #transmit(slot: number, length: number): void {
    this.#socket.send(this.#memory.u8, slot, length, this.#to, '127.0.0.1')
  }

  start(mode: Mode): void {
    this.mode = mode
    this.#tell(kinds.start, mode === 'bare' ? 1 : 0)
  }

  stop(): void {
    this.#tell(kinds.stop, 0)
  }

  #tell(kind: number, value: number): void {
    this.#control[0] = kind
    this.#control.writeUInt32LE(value, 4)
    this.#socket.send(Buffer.from(this.#control), this.#to, '127.0.0.1')
  }

  #receive(message: Buffer): void {
    switch (message[0]) {
      case messageType.data:
        this.#open(message)
        break
      case kinds.bare:
        this.#highest = message.readUInt32LE(8)
        this.#events.received(this.#memory, this.#inSlot, segmentSize)
        this.#afterBatch()
        break
      case kinds.credit:
        this.#heardAt = performance.now()
        this.#acknowledged = Math.max(this.#acknowledged, message.readUInt32LE(4))
        this.#events.room()
        break
      case kinds.start:
        this.mode = message.readUInt32LE(4) === 1 ? 'bare' : 'seal'
        this.#events.started?.(this.mode)
        break
      case kinds.stop:
        this.#events.stopped?.()
        break
    }
  }

  #open(message: Buffer): void {
    const memory = this.#memory
    const slot = this.#inSlot
    const packet = slot + dataHeaderSize
    memory.u8.set(message, slot)
    const counter = dataCounterLo(memory.view, slot)
    if (!this.#key.open(memory, packet, message.length - dataHeaderSize, 0, counter)) return
    const ip = this.#ip
    if (parseIp(memory, packet, message.length - dataHeaderSize - 16, ip) !== undefined) return
    const { payload, payloadLength } = ip
    if (!sumIsValid(this.#pseudoSum + payloadLength + onesSum(memory, payload, payloadLength))) return
    this.#highest = counter
    const skipped = tcpHeaderLength + timestampsLength
    this.#events.received(memory, payload + skipped, payloadLength - skipped)
    this.#afterBatch()
  }

  #afterBatch(): void {
    this.#turn ??= setImmediate(this.#endTurn)
  }

  readonly #endTurn = (): void => {
    this.#turn = undefined
    this.#due = true
    if (this.#events.turn()) this.giveCredit()
  }

  /** Lets the sender send more; called by itself unless turn() said no. */
  giveCredit(): void {
    if (!this.#due) return
    this.#due = false
    this.#tell(kinds.credit, this.#highest)
  }

  #lookForLoss(): void {
    if (this.#sent === this.#acknowledged || performance.now() - this.#heardAt < lostAfter) return
    this.#acknowledged = this.#sent
    this.#heardAt = performance.now()
    this.#events.room()
  }
}

/** What a turn brings, joined: a write to a socket costs more than a copy. */
export class Slab {
  #bytes = Buffer.allocUnsafeSlow(0)
  #length = 0

  /** True once it has to be taken. */
  add(memory: PacketMemory, offset: number, length: number): boolean {
    if (this.#length === 0) this.#bytes = Buffer.allocUnsafeSlow(32 * segmentSize)
    this.#bytes.set(memory.u8.subarray(offset, offset + length), this.#length)
    this.#length += length
    return this.#length + segmentSize > this.#bytes.length
  }

  take(): Buffer {
    const bytes = this.#bytes.subarray(0, this.#length)
    this.#length = 0
    return bytes
  }
}

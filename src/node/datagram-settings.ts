// The settings of a datagram socket, and whether it holds the process. What a tunnel of peers has no use for, multicast and broadcast, is taken where that
// does no harm and refused where the program would wait for it.
import { EventEmitter } from 'node:events'
import type { UdpSocket } from '../core/netstack/stack.js'
import { checkBufferSize, checkNumber, type DatagramOptions } from './datagram-arguments.js'
import type { AddressInfo } from './dial.js'
import { ioError, usageError } from './socket-error.js'
import type { StackPort } from './stack-port.js'

/** Whom a message came from; `size` is its length in bytes. */
export interface RemoteInfo extends AddressInfo {
  size: number
}

export interface DatagramEvents {
  message: [message: Buffer, from: RemoteInfo]
  listening: []
  connect: []
  error: [error: Error]
  close: []
}

/** What getRecvBufferSize and getSendBufferSize say until it is set; the bounds in force are the stack's. */
const nominalBuffer = 1024 * 1024

export abstract class DatagramSettings extends EventEmitter<DatagramEvents> {
  readonly #stackPort: StackPort
  #wantsRef = true
  #held = false
  #isClosed = false
  /** 'close' was told, or is about to be. */
  #isOver = false
  #unwatch: (() => void) | undefined
  readonly #bufferSizes = { recv: nominalBuffer, send: nominalBuffer }

  constructor(stackPort: StackPort, { recvBufferSize, sendBufferSize }: DatagramOptions = {}) {
    super()
    this.#stackPort = stackPort
    if (recvBufferSize !== undefined) this.#bufferSizes.recv = checkBufferSize(recvBufferSize)
    if (sendBufferSize !== undefined) this.#bufferSizes.send = checkBufferSize(sendBufferSize)
  }

  /** Undefined while it is not bound; throws once it is closed. */
  protected abstract boundSocket(): UdpSocket | undefined

  #bound(syscall: string): UdpSocket {
    const socket = this.boundSocket()
    if (socket === undefined) throw ioError('EBADF', syscall)
    return socket
  }

  /** Hops that what is sent may take, 1 to 255. */
  setTTL(ttl: number): number {
    const socket = this.#bound('setTTL')
    checkNumber('ttl', ttl)
    if (!(Number.isInteger(ttl) && ttl >= 1 && ttl <= 255)) throw ioError('EINVAL', 'setTTL')
    socket.hopLimit = ttl
    return ttl
  }

  /** Taken, and of no effect: a tunnel has no broadcast. */
  setBroadcast(_on: boolean): void {
    this.#bound('setBroadcast')
  }

  /** Taken, and of no effect: a tunnel has no multicast, and nothing is sent to a group. */
  setMulticastTTL(ttl: number): number {
    this.#bound('setMulticastTTL')
    return checkNumber('ttl', ttl)
  }

  /** As {@link setMulticastTTL}. */
  setMulticastLoopback(on: boolean): boolean {
    this.#bound('setMulticastLoopback')
    return on
  }

  /** Throws EOPNOTSUPP, as do the calls for groups below: nobody would ever be heard. */
  setMulticastInterface(_address: string): void {
    throw ioError('EOPNOTSUPP', 'setMulticastInterface')
  }

  addMembership(_group: string, _address?: string): void {
    throw ioError('EOPNOTSUPP', 'addMembership')
  }

  dropMembership(_group: string, _address?: string): void {
    throw ioError('EOPNOTSUPP', 'dropMembership')
  }

  addSourceSpecificMembership(_source: string, _group: string, _address?: string): void {
    throw ioError('EOPNOTSUPP', 'addSourceSpecificMembership')
  }

  dropSourceSpecificMembership(_source: string, _group: string, _address?: string): void {
    throw ioError('EOPNOTSUPP', 'dropSourceSpecificMembership')
  }

  /** Remembered and of no effect: how much waits is bounded by the tunnel's `stackLimits`. */
  setRecvBufferSize(size: number): void {
    this.#setBufferSize('recv', size)
  }

  setSendBufferSize(size: number): void {
    this.#setBufferSize('send', size)
  }

  getRecvBufferSize(): number {
    return this.#bufferSize('recv')
  }

  getSendBufferSize(): number {
    return this.#bufferSize('send')
  }

  #setBufferSize(which: 'recv' | 'send', size: number): void {
    const checked = checkBufferSize(size)
    this.#bufferSize(which)
    this.#bufferSizes[which] = checked
  }

  #bufferSize(which: 'recv' | 'send'): number {
    if (this.boundSocket() !== undefined) return this.#bufferSizes[which]
    const message = `Could not get or set buffer size: uv_${which}_buffer_size returned EBADF (bad file descriptor)`
    throw usageError('ERR_SOCKET_BUFFER_SIZE', message)
  }

  /** 0: what was sent is the stack's. */
  getSendQueueSize(): number {
    return 0
  }

  getSendQueueCount(): number {
    return 0
  }

  /** A bound socket keeps the process alive; this is the default. */
  ref(): this {
    this.#wantsRef = true
    if (!this.#isClosed && this.boundSocket() !== undefined) this.hold()
    return this
  }

  unref(): this {
    this.#wantsRef = false
    this.#letGo()
    return this
  }

  /** It is bound. */
  protected hold(): void {
    this.#unwatch ??= this.#stackPort.whenClosed?.(() => this.#endUnder())
    if (this.#held || !this.#wantsRef) return
    this.#held = true
    this.#stackPort.addRef()
  }

  /** It is closed. */
  protected release(): void {
    this.#isClosed = true
    this.#unwatch?.()
    this.#letGo()
  }

  /** The tunnel was closed. Its owner did not close it: what it sends fails by the callback, and its close() may still come. */
  #endUnder(): void {
    this.#letGo()
    this.tellClosed()
  }

  protected tellClosed(callback?: () => void): void {
    const isOver = this.#isOver
    this.#isOver = true
    if (!isOver) {
      if (callback !== undefined) this.once('close', callback)
      process.nextTick(() => this.emit('close'))
    } else if (callback !== undefined) {
      process.nextTick(callback)
    }
  }

  #letGo(): void {
    if (!this.#held) return
    this.#held = false
    this.#stackPort.release()
  }
}

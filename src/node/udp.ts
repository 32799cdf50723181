// The outer UDP sockets of a tunnel, one for IPv4 and one for IPv6 on the same port. A packet leaves straight from its slot,
// which is freed as soon as the kernel has copied it.
import { createSocket, type RemoteInfo, type Socket, type SocketType } from 'node:dgram'
import { once } from 'node:events'
import { type Endpoint, formatAddress, parseAddress, unmapAddress } from '../core/base/address.js'
import { noSlot, type PacketMemory } from '../core/base/packet-memory.js'
import { TunnelError } from '../errors.js'

/** Asked of the kernel, which grants at most net.core.rmem_max: what arrives while the loop is busy waits there. */
const socketBufferBytes = 4 * 1024 * 1024
/** A free port is drawn for IPv4 and may be taken for IPv6. */
const portAttempts = 10

export interface UdpSink {
  /** The slot is given away. */
  handleDatagram(slot: number, length: number, source: Endpoint): void
  /** The kernel refused a send or passed on an ICMP error: a hint, never the end. */
  handleError(error: NodeJS.ErrnoException): void
  /** The kernel's send queue has room again. */
  handleWritable(): void
}

export interface UdpCounters {
  sendErrors: number
  receiveErrors: number
  /** Larger than a slot. */
  tooLong: number
  /** No slot was free. */
  noSlot: number
  /** From port 0, where nothing can be sent to. */
  noPort: number
  /** No socket of that family. */
  noFamily: number
}

export interface UdpSockets {
  readonly port: number
  readonly counters: UdpCounters
  /** False while a datagram waits for room in the kernel. */
  readonly writable: boolean
  /** Sends `memory.u8[slot … slot + length)`, at the latest at {@link endTurn}, and frees the slot. */
  send(slot: number, length: number, endpoint: Endpoint): void
  /** Call once after all packets of a turn. */
  endTurn(): void
  /** Whether the sockets keep the process alive; they do at first. */
  setRef(on: boolean): void
  close(): Promise<void>
}

export interface UdpOptions {
  /** 0 takes a free one. */
  readonly port: number
  /** Bind to this address alone instead of all of both families. */
  readonly host?: string
  readonly memory: PacketMemory
  readonly sink: UdpSink
}

/** Binds both sockets, IPv4 alone where IPv6 is missing. Rejects with UDP_BIND_FAILED. */
export async function bindUdp(options: UdpOptions): Promise<UdpSockets> {
  for (let attempt = 1; ; attempt++) {
    const sockets: Socket[] = []
    try {
      let port = options.port
      for (const type of socketTypes(options.host)) {
        const socket = await bindOne(type, port, options.host).catch((error: NodeJS.ErrnoException) => {
          if (options.host === undefined && familyMissing(error)) return undefined
          throw error
        })
        if (socket === undefined) continue
        sockets.push(socket)
        port = socket.address().port
      }
      if (sockets.length === 0) throw new Error('this host has neither IPv4 nor IPv6')
      return new BoundSockets(sockets, port, options)
    } catch (cause) {
      for (const socket of sockets) socket.close()
      if (options.port === 0 && (cause as NodeJS.ErrnoException).code === 'EADDRINUSE' && attempt < portAttempts)
        continue
      throw bindFailed(options.port, cause as NodeJS.ErrnoException)
    }
  }
}

function socketTypes(host: string | undefined): SocketType[] {
  if (host === undefined) return ['udp4', 'udp6']
  return [host.includes(':') ? 'udp6' : 'udp4']
}

function familyMissing(error: NodeJS.ErrnoException): boolean {
  return error.code === 'EAFNOSUPPORT' || error.code === 'EADDRNOTAVAIL' || error.code === 'EPROTONOSUPPORT'
}

async function bindOne(type: SocketType, port: number, host: string | undefined): Promise<Socket> {
  const socket = createSocket({
    type,
    ipv6Only: type === 'udp6',
    recvBufferSize: socketBufferBytes,
    sendBufferSize: socketBufferBytes,
    // Every destination is an address already; a synchronous answer keeps Node from its resolver on each packet.
    lookup: (address, _options, callback) => callback(null, address, type === 'udp6' ? 6 : 4),
  })
  try {
    const listening = once(socket, 'listening') // before bind(), which may be done at once
    socket.bind({ port, ...(host !== undefined && { address: host }), exclusive: true })
    await listening
    return socket
  } catch (error) {
    socket.close()
    throw error
  }
}

function bindFailed(port: number, cause: NodeJS.ErrnoException): TunnelError {
  const message =
    cause.code === 'EADDRINUSE'
      ? `UDP port ${port} is in use: stop the program that has it, or choose another ListenPort (0 takes a free one)`
      : cause.code === 'EACCES'
        ? `UDP port ${port} needs privileges here: choose a ListenPort above 1023 (0 takes a free one)`
        : `cannot open a UDP socket: ${cause.message}`
  return new TunnelError('UDP_BIND_FAILED', message, { cause })
}

class BoundSockets implements UdpSockets {
  readonly port: number
  readonly counters: UdpCounters = {
    sendErrors: 0,
    receiveErrors: 0,
    tooLong: 0,
    noSlot: 0,
    noPort: 0,
    noFamily: 0,
  }
  readonly #memory: PacketMemory
  readonly #sink: UdpSink
  readonly #sockets: Socket[]
  readonly #senders: (Sender | undefined)[] = []
  readonly #texts = new WeakMap<Endpoint, string>()
  #closed = false
  #lastAddress = ''
  #lastPort = 0
  #lastSource: Endpoint | undefined

  constructor(sockets: Socket[], port: number, options: UdpOptions) {
    this.port = port
    this.#memory = options.memory
    this.#sink = options.sink
    this.#sockets = sockets
    for (const socket of sockets) {
      const length = socket.address().family === 'IPv6' ? 16 : 4
      this.#senders[length] = new Sender(socket, options, this.counters)
      socket.on('message', (message, source) => this.#receive(message, source))
      socket.on('error', error => {
        this.counters.receiveErrors++
        this.#sink.handleError(error)
      })
    }
  }

  get writable(): boolean {
    return this.#senders.every(sender => sender === undefined || sender.writable)
  }

  #receive(message: Buffer, remote: RemoteInfo): void {
    const memory = this.#memory
    if (message.length > memory.slotSize) {
      this.counters.tooLong++
      return
    }
    if (remote.port === 0) {
      this.counters.noPort++
      return
    }
    const slot = memory.alloc()
    if (slot === noSlot) {
      this.counters.noSlot++
      return
    }
    memory.u8.set(message, slot)
    this.#sink.handleDatagram(slot, message.length, this.#source(remote))
  }

  /** Most datagrams come from where the last one came from, so its endpoint is kept. */
  #source(remote: RemoteInfo): Endpoint {
    if (this.#lastSource !== undefined && remote.port === this.#lastPort && remote.address === this.#lastAddress) {
      return this.#lastSource
    }
    const zone = remote.address.indexOf('%')
    const bytes = parseAddress(zone < 0 ? remote.address : remote.address.slice(0, zone))
    const source = { address: unmapAddress(bytes ?? new Uint8Array(4)), port: remote.port }
    this.#texts.set(source, remote.address) // keeps the zone of a link-local address
    this.#lastAddress = remote.address
    this.#lastPort = remote.port
    this.#lastSource = source
    return source
  }

  send(slot: number, length: number, endpoint: Endpoint): void {
    const sender = this.#closed ? undefined : this.#senders[endpoint.address.length]
    if (sender === undefined || endpoint.port === 0) {
      this.counters[sender === undefined ? 'noFamily' : 'noPort']++
      this.#memory.free(slot)
      return
    }
    let text = this.#texts.get(endpoint)
    if (text === undefined) {
      text = formatAddress(endpoint.address)
      this.#texts.set(endpoint, text)
    }
    sender.send(slot, length, endpoint.port, text)
  }

  endTurn(): void {
    for (const sender of this.#senders) sender?.endTurn()
  }

  setRef(on: boolean): void {
    if (this.#closed) return
    for (const socket of this.#sockets) on ? socket.ref() : socket.unref()
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    await Promise.all(
      this.#sockets.map(socket => {
        const closed = once(socket, 'close')
        socket.close()
        return closed
      }),
    )
  }
}

/**
 * One socket's way out. A callback a packet would cost more than the rest of the call; without any, Node hides errors and
 * tells nobody when a datagram that had to wait has left its slot. So the latest datagram waits for the next one or the
 * turn's end, and the last of a turn has a callback.
 */
class Sender {
  readonly #socket: Socket
  readonly #memory: PacketMemory
  readonly #sink: UdpSink
  readonly #counters: UdpCounters
  #slot = noSlot
  #length = 0
  #port = 0
  #address = ''
  /** Slots that the kernel had no room for, in the order in which they leave: Node still reads them. */
  readonly #held: number[] = []
  /** Of those held, how many precede each callback that is still to come. */
  readonly #before: number[] = []

  constructor(socket: Socket, { memory, sink }: UdpOptions, counters: UdpCounters) {
    this.#socket = socket
    this.#memory = memory
    this.#sink = sink
    this.#counters = counters
  }

  get writable(): boolean {
    return this.#held.length === 0
  }

  send(slot: number, length: number, port: number, address: string): void {
    if (this.#slot !== noSlot) this.#transmit(undefined)
    this.#slot = slot
    this.#length = length
    this.#port = port
    this.#address = address
  }

  endTurn(): void {
    if (this.#slot !== noSlot) this.#transmit(this.#sent)
  }

  #transmit(callback: ((error: Error | null) => void) | undefined): void {
    const slot = this.#slot
    this.#slot = noSlot
    try {
      this.#socket.send(this.#memory.u8, slot, this.#length, this.#port, this.#address, callback)
    } catch (error) {
      this.#memory.free(slot)
      this.#fail(error as NodeJS.ErrnoException)
      return
    }
    if (this.#socket.getSendQueueCount() === 0) this.#memory.free(slot)
    else this.#held.push(slot)
    if (callback !== undefined) this.#before.push(this.#held.length)
  }

  /** Datagrams leave in order, so with this one all that were held before it have left. */
  readonly #sent = (error: Error | null): void => {
    if (error !== null) this.#fail(error)
    const left = this.#before.shift() ?? 0
    if (left === 0) return
    for (const slot of this.#held.splice(0, left)) this.#memory.free(slot)
    for (let i = 0; i < this.#before.length; i++) this.#before[i] = (this.#before[i] as number) - left
    if (this.writable) this.#sink.handleWritable()
  }

  #fail(error: NodeJS.ErrnoException): void {
    this.#counters.sendErrors++
    this.#sink.handleError(error)
  }
}

// The outer UDP sockets of a tunnel: one for IPv4 and one for IPv6 on the same port, which hear everybody, and beside them one
// for each of a few live endpoints. A packet leaves straight from its slot, which is freed as soon as the kernel has copied it.
import type { RemoteInfo, Socket } from 'node:dgram'
import { type Endpoint, formatAddress, parseAddress, unmapAddress } from '../core/base/address.js'
import { noSlot, type PacketMemory } from '../core/base/packet-memory.js'
import { TunnelError } from '../errors.js'
import { type BindOptions, type Bound, bindBoth, closeSocket, socketBufferBytes } from './udp-bind.js'
import { type LiveSocket, LiveSockets } from './udp-live.js'
import { type Destination, Sender } from './udp-send.js'
import { Shedder, sheddingBufferBytes } from './udp-shed.js'

export interface UdpSink {
  /** The slot is given away. True for genuine data of a session. */
  handleDatagram(slot: number, length: number, source: Endpoint): boolean
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
  /** From port 0, to which nothing can be sent. */
  noPort: number
  /** No socket of that family. */
  noFamily: number
  /** Floods during which most of what is no session's was left to the kernel to drop. */
  floods: number
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
  /** What comes from these endpoints has buffers of its own from now on, where the platform has the means; from others not. */
  favour(endpoints: readonly Endpoint[]): void
  /** Nothing comes from there any more: this host's routes or addresses may be others by now. ICMP errors count again. */
  renew(endpoint: Endpoint): void
  /** Looks by which local addresses the favoured endpoints are reached now; true if one is another than before. */
  followRoutes(): boolean
  /** Moves to another port, 0 taking a free one. Rejects with UDP_BIND_FAILED, and then nothing has changed. */
  rebind(port: number): Promise<void>
  /** Whether the sockets keep the process alive; they do at first. */
  setRef(on: boolean): void
  close(): Promise<void>
}

export interface UdpOptions extends BindOptions {
  readonly memory: PacketMemory
  readonly sink: UdpSink
}

/** Rejects with UDP_BIND_FAILED. */
export async function bindUdp(options: UdpOptions): Promise<UdpSockets> {
  return new OuterSockets(await bindBoth(options), options)
}

/** A weak map costs the garbage collector much where its keys are many and short-lived. */
const keptOnce = 8

/** How an endpoint is reached; kept by the endpoint's identity. */
interface Route extends Destination {
  readonly live: LiveSocket | undefined
}

class OuterSockets implements UdpSockets {
  readonly counters: UdpCounters = {
    sendErrors: 0,
    receiveErrors: 0,
    tooLong: 0,
    noSlot: 0,
    noPort: 0,
    noFamily: 0,
    floods: 0,
  }
  readonly #options: UdpOptions
  readonly #memory: PacketMemory
  readonly #sink: UdpSink
  #port = 0
  #sockets: readonly Socket[] = []
  #bySize: (Socket | undefined)[] = []
  #live!: LiveSockets
  #favoured: readonly Endpoint[] = []
  /** Texts of addresses that came with a zone. */
  readonly #zoned = new WeakMap<Endpoint, string>()
  #routes = new WeakMap<Endpoint, Route>()
  /** Endpoints that something was sent to once: whom a flood makes us answer is not sent to again. */
  #sentOnce: Endpoint[] = []
  #oldestOnce = 0
  /** Of all sockets, those that are being closed included: the slots that they hold may not be used before. */
  readonly #senders = new Map<Socket, Sender>()
  /** Senders that sent in this turn. */
  readonly #active = new Set<Sender>()
  #isRef = true
  #closed = false
  #lastAddress = ''
  #lastPort = 0
  #lastSource: Endpoint | undefined

  constructor(bound: Bound, options: UdpOptions) {
    this.#options = options
    this.#memory = options.memory
    this.#sink = options.sink
    this.#install(bound)
  }

  #install({ port, sockets }: Bound): void {
    const error = (cause: NodeJS.ErrnoException) => {
      this.counters.receiveErrors++
      this.#sink.handleError(cause)
    }
    this.#port = port
    this.#sockets = sockets
    this.#bySize = []
    this.#routes = new WeakMap()
    this.#live = new LiveSockets({
      port,
      host: this.#options.host,
      message: (message, source) => {
        shedder.heardLive()
        this.#receive(message, this.#source(source))
      },
      error,
    })
    const shedder = new Shedder(shedding => {
      if (shedding) this.counters.floods++
      for (const socket of sockets) socket.setRecvBufferSize(shedding ? sheddingBufferBytes : socketBufferBytes)
    })
    for (const socket of sockets) {
      this.#bySize[socket.address().family === 'IPv6' ? 16 : 4] = socket
      socket.on('error', error)
      socket.on('message', (message, remote) => {
        const source = this.#source(remote)
        // By its text: a flood brings as many endpoints as datagrams, and none is worth a route of its own.
        const live = this.#live.get(remote.address, remote.port)
        // It should have come to its own socket: the local address that it went to is another by now.
        if (live !== undefined) this.#live.renew(live)
        shedder.heard(this.#receive(message, source), performance.now())
      })
    }
    this.#applyRef()
  }

  get port(): number {
    return this.#port
  }

  get writable(): boolean {
    for (const sender of this.#senders.values()) if (!sender.writable) return false
    return true
  }

  /** True for genuine data of a session. */
  #receive(message: Buffer, source: Endpoint): boolean {
    const memory = this.#memory
    if (source.port === 0) {
      this.counters.noPort++
      return false
    }
    if (message.length > memory.slotSize) {
      this.counters.tooLong++
      return false
    }
    const slot = memory.alloc()
    if (slot === noSlot) {
      this.counters.noSlot++
      return false
    }
    memory.u8.set(message, slot)
    return this.#sink.handleDatagram(slot, message.length, source)
  }

  /** Most datagrams come from where the last one came from, so its endpoint is kept. */
  #source(remote: RemoteInfo): Endpoint {
    if (this.#lastSource !== undefined && remote.port === this.#lastPort && remote.address === this.#lastAddress) {
      return this.#lastSource
    }
    const zone = remote.address.indexOf('%')
    const bytes = ipv4Bytes(remote.address) ?? parseAddress(zone < 0 ? remote.address : remote.address.slice(0, zone))
    const source = { address: unmapAddress(bytes ?? new Uint8Array(4)), port: remote.port }
    if (zone >= 0) this.#zoned.set(source, remote.address)
    this.#lastAddress = remote.address
    this.#lastPort = remote.port
    this.#lastSource = source
    return source
  }

  #routeTo(endpoint: Endpoint): Route {
    let route = this.#routes.get(endpoint)
    if (route === undefined) {
      const address = this.#textOf(endpoint)
      route = { address, port: endpoint.port, live: this.#live.get(address, endpoint.port) }
      if (this.#sentOnce.includes(endpoint)) this.#routes.set(endpoint, route)
      else this.#sentOnce[this.#oldestOnce++ % keptOnce] = endpoint
    }
    return route
  }

  readonly #textOf = (endpoint: Endpoint): string => this.#zoned.get(endpoint) ?? formatAddress(endpoint.address)

  send(slot: number, length: number, endpoint: Endpoint): void {
    const open = this.#closed ? undefined : this.#bySize[endpoint.address.length]
    if (open === undefined || endpoint.port === 0) {
      this.counters[open === undefined ? 'noFamily' : 'noPort']++
      this.#memory.free(slot)
      return
    }
    const route = this.#routeTo(endpoint)
    const connected = route.live !== undefined && !route.live.isHeard
    const sender = this.#senderOf(connected ? route.live.socket : open)
    this.#active.add(sender)
    sender.send(slot, length, connected ? undefined : route)
  }

  #senderOf(socket: Socket): Sender {
    let sender = this.#senders.get(socket)
    if (sender === undefined) {
      sender = new Sender({ socket, memory: this.#memory, failed: this.#failed, drained: this.#drained })
      this.#senders.set(socket, sender)
    }
    return sender
  }

  endTurn(): void {
    for (const sender of this.#active) sender.endTurn()
    this.#active.clear()
  }

  readonly #failed = (error: NodeJS.ErrnoException): void => {
    this.counters.sendErrors++
    this.#sink.handleError(error)
  }

  readonly #drained = (): void => {
    if (!this.#closed && this.writable) this.#sink.handleWritable()
  }

  #all(): Socket[] {
    return [...this.#sockets, ...this.#live.sockets]
  }

  favour(endpoints: readonly Endpoint[]): void {
    if (this.#closed) return
    this.#favoured = endpoints
    const dropped = this.#live.keep(endpoints, this.#textOf)
    this.#routes = new WeakMap()
    void this.#closeSockets(dropped)
  }

  renew(endpoint: Endpoint): void {
    const { live } = this.#routeTo(endpoint)
    if (live !== undefined && !this.#closed) this.#live.renew(live)
  }

  followRoutes(): boolean {
    return !this.#closed && this.#live.followRoutes()
  }

  async rebind(port: number): Promise<void> {
    if (port === this.#port) return
    const bound = await bindBoth({ ...this.#options, port })
    if (this.#closed) {
      await Promise.all(bound.sockets.map(closeSocket))
      throw new TunnelError('TUNNEL_CLOSED', 'the tunnel is closed: open a new one')
    }
    const before = this.#all()
    this.#install(bound)
    this.favour(this.#favoured)
    await this.#closeSockets(before)
  }

  async #closeSockets(sockets: readonly Socket[]): Promise<void> {
    await Promise.all(
      sockets.map(async socket => {
        const sender = this.#senders.get(socket)
        sender?.endTurn()
        await closeSocket(socket)
        if (sender === undefined) return
        sender.release()
        this.#active.delete(sender)
        this.#senders.delete(socket)
        this.#drained()
      }),
    )
  }

  setRef(on: boolean): void {
    if (on === this.#isRef) return
    this.#isRef = on
    if (!this.#closed) this.#applyRef()
  }

  #applyRef(): void {
    for (const socket of this.#sockets) this.#isRef ? socket.ref() : socket.unref()
    this.#live.setRef(this.#isRef)
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    await this.#closeSockets(this.#all())
  }
}

/** An IPv4 address as Node writes it, undefined for any other; a flood from many sources needs it once a datagram. */
function ipv4Bytes(text: string): Uint8Array | undefined {
  const bytes = new Uint8Array(4)
  let at = 0
  let value = 0
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code === 46) {
      bytes[at++] = value
      value = 0
    } else if (code >= 48 && code <= 57) value = value * 10 + code - 48
    else return undefined
  }
  bytes[at] = value
  return at === 3 ? bytes : undefined
}

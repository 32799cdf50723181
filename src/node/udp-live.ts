// Sockets connected to live endpoints, beside the ones that hear everybody on the same port. The kernel gives a datagram to the
// socket that matches it best, so that a flood from elsewhere fills another buffer than the peer's; and it reports ICMP errors
// on connected sockets alone, which is how a closed port shows.
import type { RemoteInfo, Socket } from 'node:dgram'
import type { Endpoint } from '../core/base/address.js'
import { canShare, createUdpSocket } from './udp-bind.js'

/** A local address that changed is looked for again after this at the earliest, ms. */
const renewInterval = 1000

export interface LiveSocket {
  readonly socket: Socket
  readonly port: number
  readonly address: string
  /**
   * Whether anything came since it was connected. Until then datagrams leave by it, for the sake of ICMP errors; then by the
   * socket that is not connected, whose source address follows the host's routes.
   */
  isHeard: boolean
  connectedAt: number
}

export interface LiveSocketsOptions {
  readonly port: number
  readonly host: string | undefined
  readonly message: (message: Buffer, source: RemoteInfo) => void
  readonly error: (error: NodeJS.ErrnoException) => void
}

export class LiveSockets {
  readonly #options: LiveSocketsOptions
  #byName = new Map<string, LiveSocket>()
  #isRef = true

  constructor(options: LiveSocketsOptions) {
    this.#options = options
  }

  get sockets(): Socket[] {
    return Array.from(this.#byName.values(), live => live.socket)
  }

  /** `address` as text, with its zone. */
  get(address: string, port: number): LiveSocket | undefined {
    return this.#byName.get(nameOf(address, port))
  }

  /** Connects sockets to these endpoints and closes those of others, which are returned. What cannot be connected is left out. */
  keep(endpoints: readonly Endpoint[], textOf: (endpoint: Endpoint) => string): Socket[] {
    if (!canShare) return []
    const before = this.#byName
    this.#byName = new Map()
    for (const endpoint of endpoints) {
      const address = textOf(endpoint)
      const name = nameOf(address, endpoint.port)
      const live = before.get(name) ?? this.#open(endpoint, address)
      if (live !== undefined) this.#byName.set(name, live)
    }
    return [...before].flatMap(([name, live]) => (this.#byName.has(name) ? [] : [live.socket]))
  }

  #open(endpoint: Endpoint, address: string): LiveSocket | undefined {
    const { host, port, message, error } = this.#options
    const type = endpoint.address.length === 16 ? 'udp6' : 'udp4'
    if (host !== undefined && host.includes(':') !== (type === 'udp6')) return undefined
    const socket = createUdpSocket(type, true)
    let isUsable = true
    socket.on('error', cause => {
      isUsable = false
      error(cause)
    })
    if (!this.#isRef) socket.unref()
    // Both are done when they return: every address is one already.
    socket.bind({ port, ...(host !== undefined && { address: host }), exclusive: true })
    const live: LiveSocket = { socket, port: endpoint.port, address, isHeard: false, connectedAt: -Infinity }
    if (!isUsable || !connect(live)) {
      socket.close()
      return undefined
    }
    socket.on('message', (datagram, source) => {
      live.isHeard = true
      message(datagram, source)
    })
    return live
  }

  /** Connects all anew; true if one has another local address by that. */
  followRoutes(): boolean {
    let moved = false
    for (const live of this.#byName.values()) {
      const before = live.socket.address().address
      live.connectedAt = -Infinity
      const { isHeard } = live
      this.renew(live)
      if (live.socket.address().address === before) live.isHeard = isHeard
      else moved = true
    }
    return moved
  }

  /** Connects it anew, by the routes and the local addresses that the host has by now. */
  renew(live: LiveSocket): void {
    if (performance.now() - live.connectedAt < renewInterval) return
    try {
      live.socket.disconnect()
    } catch {
      // It was not connected: the last attempt found no route.
    }
    live.isHeard = !connect(live)
  }

  setRef(on: boolean): void {
    this.#isRef = on
    for (const socket of this.sockets) on ? socket.ref() : socket.unref()
  }
}

function connect(live: LiveSocket): boolean {
  let isConnected = false
  live.connectedAt = performance.now()
  live.socket.connect(live.port, live.address, () => {})
  try {
    live.socket.remoteAddress()
    isConnected = true
  } catch {
    // No route: the callback has the error.
  }
  return isConnected
}

function nameOf(address: string, port: number): string {
  return `${address} ${port}`
}

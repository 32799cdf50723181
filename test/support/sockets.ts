// Two hosts joined in memory behind the stack's contract, without packets: enough to hold the sockets to it, and to make
// happen what a real peer rarely does. A turn runs by setImmediate, as the tunnel's loop does.
import { formatAddress, type IpAddress, parseAddress, sameAddress } from '../../src/core/base/address.js'
import {
  type ConnectOptions,
  type ListenOptions,
  type SocketCode,
  StackError,
  type TcpConnection,
  type TcpEvents,
  type UdpEvents,
  type UdpOptions,
} from '../../src/core/netstack/types.js'
import { TunnelError } from '../../src/errors.js'
import type { StackPort } from '../../src/node/stack-port.js'

/** A host of the fake network. */
export interface FakeHost extends StackPort {
  readonly addresses: readonly IpAddress[]
  /** Sockets that hold the process. */
  refs: number
  /** Every connection dialled or accepted here, and what was asked of each dial. */
  readonly connections: FakeConnection[]
  readonly dials: ConnectOptions[]
}

export interface FakeNetwork {
  readonly client: FakeHost
  readonly server: FakeHost
  /** No SYN to this address is ever answered. */
  readonly silent: string
  /** That one, and any that a test adds. */
  readonly silences: Set<string>
  /** A router says that this one cannot be reached. */
  readonly unreachable: string
}

/** Bytes that a fake connection holds each way before it pushes back. */
export const fakeWindow = 128 * 1024
const largestSlab = 64 * 1024

const silent = '10.7.0.98'
const unreachable = '10.7.0.99'
const names: Record<string, string[]> = {
  server: ['10.7.0.1'],
  dual: ['fd07::1', '10.7.0.1'],
  mute: [silent, '10.7.0.1'],
  away: [unreachable, '10.9.0.1'],
  outside: ['10.9.0.1'],
}

export function createFakeNetwork(): FakeNetwork {
  const turn = createTurn()
  const server = createHost(turn, ['10.7.0.1', 'fd07::1'])
  const client = createHost(turn, ['10.7.0.2', 'fd07::2'])
  server.other = client
  client.other = server
  return { client, server, silent, silences: server.silences, unreachable }
}

interface Turn {
  /** Runs once in the next turn. */
  soon(action: () => void): void
}

function createTurn(): Turn {
  let queue: (() => void)[] = []
  return {
    soon(action) {
      queue.push(action)
      if (queue.length > 1) return
      setImmediate(() => {
        const now = queue
        queue = []
        for (const run of now) run()
      })
    },
  }
}

interface Listener {
  readonly options: ListenOptions
  readonly port: number
  readonly accept: (connection: TcpConnection) => TcpEvents
}

type Host = FakeHost & {
  other: Host
  silences: Set<string>
  listeners: Listener[]
  udp: { options: UdpOptions; port: number; events: UdpEvents }[]
}

function createHost(turn: Turn, texts: string[]): Host {
  const addresses = texts.map(address)
  let freePort = 40000
  const isOwn = (one: IpAddress) => addresses.some(own => sameAddress(own, one))
  const host: Host = {
    addresses,
    refs: 0,
    connections: [],
    dials: [],
    listeners: [],
    udp: [],
    other: undefined as unknown as Host,
    silences: new Set([silent]),
    now: () => performance.now(),
    changed: () => {},
    lookup(name) {
      const literal = parseAddress(name)
      if (literal !== undefined) return [literal]
      if (names[name] === undefined) throw new TunnelError('UNKNOWN_HOST', `unknown host ${name}`)
      return names[name].map(address)
    },
    resolve: () => {
      throw new Error('there is no DNS here')
    },
    explain: code => (code === 'ENETUNREACH' ? new TunnelError('NO_ROUTE', 'no AllowedIPs cover it') : undefined),
    addRef: () => host.refs++,
    release: () => host.refs--,
    stack: {
      mtu: 1420,
      ownAddresses: addresses,
      connect(options, events) {
        host.dials.push(options)
        const family = addresses.filter(own => own.length === options.address.length)
        if (!covered(options.address)) throw new StackError('ENETUNREACH', 'no route')
        if (options.localAddress && !isOwn(options.localAddress)) throw new StackError('EADDRNOTAVAIL', 'not own')
        const near = new FakeConnection(
          turn,
          options.localAddress ?? family[0]!,
          options.localPort ?? freePort++,
          options,
        )
        near.events = events
        host.connections.push(near)
        turn.soon(() => dial(host.other, near, options))
        return near
      },
      listen(options, accept) {
        if (options.address !== undefined && !isOwn(options.address)) throw new StackError('EADDRNOTAVAIL', 'not own')
        const port = options.port === 0 ? freePort++ : options.port
        if (host.listeners.some(listener => listener.port === port)) throw new StackError('EADDRINUSE', 'taken')
        const listener = { options, port, accept }
        host.listeners.push(listener)
        return { port, close: () => host.listeners.splice(host.listeners.indexOf(listener), 1) }
      },
      bindUdp(options, events) {
        const port = options.port ? options.port : freePort++
        if (host.udp.some(bound => bound.port === port)) throw new StackError('EADDRINUSE', 'taken')
        const bound = { options, port, events }
        host.udp.push(bound)
        let peer: { address: IpAddress; port: number } | undefined
        return {
          port,
          hopLimit: 64,
          connect: (to, toPort) => {
            peer = { address: to, port: toPort }
          },
          disconnect: () => {
            peer = undefined
          },
          send(bytes, to, toPort) {
            if (!covered(to)) throw new StackError('ENETUNREACH', 'no route')
            if (bytes.length > 65507) throw new StackError('EMSGSIZE', 'too long')
            const copy = bytes.slice()
            const from = addresses.find(own => own.length === to.length)!
            turn.soon(() => {
              const receiver = host.other.udp.find(other => other.port === toPort)
              if (receiver !== undefined) receiver.events.message(copy, from, port)
              else if (peer !== undefined) events.error('ECONNREFUSED')
            })
            return true
          },
          close: () => host.udp.splice(host.udp.indexOf(bound), 1),
        }
      },
      ping: () => {
        throw new Error('not in the fake network')
      },
    },
  }
  return host
}

function dial(host: Host, near: FakeConnection, options: ConnectOptions): void {
  const to = options.address
  if (host.silences.has(formatAddress(to))) {
    if (options.timeout !== undefined) setTimeout(() => near.fail('ETIMEDOUT'), options.timeout)
    return
  }
  if (sameAddress(to, address(unreachable))) {
    near.fail('EHOSTUNREACH')
    return
  }
  const listener = host.listeners.find(
    ({ options: own, port }) => port === options.port && (own.address === undefined || sameAddress(own.address, to)),
  )
  if (listener === undefined) {
    near.fail('ECONNREFUSED')
    return
  }
  if (near.over) return
  const far = new FakeConnection(near.turn, to, options.port, { address: near.localAddress, port: near.localPort })
  near.peer = far
  far.peer = near
  near.established = true
  far.established = true
  host.connections.push(far)
  far.events = listener.accept(far)
  near.events?.connected(performance.now())
  near.move()
  far.move()
}

/** One end. What is written moves to the other end's inbox a turn later, as far as its window goes. */
export class FakeConnection implements TcpConnection {
  readonly turn: Turn
  readonly localAddress: IpAddress
  readonly localPort: number
  readonly remoteAddress: IpAddress
  readonly remotePort: number
  readonly path = 1
  readonly stats = {} as TcpConnection['stats']
  events: TcpEvents | undefined
  peer: FakeConnection | undefined
  established = false
  over = false
  noDelay: boolean | undefined
  keepAlive: { on: boolean; idleMs: number } | undefined
  readonly written: number[] = []
  #outbox: Uint8Array[] = []
  #inbox: Uint8Array[] = []
  #room = false
  #ending = false
  #ended = false
  #heardEnd = false
  #orphan = false
  #moving = false
  bytesQueued = 0
  bytesReadable = 0

  constructor(turn: Turn, localAddress: IpAddress, localPort: number, remote: { address: IpAddress; port: number }) {
    this.turn = turn
    this.localAddress = localAddress
    this.localPort = localPort
    this.remoteAddress = remote.address
    this.remotePort = remote.port
  }

  get state() {
    return this.over ? ('closed' as const) : this.established ? ('established' as const) : ('syn-sent' as const)
  }

  write(chunk: Uint8Array, offset: number): number {
    const count = Math.max(0, Math.min(chunk.length - offset, fakeWindow - this.bytesQueued))
    if (count > 0) this.#outbox.push(chunk.slice(offset, offset + count))
    this.bytesQueued += count
    this.written.push(count)
    if (count < chunk.length - offset) this.#room = true
    this.move()
    return count
  }

  end(): void {
    this.#ending = true
    this.move()
  }

  read(): Uint8Array | undefined | null {
    const slab = this.#inbox.shift()
    if (slab !== undefined) {
      this.bytesReadable -= slab.length
      this.peer?.move()
      return slab
    }
    return this.#heardEnd ? null : undefined
  }

  /** Something may have become possible; a turn looks. */
  move(): void {
    if (this.#moving || !this.established) return
    this.#moving = true
    this.turn.soon(() => {
      this.#moving = false
      this.#turn()
    })
  }

  #turn(): void {
    const peer = this.peer!
    if (this.over) return
    let moved = false
    while (this.#outbox.length > 0 && peer.bytesReadable < fakeWindow) {
      const slab = this.#outbox.shift()!
      if (peer.#orphan || peer.over) {
        this.fail('ECONNRESET')
        return
      }
      this.bytesQueued -= slab.length
      for (let at = 0; at < slab.length; at += largestSlab) peer.#inbox.push(slab.subarray(at, at + largestSlab))
      peer.bytesReadable += slab.length
      moved = true
    }
    if (this.#ending && !this.#ended && this.#outbox.length === 0) {
      this.#ended = true
      peer.#heardEnd = true
      moved = true
      this.events?.allSent?.()
    }
    if (moved) peer.#tell('readable')
    if (moved && this.#room) {
      this.#room = false
      this.#tell('writable')
    }
    if (this.#ended && this.#heardEnd && peer.#ended) {
      this.#close()
      peer.#close()
    }
  }

  #tell(event: 'readable' | 'writable'): void {
    if (!this.#orphan && !this.over) this.events?.[event]()
  }

  #close(code?: SocketCode): void {
    if (this.over) return
    this.over = true
    this.events?.closed(code)
  }

  /** What a peer or the network does to it. */
  fail(code: SocketCode): void {
    if (code !== 'ECONNREFUSED') this.#inbox = []
    this.#close(code)
  }

  reset(): void {
    this.turn.soon(() => {
      this.peer?.fail('ECONNRESET')
      this.#close()
    })
  }

  destroy(): void {
    if (!this.established) {
      this.turn.soon(() => this.#close())
      return
    }
    this.#orphan = true
    if (this.bytesReadable > 0) this.reset()
    else this.end()
  }

  setKeepAlive(on: boolean, idleMs: number): void {
    this.keepAlive = { on, idleMs }
  }

  setNoDelay(on: boolean): void {
    this.noDelay = on
  }
}

function covered(to: IpAddress): boolean {
  return to.length === 4 ? to[0] === 10 && to[1] === 7 : to[0] === 0xfd && to[1] === 7
}

function address(text: string): IpAddress {
  return parseAddress(text)!
}

// A host on a virtual clock: what turns the core's inputs and deadlines into events, and sockets for whoever writes a test.
import type { Endpoint, IpAddress } from '../core/base/address.js'
import { noSlot } from '../core/base/packet-memory.js'
import { Host, type HostOptions } from '../core/host/host.js'
import type { PingResult, TcpConnection } from '../core/netstack/stack.js'
import type { DeviceEvent } from '../core/wireguard/device.js'
import type { Receive } from './flight.js'
import type { Path } from './path.js'
import { createSocket, type SimulatedSocket } from './socket.js'
import type { VirtualClock } from './virtual-clock.js'

export interface SimulatedServer {
  readonly port: number
  /** Refuses from now on; connections that stand are left alone. */
  close(): void
}

/** A host on the virtual clock. Its sockets need no more than this; `host` is the core below, for what these do not reach. */
export interface SimulatedHost {
  readonly name: string
  /** IPv4 and IPv6 address inside the tunnel. */
  readonly address: IpAddress
  readonly address6: IpAddress
  /** Dials; rejects with an error whose `code` is Node's (ECONNREFUSED, ETIMEDOUT …). */
  connect(address: IpAddress, port: number): Promise<SimulatedSocket>
  /** Calls `accept` with each connection to `port`; 0 takes a free one. */
  listen(port: number, accept: (socket: SimulatedSocket) => void): SimulatedServer
  /** An echo request; resolves to its round trip in ms or to what went wrong. */
  ping(address: IpAddress, options?: { size?: number; timeout?: number }): Promise<PingResult>

  readonly host: Host
  /** After any call on {@link host} that may have output or a deadline: the host gets its turn. */
  changed(): void
  readonly endpoint: Endpoint
  /** What the WireGuard device reported, in order. */
  readonly events: DeviceEvent[]
  /** Added to the wall clock that this host sees, ms. */
  wallOffset: number
  /** Datagrams that found no room in packet memory. */
  readonly dropped: number
}

export interface SimulatedHostSetup {
  readonly name: string
  readonly clock: VirtualClock
  readonly address: IpAddress
  readonly address6: IpAddress
  readonly endpoint: Endpoint
  readonly peerEndpoint: Endpoint
  readonly path: Path
  readonly budget: number
  readonly turn: number
  readonly timerTick: number
  readonly host: Omit<HostOptions, 'sink' | 'now'>
}

/** What createNetwork() sees of it. */
export interface JoinableHost extends SimulatedHost {
  readonly receive: Receive
  joinTo(other: { readonly receive: Receive }): void
}

/** The wall clock at the start of every simulation: 2026-01-01T00:00:00Z. */
const startOfWall = 1767225600000

export function simulateHost(setup: SimulatedHostSetup): JoinableHost {
  const { clock, path, budget, peerEndpoint } = setup
  const events: DeviceEvent[] = []
  let deliver: Receive = () => {}
  let turnPending = false
  let wakeAt = Infinity
  let dropped = 0

  const host = new Host({
    ...setup.host,
    now: clock.now,
    sink: {
      sendDatagram(slot, length) {
        path.send(memory.u8, slot, length, deliver)
        memory.free(slot)
      },
      report: event => events.push(event),
    },
  })
  const { memory } = host

  function turn(): void {
    turnPending = false
    const { now } = clock
    if (host.nextDeadline() <= now) host.handleTimeout(now, startOfWall + now + simulated.wallOffset)
    if (host.flush(now, budget) || host.nextDeadline() <= now) changed()
    else arm()
  }

  function arm(): void {
    let deadline = host.nextDeadline()
    if (deadline === Infinity) return
    if (setup.timerTick > 0)
      deadline = clock.now + Math.ceil((deadline - clock.now) / setup.timerTick) * setup.timerTick
    // One that is too early only looks again.
    if (deadline >= wakeAt) return
    wakeAt = deadline
    clock.schedule(deadline, wake)
  }

  function wake(): void {
    if (wakeAt > clock.now) return
    wakeAt = Infinity
    changed()
  }

  function changed(): void {
    if (turnPending) return
    turnPending = true
    clock.schedule(clock.now + setup.turn, turn)
  }

  function receive(bytes: Uint8Array, offset: number, length: number): void {
    const slot = length > memory.slotSize ? noSlot : memory.alloc()
    if (slot === noSlot) {
      dropped++
      return
    }
    memory.u8.set(bytes.subarray(offset, offset + length), slot)
    host.handleDatagram(slot, length, peerEndpoint, clock.now)
    changed()
  }

  const simulated: JoinableHost = {
    name: setup.name,
    host,
    address: setup.address,
    address6: setup.address6,
    endpoint: setup.endpoint,
    events,
    wallOffset: 0,
    get dropped() {
      return dropped
    },
    changed,
    receive,
    joinTo(other) {
      deliver = other.receive
    },
    async connect(address, port) {
      const { events, attach, established } = createSocket(clock, changed)
      attach(host.stack.connect({ address, port }, events, clock.now))
      changed()
      return established
    },
    listen(port, accept) {
      return host.stack.listen({ port }, (connection: TcpConnection) => {
        const { socket, events, attach } = createSocket(clock, changed)
        attach(connection)
        accept(socket)
        return events
      })
    },
    ping(address, options = {}) {
      return new Promise(resolve => {
        const done = (result: PingResult) => {
          resolve(result)
          clock.wake()
        }
        host.stack.ping(address, options, done, clock.now)
        changed()
      })
    },
  }
  return simulated
}

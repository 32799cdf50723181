// Two whole hosts, WireGuard and TCP/IP, joined by a path on a virtual clock. The same seed replays the same run to the byte.
import { type Endpoint, type IpAddress, parseAddress, parsePrefix } from '../core/base/address.js'
import { noSlot } from '../core/base/packet-memory.js'
import type { Crypto } from '../core/crypto/crypto.js'
import { nobleCrypto } from '../core/crypto/noble/index.js'
import { Host, type HostOptions } from '../core/host/host.js'
import type { DeviceEvent } from '../core/wireguard/device.js'
import { createPath, type Path, type PathOptions } from './path.js'
import { createSeededRandom, type SeededRandom } from './random.js'
import { createVirtualClock, type VirtualClock } from './virtual-clock.js'

export interface NetworkOptions {
  /** Same seed, same run. 1 by default. */
  seed?: number
  /** Both directions of the path; `there` and `back` override it for one direction. */
  path?: PathOptions
  there?: PathOptions
  back?: PathOptions
  /** MTU inside the tunnel, 1420 by default. */
  mtu?: number
  crypto?: Crypto
  /** More for both hosts: limits, timers, congestion control. */
  host?: Partial<HostOptions>
  /** Packets that a host may send in one turn, 64 by default. */
  budget?: number
}

/** A host on the virtual clock. After any call on `host.stack` that may have output, call `changed()`. */
export interface SimulatedHost {
  readonly name: string
  readonly host: Host
  /** IPv4 and IPv6 address inside the tunnel. */
  readonly address: IpAddress
  readonly address6: IpAddress
  readonly endpoint: Endpoint
  readonly events: DeviceEvent[]
  /** Added to the wall clock that this host sees, ms. */
  wallOffset: number
  changed(): void
}

/** Two hosts `a` (10.7.0.1, fd07::1) and `b` (10.7.0.2, fd07::2); `a` knows where `b` is, `b` learns it. */
export interface Network {
  readonly clock: VirtualClock
  readonly random: SeededRandom
  readonly a: SimulatedHost
  readonly b: SimulatedHost
  readonly there: Path
  readonly back: Path
}

/** The wall clock at the start of every simulation: 2026-01-01T00:00:00Z. */
const startOfWall = 1767225600000

export function createNetwork(options: NetworkOptions = {}): Network {
  const clock = createVirtualClock()
  const random = createSeededRandom(options.seed ?? 1)
  const crypto = options.crypto ?? nobleCrypto
  const secrets = [0, 1].map(() => {
    const secret = new Uint8Array(32)
    random.fill(secret)
    return secret
  }) as [Uint8Array, Uint8Array]
  const publicKeys = secrets.map(secret => {
    const key = crypto.privateKey(secret)
    const publicKey = key.publicKey.slice()
    key.wipe()
    return publicKey
  }) as [Uint8Array, Uint8Array]

  const a = simulate(0)
  const b = simulate(1)
  const there = createPath(clock, random, { ...options.path, ...options.there }, datagram => b.receive(datagram))
  const back = createPath(clock, random, { ...options.path, ...options.back }, datagram => a.receive(datagram))

  function simulate(index: 0 | 1): SimulatedHost & { receive(datagram: Uint8Array): void } {
    const own = index + 1
    const other = 2 - index
    const events: DeviceEvent[] = []
    let turnPending = false
    let wakeAt = Infinity

    const host = new Host({
      crypto,
      random: bytes => random.fill(bytes),
      privateKey: secrets[index],
      addresses: [must(parsePrefix(`10.7.0.${own}/32`)), must(parsePrefix(`fd07::${own}/128`))],
      peers: [
        {
          publicKey: publicKeys[1 - index] as Uint8Array,
          allowedIps: [must(parsePrefix(`10.7.0.${other}/32`)), must(parsePrefix(`fd07::${other}/128`))],
          ...(index === 0 && { endpoint: endpointOf(other) }),
        },
      ],
      mtu: options.mtu ?? 1420,
      now: clock.now,
      memoryBytes: 16 * 1024 * 1024,
      ...options.host,
      sink: {
        sendDatagram(slot, length) {
          const path = index === 0 ? there : back
          path.send(host.memory.u8, slot, length)
          host.memory.free(slot)
        },
        report: event => events.push(event),
      },
    })

    function turn(): void {
      turnPending = false
      if (host.nextDeadline() <= clock.now)
        host.handleTimeout(clock.now, startOfWall + clock.now + simulated.wallOffset)
      if (host.flush(clock.now, options.budget ?? 64)) changed()
      else arm()
    }

    function arm(): void {
      const deadline = host.nextDeadline()
      if (deadline >= wakeAt || deadline === Infinity) return
      wakeAt = deadline
      clock.schedule(deadline, () => {
        if (wakeAt > clock.now) return
        wakeAt = Infinity
        changed()
      })
    }

    function changed(): void {
      if (turnPending) return
      turnPending = true
      clock.schedule(clock.now, turn)
    }

    const simulated: SimulatedHost & { receive(datagram: Uint8Array): void } = {
      name: index === 0 ? 'a' : 'b',
      host,
      address: must(parseAddress(`10.7.0.${own}`)),
      address6: must(parseAddress(`fd07::${own}`)),
      endpoint: endpointOf(own),
      events,
      wallOffset: 0,
      changed,
      receive(datagram) {
        const slot = datagram.length > host.memory.slotSize ? noSlot : host.memory.alloc()
        if (slot === noSlot) return
        host.memory.u8.set(datagram, slot)
        host.handleDatagram(slot, datagram.length, endpointOf(other), clock.now)
        changed()
      },
    }
    return simulated
  }

  return { clock, random, a, b, there, back }
}

function endpointOf(host: number): Endpoint {
  return { address: Uint8Array.of(192, 0, 2, host), port: 51820 }
}

function must<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('a constant of the simulation does not parse')
  return value
}

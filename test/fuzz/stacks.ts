// Two TCP/IP stacks on a virtual clock that talk to each other, and somebody in their tunnel who changes segments and mends
// their checksums: a hostile peer. One step is one act; what must hold is checked after each.
import { parseAddress, parsePrefix } from '../../src/core/base/address.js'
import { createPacketMemory } from '../../src/core/base/packet-memory.js'
import {
  type ForwardHandlers,
  packetHeadroom,
  Stack,
  type TcpConnection,
  type TcpEvents,
  type UdpSocket,
} from '../../src/core/netstack/stack.js'
import { createIpHeader, parseIp } from '../../src/core/wire/ip.js'
import { createSeededRandom } from '../../src/testing/random.js'
import { fragmentsOf } from '../support/fragments.js'
import { createMutator } from './mutate.js'
import { checksumOffsets, packetSeeds, sealPacket } from './seeds.js'

const slots = 512
const slotSize = 2048
const remembered = 48
const mostConnections = 20
const budget = 64

interface Host {
  readonly number: 1 | 2
  readonly stack: Stack
  readonly connections: Set<TcpConnection>
  receive(packet: Uint8Array): void
}

export interface StackFuzz {
  /** Does one thing; returns what came of it in a word or two. Throws where something does not hold. */
  step(): string
  /** Table sizes. */
  sizes(): Record<string, number>
}

export function createStackFuzz(seed: number): StackFuzz {
  const random = createSeededRandom(seed)
  const { mutate, pick } = createMutator(random)
  const chance = (probability: number) => random.next() < probability
  let now = 1000
  const history: Uint8Array[] = [...packetSeeds]
  const wire: [to: () => Host, packet: Uint8Array][] = []
  const socketOf = new Map<Stack, UdpSocket>()
  const hosts: readonly [Host, Host] = [createHost(1), createHost(2)]

  function createHost(number: 1 | 2): Host {
    const memory = createPacketMemory(new ArrayBuffer(slots * slotSize), slotSize)
    const other = (): Host => hosts[number === 1 ? 1 : 0]
    const connections = new Set<TcpConnection>()
    const stack = new Stack({
      memory,
      mtu: 1420,
      random: bytes => random.fill(bytes),
      keyedHash: bytes => bytes.reduce((hash, byte) => Math.imul(hash ^ byte, 16777619), number) >>> 0,
      addresses: [
        { address: parseAddress(`10.7.0.${number}`)!, length: 24 },
        { address: parseAddress(`fd07::${number}`)!, length: 64 },
      ],
      route: (bytes, offset) => (bytes[offset] === 10 || bytes[offset] === 0xfd ? 1 : -1),
      pathReady: () => true,
      wakePath: () => {},
      limits: {
        fragmentBytes: 40_000,
        forwardPending: 8,
        forwardFlows: 8,
        forwardEchoes: 4,
        connections: 64,
        timeWait: 32,
        orphans: 16,
        backlog: 8,
        maxSendBuffer: 65536,
        maxReceiveBuffer: 65536,
      },
      sink: {
        sendPacket(slot, offset, length) {
          const packet = memory.u8.slice(offset, offset + length)
          memory.free(slot)
          if (history.length >= remembered) history.splice(packetSeeds.length, 1)
          history.push(packet)
          if (chance(0.95)) wire.push([other, packet])
        },
      },
    })
    const host: Host = {
      number,
      stack,
      connections,
      receive(packet) {
        const slot = memory.alloc()
        if (slot < 0) return
        memory.u8.set(packet, slot + packetHeadroom)
        stack.handlePacket(slot, slot + packetHeadroom, packet.length, 1, now)
      },
    }
    stack.listen({ port: 80 }, connection => {
      connections.add(connection)
      return ownerOf(host, () => connection)
    })
    socketOf.set(stack, stack.bindUdp({ port: 53 }, { message: () => {}, error: () => {} }))
    stack.forward({ prefixes: [parsePrefix('10.8.0.0/16')!, parsePrefix('fd08::/16')!] }, handlersOf(host))
    return host
  }

  /** A forwarder that says anything, at once or never. */
  function handlersOf(host: Host): ForwardHandlers {
    const refusal = () => pick(['refused', 'host-unreachable', 'prohibited', 'drop'] as const)
    return {
      tcp(request) {
        if (chance(0.3)) request.refuse(refusal(), now)
        else if (chance(0.7))
          request.accept(connection => {
            host.connections.add(connection)
            return ownerOf(host, () => connection)
          }, now)
      },
      udp(request) {
        if (chance(0.3)) request.refuse(refusal(), now)
        else if (chance(0.7)) {
          const flow = request.accept({ message: bytes => flow?.send(bytes, now), error() {}, closed() {} }, now)
        }
      },
      echo(request) {
        if (chance(0.3)) request.refuse(refusal(), now)
        else if (chance(0.7)) request.answer(now)
      },
    }
  }

  function ownerOf(host: Host, connection: () => TcpConnection): TcpEvents {
    let isClosed = false
    return {
      connected: () => {},
      readable: () => {
        if (chance(0.7)) read(connection())
      },
      writable: () => {},
      closed: () => {
        if (isClosed) throw new Error('closed() came twice')
        isClosed = true
        host.connections.delete(connection())
      },
    }
  }

  function read(connection: TcpConnection): void {
    for (let slab = connection.read(); slab !== undefined && slab !== null; slab = connection.read());
  }

  function turn(): void {
    for (const { stack } of hosts) {
      if (stack.nextDeadline() <= now) stack.handleTimeout(now)
      stack.flush(now, budget)
    }
  }

  /** Carries what is on the wire, as long as one makes the other speak but not for ever. */
  function settle(rounds = 4): void {
    turn()
    for (let i = 0; i < rounds && wire.length > 0; i++) {
      for (const [to, packet] of wire.splice(0)) to().receive(packet)
      turn()
    }
  }

  const acts: Record<string, (host: Host) => void> = {
    connect(host) {
      if (host.connections.size >= mostConnections) return
      const far = 3 - host.number
      const net = chance(0.7) ? 7 : 8
      const address = parseAddress(chance(0.5) ? `10.${net}.0.${far}` : `fd0${net}::${far}`)!
      let connection: TcpConnection
      connection = host.stack.connect(
        { address, port: chance(0.9) ? 80 : 81, timeout: 5000 },
        ownerOf(host, () => connection),
        now,
      )
      host.connections.add(connection)
    },
    send(host) {
      const far = 3 - host.number
      const net = chance(0.7) ? 7 : 8
      const address = parseAddress(chance(0.5) ? `10.${net}.0.${far}` : `fd0${net}::${far}`)!
      const size = random.integer(chance(0.3) ? 9000 : 1400)
      if (chance(0.2)) host.stack.ping(address, { size, timeout: 1000 }, () => {}, now)
      else socketOf.get(host.stack)!.send(new Uint8Array(size), address, chance(0.8) ? 53 : 54, now)
    },
    /** A packet comes in fragments, perhaps with one of another between them. */
    fragment(host) {
      const size = 8 * (1 + random.integer(40))
      const parts = fragmentsOf(pick(history), size, random.integer(4))
      for (const part of parts.slice(0, 64))
        if (chance(0.9)) host.receive(chance(0.1) ? mutate(part, history).slice(0, 1600) : part)
    },
    write(host) {
      for (const connection of host.connections)
        if (chance(0.5)) connection.write(new Uint8Array(1 + random.integer(8000)), 0, now)
    },
    read(host) {
      for (const connection of host.connections) if (chance(0.5)) read(connection)
    },
    end(host) {
      for (const connection of [...host.connections]) {
        if (chance(0.7)) continue
        if (chance(0.6)) connection.end(now)
        else if (chance(0.5)) connection.destroy(now)
        else connection.reset(now)
      }
    },
    wait() {
      now += chance(0.1) ? random.integer(120_000) : random.integer(400)
    },
    reorder() {
      wire.sort(() => random.next() - 0.5)
    },
    replay(host) {
      host.receive(pick(history))
    },
    mutate(host) {
      const copies = 1 + random.integer(4)
      for (let i = 0; i < copies; i++) {
        const packet = mutate(pick(history), history).slice(0, slotSize - packetHeadroom)
        if (packet.length > 0) host.receive(packet)
      }
    },
    /** The upper layer is changed, and every checksum mended. */
    mutateAndSeal(host) {
      const copies = 1 + random.integer(8)
      for (let i = 0; i < copies; i++) {
        const packet = pick(history)
        const header = (packet[0] as number) >> 4 === 4 ? 20 : 40
        const body = mutate(
          packet.slice(header),
          history.map(each => each.slice(header)),
        ).slice(0, 1600)
        const sealed = sealPacket(packet.slice(0, header), body)
        if (sealed !== undefined) host.receive(sealed)
      }
    },
  }
  const names = Object.keys(acts)
  const ip = createIpHeader()
  const scratch = createPacketMemory(new ArrayBuffer(8192), 4096)

  /** What kind of packet the stack made last: part of an outcome. */
  function lastSent(): string {
    const packet = wire.at(-1)?.[1]
    if (packet === undefined) return ''
    scratch.u8.set(packet)
    if (parseIp(scratch, 0, packet.length, ip) !== undefined) throw new Error('a packet of our own is malformed')
    if (checksumOffsets[ip.protocol] === undefined) throw new Error(`a packet of protocol ${ip.protocol} left`)
    return `${ip.protocol} ${ip.protocol === 6 ? (scratch.u8[ip.payload + 13] as number) : ''}`
  }

  function check(): void {
    for (const { stack } of hosts) {
      const { connections, timeWait, orphans, fragmentBytes } = stack.stats()
      if (fragmentBytes > 40_000) throw new Error(`${fragmentBytes} bytes of fragments`)
      if (connections > 64 || timeWait > 32 || orphans > 16)
        throw new Error(`${connections} connections, ${timeWait} in TIME-WAIT, ${orphans} orphans`)
    }
    if (wire.length > 4096) throw new Error(`${wire.length} packets answer one another`)
  }

  return {
    step() {
      const name = pick(names)
      const host = pick(hosts)
      const before = { ...host.stack.counters }
      ;(acts[name] as (host: Host) => void)(host)
      turn()
      const sent = lastSent()
      settle()
      check()
      const moved = Object.entries(host.stack.counters).flatMap(([key, value]) =>
        value === before[key as keyof typeof before] || /^(packets|bytes|segments)/.test(key) ? [] : key,
      )
      return `${name}: ${moved.join()} ${sent}`
    },
    sizes() {
      const stats = hosts.map(host => host.stack.stats())
      const { connections, timeWait, orphans, reassemblySlots } = stats[0]!
      const sizes = { connections, timeWait, orphans, reassembly: reassemblySlots }
      // All is let go of and time passes: nothing may stay behind.
      for (let i = 0; i < 400; i++) {
        // Also what is accepted only now.
        for (const host of hosts) for (const connection of [...host.connections]) connection.destroy(now)
        settle(50)
        now += 2000
      }
      for (const { stack } of hosts) {
        const left = stack.stats()
        if (
          left.connections +
            left.timeWait +
            left.orphans +
            left.slotsInUse +
            left.reassemblySlots +
            left.fragmentBytes >
          0
        )
          throw new Error(`left behind: ${JSON.stringify(left)}`)
      }
      return sizes
    },
  }
}

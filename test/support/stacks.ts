// Two real TCP/IP stacks joined in memory, without WireGuard between them, as sockets get them from a tunnel. A turn runs
// by setImmediate as the tunnel's loop does; time is real, so timers fire where a test waits for them.
import { randomFillSync } from 'node:crypto'
import { parseAddress } from '../../src/core/base/address.js'
import { createPacketMemory } from '../../src/core/base/packet-memory.js'
import { packetHeadroom, Stack } from '../../src/core/netstack/stack.js'
import type { StackPort } from '../../src/node/stack-port.js'

const mtu = 1420
const slotSize = 2048

export interface StackHost extends StackPort {
  readonly stack: Stack
  stop(): void
}

/** `server` is 10.7.0.1 and fd07::1, `client` 10.7.0.2 and fd07::2; every other address of these nets is silent. */
export function createStackPair(): { client: StackHost; server: StackHost } {
  const server = createHost(1, () => client)
  const client = createHost(2, () => server)
  return { client, server }
}

interface Host extends StackHost {
  receive(packet: Uint8Array): void
}

function createHost(number: number, other: () => Host): Host {
  const memory = createPacketMemory(new ArrayBuffer(16 * 1024 * 1024), slotSize)
  let pending: NodeJS.Immediate | undefined
  let timer: NodeJS.Timeout | undefined
  let stopped = false
  const now = () => performance.now()
  const stack = new Stack({
    memory,
    mtu,
    random: bytes => randomFillSync(bytes),
    keyedHash: bytes => bytes.reduce((hash, byte) => Math.imul(hash ^ byte, 16777619), number) >>> 0,
    addresses: [
      { address: parseAddress(`10.7.0.${number}`)!, length: 24 },
      { address: parseAddress(`fd07::${number}`)!, length: 64 },
    ],
    route: (bytes, offset) => (bytes[offset] === 10 || bytes[offset] === 0xfd ? 1 : -1),
    pathReady: () => true,
    wakePath: () => {},
    sink: {
      sendPacket: (slot, offset, length) => {
        const packet = memory.u8.slice(offset, offset + length)
        memory.free(slot)
        other().receive(packet)
      },
    },
  })
  const turn = () => {
    pending = undefined
    const at = now()
    if (stack.nextDeadline() <= at) stack.handleTimeout(at)
    const more = stack.flush(at, 128)
    if (stopped) return
    if (more) changed()
    clearTimeout(timer)
    const wait = stack.nextDeadline() - now()
    if (wait < 2 ** 31) timer = setTimeout(changed, Math.max(0, Math.ceil(wait))).unref()
  }
  const changed = () => {
    if (!stopped) pending ??= setImmediate(turn)
  }
  return {
    stack,
    now,
    changed,
    lookup: name => [parseAddress(name)!],
    resolve: () => {
      throw new Error('there is no DNS here')
    },
    addRef: () => {},
    release: () => {},
    receive(packet) {
      const slot = memory.alloc()
      if (stopped || slot < 0) return
      memory.u8.set(packet, slot + packetHeadroom)
      stack.handlePacket(slot, slot + packetHeadroom, packet.length, 1, now())
      changed()
    },
    stop() {
      stopped = true
      clearTimeout(timer)
      if (pending !== undefined) clearImmediate(pending)
    },
  }
}

// Two devices that only keep their session alive, for years: no object a datagram, one fixed delay, so that what is on the way
// is a queue.
import { parsePrefix } from '../../src/core/base/address.js'
import type { Crypto } from '../../src/core/crypto/crypto.js'
import { Device } from '../../src/core/wireguard/device.js'
import { createSeededRandom } from '../../src/testing/random.js'
import { endpointOf } from './wireguard.js'

const slotSize = 256
const onTheWay = 256
const startOfWall = 1_767_225_600_000

export interface Life {
  /** Of the initiator. */
  readonly initiations: number
  readonly sessions: number
  /** Of either side: anything that was not as it should be. */
  readonly dropped: number
  readonly keepalives: number
  readonly indices: number
  readonly slots: number
}

/** `a` has PersistentKeepalive, `b` only answers; nothing is lost, and each way takes `delay` milliseconds. */
export function liveFor(milliseconds: number, crypto: Crypto, persistentKeepalive: number, delay: number): Life {
  const random = createSeededRandom(1)
  const memory = crypto.createMemory(slotSize * onTheWay, slotSize)
  const at = new Float64Array(onTheWay)
  const slots = new Int32Array(onTheWay)
  const lengths = new Int32Array(onTheWay)
  const toB = new Uint8Array(onTheWay)
  const endpoints = [endpointOf('192.0.2.1:1001'), endpointOf('192.0.2.2:1002')] as const
  let first = 0
  let next = 0
  let now = 0

  const [a, b] = [0, 1].map(own => {
    const device: Device = new Device({
      crypto,
      memory,
      random: bytes => random.fill(bytes),
      sink: {
        sendDatagram(slot, length) {
          if (next - first === onTheWay) throw new Error('too much is on the way')
          const i = next++ % onTheWay
          at[i] = now + delay
          slots[i] = slot
          lengths[i] = length
          toB[i] = 1 - own
        },
        deliverPacket: slot => memory.free(slot),
        report: () => {},
      },
    })
    const secret = new Uint8Array(32)
    random.fill(secret)
    device.setPrivateKey(secret, now)
    return device
  }) as [Device, Device]
  const allowedIps = [parsePrefix('0.0.0.0/0')!]
  b.setPeer({ publicKey: a.publicKey as Uint8Array, allowedIps }, now)
  a.setPeer({ publicKey: b.publicKey as Uint8Array, allowedIps, endpoint: endpoints[1], persistentKeepalive }, now)

  for (;;) {
    const arrival = first < next ? (at[first % onTheWay] as number) : Infinity
    const step = Math.min(arrival, a.nextDeadline(), b.nextDeadline())
    if (step > milliseconds) break
    now = Math.max(now, step)
    while (first < next && (at[first % onTheWay] as number) <= now) {
      const i = first++ % onTheWay
      const device = toB[i] === 1 ? b : a
      device.handleDatagram(slots[i] as number, lengths[i] as number, endpoints[1 - (toB[i] as number)] as never, now)
    }
    while (a.nextDeadline() <= now) a.handleTimeout(now, startOfWall + now)
    while (b.nextDeadline() <= now) b.handleTimeout(now, startOfWall + now)
  }

  const counters = [a.counters, b.counters]
  const good = ['initiationsSent', 'responsesSent', 'keepalivesSent', 'sessions']
  const dropped = counters.flatMap(each => Object.entries(each)).filter(([name]) => !good.includes(name))
  return {
    initiations: a.counters.initiationsSent,
    sessions: a.counters.sessions,
    dropped: dropped.reduce((sum, [, count]) => sum + count, 0),
    keepalives: a.counters.keepalivesSent,
    indices: a.status(now).indices + b.status(now).indices,
    slots: memory.inUse - (next - first),
  }
}

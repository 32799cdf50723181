// Congestion controllers without a TCP around them: senders that share a bottleneck with a drop-tail queue. Virtual time.
import type { CongestionControlFactory } from '../../src/core/netstack/congestion.js'
import { createSeededRandom } from '../../src/testing/random.js'
import { createVirtualClock, type VirtualClock } from '../../src/testing/virtual-clock.js'
import { type Flow, mss, Sender } from './congestion-flow.js'

/** What a segment costs on the wire with TCP, IP and WireGuard. */
const wireSize = mss + 140

export interface BottleneckOptions {
  /** Mbit/s on the wire. */
  rate: number
  /** Round trip without a queue, ms. */
  rtt: number
  /** Packets that may wait. */
  queue: number
  /** Probability of loss beside the queue. */
  loss?: number
  /** Up to this much more round trip, ms, without reordering of ACKs. */
  jitter?: number
  /** ACKs come back only so often, ms, several at once. */
  aggregate?: number
  /** Turns of the sender's event loop are so far apart, ms; 0: it acts at once. */
  tick?: number
  seed?: number
}

export interface Bottleneck {
  /** Until then nothing passes; may be set while it runs. */
  deadUntil: number
  readonly clock: VirtualClock
  readonly options: BottleneckOptions
  addFlow(factory: CongestionControlFactory, startAt?: number): Flow
  /** Goodput of a flow between two times, Mbit/s. */
  goodput(flow: Flow, from: number, to: number): number
}

export function createBottleneck(options: BottleneckOptions): Bottleneck {
  const clock = createVirtualClock()
  const random = createSeededRandom(options.seed ?? 1)
  let freeAt = 0
  /** When a packet's ACK is back, −1 if it is dropped. */
  function carry(): number {
    if (clock.now < self.deadUntil) return -1
    if (options.loss !== undefined && random.next() < options.loss) return -1
    const transmission = (wireSize * 8) / (options.rate * 1000)
    freeAt = Math.max(freeAt, clock.now)
    if (freeAt - clock.now > options.queue * transmission) return -1
    freeAt += transmission
    const back = freeAt + options.rtt + random.next() * (options.jitter ?? 0)
    return options.aggregate === undefined ? back : Math.ceil(back / options.aggregate) * options.aggregate
  }
  const self: Bottleneck = {
    deadUntil: 0,
    clock,
    options,
    addFlow: (factory, startAt = 0) => new Sender(clock, random, options, carry, factory, startAt),
    goodput(flow, from, to) {
      clock.runUntil(from)
      const before = flow.delivered
      clock.runUntil(to)
      return ((flow.delivered - before) * 8) / (to - from) / 1000
    },
  }
  return self
}

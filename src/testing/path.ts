// One direction of a network path on a virtual clock: delay, jitter that reorders, loss, duplication, corruption, a rate
// with a drop-tail queue, a silent drop above a size, and blackouts.
import type { SeededRandom } from './random.js'
import type { VirtualClock } from './virtual-clock.js'

/** What a path does to datagrams. All may be changed while it runs. */
export interface PathOptions {
  /** One-way delay, ms. */
  delay?: number
  /** Up to this much more, ms, drawn for each datagram: it reorders. */
  jitter?: number
  /** Probability of loss, 0 … 1. */
  loss?: number
  /** Probability that a datagram arrives twice. */
  duplicate?: number
  /** Probability that one bit is flipped. */
  corrupt?: number
  /** Mbit/s; 0 is unlimited. */
  rate?: number
  /** Datagrams that may wait for the rate; more are dropped at the tail. */
  queue?: number
  /** The largest datagram that passes, bytes of UDP payload; 0 is unlimited. Larger ones vanish without a word. */
  mtu?: number
  /** Nothing passes. */
  down?: boolean
}

export interface PathCounters {
  passed: number
  lost: number
  overflowed: number
  tooBig: number
}

export interface Path {
  readonly options: Required<PathOptions>
  readonly counters: PathCounters
  /** Copies `bytes[offset … offset + length)` and delivers it when the path has done its worst. */
  send(bytes: Uint8Array, offset: number, length: number): void
}

/** Bytes of IPv4 and UDP header that count against the rate. */
const outerHeaders = 28

export function createPath(
  clock: VirtualClock,
  random: SeededRandom,
  options: PathOptions,
  deliver: (datagram: Uint8Array) => void,
): Path {
  const settings: Required<PathOptions> = {
    delay: 0,
    jitter: 0,
    loss: 0,
    duplicate: 0,
    corrupt: 0,
    rate: 0,
    queue: 512,
    mtu: 0,
    down: false,
    ...options,
  }
  const counters: PathCounters = { passed: 0, lost: 0, overflowed: 0, tooBig: 0 }
  let freeAt = 0

  function carry(datagram: Uint8Array): void {
    let at = clock.now
    if (settings.rate > 0) {
      const transmission = ((datagram.length + outerHeaders) * 8) / (settings.rate * 1000)
      freeAt = Math.max(freeAt, at)
      if (freeAt - at > settings.queue * transmission) {
        counters.overflowed++
        return
      }
      freeAt += transmission
      at = freeAt
    }
    at += settings.delay
    if (settings.jitter > 0) at += random.next() * settings.jitter
    clock.schedule(at, () => {
      counters.passed++
      deliver(datagram)
    })
  }

  return {
    options: settings,
    counters,
    send(bytes, offset, length) {
      if (settings.mtu > 0 && length > settings.mtu) {
        counters.tooBig++
        return
      }
      if (settings.down || (settings.loss > 0 && random.next() < settings.loss)) {
        counters.lost++
        return
      }
      const datagram = bytes.slice(offset, offset + length)
      if (settings.corrupt > 0 && random.next() < settings.corrupt) {
        const bit = random.integer(length * 8)
        datagram[bit >> 3] = (datagram[bit >> 3] as number) ^ (1 << (bit & 7))
      }
      carry(datagram)
      if (settings.duplicate > 0 && random.next() < settings.duplicate) carry(datagram)
    },
  }
}

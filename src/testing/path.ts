// One direction of a network path on a virtual clock: delay, jitter, loss alone or in bursts, duplication, corruption, a
// rate with a drop-tail queue, a silent drop above a size, and blackouts. Any number of flows may share it.
import { Flight, type Receive } from './flight.js'
import type { SeededRandom } from './random.js'
import type { VirtualClock } from './virtual-clock.js'

/** What a path does to datagrams, in the order of this list. All may be changed while it runs. */
export interface PathOptions {
  /** The largest datagram that passes, bytes of UDP payload; 0 (as without it) is unlimited. Larger ones vanish silently. */
  mtu?: number
  /** Nothing passes; what is under way arrives. */
  down?: boolean
  /** Share of datagrams that are lost, 0 … 1. */
  loss?: number
  /**
   * Mean length of a time in which everything is lost, ms (Gilbert and Elliott's model); each datagram is lost or not by
   * itself without it. The share of such times is {@link loss}.
   */
  lossBurst?: number
  /** Probability that one bit is flipped, 0 … 1. */
  corrupt?: number
  /** Probability that a datagram is sent on twice, 0 … 1. */
  duplicate?: number
  /** Mbit/s, 28 bytes of IPv4 and UDP header a datagram included; 0 (as without it) is unlimited. */
  rate?: number
  /** Datagrams that may wait while another is sent at the rate, 512 without it; more are dropped at the tail. */
  queue?: number
  /** One-way delay, ms. */
  delay?: number
  /** Up to this much more, ms, drawn for each datagram: it reorders, unless {@link keepOrder} is set. */
  jitter?: number
  /** No datagram overtakes another: jitter delays, and never reorders. */
  keepOrder?: boolean
  /** What arrives is handed over in bunches, so many ms apart, as a radio or a busy relay does; 0 (as without it) at once. */
  gather?: number
  /** Once in a {@link stallEvery} nothing is handed over for so long, ms, and then all of it at once. */
  stall?: number
  /** Mean time from one stall's beginning to the next, ms; 1000 without it. */
  stallEvery?: number
}

/** Datagrams, since the path was made. */
export interface PathCounters {
  /** Given to send(). */
  sent: number
  /** Delivered. */
  passed: number
  /** Bytes of UDP payload delivered. */
  passedBytes: number
  lost: number
  /** Found the queue full. */
  overflowed: number
  tooBig: number
  duplicated: number
  corrupted: number
  /** The most that ever waited for the rate at once. */
  longestQueue: number
}

export interface Path {
  readonly options: Required<PathOptions>
  readonly counters: PathCounters
  /** Datagrams that wait for the rate now, the one that is being sent not among them. */
  readonly waiting: number
  /** Copies `bytes[offset … offset + length)`, and gives it to `receive` when the path has done its worst. */
  send(bytes: Uint8Array, offset: number, length: number, receive: Receive): void
}

/** Bytes of IPv4 and UDP header that count against the rate. */
const outerHeaders = 28

export function createPath(clock: VirtualClock, random: SeededRandom, options: PathOptions = {}): Path {
  const settings: Required<PathOptions> = {
    mtu: 0,
    down: false,
    loss: 0,
    lossBurst: 0,
    corrupt: 0,
    duplicate: 0,
    rate: 0,
    queue: 512,
    delay: 0,
    jitter: 0,
    keepOrder: false,
    gather: 0,
    stall: 0,
    stallEvery: 1000,
    ...options,
  }
  const counters: PathCounters = {
    sent: 0,
    passed: 0,
    passedBytes: 0,
    lost: 0,
    overflowed: 0,
    tooBig: 0,
    duplicated: 0,
    corrupted: 0,
    longestQueue: 0,
  }
  const flight = new Flight()
  const bottleneck = new Departures()
  let losing = false
  let stateAt = -Infinity
  let lastArrival = 0
  let stallAt = -Infinity
  let nextStall = 0
  let wakeAt = Infinity

  function isLost(): boolean {
    const { loss, lossBurst } = settings
    if (loss <= 0) return false
    if (lossBurst <= 0 || loss >= 1) return random.next() < loss
    // Two states in continuous time, asked for when a datagram comes; what was known of them fades.
    const known = Math.exp((stateAt - clock.now) / (lossBurst * (1 - loss)))
    losing = random.next() < loss + ((losing ? 1 : 0) - loss) * known
    stateAt = clock.now
    return losing
  }

  /** The end of the stall that an arrival at `at` falls into; arrivals come nearly in order, so the latest is remembered. */
  function afterStall(at: number): number {
    while (at >= nextStall) {
      stallAt = nextStall
      nextStall += settings.stall + 2 * random.next() * Math.max(0, settings.stallEvery - settings.stall)
    }
    return at >= stallAt && at < stallAt + settings.stall ? stallAt + settings.stall : at
  }

  function carry(bytes: Uint8Array, offset: number, length: number, receive: Receive, flip: number): void {
    let at = clock.now
    if (settings.rate > 0) {
      const waiting = bottleneck.waiting(at)
      if (waiting >= settings.queue && bottleneck.busy) {
        counters.overflowed++
        return
      }
      at = bottleneck.add(at, ((length + outerHeaders) * 8) / (settings.rate * 1000))
      counters.longestQueue = Math.max(counters.longestQueue, bottleneck.waiting(clock.now))
    }
    at += settings.delay
    if (settings.jitter > 0) at += random.next() * settings.jitter
    if (settings.keepOrder) at = lastArrival = Math.max(at, lastArrival)
    if (settings.gather > 0) at = Math.ceil(at / settings.gather) * settings.gather
    if (settings.stall > 0) at = afterStall(at)
    const copy = flight.add(at, bytes, offset, length, receive)
    if (flip >= 0) copy[flip >> 3] = (copy[flip >> 3] as number) ^ (1 << (flip & 7))
    arm()
  }

  function arm(): void {
    if (flight.nextAt >= wakeAt) return
    wakeAt = flight.nextAt
    clock.schedule(wakeAt, arrive)
  }

  function arrive(): void {
    if (clock.now < wakeAt) return // moved forward since, and back again
    wakeAt = -Infinity // arm() only once all that is due has arrived
    while (flight.nextAt <= clock.now) {
      counters.passed++
      counters.passedBytes += flight.deliver()
    }
    wakeAt = Infinity
    arm()
  }

  return {
    options: settings,
    counters,
    get waiting() {
      return bottleneck.waiting(clock.now)
    },
    send(bytes, offset, length, receive) {
      counters.sent++
      if (settings.mtu > 0 && length > settings.mtu) {
        counters.tooBig++
        return
      }
      if (settings.down || isLost()) {
        counters.lost++
        return
      }
      let flip = -1
      if (settings.corrupt > 0 && random.next() < settings.corrupt) {
        flip = random.integer(length * 8)
        counters.corrupted++
      }
      carry(bytes, offset, length, receive, flip)
      if (settings.duplicate > 0 && random.next() < settings.duplicate) {
        counters.duplicated++
        carry(bytes, offset, length, receive, flip)
      }
    },
  }
}

/** When each datagram at a bottleneck will have been sent: a ring of times, oldest first. */
class Departures {
  #times = new Float64Array(64)
  #first = 0
  #count = 0

  get busy(): boolean {
    return this.#count > 0
  }

  /** Datagrams behind the one that is being sent. */
  waiting(now: number): number {
    while (this.#count > 0 && (this.#times[this.#first] as number) <= now) {
      this.#first = (this.#first + 1) & (this.#times.length - 1)
      this.#count--
    }
    return Math.max(0, this.#count - 1)
  }

  /** One more, that takes `duration` ms; returns when it has left. */
  add(now: number, duration: number): number {
    const { length } = this.#times
    const mask = length - 1
    const last = this.#times[(this.#first + this.#count - 1) & mask] as number
    const at = (this.#count > 0 ? last : now) + duration
    if (this.#count === length) {
      const larger = new Float64Array(2 * length)
      for (let i = 0; i < length; i++) larger[i] = this.#times[(this.#first + i) & mask] as number
      this.#times = larger
      this.#first = 0
    }
    this.#times[(this.#first + this.#count) & (this.#times.length - 1)] = at
    this.#count++
    return at
  }
}

// Acknowledgements for a congestion controller alone: a window's worth in each round trip, evenly spaced, nothing lost.
import type {
  CongestionControl,
  CongestionControlFactory,
  CongestionStart,
} from '../../src/core/netstack/congestion.js'
import { createSample } from './congestion-sample.js'

export const segment = 1000

export interface AckClock {
  readonly control: CongestionControl
  /** What each acknowledgement says, beside what the clock fills in; set fields stay. */
  readonly sample: ReturnType<typeof createSample>
  now: number
  rtt: number
  /** Congestion window in segments. */
  readonly window: number
  /** Acknowledges segments until `until`. */
  runUntil(until: number): void
  /** One round trip. */
  round(): void
}

export function createAckClock(
  factory: CongestionControlFactory,
  rtt: number,
  start: Partial<CongestionStart> = {},
): AckClock {
  const control = factory({
    segmentSize: segment,
    initialWindow: 10 * segment,
    rtt,
    selectiveAcks: true,
    now: 0,
    random: () => 0.5,
    ...start,
  })
  const sample = createSample()
  let roundStarted = 0

  function ack(clock: AckClock, at: number, inFlight: number): void {
    sample.now = at
    sample.delivered = segment
    sample.acknowledged = segment
    sample.rtt = clock.rtt
    sample.smoothedRtt = clock.rtt
    sample.priorInFlight = inFlight
    sample.sentInFlight = inFlight
    sample.inFlight = inFlight - segment
    sample.totalDelivered += segment
    sample.priorDelivered = roundStarted
    sample.rateInterval = clock.rtt
    sample.rateDelivered = inFlight
    control.onAck(sample)
    control.onSent(segment, inFlight, at)
  }

  const clock: AckClock = {
    control,
    sample,
    now: 0,
    rtt,
    get window() {
      return control.window / segment
    },
    runUntil(until) {
      while (clock.now < until) clock.round()
    },
    round() {
      const count = Math.max(1, Math.floor(control.window / segment))
      const delivered = sample.totalDelivered
      for (let i = 1; i <= count; i++) ack(clock, clock.now + (clock.rtt * i) / count, count * segment)
      roundStarted = delivered + count * segment
      clock.now += clock.rtt
    },
  }
  return clock
}

// What decides how much may be in flight (RFC 5681's place in the stack). The connection counts and detects; a
// controller only turns what it is told into a window and, if it wants, a rate. NewReno is the one there is.

/** What an acknowledgement told; one record, filled again for each, never kept. */
export interface AckSample {
  now: number
  /** Bytes newly delivered: acknowledged, or reported by SACK. */
  delivered: number
  /** Bytes newly acknowledged cumulatively. */
  acknowledged: number
  /** Round trip of a segment that was sent once, ms; 0 if there is none. */
  rtt: number
  /** Smoothed round trip, ms. */
  smoothedRtt: number
  /** Bytes in flight before this acknowledgement. */
  priorInFlight: number
  /** Bytes in flight now. */
  inFlight: number
  /** Bytes newly found lost. */
  lost: number
  /** The acknowledged data was sent while the window, not the application, was the limit. */
  windowLimited: boolean
  /** In fast recovery, or repairing after a timeout. */
  recovering: boolean
}

/** Windows and thresholds are bytes, rates bytes a millisecond, times monotonic milliseconds. */
export interface CongestionControl {
  readonly name: string
  /** How much may be in flight. */
  readonly window: number
  readonly slowStartThreshold: number
  /** Infinity: not paced. */
  readonly pacingRate: number
  /** Data is acknowledged; called for each acknowledgement that delivers something. */
  onAck(sample: AckSample): void
  /** A loss starts a recovery; `outstanding` is what was sent and not acknowledged. */
  onLoss(outstanding: number, now: number): void
  /** Everything that was outstanding when the loss was found is acknowledged. */
  onRecovered(now: number): void
  /** The retransmission timer fired for the first time since data was acknowledged. */
  onTimeout(outstanding: number, now: number): void
  /** Sending starts again after `idle` ms of silence longer than the RTO. */
  onIdle(idle: number, now: number): void
  /** The loss was none: back to where it started. */
  onSpurious(now: number): void
  /** The path's segment size changed. */
  setSegmentSize(bytes: number): void
}

export interface CongestionStart {
  /** Payload of a full segment, bytes. */
  readonly segmentSize: number
  /** What may be sent at once at first, bytes: IW10 (RFC 6928), or one segment where the SYN was resent. */
  readonly initialWindow: number
  readonly now: number
}

export type CongestionControlFactory = (start: CongestionStart) => CongestionControl

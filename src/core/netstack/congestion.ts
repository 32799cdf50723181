// What decides how much may be in flight and how fast it leaves (RFC 5681's place in the stack). The connection counts,
// detects, repairs and paces; a controller only turns what it is told into a window and, if it wants, a rate.

/** What an acknowledgement told; one record, filled again for each, never kept. */
export interface AckSample {
  now: number
  /** Bytes newly delivered: acknowledged, or reported by SACK. */
  delivered: number
  /** Bytes newly acknowledged cumulatively. */
  acknowledged: number
  /** Round trip of a segment that was sent once, by our own stamps, ms; 0 if there is none. */
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
  /** The turn that brought it came so late that it says nothing of the path's round trip or of aggregated ACKs. */
  late: boolean
  /** Bytes delivered, and bytes found lost, since the connection began (draft-ietf-ccwg-bbr, C.delivered and C.lost). */
  totalDelivered: number
  totalLost: number
  /** Delivery rate sample (draft-ietf-ccwg-bbr, 4.1): bytes delivered in `rateInterval` ms; an interval of 0 is no sample. */
  rateDelivered: number
  rateInterval: number
  /** Of the newest segment delivered, at the time it was sent last: C.delivered, C.lost, bytes in flight with it, app-limited. */
  priorDelivered: number
  priorLost: number
  sentInFlight: number
  appLimited: boolean
}

/** A segment found lost, as it was when it was sent last; one record, filled again for each, never kept. */
export interface LostSegment {
  length: number
  /** Bytes in flight with it when it left. */
  sentInFlight: number
  /** Bytes found lost since it left, itself included. */
  lostSince: number
  /** Bytes delivered since the connection began, when it left. */
  priorDelivered: number
  appLimited: boolean
}

/** Windows and thresholds are bytes, rates bytes a millisecond, times monotonic milliseconds. */
export interface CongestionControl {
  readonly name: string
  /** How much may be in flight; whole bytes. */
  readonly window: number
  readonly slowStartThreshold: number
  /** Infinity: not paced. */
  readonly pacingRate: number
  /** The controller bounds what is sent in recovery by itself; else PRR does (RFC 6937bis). */
  readonly governsRecovery: boolean
  /** When {@link handleDeadline} is to be called, Infinity if never. */
  readonly deadline: number
  handleDeadline(now: number): void
  /** A new or a resent segment left; `inFlight` with it. Nothing was in flight before if both are equal. */
  onSent(bytes: number, inFlight: number, now: number): void
  /** Data is acknowledged; called for each acknowledgement that delivers or loses something. */
  onAck(sample: AckSample): void
  /** A segment is found lost; told before {@link onLoss} and {@link onAck} of the same acknowledgement. */
  onSegmentLost(segment: LostSegment, now: number): void
  /** A loss starts a recovery; `inFlight` is what was in the network when it was found. */
  onLoss(inFlight: number, now: number): void
  /** Everything that was outstanding when the loss was found is acknowledged. */
  onRecovered(now: number): void
  /** The retransmission timer fired for the first time since data was acknowledged. */
  onTimeout(inFlight: number, now: number): void
  /** Sending starts again after `idle` ms with nothing in flight. */
  onIdle(idle: number, now: number): void
  /** The loss was none: back to where it started. A recovery under way has just ended; it may have ended long before. */
  onSpurious(now: number): void
  /** The path's segment size changed. */
  setSegmentSize(bytes: number): void
}

export interface CongestionStart {
  /** Payload of a full segment, bytes. */
  readonly segmentSize: number
  /** What may be sent at once at first, bytes: IW10 (RFC 6928), or one segment where the SYN was resent. */
  readonly initialWindow: number
  /** Round trip of the handshake, ms; 0 if it gave no sample. */
  readonly rtt: number
  /** The peer sends SACK. */
  readonly selectiveAcks: boolean
  readonly now: number
  /** A number in [0, 1): for the random parts of a controller's plan. */
  readonly random: () => number
}

export type CongestionControlFactory = (start: CongestionStart) => CongestionControl

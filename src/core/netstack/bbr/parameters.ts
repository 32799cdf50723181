// What BBR is tuned by: the draft's numbers (draft-ietf-ccwg-bbr, section 2), and what this stack does otherwise.

export interface BbrParameters {
  /** A loss rate over a round trip above this is too much in flight (BBR.LossThresh) … */
  readonly lossThresh: number
  /** … but loss tells of too much in flight only where the round trip has risen over the shortest by this factor … */
  readonly rttRise: number
  /** … or where the loss rate is above this one, as a policer's is, that drops without a queue. */
  readonly lossThreshWithoutRise: number
  /** A round trip so little above the shortest is as good as it: ProbeRTT is not needed. */
  readonly rttTolerance: number
  /** A queue of this share of the shortest round trip, and a few ms, is drained while cruising … */
  readonly cruiseQueue: number
  /** … and ends a probe that has made it. */
  readonly probeQueue: number
  /** The window of a probe upward, in bandwidth × round trip: it bounds the queue that is made before it is heard of. */
  readonly upCwndGain: number
  /** The pace, in bandwidths, until the queue that a probe made is gone. */
  readonly downPacingGain: number
}

/** As drafted: every loss counts, and only a shorter round trip puts ProbeRTT off. */
export const draftParameters: BbrParameters = {
  lossThresh: 0.02,
  rttRise: 0,
  lossThreshWithoutRise: 0.02,
  rttTolerance: 0,
  cruiseQueue: Infinity,
  probeQueue: Infinity,
  upCwndGain: 2.25,
  downPacingGain: 0.9,
}

/**
 * Loss of a path that loses at random is no reason to slow down: as drafted, throughput falls off a cliff between 1 % and
 * 2 % of it. A full queue shows in the round trip.
 *
 * The bandwidth is a maximum of samples, and some percent high wherever ACKs come in bunches. As drafted, a queue of up to
 * a round trip grows from that, 25 ms a second, and whatever else takes that path stands in it.
 */
export const defaultParameters: BbrParameters = {
  lossThresh: 0.02,
  rttRise: 1.125,
  lossThreshWithoutRise: 0.15,
  rttTolerance: 1 / 64,
  cruiseQueue: 1 / 16,
  probeQueue: 1 / 32,
  upCwndGain: 1.25,
  downPacingGain: 0.75,
}

/** BBR.StartupPacingGain, BBR.DrainPacingGain, and the gains of ProbeBW (5.6.1). */
export const startupPacingGain = 2.77
export const drainPacingGain = 0.5
export const cruiseQueuePacingGain = 0.9
export const upPacingGain = 1.25
export const defaultCwndGain = 2
export const probeRttCwndGain = 0.5
/** BBR.PacingMarginPercent: on average a little slower than the bottleneck. */
export const pacingMargin = 0.99
/** BBR.Beta, BBR.Headroom. */
export const beta = 0.7
export const headroomShare = 0.15
/** BBR.MinPipeCwnd, segments. */
export const minPipeSegments = 4
/** So many rounds in a row of heavy loss without a queue: one alone is a burst that something dropped. */
export const policerRounds = 2
/** BBRStartupFullLossCnt: acknowledgements of one round trip that found loss. */
export const startupFullLossCount = 6
/** A plateau: so many rounds without so much growth (5.3.1.2). */
export const fullBwRounds = 3
export const fullBwGrowth = 1.25
/** Rounds that Drain lasts at most (5.3.2). */
export const drainRounds = 3
/** BBR.MinRTTFilterLen, BBR.ProbeRTTInterval, BBR.ProbeRTTDuration, ms. */
export const minRttFilterLength = 10_000
export const probeRttInterval = 5000
export const probeRttDuration = 200
/** BBR.ExtraAckedFilterLen, rounds. */
export const extraAckedFilterLength = 10
/** T_bbr, ms: so long and up to a second more; T_reno, round trips at most (5.3.3.8.2). */
export const probeWait = 2000
/** Before the first probe: Startup may have ended by a burst that something dropped, far below what the path gives. */
export const firstProbeWait = 500
export const probeWaitSpread = 1000
export const renoRounds = 63
/** The congestion window is worth so many turns of the event loop: one that is sent, one under way, one that is late. */
export const windowTicks = 3
/** A turn that is further off is not one that pacing waits for: as long as credit is saved, ms. */
export const longestTick = 4

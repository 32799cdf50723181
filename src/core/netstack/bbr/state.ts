// What BBR knows of a path, and nothing it does with it (draft-ietf-ccwg-bbr, section 2). Bytes, bytes a millisecond, ms.
import { holdFractions } from '../../base/fractions.js'
import type { CongestionStart } from '../congestion.js'
import { type BbrParameters, defaultParameters, minPipeSegments, startupPacingGain } from './parameters.js'

/** The states of the draft's diagram. */
export const startup = 0
export const drain = 1
export const probeBwDown = 2
export const probeBwCruise = 3
export const probeBwRefill = 4
export const probeBwUp = 5
export const probeRtt = 6
export const stateNames = ['startup', 'drain', 'down', 'cruise', 'refill', 'up', 'probe-rtt'] as const

/** What the ACKs that arrive now tell of: BBR.ack_phase. */
export const acksInit = 0
export const acksRefilling = 1
export const acksProbeStarting = 2
export const acksProbeFeedback = 3
export const acksProbeStopping = 4

export class BbrState {
  readonly parameters: BbrParameters
  readonly random: () => number
  readonly initialWindow: number
  segmentSize: number

  // What is decided.
  window: number
  pacingRate: number
  /** When ProbeRTT ends though nothing is acknowledged. */
  deadline = Infinity
  state = startup
  pacingGain = startupPacingGain

  // Rounds.
  /** C.delivered. */
  delivered = 0
  roundCount = 0
  roundStart = false
  nextRoundDelivered = 0
  /** The round in which the window was the limit last. */
  windowLimitedRound = -1

  // Bandwidth: the most in this cycle of ProbeBW and in the one before.
  /** Of the latest acknowledgement; and since when, and from which C.delivered, the next is measured where RTTs are short. */
  rate = 0
  rateSince: number
  rateSinceDelivered = 0
  bw = 0
  maxBwNow = 0
  maxBwBefore = 0
  fullBw = 0
  fullBwCount = 0
  fullBwNow = false
  fullBwReached = false

  // Round trip.
  minRtt = Infinity
  minRttStamp: number
  probeRttMinDelay = Infinity
  probeRttMinStamp: number
  probeRttExpired = false
  /** 0: not settled yet. */
  probeRttDoneStamp = 0
  probeRttRoundDone = false
  idleRestart = false
  /** The shortest of the latest few samples: of those being gathered, and of the few before. */
  recentRtt = Infinity
  recentRttBefore = Infinity
  recentRttCount = 0

  // Aggregation of ACKs, and of our own turns.
  extraAckedStart: number
  extraAckedDelivered = 0
  extraAckedNow = 0
  extraAckedBefore = 0
  extraAckedRound = 0
  tick = 0
  lastSentAt = -1

  // Congestion: what the latest round delivered, and the bounds that loss set.
  bwLatest = 0
  inflightLatest = 0
  lossRoundStart = false
  /** Infinity: the next acknowledgement begins the loss round. */
  lossRoundDelivered = 0
  lossInRound = false
  /** Some of it while a queue stood. */
  lossWithRise = false
  lossEventsInRound = 0
  heavyLossRounds = 0
  bwShortterm = Infinity
  inflightShortterm = Infinity
  inflightLongterm = Infinity

  // Probing.
  ackPhase = acksInit
  isBwProbeSample = false
  prevProbeTooHigh = false
  prevProbePrecautionary = false
  bwProbeUpAcked = 0
  bwProbeUpRounds = 0
  probeUpAckedPerInc = Infinity
  roundsSinceProbeUp = 0
  /** The round trip when the probe upward began. */
  probeUpRtt = Infinity
  cycleStamp = 0
  bwProbeWait = 0
  drainStartRound = 0
  /** It was in ProbeBW_UP once. */
  hasProbed = false
  /** C.delivered when it cruised last. */
  cruiseDelivered = 0

  // Recovery.
  recovering = false
  priorWindow = 0
  /** The state that loss ended, −1 if it ended none. */
  undoState = -1
  undoBwShortterm = Infinity
  undoInflightShortterm = Infinity
  undoInflightLongterm = Infinity

  constructor(start: CongestionStart, parameters: BbrParameters) {
    this.parameters = parameters
    this.random = start.random
    this.segmentSize = start.segmentSize
    this.initialWindow = start.initialWindow
    this.window = start.initialWindow
    this.pacingRate = (startupPacingGain * start.initialWindow) / (start.rtt > 0 ? start.rtt : 1)
    this.rateSince = start.now
    this.minRttStamp = start.now
    this.probeRttMinStamp = start.now
    this.extraAckedStart = start.now
    if (start.rtt > 0) {
      this.minRtt = start.rtt
      this.probeRttMinDelay = start.rtt
    }
  }

  get maxBw(): number {
    return this.maxBwNow > this.maxBwBefore ? this.maxBwNow : this.maxBwBefore
  }

  get extraAcked(): number {
    return this.extraAckedNow > this.extraAckedBefore ? this.extraAckedNow : this.extraAckedBefore
  }

  get minPipeWindow(): number {
    return minPipeSegments * this.segmentSize
  }

  get inProbeBw(): boolean {
    return this.state >= probeBwDown && this.state <= probeBwUp
  }

  get isProbingBw(): boolean {
    return this.state === startup || this.state === probeBwRefill || this.state === probeBwUp
  }

  /** Bandwidth × shortest round trip; the initial window while there is no round trip. */
  get bdp(): number {
    return this.minRtt === Infinity ? this.initialWindow : this.bw * this.minRtt
  }

  get isWindowLimited(): boolean {
    return this.windowLimitedRound >= this.roundCount - 1
  }
}

/** What becomes a fraction after it began as a whole number. Counts of bytes change only beyond 2 GiB, and are smaller so. */
const fractions = [
  'rate',
  'bw',
  'maxBwNow',
  'maxBwBefore',
  'fullBw',
  'probeRttDoneStamp',
  'extraAckedNow',
  'extraAckedBefore',
  'tick',
  'lastSentAt',
  'bwLatest',
  'lossRoundDelivered',
  'cycleStamp',
  'bwProbeWait',
  'priorWindow',
] satisfies (keyof BbrState)[]

// V8 learns from the first object how each field is kept. A field that changes under way changes the class, and all of BBR
// was compiled a second time in the middle of a transfer.
const start = { segmentSize: 1, initialWindow: 1, selectiveAcks: true, rtt: 0.5, now: 0.5, random: () => 0 }
holdFractions(new BbrState(start, defaultParameters), fractions)

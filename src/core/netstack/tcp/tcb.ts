// The transmission control block (RFC 9293, 3.3.1): everything a connection knows, and nothing it does.
import type { AddressWords } from '../../wire/ip.js'
import type { CongestionControl } from '../congestion.js'
import type { Timed } from '../context.js'
import type { FlowTicket } from '../gate.js'
import type { PathWaiter } from '../paths.js'
import type { PathShare } from '../shared-budget.js'
import type { SocketCode, TcpEvents } from '../types.js'
import { quickAckSegments } from './constants.js'
import type { TcpLayer } from './layer.js'
import type { Listener } from './listener.js'
import { Reassembly } from './reassembly.js'
import { ReceiveQueue } from './receive-queue.js'
import { RetransmissionTimeout } from './rto.js'
import { Scoreboard } from './scoreboard.js'
import { SendQueue } from './send-queue.js'
import { SenderState } from './sender-state.js'
import { stateClosed } from './states.js'

/** Events that wait to be told, as bits, in the order in which they are told. */
export const eventAccept = 1
export const eventConnected = 2
export const eventReadable = 4
export const eventAllSent = 8
export const eventWritable = 16
export const eventClosed = 32

/** How loss is being repaired: not at all, by fast recovery, or after a timeout. */
export const recoveryNone = 0
export const recoveryFast = 1
export const recoveryTimeout = 2

export abstract class Tcb implements Timed, PathWaiter {
  readonly layer: TcpLayer
  readonly version: 4 | 6
  readonly local: AddressWords
  readonly remote: AddressWords
  readonly localPort: number
  readonly remotePort: number
  /** Sum of the pseudo header but for the length. */
  readonly pseudoSum: number
  path: number
  /** One of states.ts. */
  stateCode = stateClosed
  nextInBucket: Tcb | undefined = undefined

  // The owner.
  events: TcpEvents | undefined = undefined
  /** Whose half-open connection this is. */
  listener: Listener | undefined = undefined
  /** The gate's, if there is one. */
  ticket: FlowTicket | undefined = undefined
  /** Event bits that wait for the end of the turn. */
  pendingEvents = 0
  closeCode: SocketCode | undefined = undefined
  /** The owner let go: of all events only closed() is still told. */
  released = false
  /** Released, and not closed yet. */
  orphan = false
  /** Waits in the queue of those that may have something to send. */
  sendQueued = false

  // Sending.
  iss = 0
  sndUna = 0
  sndNxt = 0
  sndWnd = 0
  sndWl1 = 0
  sndWl2 = 0
  /** Largest window the peer ever offered. */
  maxSndWnd = 0
  sndShift = 0
  /** The peer's window scale, −1 without one. */
  peerWindowScale = -1
  /** Payload of a full segment: the peer's MSS or the path's, less the options every segment carries. */
  segmentSize = 0
  /** What the peer's SYN said, or RFC 9293's default. */
  peerMss = 0
  /** Data that timed out and may be too large for the path: which, since when, and how often the peer was heard meanwhile. */
  suspectSequence = 0
  suspectAt = Infinity
  suspicions = 0
  /** When a larger segment may be tried; one that is in flight: its packet's length, and the sequence number after it. */
  mtuProbeAt = Infinity
  mtuProbe = 0
  mtuProbeEnd = 0
  readonly sendQueue: SendQueue
  readonly sendShare: PathShare
  readonly board: Scoreboard
  noDelay = true
  finQueued = false
  finSent = false
  /** A SYN or SYN-ACK is to be sent. */
  synDue = false
  /** A write took less than it was offered. */
  wroteShort = false
  lastSentAt = 0

  // Receiving.
  irs = 0
  rcvNxt = 0
  /** Right edge of the window as advertised. */
  rcvAdv = 0
  rcvShift = 0
  /** Bound of the receive queue, grown by use. */
  receiveBuffer: number
  readonly received: ReceiveQueue
  readonly receiveShare: PathShare
  readonly reassembly: Reassembly
  readonly slotShare: PathShare
  /** The peer's FIN came, perhaps behind a hole; its sequence number is `finSequence`. */
  finSeen = false
  finSequence = 0
  /** The peer's largest segment so far: what two of must be acknowledged at once. */
  rcvMss: number
  /** For the growth of the receive buffer: bytes read since, and the round trip as the receiver sees it. */
  readBytes = 0
  readSince = 0
  rcvRtt = 0

  // Acknowledging.
  ackNow = false
  /** ACKs to send one by one: duplicate ones for a peer without SACK. */
  acksDue = 0
  lastAckSent = 0
  quickAcks = quickAckSegments
  /** A range received twice, to be told by DSACK (RFC 2883); empty if both are the same. */
  duplicateStart = 0
  duplicateEnd = 0
  challengedAt = -Infinity

  // Options in use.
  tsOk = false
  tsOffset = 0
  tsRecent = 0
  tsRecentAt = 0
  sackOk = false

  // Loss and congestion.
  readonly rto = new RetransmissionTimeout()
  readonly sender = new SenderState()
  congestion: CongestionControl | undefined = undefined
  recovery = recoveryNone
  /** SND.NXT when the loss was found. */
  recoveryPoint = 0
  dupAcks = 0
  /** Bytes that duplicate ACKs say have left the network, where there is no SACK to say which. */
  dupAckedBytes = 0
  /** The next segment found lost leaves whatever the window says. */
  retransmitNow = false
  /** What was sent before this was sent while the congestion window was the limit. */
  windowLimitedUntil = 0
  retransmitsInARow = 0
  synRetransmits = 0
  /** Our SYN or SYN-ACK left more than once. */
  synResent = false
  /** The SYN that left last was answered with an ACK of something else. */
  staleAnswer = false
  /** Probes of a closed window since it closed, and since the peer was last heard. */
  probes = 0
  probesUnanswered = 0
  /** What the timers ask the next turn to send. */
  probeDue = false
  keepAliveDue = false
  /** What ICMP said of the peer; the reason, should the connection time out. */
  softError: SocketCode | undefined = undefined

  // Timers: when each is due, Infinity if it is off.
  retransmitAt = Infinity
  ackAt = Infinity
  keepAliveAt = Infinity
  /** Of a dial, or of an orphan. */
  lifetimeAt = Infinity
  /** The retransmission timer probes a closed window. */
  persisting = false
  keepAliveIdle = 0
  keepAliveSent = 0
  /** When the peer was last heard. */
  heardAt = 0
  heapIndex = -1
  deadline = Infinity

  // Statistics.
  bytesSent = 0
  bytesReceived = 0
  segmentsSent = 0
  segmentsReceived = 0
  retransmits = 0
  timeouts = 0

  constructor(
    layer: TcpLayer,
    version: 4 | 6,
    local: AddressWords,
    localPort: number,
    remote: AddressWords,
    remotePort: number,
    path: number,
    pseudoSum: number,
  ) {
    this.layer = layer
    this.version = version
    this.local = local
    this.remote = remote
    this.localPort = localPort
    this.remotePort = remotePort
    this.path = path
    this.pseudoSum = pseudoSum
    this.receiveBuffer = layer.context.limits.receiveBuffer
    this.rcvMss = 0
    this.sendShare = layer.sendMemory.join(path)
    this.receiveShare = layer.receiveMemory.join(path)
    this.slotShare = layer.reassemblySlots.join(path)
    this.sendQueue = new SendQueue(layer.chunks, this.sendShare)
    this.board = new Scoreboard(layer.lanes, this.sendShare)
    this.received = new ReceiveQueue(layer.context.memory, this.receiveShare)
    this.reassembly = new Reassembly(layer.context.memory, this.slotShare)
  }

  abstract handleDeadline(now: number): void
  abstract pathUp(now: number): void
  abstract pathDown(now: number): void

  /** The connection is over, its queues are empty but for what its owner may still read. */
  leaveShares(): void {
    this.received.disown()
    this.layer.sendMemory.leave(this.sendShare)
    this.layer.receiveMemory.leave(this.receiveShare)
    this.layer.reassemblySlots.leave(this.slotShare)
  }

  /** Sequence numbers sent and not acknowledged. */
  get outstanding(): number {
    return (this.sndNxt - this.sndUna) | 0
  }

  /** Bytes in the network, as far as is known (RFC 6675's pipe). */
  get inFlight(): number {
    const board = this.board
    return ((this.sndNxt - this.sndUna) | 0) - board.sackedBytes - board.lostBytes - this.dupAckedBytes
  }

  /** Bytes written and never sent. Holds until our FIN is sent. */
  get unsent(): number {
    return this.sendQueue.length - ((this.sndNxt - this.sndUna) | 0)
  }
}

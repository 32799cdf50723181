// How large the segments of connections are on a path whose MTU turns out to be less than was thought: a black hole is
// found where full segments time out while the peer is heard (RFC 4821, 7.7; RFC 8899, 4.3), and later a larger segment of
// data is tried now and then (RFC 4821, 7.3). The policy for the path is path-mtu.ts.
import { sameWords } from '../../wire/ip.js'
import { headersLength, segmentSizeFor, type TcpLayer } from './layer.js'
import { resegment } from './resegment.js'
import { seqDiff } from './sequence.js'
import { stateEstablished } from './states.js'
import type { Tcb } from './tcb.js'
import { sendData, transmitBudgetLeft } from './transmit.js'

/** RFC 7323's timestamps, padded. */
const timestampsBytes = 12
/** Up to here a timeout says nothing of the size, unless larger packets are known to vanish. */
const harmlessPacket = 1280
/** Who had so many full segments acknowledged did not meet a black hole from the start. */
const provenSegments = 20
/** Timeouts in a row while only others on the path were heard. */
const silentTimeouts = 2

/** The payload of a full segment of `c` on its path as it is now. */
export function currentSegmentSize(c: Tcb, now: number): number {
  return segmentSizeFor(c.peerMss, c.layer.mssFor(c, now), c.tsOk ? timestampsBytes : 0)
}

/** The path of `c` is narrower than it was: so are the segments of all flows on it. What is in flight of `c` is cut at once. */
export function narrowFlows(c: Tcb, now: number): void {
  adjustFlows(c.layer, c.path, now)
  if (c.board.count > 0) cutSegments(c, now)
}

/** Segments in flight that are longer than the path takes now are lost, and are sent again in parts. */
export function cutSegments(c: Tcb, now: number): void {
  if (c.mtuProbe > 0) probeDone(c, false, now)
  resegment(c.board, c.segmentSize, c.finSent)
  c.retransmitNow = true
  c.layer.wantSend(c)
}

/** Whether a record in flight is longer than the path takes now. */
export function isTooLong(c: Tcb, record: number): boolean {
  return c.board.lengthOf(record) > c.segmentSize + (c.finSent ? 1 : 0)
}

/** Rare, so it looks at every flow of the stack. */
function adjustFlows(layer: TcpLayer, path: number, now: number): void {
  const probeAt = layer.context.paths.mtuProbeAt(path)
  for (const c of layer.flows.all()) {
    if (c.path !== path || c.stateCode < stateEstablished) continue
    const size = currentSegmentSize(c, now)
    if (size !== c.segmentSize) {
      c.segmentSize = size
      c.congestion?.setSegmentSize(size)
    }
    c.mtuProbeAt = probeAt
  }
}

/**
 * The retransmission timer fired. If the same data timed out before, and the peer has been heard since it was sent again,
 * then it is the size that does not pass. To be sure that a peer that lives is heard, it is asked beside the data.
 */
export function suspectBlackHole(c: Tcb, now: number): void {
  const { board, layer } = c
  const { paths } = layer.context
  const length = board.count === 0 ? 0 : board.lengthOf(board.head)
  const packet = headersLength(c.version) + (c.tsOk ? timestampsBytes : 0) + length
  if (packet <= harmlessPacket && (length < c.segmentSize || !paths.hasBlackHole(c.path))) return
  if (c.suspectSequence !== c.sndUna || c.retransmitsInARow === 0 || passesSince(c, length, c.suspectAt))
    c.suspicions = 0
  else if (c.heardAt > c.suspectAt) c.suspicions = silentTimeouts
  else if (paths.heardAt(c.path) > c.suspectAt) c.suspicions++
  c.suspectSequence = c.sndUna
  c.suspectAt = now
  c.keepAliveDue = true
  if (c.suspicions < silentTimeouts) return
  c.suspicions = 0
  const proven = seqDiff(c.sndUna, c.iss) > provenSegments * c.segmentSize
  const known = packet > paths.mtu(c.path, now)
  if (known || paths.stepDownMtu(c.path, c.version, packet, proven, now)) narrowFlows(c, now)
}

/**
 * Whether a segment of `length` bytes or more that left after `since` reached the same host, of this flow or another: then it
 * is chance or congestion that took the one that timed out twice, and not its size. Rare, so it looks at every flow.
 */
function passesSince(c: Tcb, length: number, since: number): boolean {
  for (const other of c.layer.flows.all()) {
    const isSame = other === c || (other.path === c.path && sameWords(other.remote, c.remote))
    if (isSame && other.segmentSize >= length && other.sender.fullSentAt > since) return true
  }
  return false
}

/** Sends new data in a segment larger than others, if that is due and fits; false if there is no slot. */
export function probeMtu(c: Tcb, now: number): boolean {
  const { paths } = c.layer.context
  if (c.mtuProbe > 0) {
    if (seqDiff(c.sndUna, c.mtuProbeEnd) >= 0) probeDone(c, true, now)
    return true
  }
  const packet = paths.mtuProbe(c.path, now)
  const headers = headersLength(c.version)
  const options = c.tsOk ? timestampsBytes : 0
  const length = segmentSizeFor(c.peerMss, packet - headers, options)
  if (length <= c.segmentSize) {
    // Nothing is due, or the peer takes no larger segments.
    c.mtuProbeAt = packet === 0 ? paths.mtuProbeAt(c.path) : Infinity
    return true
  }
  const fits = c.unsent >= length && c.sndWnd - c.outstanding >= length && transmitBudgetLeft() > 0
  if (!fits || c.board.lostBytes > 0 || c.inFlight + length > (c.congestion?.window ?? 0)) return true
  if (!sendData(c, length, false, now)) return false
  c.mtuProbe = headers + options + length
  c.mtuProbeEnd = c.sndNxt
  paths.mtuProbeSent(c.path, c.mtuProbe, now)
  return true
}

function probeDone(c: Tcb, passed: boolean, now: number): void {
  const { paths } = c.layer.context
  paths.mtuProbed(c.path, c.mtuProbe, passed, now)
  c.mtuProbe = 0
  adjustFlows(c.layer, c.path, now)
}

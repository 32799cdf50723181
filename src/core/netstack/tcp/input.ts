// A segment arrives (RFC 9293, 3.10.7, with RFC 5961 and RFC 7323): checks in the standards' order, then what it brings.
import { onesSum, sumIsValid } from '../../wire/checksum.js'
import { type IpHeader, protocolTcp, pseudoHeaderSum } from '../../wire/ip.js'
import { flagAck, flagFin, flagRst, flagSyn, parseTcp, type TcpHeader } from '../../wire/tcp.js'
import type { FlowGate } from '../gate.js'
import { loopbackPath } from '../paths.js'
import { armOrphan, enterTimeWait, remove } from './close.js'
import { challengeInterval, pawsExpiry } from './constants.js'
import { handleAck, isAcceptableAck } from './input-ack.js'
import { acceptData } from './input-data.js'
import { establish, handleListen, handleSynSent } from './input-handshake.js'
import { handleTimeWait } from './input-time-wait.js'
import type { TcpLayer } from './layer.js'
import { replyReset, segmentLength } from './reply.js'
import { seqAtOrBefore, seqBefore, seqDiff } from './sequence.js'
import { stateClosing, stateFinWait1, stateFinWait2, stateLastAck, stateSynReceived, stateSynSent } from './states.js'
import type { Tcb } from './tcb.js'

/** Takes the slot of the TCP segment that `ip` carries. */
export function handleSegment(layer: TcpLayer, slot: number, ip: IpHeader, path: number, now: number): void {
  const { memory, counters } = layer.context
  const h = layer.header
  const length = ip.payloadLength
  const pseudo = pseudoHeaderSum(ip.source, ip.destination, protocolTcp, length)
  if (!sumIsValid(pseudo + onesSum(memory, ip.payload, length))) {
    counters.tcpChecksum++
    memory.free(slot)
    return
  }
  if (!parseTcp(memory, ip.payload, length, h)) {
    counters.tcpMalformed++
    memory.free(slot)
    return
  }
  const c = layer.flows.find(ip.destination, h.destinationPort, ip.source, h.sourcePort)
  if (c === undefined) {
    handleStranger(layer, slot, ip, h, path, now)
    return
  }
  if (path !== c.path && !mayMove(c, path)) {
    memory.free(slot)
    return
  }
  c.segmentsReceived++
  if (c.stateCode === stateSynSent) {
    const again = c.staleAnswer
    if (handleSynSent(c, h, now)) memory.free(slot)
    else replyReset(layer.context, slot, ip, h, path, now, !again)
    return
  }
  if (c.stateCode === stateSynReceived && !synReceivedAckIsGood(c, h)) {
    replyReset(layer.context, slot, ip, h, path, now)
    return
  }
  if (!segmentArrives(c, slot, h, path, now)) memory.free(slot)
}

/** It comes by another path than the connection's: whoever is there has to be allowed, too. */
function mayMove(c: Tcb, path: number): boolean {
  const { gate, counters } = c.layer.context
  if (gate === undefined || c.ticket === undefined || gate.mayGoOn(c.ticket, path)) return true
  counters.movedFlowsRefused++
  return false
}

/** A segment of no connection: one in TIME-WAIT, a SYN for a listener, or nothing of ours. */
function handleStranger(layer: TcpLayer, slot: number, ip: IpHeader, h: TcpHeader, path: number, now: number): void {
  const { memory, counters } = layer.context
  const record = layer.timeWait.find(ip.destination, h.destinationPort, ip.source, h.sourcePort)
  if (record >= 0 && handleTimeWait(layer, record, slot, ip, h, path, now)) return
  const listener = layer.listenerFor(ip.destination, h.destinationPort)
  const asks = (h.flags & (flagRst | flagAck)) === 0
  if (asks && !layer.context.isOwn(ip.destination)) {
    layer.handleForwarded?.(ip, h, path, now)
    memory.free(slot)
    return
  }
  if (listener !== undefined && asks) {
    if (handleListen(layer, listener, ip, h, path, now)) memory.free(slot)
    else layer.prohibit(slot, ip, path, now)
    return
  }
  if (layer.context.gate !== undefined && path !== loopbackPath && !mayBeAnswered(layer, ip, h, asks, path, now)) {
    if (asks) layer.prohibit(slot, ip, path, now)
    else memory.free(slot)
    return
  }
  if (listener === undefined) counters.tcpNoListener++
  replyReset(layer.context, slot, ip, h, path, now)
}

/** A SYN to a port where nobody listens is judged as if somebody did: who may not dial learns nothing of it. */
function mayBeAnswered(layer: TcpLayer, ip: IpHeader, h: TcpHeader, asks: boolean, path: number, now: number): boolean {
  const { counters } = layer.context
  const gate = layer.context.gate as FlowGate
  const { source, destination } = ip
  if (asks) {
    const ticket = gate.admit(false, protocolTcp, destination, h.destinationPort, source, h.sourcePort, path, now)
    if (ticket !== undefined) gate.ended(ticket, 0, 0, false, now)
    return ticket !== undefined
  }
  if (gate.mayAnswer(protocolTcp, destination, h.destinationPort, source, h.sourcePort, path)) return true
  counters.gatedStrays++
  return false
}

/**
 * RFC 9293, 3.10.7.4: an ACK of something else resets the half-open connection's other side, and leaves this one be. What
 * lies outside of the window is judged by that first.
 */
function synReceivedAckIsGood(c: Tcb, h: TcpHeader): boolean {
  if ((h.flags & (flagAck | flagRst)) !== flagAck) return true
  if ((h.flags & flagSyn) === 0 && !isAcceptable(c, h)) return true
  return seqBefore(c.sndUna, h.acknowledgment) && seqAtOrBefore(h.acknowledgment, c.sndNxt)
}

/** True if the slot was kept. */
function segmentArrives(c: Tcb, slot: number, h: TcpHeader, path: number, now: number): boolean {
  const { counters } = c.layer.context
  const flags = h.flags
  const isReset = (flags & flagRst) !== 0
  if ((flags & flagSyn) !== 0 && c.stateCode === stateSynReceived && h.sequence === c.irs && !isReset) {
    return synAgain(c, h, now)
  }
  if (c.tsOk && h.hasTimestamps && !isReset && isOldByTimestamp(c, h, now)) {
    counters.tcpPaws++
    answerUnacceptable(c, h, now)
    return false
  }
  if (!isAcceptable(c, h)) {
    counters.tcpOutOfWindow++
    if (!isReset) answerUnacceptable(c, h, now)
    return false
  }
  if (isReset) {
    handleReset(c, h, now)
    return false
  }
  if ((flags & flagSyn) !== 0) {
    counters.tcpBlindSyn++
    challenge(c, now)
    return false
  }
  if ((flags & flagAck) === 0) {
    counters.tcpNoAck++
    return false
  }
  if (c.stateCode === stateSynReceived) establish(c, h, now)
  if (!isAcceptableAck(c, h.acknowledgment)) {
    counters.tcpBadAck++
    challenge(c, now)
    return false
  }
  c.heardAt = now
  c.path = path
  if (c.tsOk && h.hasTimestamps && seqAtOrBefore(h.sequence, c.lastAckSent) && !isOvertaken(c, h, now)) {
    c.tsRecent = h.timestamp
    c.tsRecentAt = now
  }
  if (handleAck(c, h, now) && finAcknowledged(c, now)) return false
  return h.payloadLength > 0 || (flags & flagFin) !== 0 ? acceptData(c, slot, h, now) : false
}

/** The peer's SYN once more: our SYN-ACK was lost, or both sides opened at once and this is the other's SYN-ACK. */
function synAgain(c: Tcb, h: TcpHeader, now: number): boolean {
  if ((h.flags & flagAck) !== 0) {
    establish(c, h, now)
    c.ackNow = true
  } else {
    c.synDue = true
    c.synResent = true
  }
  c.layer.wantSend(c)
  return false
}

function isOvertaken(c: Tcb, h: TcpHeader, now: number): boolean {
  return seqBefore(h.timestamp, c.tsRecent) && now - c.tsRecentAt < pawsExpiry
}

/**
 * PAWS (RFC 7323, 5.3). A pure ACK that others overtook carries no data that could be old, and SACK blocks that no later one
 * repeats: it is heard, as Linux hears it (tcp_disordered_ack). So is data while other data waits out of order: a head that
 * was resent moves TS.Recent ahead of what left just before it and is still under way, and to drop that is to lose it.
 */
function isOldByTimestamp(c: Tcb, h: TcpHeader, now: number): boolean {
  if (!isOvertaken(c, h, now)) return false
  const isPureAck = h.payloadLength === 0 && (h.flags & (flagSyn | flagFin)) === 0 && h.sequence === c.rcvNxt
  if (!isPureAck && c.reassembly.count === 0) return true
  return seqDiff(c.tsRecent, h.timestamp) > c.rto.interval
}

/**
 * RFC 9293, 3.4 against the window as it was advertised. At a closed window, what starts at RCV.NXT still brings its ACK
 * or RST; and so does an ACK at the right edge, from a peer that has filled the window, or one that was overtaken by data
 * which we did not acknowledge yet.
 */
function isAcceptable(c: Tcb, h: TcpHeader): boolean {
  const offset = seqDiff(h.sequence, c.rcvNxt)
  const window = seqDiff(c.rcvAdv, c.rcvNxt)
  if (offset === 0) return true
  const length = segmentLength(h)
  if (length === 0) {
    const isPlainAck = (h.flags & flagRst) === 0
    return (offset > 0 && offset <= window) || (isPlainAck && offset < 0 && seqAtOrBefore(c.lastAckSent, h.sequence))
  }
  return offset < window && offset + length > 0
}

/** An unacceptable segment is answered with where we are, those that carry nothing within a budget. */
function answerUnacceptable(c: Tcb, h: TcpHeader, now: number): void {
  // A keepalive, or a probe of our window, whatever its age: its sender waits for the answer.
  const isProbe = seqDiff(h.sequence, c.rcvNxt) === -1
  if (h.payloadLength > 0) {
    const end = (h.sequence + h.payloadLength) | 0
    if (c.sackOk && seqAtOrBefore(end, c.rcvNxt) && !isProbe) {
      c.duplicateStart = h.sequence
      c.duplicateEnd = end
      c.layer.context.counters.tcpDuplicate++
    }
  } else if (!isProbe && (h.flags & flagFin) === 0) {
    challenge(c, now)
    return
  }
  c.ackNow = true
  c.layer.wantSend(c)
}

/** A challenge ACK (RFC 5961, 3 to 5 and 7). */
function challenge(c: Tcb, now: number): void {
  if (now - c.challengedAt < challengeInterval || !c.layer.challenges.take(now)) return
  c.challengedAt = now
  c.layer.context.counters.tcpChallengeAcks++
  c.ackNow = true
  c.layer.wantSend(c)
}

/** RFC 5961, 3.2: only the exact one is believed. */
function handleReset(c: Tcb, h: TcpHeader, now: number): void {
  if (h.sequence !== c.rcvNxt) {
    c.layer.context.counters.tcpBlindReset++
    challenge(c, now)
    return
  }
  c.layer.context.counters.tcpResetsReceived++
  if (c.stateCode === stateSynReceived) remove(c, 'ECONNREFUSED')
  else remove(c, 'ECONNRESET')
}

/** Our FIN was acknowledged. True if that was the end. */
function finAcknowledged(c: Tcb, now: number): boolean {
  switch (c.stateCode) {
    case stateFinWait1:
      c.stateCode = stateFinWait2
      if (c.orphan) armOrphan(c, now)
      return false
    case stateClosing:
      enterTimeWait(c, now)
      return true
    case stateLastAck:
      remove(c, undefined)
      return true
    default:
      return false
  }
}

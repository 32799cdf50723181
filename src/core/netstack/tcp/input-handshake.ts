// Handshakes (RFC 9293, 3.5): a SYN for a listener, the answer to our SYN, both sides at once.
import { type AddressWords, copyWords, type IpHeader, protocolTcp, sameWords } from '../../wire/ip.js'
import { flagAck, flagFin, flagRst, flagSyn, type TcpHeader } from '../../wire/tcp.js'
import type { FlowTicket } from '../gate.js'
import { loopbackPath } from '../paths.js'
import { remove } from './close.js'
import { Connection } from './connection.js'
import { defaultMss4, defaultMss6, rtoAfterLostSyn } from './constants.js'
import { segmentSizeFor, type TcpLayer } from './layer.js'
import type { Listener } from './listener.js'
import { sampleMinRtt } from './min-rtt.js'
import { windowShiftFor } from './receive-window.js'
import { pseudoSumOf, timestampNow } from './segment.js'
import { seqAtOrBefore, seqBefore, seqDiff } from './sequence.js'
import { stateEstablished, stateSynReceived } from './states.js'
import { eventAccept, eventConnected, type Tcb } from './tcb.js'

const timestampsBytes = 12

/** A connection between two ends, in no table yet. */
export function createConnection(
  layer: TcpLayer,
  local: AddressWords,
  localPort: number,
  remote: AddressWords,
  remotePort: number,
  path: number,
  version: 4 | 6,
): Connection {
  const { context } = layer
  const c = new Connection(layer, version, local, localPort, remote, remotePort, path, pseudoSumOf({ local, remote }))
  c.tsOffset = context.identity.timestampOffset(local, remote)
  c.rcvShift = windowShiftFor(context.limits.maxReceiveBuffer)
  c.rcvMss = Math.min(defaultMss4, layer.mssFor(c, context.now))
  return c
}

/**
 * A SYN for a listener. Data it carries is not taken; the peer sends it again. False if the gate refuses it; `admitted` is its ticket
 * where that was asked before.
 */
export function handleListen(
  layer: TcpLayer,
  listener: Listener,
  ip: IpHeader,
  h: TcpHeader,
  path: number,
  now: number,
  minSequence?: number,
  admitted?: FlowTicket,
): boolean {
  const { counters, limits, identity, gate } = layer.context
  if (
    (h.flags & (flagSyn | flagFin)) !== flagSyn ||
    (sameWords(ip.source, ip.destination) && h.sourcePort === h.destinationPort)
  ) {
    counters.tcpBadFlags++
    return true
  }
  let ticket = admitted
  // What we dial ourselves was judged by the dial.
  if (gate !== undefined && ticket === undefined && path !== loopbackPath) {
    ticket = gate.admit(false, protocolTcp, ip.destination, h.destinationPort, ip.source, h.sourcePort, path, now)
    if (ticket === undefined) return false
  }
  if (layer.flows.size >= limits.connections || !listener.hasRoom(path)) {
    if (layer.flows.size >= limits.connections) counters.tcpConnectionsFull++
    else counters.tcpBacklogFull++
    // Who asked before ends it, too.
    if (ticket !== undefined && admitted === undefined) gate?.ended(ticket, 0, 0, false, now)
    return true
  }
  const local = copyWords(ip.destination)
  const remote = copyWords(ip.source)
  const c = createConnection(layer, local, h.destinationPort, remote, h.sourcePort, path, ip.version)
  c.ticket = ticket
  listener.join(c)
  c.iss = identity.initialSequence(local, c.localPort, remote, c.remotePort, now)
  if (minSequence !== undefined && seqBefore(c.iss, minSequence)) c.iss = minSequence
  c.sndUna = c.iss
  c.sndNxt = c.iss
  c.stateCode = stateSynReceived
  takeSynOptions(c, h, now)
  layer.flows.insert(c)
  c.synDue = true
  layer.wantSend(c)
  return true
}

/** Sequence numbers and options of the peer's SYN. */
function takeSynOptions(c: Tcb, h: TcpHeader, now: number): void {
  c.irs = h.sequence
  c.rcvNxt = (h.sequence + 1) | 0
  c.rcvAdv = (c.rcvNxt + Math.min(0xffff, c.receiveBuffer)) | 0
  c.lastAckSent = c.rcvNxt
  c.peerMss = h.mss || (c.version === 4 ? defaultMss4 : defaultMss6)
  c.peerWindowScale = h.windowScale
  if (h.windowScale < 0) {
    c.rcvShift = 0
    c.receiveBuffer = Math.min(c.receiveBuffer, 0xffff)
  }
  c.sackOk = h.sackPermitted
  c.tsOk = h.hasTimestamps
  if (c.tsOk) {
    c.tsRecent = h.timestamp
    c.tsRecentAt = now
  }
  // The window of a SYN is not scaled.
  c.sndWnd = h.window
  c.maxSndWnd = h.window
  c.sndWl1 = h.sequence
  c.sndWl2 = h.acknowledgment
}

/** In SYN-SENT. False if the segment is to be answered with a RST. */
export function handleSynSent(c: Tcb, h: TcpHeader, now: number): boolean {
  const { counters } = c.layer.context
  const acked = (h.flags & flagAck) !== 0
  const acceptable = acked && seqBefore(c.iss, h.acknowledgment) && seqAtOrBefore(h.acknowledgment, c.sndNxt)
  if (acked && !acceptable) {
    counters.tcpBadAck++
    if ((h.flags & flagRst) === 0 && !c.staleAnswer) dialAgain(c)
    return false
  }
  if ((h.flags & flagRst) !== 0) {
    if (acceptable) {
      counters.tcpResetsReceived++
      remove(c, 'ECONNREFUSED')
    } else counters.tcpBlindReset++
    return true
  }
  if ((h.flags & (flagSyn | flagFin)) !== flagSyn) {
    counters.tcpBadFlags++
    return true
  }
  takeSynOptions(c, h, now)
  if (acked) {
    establish(c, h, now)
    c.ackNow = true
  } else {
    c.stateCode = stateSynReceived
    c.synDue = true
  }
  c.layer.wantSend(c)
  return true
}

/**
 * The peer holds an earlier connection of these ports, of another process at our address; the RST ends that. So the SYN goes
 * again behind it, as Linux's does: its timeout would be a second lost. Once for each that the timer sends.
 */
function dialAgain(c: Tcb): void {
  c.staleAnswer = true
  c.synResent = true
  c.synDue = true
  c.retransmits++
  c.layer.context.counters.tcpRetransmits++
  c.layer.wantSend(c)
}

/** The handshake is done: our SYN is acknowledged by `h`. */
export function establish(c: Tcb, h: TcpHeader, now: number): void {
  const { layer } = c
  const { context } = layer
  const dialled = c.listener === undefined
  c.stateCode = stateEstablished
  c.sndUna = (c.iss + 1) | 0
  c.sndNxt = c.sndUna
  c.windowLimitedUntil = c.sndUna
  c.sndShift = Math.max(0, c.peerWindowScale)
  if ((h.flags & flagSyn) !== 0) c.sndWl2 = h.acknowledgment
  c.segmentSize = segmentSizeFor(c.peerMss, layer.mssFor(c, now), c.tsOk ? timestampsBytes : 0)
  c.mtuProbeAt = context.paths.mtuProbeAt(c.path)
  sampleHandshake(c, h, now)
  c.retransmitAt = Infinity
  c.synDue = false
  c.lifetimeAt = Infinity
  c.heardAt = now
  c.lastSentAt = now
  c.readSince = now
  c.rto.backoff = 0
  if (c.keepAliveIdle > 0) {
    c.keepAliveAt = now + c.keepAliveIdle
    layer.schedule(c)
  }
  context.counters.tcpConnects++
  layer.raise(c, dialled ? eventConnected : eventAccept)
  if (c.sendQueue.length > 0 || c.finQueued) layer.wantSend(c)
}

/** A SYN that was sent once is a sample; of one sent again only timestamps tell which copy was answered (RFC 6298, 3 and 5.7). */
function sampleHandshake(c: Tcb, h: TcpHeader, now: number): void {
  if (!c.synResent) {
    c.rto.sample(now - c.lastSentAt)
    sampleMinRtt(c.sender, Math.max(now - c.lastSentAt, 0.001), now)
  } else if (c.tsOk && h.hasTimestamps && h.timestampEcho !== 0) {
    c.rto.sample(Math.max(0, seqDiff(timestampNow(c.tsOffset, now), h.timestampEcho)))
  } else c.rto.set(rtoAfterLostSyn)
}

// The text and FIN of a segment (RFC 9293, 3.10.7.4, "seventh" and "eighth"), and when to acknowledge them (netstack's
// rule: one ACK a turn, at once where the sender waits for it).
import { flagFin, type TcpHeader } from '../../wire/tcp.js'
import { abort, receiveFin } from './close.js'
import { delayedAck } from './constants.js'
import { hold } from './held-segment.js'
import { hasMemoryFor } from './receive-window.js'
import { timestampNow } from './segment.js'
import { seqBefore, seqDiff } from './sequence.js'
import { stateEstablished, stateFinWait2 } from './states.js'
import { eventReadable, type Tcb } from './tcb.js'

/** Takes in what the segment carries. True if its slot was kept. */
export function acceptData(c: Tcb, slot: number, h: TcpHeader, now: number): boolean {
  const mayReceive = c.stateCode >= stateEstablished && c.stateCode <= stateFinWait2
  if (!mayReceive) {
    // The peer's FIN was reached: this is what came before it, or the FIN itself, once more.
    ackAtOnce(c)
    return false
  }
  let start = h.sequence
  let payload = h.payload
  let length = h.payloadLength
  noteFin(c, h)
  const old = seqDiff(c.rcvNxt, start)
  if (old > 0) {
    if (length > 0) noteDuplicate(c, start, Math.min(old, length))
    start = (start + old) | 0
    payload += old
    length -= old
  }
  // Not past the window as advertised, and not past the peer's own end.
  length = Math.min(length, seqDiff(c.rcvAdv, start))
  if (c.finSeen) length = Math.min(length, seqDiff(c.finSequence, start))
  let kept = false
  if (length > 0) {
    if (c.orphan) {
      // Nobody will read it: the peer must know (RFC 1122, 4.2.2.13).
      abort(c, 'ECONNRESET', now)
      return false
    }
    kept =
      start === c.rcvNxt
        ? takeInOrder(c, slot, payload, length, h, now)
        : takeOutOfOrder(c, slot, start, payload, length)
  } else ackAtOnce(c)
  if (c.finSeen && c.rcvNxt === c.finSequence) {
    receiveFin(c, now)
    c.layer.raise(c, eventReadable)
  } else if ((h.flags & flagFin) !== 0) ackAtOnce(c)
  return kept
}

/** The FIN counts once it lies within the window; one at its right edge needs no room. */
function noteFin(c: Tcb, h: TcpHeader): void {
  if ((h.flags & flagFin) === 0 || c.finSeen) return
  const sequence = (h.sequence + h.payloadLength) | 0
  if (seqBefore(c.rcvAdv, sequence) || seqBefore(sequence, c.rcvNxt)) return
  // A peer that sent data behind its FIN does not know where its end is.
  const ranges = c.reassembly.count
  if (ranges > 0 && seqBefore(sequence, c.reassembly.rangeEnd(ranges - 1))) return
  c.finSeen = true
  c.finSequence = sequence
}

function takeInOrder(c: Tcb, slot: number, payload: number, length: number, h: TcpHeader, now: number): boolean {
  const { memory, counters } = c.layer.context
  // What waits behind it was admitted when it came: to ask again could leave both waiting for ever.
  if (!hasMemoryFor(c, length)) {
    counters.tcpReceiveMemoryFull++
    return false
  }
  const before = c.rcvNxt
  hold(memory, slot, before, payload, length)
  c.received.push(slot)
  c.rcvNxt = (c.rcvNxt + length) | 0
  if (length > c.rcvMss) c.rcvMss = length
  if (c.reassembly.count > 0) {
    c.rcvNxt = c.reassembly.deliver(c.rcvNxt, c.received)
    // The sender waits to hear that a hole was filled, or which one is next.
    ackAtOnce(c)
  }
  c.bytesReceived += seqDiff(c.rcvNxt, before)
  if (c.tsOk && h.hasTimestamps && h.timestampEcho !== 0 && length >= c.rcvMss) sampleReceiverRtt(c, h, now)
  scheduleAck(c, now)
  c.layer.raise(c, eventReadable)
  return true
}

function takeOutOfOrder(c: Tcb, slot: number, start: number, payload: number, length: number): boolean {
  const { counters } = c.layer.context
  counters.tcpOutOfOrder++
  ackAtOnce(c)
  if (!hasMemoryFor(c, seqDiff((start + length) | 0, c.rcvNxt))) {
    counters.tcpReceiveMemoryFull++
    return false
  }
  // Where there is no SACK the sender counts duplicates: each segment gets its own.
  if (!c.sackOk) c.acksDue++
  const taken = c.reassembly.insert(slot, start, payload, length)
  if (taken === 'kept') return true
  if (taken === 'full') counters.tcpReassemblyFull++
  else noteDuplicate(c, start, length)
  return false
}

function noteDuplicate(c: Tcb, start: number, length: number): void {
  c.layer.context.counters.tcpDuplicate++
  if (!c.sackOk) return
  c.duplicateStart = start
  c.duplicateEnd = (start + length) | 0
  ackAtOnce(c)
}

/** RFC 9293, 3.8.6.3: at least each second full segment; the first ones at once, others may wait for data to ride on. */
function scheduleAck(c: Tcb, now: number): void {
  if (c.quickAcks > 0) {
    c.quickAcks--
    ackAtOnce(c)
  } else if (seqDiff(c.rcvNxt, c.lastAckSent) >= 2 * c.rcvMss) ackAtOnce(c)
  else if (c.ackAt === Infinity) {
    c.ackAt = now + delayedAck
    c.layer.schedule(c)
  }
}

function ackAtOnce(c: Tcb): void {
  c.ackNow = true
  c.layer.wantSend(c)
}

/** The round trip as a receiver sees it: what it acknowledged, until what that released arrives. */
function sampleReceiverRtt(c: Tcb, h: TcpHeader, now: number): void {
  const elapsed = seqDiff(timestampNow(c.tsOffset, now), h.timestampEcho)
  if (elapsed <= 0) return
  c.rcvRtt = c.rcvRtt === 0 ? elapsed : c.rcvRtt + (elapsed - c.rcvRtt) / 8
}

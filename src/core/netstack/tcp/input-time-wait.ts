// Segments for a connection in TIME-WAIT (RFC 9293, 3.10.7.4; RFC 1337; RFC 6191): a FIN again is acknowledged again, a
// new SYN may take the place, a RST ends nothing.
import type { IpHeader } from '../../wire/ip.js'
import { flagAck, flagFin, flagRst, flagSyn, type TcpHeader } from '../../wire/tcp.js'
import { handleListen } from './input-handshake.js'
import type { TcpLayer } from './layer.js'
import { reply, segmentLength } from './reply.js'
import { timestampNow } from './segment.js'
import { seqBefore, seqDiff } from './sequence.js'

/** Linux's: far from everything the old connection sent. */
const sequenceGap = 65537

/** Takes the slot and answers true, or leaves the segment to the caller: there is nothing of TIME-WAIT in it. */
export function handleTimeWait(
  layer: TcpLayer,
  record: number,
  slot: number,
  ip: IpHeader,
  h: TcpHeader,
  path: number,
  now: number,
): boolean {
  const { timeWait, context } = layer
  const { memory, counters } = context
  if ((h.flags & flagRst) !== 0) {
    // RFC 1337: not by a RST.
    counters.tcpResetsReceived++
    memory.free(slot)
    return true
  }
  if ((h.flags & (flagSyn | flagAck)) === flagSyn && isNewer(layer, record, h)) {
    const listener = layer.listenerFor(ip.destination, h.destinationPort)
    if (listener === undefined) return false
    const sequence = (timeWait.sndNxt(record) + sequenceGap) | 0
    timeWait.remove(record)
    if (handleListen(layer, listener, ip, h, path, now, sequence)) memory.free(slot)
    else layer.prohibit(slot, ip, path, now)
    return true
  }
  // The FIN that was acknowledged, come again; any other is not of this connection.
  const end = (h.sequence + segmentLength(h)) | 0
  if ((h.flags & flagFin) !== 0 && end === timeWait.rcvNxt(record)) timeWait.restart(record, now)
  if (segmentLength(h) === 0 && h.sequence === timeWait.rcvNxt(record)) {
    memory.free(slot)
    return true
  }
  if (!context.paths.mayReply(path, now)) {
    memory.free(slot)
    return true
  }
  const timestamps = timeWait.tsOk(record)
    ? { value: timestampNow(timeWait.tsOffset(record), now), echo: timeWait.tsRecent(record) }
    : undefined
  const window = timeWait.window(record)
  reply(context, slot, ip, h, path, timeWait.sndNxt(record), timeWait.rcvNxt(record), flagAck, window, timestamps)
  return true
}

/** RFC 6191: a SYN that cannot be an old one, by its timestamp or else by its sequence number. */
function isNewer(layer: TcpLayer, record: number, h: TcpHeader): boolean {
  const { timeWait } = layer
  if (timeWait.tsOk(record) && h.hasTimestamps) {
    const elapsed = seqDiff(h.timestamp, timeWait.tsRecent(record))
    if (elapsed > 0) return true
    if (elapsed < 0) return false
  }
  return seqBefore(timeWait.rcvNxt(record), h.sequence)
}

// Builds a segment straight into a packet slot, payload copied and summed in one pass, and sends it.
import { noSlot } from '../../base/packet-memory.js'
import { checksumOf, onesSum } from '../../wire/checksum.js'
import { ipHeaderLength, protocolTcp, pseudoHeaderSum, writeIpHeader } from '../../wire/ip.js'
import {
  flagAck,
  flagRst,
  flagSyn,
  mssOptionLength,
  sackLength,
  sackPermittedLength,
  tcpChecksumOffset,
  tcpHeaderLength,
  timestampsLength,
  windowScaleLength,
  writeMss,
  writeSack,
  writeSackPermitted,
  writeTcpHeader,
  writeTimestamps,
  writeWindowScale,
} from '../../wire/tcp.js'
import { defaultHopLimit, packetHeadroom } from '../output.js'
import { advertise } from './receive-window.js'
import { stateSynSent } from './states.js'
import type { Tcb } from './tcb.js'

const sackEdges = new Int32Array(8)
/** Blocks that fit beside timestamps in 40 bytes of options, and without them. */
const sackBlocksWithTimestamps = 3
const sackBlocks = 4

/** Our timestamp clock: milliseconds from an offset that strangers cannot know. */
export function timestampNow(offset: number, now: number): number {
  return (Math.floor(now) + offset) | 0
}

/** Sum of the pseudo header without the segment's length. */
export function pseudoSumOf(c: Pick<Tcb, 'local' | 'remote'>): number {
  return pseudoHeaderSum(c.local, c.remote, protocolTcp, 0)
}

/**
 * Sends `length` bytes of the send queue from `position` on as the segment at `sequence`, with our ACK. False if there is
 * no slot: nothing has changed then.
 */
export function sendSegment(
  c: Tcb,
  sequence: number,
  flags: number,
  position: number,
  length: number,
  now: number,
): boolean {
  const { memory, counters, output } = c.layer.context
  const slot = memory.alloc()
  if (slot === noSlot) {
    counters.noSlot++
    return false
  }
  const packet = slot + packetHeadroom
  const header = packet + ipHeaderLength(c.version)
  let at = header + tcpHeaderLength
  if (c.tsOk) {
    writeTimestamps(memory, at, timestampNow(c.tsOffset, now), c.tsRecent)
    at += timestampsLength
  }
  if (length === 0 && c.sackOk) at = addSack(c, at)
  const headerLength = at - header
  const window = advertise(c)
  const remotePort = c.remotePort
  writeTcpHeader(memory, header, c.localPort, remotePort, sequence, c.rcvNxt, headerLength, flags | flagAck, window)
  let sum = c.pseudoSum + headerLength + length
  if (length > 0) sum += c.sendQueue.copyTo(position, length, memory, at)
  sum += onesSum(memory, header, headerLength)
  memory.view.setUint16(header + tcpChecksumOffset, checksumOf(sum))
  writeIpHeader(memory, packet, c.version, headerLength + length, protocolTcp, defaultHopLimit, c.local, c.remote)
  c.segmentsSent++
  c.ackNow = false
  c.ackAt = Infinity
  c.lastAckSent = c.rcvNxt
  output.send(slot, at + length - packet, c.path, now)
  return true
}

/** Up to as many blocks as fit, a range received twice (RFC 2883) before all others. */
function addSack(c: Tcb, at: number): number {
  const limit = c.tsOk ? sackBlocksWithTimestamps : sackBlocks
  let count = 0
  if (c.duplicateStart !== c.duplicateEnd) {
    sackEdges[0] = c.duplicateStart
    sackEdges[1] = c.duplicateEnd
    c.duplicateStart = c.duplicateEnd
    count = 1
  }
  if (c.reassembly.count > 0) count = c.reassembly.blocks(sackEdges, count, limit)
  if (count === 0) return at
  writeSack(c.layer.context.memory, at, sackEdges, count)
  return at + sackLength(count)
}

/** Sends the SYN, or the SYN-ACK where the peer's SYN is known. Options are offered, or accepted if the peer offered them. */
export function sendSyn(c: Tcb, now: number): boolean {
  const { memory, counters, output } = c.layer.context
  const slot = memory.alloc()
  if (slot === noSlot) {
    counters.noSlot++
    return false
  }
  const isFirst = c.stateCode === stateSynSent
  const packet = slot + packetHeadroom
  const header = packet + ipHeaderLength(c.version)
  let at = header + tcpHeaderLength
  writeMss(memory, at, c.layer.mssFor(c, now))
  at += mssOptionLength
  if (isFirst || c.sackOk) {
    writeSackPermitted(memory, at)
    at += sackPermittedLength
  }
  if (isFirst || c.tsOk) {
    writeTimestamps(memory, at, timestampNow(c.tsOffset, now), isFirst ? 0 : c.tsRecent)
    at += timestampsLength
  }
  if (isFirst || c.peerWindowScale >= 0) {
    writeWindowScale(memory, at, c.rcvShift)
    at += windowScaleLength
  }
  // The window of a SYN is never scaled (RFC 7323, 2.2).
  const window = Math.min(0xffff, c.receiveBuffer)
  const flags = isFirst ? flagSyn : flagSyn | flagAck
  const acknowledgment = isFirst ? 0 : c.rcvNxt
  const headerLength = at - header
  writeTcpHeader(memory, header, c.localPort, c.remotePort, c.iss, acknowledgment, headerLength, flags, window)
  if (!isFirst) {
    c.rcvAdv = (c.rcvNxt + window) | 0
    c.lastAckSent = c.rcvNxt
  }
  const sum = c.pseudoSum + headerLength + onesSum(memory, header, headerLength)
  memory.view.setUint16(header + tcpChecksumOffset, checksumOf(sum))
  writeIpHeader(memory, packet, c.version, headerLength, protocolTcp, defaultHopLimit, c.local, c.remote)
  c.segmentsSent++
  c.sndNxt = (c.iss + 1) | 0
  c.ackNow = false
  output.send(slot, at - packet, c.path, now)
  return true
}

/**
 * A segment without data or options but timestamps, for the next flush: a RST, or the last ACK of a connection that is
 * about to be forgotten. Without a slot it does not leave, and the peer asks again.
 */
export function sendControl(c: Tcb, flags: number, now: number): void {
  const { memory, counters, output } = c.layer.context
  const slot = memory.alloc()
  if (slot === noSlot) {
    counters.noSlot++
    return
  }
  const packet = slot + packetHeadroom
  const header = packet + ipHeaderLength(c.version)
  let at = header + tcpHeaderLength
  if (c.tsOk) {
    writeTimestamps(memory, at, timestampNow(c.tsOffset, now), c.tsRecent)
    at += timestampsLength
  }
  const headerLength = at - header
  const window = (flags & flagRst) !== 0 ? 0 : advertise(c)
  writeTcpHeader(memory, header, c.localPort, c.remotePort, c.sndNxt, c.rcvNxt, headerLength, flags, window)
  const sum = c.pseudoSum + headerLength + onesSum(memory, header, headerLength)
  memory.view.setUint16(header + tcpChecksumOffset, checksumOf(sum))
  writeIpHeader(memory, packet, c.version, headerLength, protocolTcp, defaultHopLimit, c.local, c.remote)
  c.segmentsSent++
  output.enqueue(slot, at - packet, c.path)
}

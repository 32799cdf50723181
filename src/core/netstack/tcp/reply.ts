// Answers to segments of no connection: RST (RFC 9293, 3.10.7.1) and the ACKs of TIME-WAIT, built in the slot that came.
import { checksumOf, onesSum } from '../../wire/checksum.js'
import { copyWords, type IpHeader, ipHeaderLength, protocolTcp, pseudoHeaderSum, writeIpHeader } from '../../wire/ip.js'
import {
  flagAck,
  flagFin,
  flagRst,
  flagSyn,
  type TcpHeader,
  tcpChecksumOffset,
  tcpHeaderLength,
  timestampsLength,
  writeTcpHeader,
  writeTimestamps,
} from '../../wire/tcp.js'
import type { StackContext } from '../context.js'
import { defaultHopLimit, packetHeadroom } from '../output.js'

/** Sequence numbers that a segment occupies. */
export function segmentLength(h: TcpHeader): number {
  return h.payloadLength + ((h.flags & flagSyn) !== 0 ? 1 : 0) + ((h.flags & flagFin) !== 0 ? 1 : 0)
}

/**
 * Resets whoever sent the segment in `slot`, unless it is a RST itself or too many were answered; what our own SYN provoked
 * (`asked`) is not counted among those. Takes the slot.
 */
export function replyReset(
  context: StackContext,
  slot: number,
  ip: IpHeader,
  h: TcpHeader,
  path: number,
  now: number,
  asked = false,
): void {
  if ((h.flags & flagRst) !== 0 || !(asked || context.paths.mayReply(path, now))) {
    context.memory.free(slot)
    return
  }
  context.counters.tcpResetsSent++
  const acked = (h.flags & flagAck) !== 0
  const sequence = acked ? h.acknowledgment : 0
  const acknowledgment = acked ? 0 : (h.sequence + segmentLength(h)) | 0
  reply(context, slot, ip, h, path, sequence, acknowledgment, acked ? flagRst : flagRst | flagAck, 0, undefined)
}

/** Timestamps for a reply. */
export interface ReplyTimestamps {
  readonly value: number
  readonly echo: number
}

/** Sends a segment without data back to where the one in `slot` came from. Takes the slot. */
export function reply(
  context: StackContext,
  slot: number,
  ip: IpHeader,
  h: TcpHeader,
  path: number,
  sequence: number,
  acknowledgment: number,
  flags: number,
  window: number,
  timestamps: ReplyTimestamps | undefined,
): void {
  const { memory } = context
  const packet = slot + packetHeadroom
  const header = packet + ipHeaderLength(ip.version)
  const source = copyWords(ip.destination)
  const destination = copyWords(ip.source)
  const headerLength = tcpHeaderLength + (timestamps === undefined ? 0 : timestampsLength)
  if (timestamps !== undefined) writeTimestamps(memory, header + tcpHeaderLength, timestamps.value, timestamps.echo)
  writeTcpHeader(memory, header, h.destinationPort, h.sourcePort, sequence, acknowledgment, headerLength, flags, window)
  const pseudo = pseudoHeaderSum(source, destination, protocolTcp, headerLength)
  memory.view.setUint16(header + tcpChecksumOffset, checksumOf(pseudo + onesSum(memory, header, headerLength)))
  writeIpHeader(memory, packet, ip.version, headerLength, protocolTcp, defaultHopLimit, source, destination)
  context.output.enqueueReply(slot, header + headerLength - packet, path)
}

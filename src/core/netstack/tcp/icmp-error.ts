// What ICMP says of a connection (RFC 5927): believed only if the quoted segment is in flight. It ends a dial, is
// remembered as the reason of a later timeout, or narrows the path (RFC 1191, RFC 8201).
import type { IcmpKind, QuotedPacket } from '../../wire/icmp.js'
import type { SocketCode } from '../types.js'
import { remove } from './close.js'
import { minMtu4, minMtu6 } from './constants.js'
import { segmentSizeFor, type TcpLayer } from './layer.js'
import { resegment } from './resegment.js'
import { seqWithin } from './sequence.js'
import { stateSynSent } from './states.js'
import type { Tcb } from './tcb.js'

/** Node's code for an ICMP error, as Linux maps it. */
export function codeOf(kind: IcmpKind): SocketCode {
  if (kind === 'port-unreachable' || kind === 'protocol-unreachable') return 'ECONNREFUSED'
  return kind === 'net-unreachable' ? 'ENETUNREACH' : 'EHOSTUNREACH'
}

/** True if the error was believed. */
export function handleTcpError(
  layer: TcpLayer,
  quoted: QuotedPacket,
  kind: IcmpKind,
  mtu: number,
  path: number,
  now: number,
): boolean {
  const c = layer.flows.find(quoted.source, quoted.sourcePort, quoted.destination, quoted.destinationPort)
  if (c === undefined || c.path !== path) return false
  const sequence = layer.context.memory.view.getInt32(quoted.payload + 4)
  if (!seqWithin(sequence, c.sndUna, c.outstanding)) return false
  if (kind === 'packet-too-big') return narrow(c, mtu, now)
  if (c.stateCode === stateSynSent) remove(c, codeOf(kind))
  else c.softError = codeOf(kind)
  return true
}

/** The path carries packets of `mtu` bytes only; 0: an old router did not say. */
function narrow(c: Tcb, mtu: number, now: number): boolean {
  const { paths } = c.layer.context
  const least = c.version === 4 ? minMtu4 : minMtu6
  if (c.version === 6 && mtu < least) return false
  const believed = Math.max(mtu, least)
  if (believed >= paths.mtu(c.path, now)) return false
  paths.learnMtu(c.path, believed, now)
  if (c.stateCode === stateSynSent || c.congestion === undefined) return true
  c.segmentSize = segmentSizeFor(c.peerMss, c.layer.mssFor(c, now), c.tsOk ? 12 : 0)
  c.congestion.setSegmentSize(c.segmentSize)
  resegment(c.board, c.segmentSize, c.finSent)
  c.retransmitNow = true
  c.layer.wantSend(c)
  return true
}

// What ICMP says of a connection (RFC 5927): believed only if the quoted segment is in flight. It ends a dial, is
// remembered as the reason of a later timeout, or narrows the path (RFC 1191, RFC 8201).
import type { IcmpKind, QuotedPacket } from '../../wire/icmp.js'
import type { SocketCode } from '../types.js'
import { remove } from './close.js'
import type { TcpLayer } from './layer.js'
import { narrowFlows } from './segment-size.js'
import { seqWithin } from './sequence.js'
import { stateEstablished, stateSynSent } from './states.js'
import type { Tcb } from './tcb.js'

/** Node's code for an ICMP error, as Linux maps it; what is prohibited as it maps that of ICMPv6, in both families. */
export function codeOf(kind: IcmpKind): SocketCode {
  if (kind === 'port-unreachable' || kind === 'protocol-unreachable') return 'ECONNREFUSED'
  if (kind === 'packet-too-big') return 'EMSGSIZE'
  if (kind === 'prohibited') return 'EACCES'
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
  // Bytes 4 to 7 of a segment are its sequence number.
  if (!seqWithin(quoted.word, c.sndUna, c.outstanding)) return false
  if (kind === 'packet-too-big') return narrow(c, mtu, quoted.length, now)
  if (c.stateCode === stateSynSent) remove(c, codeOf(kind))
  else c.softError = codeOf(kind)
  return true
}

/** The path carries packets of `mtu` bytes only, says who dropped one of `length` bytes. */
function narrow(c: Tcb, mtu: number, length: number, now: number): boolean {
  if (!c.layer.context.paths.believeMtu(c.path, c.version, mtu, length, now)) return false
  if (c.stateCode >= stateEstablished) narrowFlows(c, now)
  return true
}

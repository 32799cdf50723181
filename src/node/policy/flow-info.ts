// A flow as a program and the log see it: in text, with whose it was and which rule let it through.
import { formatAddress, type IpAddress } from '../../core/base/address.js'
import type { FlowDecision, FlowReport, Refusal } from '../../core/host/flow-policy.js'
import type { NetmapNode } from '../../core/policy/netmap.js'

export interface FlowEnd {
  readonly address: string
  /** 0 where the protocol has none. */
  readonly port: number
  /** The node with this address as its own, if it came by that node's key. */
  readonly node?: string
  readonly tags: readonly string[]
  readonly user?: string
}

/** A flow that is over, or was refused. */
export interface FlowInfo {
  /** `denied` never began; `cut` was ended by a change of policy or netmap; `reported` would have been refused. */
  readonly decision: FlowDecision
  /** `out` was begun by this host. */
  readonly direction: 'in' | 'out'
  /** `tcp`, `udp`, `icmp`, `ipv6-icmp`, or the protocol's number. */
  readonly protocol: string
  readonly source: FlowEnd
  readonly destination: FlowEnd
  /** Which allows it. */
  readonly rule?: { readonly file: string; readonly line: number; readonly column: number; readonly text: string }
  /** Why it is not allowed: no rule does, the source is not the peer's, or a node is expired. */
  readonly refusal?: Refusal
  /** Bytes of payload from the source, and to it. */
  readonly bytesSent: number
  readonly bytesReceived: number
  /** ms. */
  readonly duration: number
  /** How often the same was refused, or begun by a peer and over without a byte, since it was told last. */
  readonly count: number
}

const protocols: Readonly<Record<number, string>> = { 1: 'icmp', 6: 'tcp', 17: 'udp', 58: 'ipv6-icmp' }

export function protocolName(protocol: number): string {
  return protocols[protocol] ?? String(protocol)
}

/** `file` is the policy's. */
export function flowInfo(report: FlowReport, file: string): FlowInfo {
  const { decision, outbound, protocol, rule, refusal, sent, received, duration, count } = report
  return {
    decision,
    direction: outbound ? 'out' : 'in',
    protocol: protocolName(protocol),
    source: endOf(report.source, report.sourcePort, report.sourceNode),
    destination: endOf(report.destination, report.destinationPort, report.destinationNode),
    ...(rule && { rule: { file, line: rule.line, column: rule.column, text: rule.text } }),
    ...(refusal !== undefined && { refusal }),
    bytesSent: sent,
    bytesReceived: received,
    duration,
    count,
  }
}

function endOf(address: IpAddress, port: number, node: NetmapNode | undefined): FlowEnd {
  return {
    address: formatAddress(address),
    port,
    ...(node && { node: node.name }),
    tags: node?.tags ?? [],
    ...(node?.user !== undefined && { user: node.user }),
  }
}

// The connection log: one JSON object a line for each connection that is over. Its fields are an interface: docs/observing.md
// has them; all are always there, null where there is nothing to say.
import type { FlowInfo } from '../../node/policy/flow-info.js'
import type { ConnectionRecord } from '../../proxy/client.js'
import { formatTarget } from '../../proxy/dialer.js'

export interface ConnectionEntry {
  /** The end of it, ISO 8601 in UTC. */
  readonly time: string
  /** `socks5`, `connect`, `http`, `forward`, `reverse`, `serve`, `join`; `policy` for a flow as a policy sees it. */
  readonly way: string | null
  /** `tcp` or `udp`; of a policy's flow also `icmp`, `ipv6-icmp` or a number. */
  readonly protocol: string
  /** `ADDRESS:PORT`; null for a unix socket. */
  readonly client: string | null
  /** As it was asked for, `HOST:PORT`. */
  readonly target: string | null
  /** The peer behind which the other side is: its name, else its public key. */
  readonly peer: string | null
  /** From the client, and to it. */
  readonly bytesSent: number
  readonly bytesReceived: number
  /** Seconds, the dial included. */
  readonly duration: number
  /** `done`, `cut`, `gone`, or why the dial failed; of a policy's flow its decision. */
  readonly result: string
  /** An error's code. */
  readonly error: string | null
  /** Of a policy's flow: whose it was, and which rule let it through. */
  readonly flow: FlowEntry | null
}

export interface FlowEntry {
  /** `in` was begun by another, `out` by this host. */
  readonly direction: 'in' | 'out'
  readonly sourceNode: string | null
  readonly sourceTags: readonly string[]
  readonly sourceUser: string | null
  readonly destinationNode: string | null
  readonly destinationTags: readonly string[]
  readonly destinationUser: string | null
  /** `FILE:LINE` of the rule that allows it. */
  readonly rule: string | null
  /** Why none does: `no-rule`, `source`, `expired`. */
  readonly refusal: string | null
  /** How often the same was refused since it was told last. */
  readonly count: number
}

export function entryOf(record: ConnectionRecord, peer: string | undefined, now = new Date()): ConnectionEntry {
  const { way, protocol, client, target, sent, received, duration, result, error } = record
  return {
    time: now.toISOString(),
    way: way ?? null,
    protocol,
    client: client === undefined ? null : formatTarget(client),
    target: target === undefined ? null : formatTarget(target),
    peer: peer ?? null,
    bytesSent: sent,
    bytesReceived: received,
    duration: Math.round(duration) / 1000,
    result,
    error: codeOf(error) ?? null,
    flow: null,
  }
}

export function entryOfFlow(flow: FlowInfo, peer: string | undefined, now = new Date()): ConnectionEntry {
  const { decision, direction, protocol, source, destination, rule, refusal, count } = flow
  return {
    time: now.toISOString(),
    way: 'policy',
    protocol,
    client: formatTarget({ host: source.address, port: source.port }),
    target: formatTarget({ host: destination.address, port: destination.port }),
    peer: peer ?? null,
    bytesSent: flow.bytesSent,
    bytesReceived: flow.bytesReceived,
    duration: Math.round(flow.duration) / 1000,
    result: decision,
    error: decision === 'denied' || decision === 'cut' ? 'EACCES' : null,
    flow: {
      direction,
      sourceNode: source.node ?? null,
      sourceTags: source.tags,
      sourceUser: source.user ?? null,
      destinationNode: destination.node ?? null,
      destinationTags: destination.tags,
      destinationUser: destination.user ?? null,
      rule: rule === undefined ? null : `${rule.file}:${rule.line}`,
      refusal: refusal ?? null,
      count,
    },
  }
}

function codeOf(error: unknown): string | undefined {
  for (const one of [(error as { cause?: unknown } | undefined)?.cause, error]) {
    const code = (one as { code?: unknown } | undefined)?.code
    if (typeof code === 'string') return code
  }
  return undefined
}

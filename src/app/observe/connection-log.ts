// The connection log: one JSON object a line for each connection that is over. Its fields are an interface: docs/observing.md
// has them; all are always there, null where there is nothing to say.
import type { ConnectionRecord } from '../../proxy/client.js'
import { formatTarget } from '../../proxy/dialer.js'

export interface ConnectionEntry {
  /** The end of it, ISO 8601 in UTC. */
  readonly time: string
  /** `socks5`, `connect`, `http`, `forward`, `reverse`, `serve`. */
  readonly way: string | null
  readonly protocol: 'tcp' | 'udp'
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
  /** `done`, `cut`, `gone`, or why the dial failed. */
  readonly result: string
  /** An error's code. */
  readonly error: string | null
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
  }
}

function codeOf(error: unknown): string | undefined {
  for (const one of [(error as { cause?: unknown } | undefined)?.cause, error]) {
    const code = (one as { code?: unknown } | undefined)?.code
    if (typeof code === 'string') return code
  }
  return undefined
}

// What the protocols of a proxy's port share: who may use it, who dials, its limits, and what is counted.
import type { Socket } from 'node:net'
import type { ConnectionRecord } from './client.js'
import type { Credentials } from './credentials.js'
import type { Dialer, Target } from './dialer.js'

export interface ProxyLimits {
  /** How long a client may take to say what it speaks, and again for its first request, ms. */
  readonly greetingTimeout: number
  /** Clients at a time; for one more, the one that has been without a request the longest is closed, else that one. */
  readonly maxConnections: number
  /** How long a client that was refused may take to read that and close, ms. */
  readonly lingerTimeout: number
  /** Bytes of the head of an HTTP message, each way. */
  readonly headerBytes: number
  /** How long an HTTP client may wait with its next request, ms. */
  readonly idleTimeout: number
  /** How long an HTTP client may pause within a body that could be sent on, ms. */
  readonly stallTimeout: number
  /** HTTP requests of one client that it sends before it has the answer to the first. */
  readonly maxPipelined: number
  /** UDP associations at a time; more are refused. */
  readonly maxAssociations: number
  /** How long an association may be silent in both directions, ms. */
  readonly associationTimeout: number
  /** Bytes that may wait for the host's UDP to take them; what comes meanwhile is dropped. */
  readonly datagramQueueBytes: number
}

export const defaultProxyLimits: ProxyLimits = {
  greetingTimeout: 10_000,
  maxConnections: 16_384,
  lingerTimeout: 2_000,
  headerBytes: 32 * 1024,
  idleTimeout: 60_000,
  stallTimeout: 120_000,
  maxPipelined: 32,
  maxAssociations: 256,
  // RFC 4787, REQ-5 recommends five minutes at least.
  associationTimeout: 300_000,
  datagramQueueBytes: 256 * 1024,
}

export interface ProxyCounters {
  accepted: number
  /** Closed for want of room. */
  dropped: number
  /** Spoke neither SOCKS5 nor HTTP, or either one wrongly. */
  malformed: number
  /** Asked for what is not served: another authentication, command, address or scheme. */
  refused: number
  /** Had no credentials, or wrong ones. */
  unauthorized: number
  /** Took too long for a request, or paused too long within it. */
  timedOut: number
  /** Left during the negotiation, the dial or an HTTP request. */
  gone: number
  /** CONNECT of either protocol. */
  connected: number
  /** HTTP requests that were sent on. */
  requests: number
  /** The dial failed. */
  failed: number
  /** Bytes from clients, and to them, of connections that are over. */
  sent: number
  received: number
  /** Of UDP, so far. */
  associations: number
  datagramsSent: number
  datagramsReceived: number
  /** Datagrams of a client that were malformed or a fragment, or came from somebody else. */
  datagramsRefused: number
  /** Could not be sent on. */
  datagramsDropped: number
}

export function createProxyCounters(): ProxyCounters {
  return {
    accepted: 0,
    dropped: 0,
    malformed: 0,
    refused: 0,
    unauthorized: 0,
    timedOut: 0,
    gone: 0,
    connected: 0,
    requests: 0,
    failed: 0,
    sent: 0,
    received: 0,
    associations: 0,
    datagramsSent: 0,
    datagramsReceived: 0,
    datagramsRefused: 0,
    datagramsDropped: 0,
  }
}

/** A UDP socket towards the targets: dgram.Socket and DatagramSocket both are. It binds itself to a free port. */
export interface RelayDatagrams {
  send(message: Uint8Array, port: number, host: string, callback: (error: Error | null) => void): void
  on(event: 'message', listener: (message: Uint8Array, from: { address: string; port: number }) => void): unknown
  on(event: 'error', listener: (error: Error) => void): unknown
  close(): unknown
}

/** What is told of a proxy's work, and whom it needs for it. */
export interface ProxyEnvironment {
  readonly dial: Dialer
  /** Without it, UDP ASSOCIATE is refused. */
  readonly openDatagrams?: () => RelayDatagrams
  /** Without them, whoever reaches the port may use it. */
  readonly credentials?: Credentials
  /** A dial, or a datagram, failed; the client was told as far as its protocol can. */
  readonly onError?: (error: unknown, target: Target) => void
  /** A connection, request or association is over, whether or not its dial succeeded. */
  readonly onConnection?: (record: ConnectionRecord) => void
}

/** The same, for the protocols. */
export interface ProxyContext extends ProxyEnvironment {
  readonly limits: ProxyLimits
  readonly counters: ProxyCounters
  /** A client has sent a request that is served. */
  readonly asked: (client: Socket) => void
}

/** Counts what is over, and tells it. */
export function tellOver({ counters, onError, onConnection }: ProxyContext, record: ConnectionRecord): void {
  counters.sent += record.sent
  counters.received += record.received
  if (record.result === 'gone') counters.gone++
  else if (record.result !== 'done' && record.result !== 'cut') {
    counters.failed++
    if (record.target !== undefined) onError?.(record.error, record.target)
  }
  onConnection?.(record)
}

// A SOCKS5 server on a local port (RFC 1928): negotiates with each client, dials for it and relays.
import type { Socket } from 'node:net'
import { TunnelError } from '../errors.js'
import { type ClientService, type ConnectionRecord, serveClient } from './client.js'
import { type Dialer, type DialFailure, ignore, type RelaySocket, type Target } from './dialer.js'
import { isLoopback, type LocalAddress, listenLocally } from './listener.js'
import { formatReply, type ReplyCode, replyCode, Socks5Negotiation } from './socks5.js'

export interface Socks5Limits {
  /** How long a client may take for its request, ms. */
  readonly greetingTimeout: number
  /** Clients at a time; more are closed at once. */
  readonly maxConnections: number
  /** How long a client that was refused may take to read that and close, ms. */
  readonly lingerTimeout: number
}

export const defaultSocks5Limits: Socks5Limits = {
  greetingTimeout: 10_000,
  maxConnections: 16_384,
  lingerTimeout: 2_000,
}

export interface Socks5Counters {
  accepted: number
  /** Closed at once: too many. */
  dropped: number
  /** Spoke something else. */
  malformed: number
  /** Spoke SOCKS5, but asked for what is not served: another authentication, command or address. */
  refused: number
  /** Took too long for the request. */
  timedOut: number
  /** Left during the negotiation or the dial. */
  gone: number
  connected: number
  /** The dial failed. */
  failed: number
  /** Bytes from clients, and to them, of connections that are over. */
  sent: number
  received: number
}

export interface Socks5Options extends LocalAddress {
  readonly dial: Dialer
  readonly limits?: Partial<Socks5Limits>
  /** A dial failed; the client was told by a reply code. */
  readonly onError?: (error: unknown, target: Target) => void
  /** A connection is over, whether or not its dial succeeded. */
  readonly onConnection?: (record: ConnectionRecord) => void
}

export interface Socks5Server {
  /** As bound. */
  readonly address: LocalAddress
  readonly counters: Readonly<Socks5Counters>
  /** Clients now. */
  readonly connections: number
  /** Accepts no more, cuts every client and gives up every dial. */
  close(): Promise<void>
}

/** What a dial's failure is called in SOCKS5. */
export const replyOf: Readonly<Record<DialFailure, ReplyCode>> = {
  'no-handshake': replyCode.generalFailure,
  failed: replyCode.generalFailure,
  denied: replyCode.notAllowed,
  'no-route': replyCode.networkUnreachable,
  'unknown-host': replyCode.hostUnreachable,
  unreachable: replyCode.hostUnreachable,
  refused: replyCode.connectionRefused,
  timeout: replyCode.ttlExpired,
}

/** Rejects with LISTEN_FAILED, or PROXY_NOT_LOOPBACK: without credentials, only this host may come in. */
export async function startSocks5(options: Socks5Options): Promise<Socks5Server> {
  const { host, port, dial, onError, onConnection } = options
  const limits = { ...defaultSocks5Limits, ...options.limits }
  const counters: Socks5Counters = {
    accepted: 0,
    dropped: 0,
    malformed: 0,
    refused: 0,
    timedOut: 0,
    gone: 0,
    connected: 0,
    failed: 0,
    sent: 0,
    received: 0,
  }
  if (!isLoopback(host)) {
    throw new TunnelError(
      'PROXY_NOT_LOOPBACK',
      `a SOCKS proxy without credentials on ${host} would be open to other hosts: bind it to 127.0.0.1 or [::1]`,
    )
  }

  const service: ClientService = {
    dial,
    endMeansGone: true,
    connected(client, far) {
      counters.connected++
      client.write(formatReply(replyCode.succeeded, boundAddress(far)))
    },
    failed: (client, failure) => sendAway(client, formatReply(replyOf[failure]), limits.lingerTimeout),
    over(record) {
      counters.sent += record.sent
      counters.received += record.received
      if (record.result === 'gone') counters.gone++
      else if (record.result !== 'done' && record.result !== 'cut') {
        counters.failed++
        onError?.(record.error, record.target)
      }
      onConnection?.(record)
    },
  }

  function accept(client: Socket): void {
    counters.accepted++
    client.on('error', ignore)
    negotiate(client, limits, outcome => {
      if (typeof outcome === 'object') void serveClient(client, outcome, service)
      else counters[outcome]++
    })
  }

  const listener = await listenLocally({
    host,
    port,
    maxConnections: limits.maxConnections,
    accept,
    dropped: () => counters.dropped++,
  })
  return {
    address: listener.address,
    counters,
    get connections() {
      return listener.connections
    },
    close: () => listener.close(),
  }
}

/**
 * Reads a client's request; then it is paused, with what came after the request still to be read. A client without a
 * request is ended here, and `done` gets the counter's name.
 */
function negotiate(
  client: Socket,
  limits: Socks5Limits,
  done: (outcome: Target | 'malformed' | 'refused' | 'timedOut' | 'gone') => void,
): void {
  const negotiation = new Socks5Negotiation()
  const settle = () => {
    clearTimeout(timer)
    client.off('data', read)
    client.off('end', left)
    client.off('close', left)
  }
  const cut = (outcome: 'malformed' | 'timedOut' | 'gone') => {
    settle()
    client.destroy()
    done(outcome)
  }
  const left = () => cut('gone')
  const read = (chunk: Uint8Array) => {
    const step = negotiation.push(chunk)
    if (step.state === 'refused' && step.reason === 'version') {
      cut('malformed')
    } else if (step.state === 'refused') {
      settle()
      sendAway(client, step.reply, limits.lingerTimeout)
      done('refused')
    } else {
      if (step.reply.length > 0) client.write(step.reply)
      if (step.state === 'reading') return
      settle()
      client.pause()
      if (step.rest.length > 0) client.unshift(step.rest)
      done(step.target)
    }
  }
  const timer = setTimeout(() => cut('timedOut'), limits.greetingTimeout).unref()
  client.on('data', read)
  client.once('end', left)
  client.once('close', left)
}

/** Last words. What still comes is read and dropped: to close over unread data would be a RST, which may overtake them. */
function sendAway(client: Socket, reply: Uint8Array, lingerTimeout: number): void {
  client.end(reply)
  client.resume()
  const timer = setTimeout(() => client.destroy(), lingerTimeout).unref()
  client.once('close', () => clearTimeout(timer))
}

function boundAddress({ localAddress, localPort }: RelaySocket): LocalAddress | undefined {
  return localAddress === undefined || localPort === undefined ? undefined : { host: localAddress, port: localPort }
}

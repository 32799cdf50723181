// SOCKS5 for the clients of a proxy (RFC 1928, RFC 1929): negotiates with each, then dials for it and relays, or associates UDP.
import type { Socket } from 'node:net'
import { createAssociations } from './associate.js'
import { type ClientService, sendAway, serveClient } from './client.js'
import type { DialFailure, RelaySocket, Target } from './dialer.js'
import type { LocalAddress } from './listener.js'
import { type ProxyContext, tellOver } from './service.js'
import { formatReply, type Negotiation, type Refusal, type ReplyCode, replyCode, Socks5Negotiation } from './socks5.js'

/** What a dial's failure is called in SOCKS5. */
export const replyOf: Readonly<Record<DialFailure, ReplyCode>> = {
  'no-handshake': replyCode.generalFailure,
  failed: replyCode.generalFailure,
  denied: replyCode.notAllowed,
  'no-route': replyCode.networkUnreachable,
  'unknown-host': replyCode.hostUnreachable,
  unresolved: replyCode.hostUnreachable,
  unreachable: replyCode.hostUnreachable,
  refused: replyCode.connectionRefused,
  timeout: replyCode.ttlExpired,
}

/** Where a refusal is counted. */
const counted: Readonly<Record<Exclude<Refusal, 'version'>, 'refused' | 'unauthorized'>> = {
  methods: 'refused',
  credentials: 'unauthorized',
  command: 'refused',
  'address-type': 'refused',
  target: 'refused',
}

export interface Socks5 {
  /** `client` flows, has a listener for 'error', and has sent `first`. */
  serve(client: Socket, first: Uint8Array): void
}

export function createSocks5(context: ProxyContext): Socks5 {
  const { limits, counters, dial } = context
  const associations = createAssociations(context)
  const service: ClientService = {
    way: 'socks5',
    dial,
    endMeansGone: true,
    connected(client, far) {
      counters.connected++
      client.write(formatReply(replyCode.succeeded, boundAddress(far)))
    },
    failed: (client, failure) => sendAway(client, formatReply(replyOf[failure]), limits.lingerTimeout),
    over: record => tellOver(context, record),
  }

  return {
    serve(client, first) {
      negotiate(client, first, context, request => {
        context.asked(client)
        if ('target' in request) void serveClient(client, request.target, service)
        else associations.open(client, request.source)
      })
    },
  }
}

/**
 * Reads a client's request; then it is paused, with what came after the request still to be read. A client without a
 * request is ended and counted here.
 */
function negotiate(
  client: Socket,
  first: Uint8Array,
  { limits, counters, credentials }: ProxyContext,
  done: (request: { readonly target: Target } | { readonly source: Target }) => void,
): void {
  const negotiation = new Socks5Negotiation(credentials)
  const settle = () => {
    clearTimeout(timer)
    client.off('data', read)
    client.off('end', left)
    client.off('close', left)
  }
  const cut = (outcome: 'malformed' | 'timedOut' | 'gone') => {
    settle()
    client.destroy()
    counters[outcome]++
  }
  const left = () => cut('gone')
  const read = (chunk: Uint8Array) => take(negotiation.push(chunk))
  const take = (step: Negotiation) => {
    if (step.state === 'refused' && step.reason === 'version') {
      cut('malformed')
    } else if (step.state === 'refused') {
      settle()
      sendAway(client, step.reply, limits.lingerTimeout)
      counters[counted[step.reason as keyof typeof counted]]++
    } else {
      if (step.reply.length > 0) client.write(step.reply)
      if (step.state === 'reading') return
      settle()
      client.pause()
      if (step.state === 'associate') {
        done({ source: step.source })
        return
      }
      if (step.rest.length > 0) client.unshift(step.rest)
      done({ target: step.target })
    }
  }
  const timer = setTimeout(() => cut('timedOut'), limits.greetingTimeout).unref()
  client.on('data', read)
  client.once('end', left)
  client.once('close', left)
  read(first)
}

function boundAddress({ localAddress, localPort }: RelaySocket): LocalAddress | undefined {
  return localAddress === undefined || localPort === undefined ? undefined : { host: localAddress, port: localPort }
}

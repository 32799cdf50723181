// SOCKS5 for the clients of a proxy (RFC 1928, RFC 1929): negotiates with each, then dials for it and relays, or associates UDP.
import { createAssociations } from './associate.js'
import { type ClientService, sendAway, serveClient } from './client.js'
import type { DialFailure, RelaySocket } from './dialer.js'
import type { Greeting } from './greeting.js'
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
  /** Takes the client over: it flows, has a listener for 'error', and has sent `first`. */
  serve(greeting: Greeting, first: Uint8Array): void
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

  /** A client with a request is paused, with what came after it still to be read; one without is ended and counted. */
  function take(greeting: Greeting, step: Negotiation): void {
    const { client } = greeting
    if (step.state === 'refused' && step.reason === 'version') {
      greeting.cut('malformed')
    } else if (step.state === 'refused') {
      greeting.settle()
      sendAway(client, step.reply, limits.lingerTimeout)
      counters[counted[step.reason as keyof typeof counted]]++
    } else {
      if (step.reply.length > 0) client.write(step.reply)
      if (step.state === 'reading') return
      greeting.settle()
      client.pause()
      context.asked(client)
      if (step.state === 'associate') {
        associations.open(client, step.source)
        return
      }
      if (step.rest.length > 0) client.unshift(step.rest)
      void serveClient(client, step.target, service)
    }
  }

  return {
    serve(greeting, first) {
      const negotiation = new Socks5Negotiation(context.credentials)
      const read = (chunk: Uint8Array) => take(greeting, negotiation.push(chunk))
      greeting.pass(read)
      read(first)
    },
  }
}

function boundAddress({ localAddress, localPort }: RelaySocket): LocalAddress | undefined {
  return localAddress === undefined || localPort === undefined ? undefined : { host: localAddress, port: localPort }
}

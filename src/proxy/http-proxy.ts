// HTTP for the clients of a proxy (RFC 9110, RFC 9112): CONNECT, and every method on a whole http: URL. Node's own parser reads
// them, strictly; it refuses what could be read in two ways, Content-Length beside Transfer-Encoding for one.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { type ClientService, sendAway, serveClient } from './client.js'
import { matchBasic } from './credentials.js'
import type { Target } from './dialer.js'
import { type Answer, answerFailure, formatAnswer, unauthorized } from './http-answer.js'
import { exchange } from './http-exchange.js'
import { readAuthority } from './http-message.js'
import { Upstream } from './http-upstream.js'
import { type ProxyContext, tellOver } from './service.js'

export interface HttpProxy {
  /** `client` flows, has a listener for 'error', and has sent `first`. */
  serve(client: Socket, first: Uint8Array): void
}

/** A client's connection, while the parser has it. */
interface HttpClient {
  readonly upstream: Upstream
  /** Requests that are not answered yet; they are served one after the other. */
  pending: number
  /** The newest of them, and how it is told that its body is none. */
  newest: { readonly response: ServerResponse; readonly broken: AbortController } | undefined
  last: Promise<void>
  /** For the next request. */
  timer: NodeJS.Timeout | undefined
}

export function createHttpProxy(context: ProxyContext): HttpProxy {
  const { limits, counters, credentials, dial } = context
  const clients = new WeakMap<Duplex, HttpClient>()
  const server = createServer({
    insecureHTTPParser: false,
    requireHostHeader: true,
    maxHeaderSize: limits.headerBytes,
    keepAliveTimeout: limits.idleTimeout,
    // They count from listen(); what is slow is timed here, for a client without a request is not in a listening server.
    headersTimeout: 0,
    requestTimeout: 0,
  })
  // No header is left out in silence; their bytes are bounded.
  server.maxHeadersCount = 0
  // A client may end once it has sent its request.
  ;(server as Server & { httpAllowHalfOpen: boolean }).httpAllowHalfOpen = true
  server.on('request', (request, response) => take(request, response, false))
  server.on('checkContinue', (request, response) => take(request, response, true))
  server.on('connect', connect)
  server.on('clientError', refuseMalformed)

  const isAllowed = (request: IncomingMessage) =>
    credentials === undefined || matchBasic(credentials, request.headers['proxy-authorization'])

  /** How long the next request may take to be there. */
  function awaitNext(client: Socket, state: HttpClient, timeout: number): void {
    clearTimeout(state.timer)
    state.timer = setTimeout(() => {
      counters.timedOut++
      client.destroy()
    }, timeout).unref()
  }

  function adopt(client: Socket, timeout: number): void {
    let state = clients.get(client)
    if (state === undefined) {
      const upstream = new Upstream(dial)
      const made: HttpClient = { upstream, pending: 0, newest: undefined, last: Promise.resolve(), timer: undefined }
      state = made
      clients.set(client, made)
      client.once('close', () => {
        clearTimeout(made.timer)
        made.upstream.close()
      })
    }
    awaitNext(client, state, timeout)
    server.emit('connection', client)
  }

  function take(request: IncomingMessage, response: ServerResponse, expectsContinue: boolean): void {
    const client = request.socket
    const state = clients.get(client) as HttpClient
    if (client.destroyed) return
    clearTimeout(state.timer)
    state.pending++
    const broken = new AbortController()
    state.newest = { response, broken }
    if (isAllowed(request)) context.asked(client)
    if (state.pending > limits.maxPipelined) {
      counters.refused++
      client.destroy()
      return
    }
    response.once('close', () => {
      state.pending--
      if (state.pending === 0 && !client.destroyed)
        awaitNext(client, state, limits.idleTimeout + limits.greetingTimeout)
    })
    const options = {
      context,
      upstream: state.upstream,
      isAllowed: isAllowed(request),
      expectsContinue,
      broken: broken.signal,
    }
    state.last = state.last.then(() => exchange(request, response, options)).catch(() => void client.destroy())
  }

  const service: ClientService = {
    way: 'connect',
    dial,
    endMeansGone: true,
    connected(client) {
      counters.connected++
      client.write('HTTP/1.1 200 Connection established\r\n\r\n')
    },
    failed: () => {},
    over: record => tellOver(context, record),
  }

  function connect(request: IncomingMessage, stream: Duplex, head: Buffer): void {
    const client = stream as Socket
    const state = clients.get(client) as HttpClient
    clearTimeout(state.timer)
    client.pause()
    const refuse = (answer: Answer) => sendAway(client, formatAnswer(answer, false), limits.lingerTimeout)
    if (state.pending > 0) {
      counters.malformed++
      client.destroy()
    } else if (!isAllowed(request)) {
      counters.unauthorized++
      // Git, curl and others first ask without, and again on the same connection.
      if (head.length > 0 || request.httpVersion !== '1.1' || /close/i.test(request.headers.connection ?? '')) {
        refuse(unauthorized)
        return
      }
      client.write(formatAnswer(unauthorized, true))
      adopt(client, limits.idleTimeout)
      process.nextTick(() => client.resume())
    } else {
      const target = readAuthority(request.url ?? '')
      if (target === undefined) {
        counters.refused++
        refuse({ status: 400, why: 'CONNECT wants host:port, an IPv6 address as [address]:port' })
        return
      }
      context.asked(client)
      if (head.length > 0) client.unshift(head)
      void serveClient(client, target, failingWith(target, refuse))
    }
  }

  function failingWith(target: Target, refuse: (answer: Answer) => void): ClientService {
    return { ...service, failed: (_client, failure, error) => refuse(answerFailure(failure, error, target)) }
  }

  function refuseMalformed(error: ParserError, stream: Duplex): void {
    const client = stream as Socket
    if (!client.writable || error.code === 'ECONNRESET') {
      client.destroy()
      return
    }
    counters.malformed++
    const { pending = 0, newest } = clients.get(client) ?? {}
    const answer = malformedAnswer(error, limits.headerBytes)
    if (pending === 0) sendAway(client, formatAnswer(answer, false), limits.lingerTimeout)
    else if (pending === 1 && newest?.response.req.complete === false) newest.broken.abort(answer)
    // Who waits for another answer would take this one for it.
    else client.destroy()
  }

  return {
    serve(client, first) {
      client.pause()
      client.unshift(first)
      adopt(client, limits.greetingTimeout)
      process.nextTick(() => client.resume())
    },
  }
}

/** As Node's parser throws it. */
type ParserError = NodeJS.ErrnoException & { readonly rawPacket?: Buffer }

function malformedAnswer({ code, rawPacket }: ParserError, headerBytes: number): Answer {
  if (code === 'HPE_HEADER_OVERFLOW') return { status: 431, why: `the head is longer than ${headerBytes} bytes` }
  if (code === 'HPE_INVALID_METHOD' && /^[A-Z-]{1,40} http:/.test(rawPacket?.toString('latin1', 0, 60) ?? '')) {
    return { status: 501, why: 'there is no such method' }
  }
  return { status: 400, why: `that is no request of HTTP/1.1 (${code})` }
}

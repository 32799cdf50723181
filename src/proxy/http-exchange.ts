// One HTTP request of a proxy's client: sent on with its body as it comes, and answered with the response as it comes, or with
// why there is none. Bodies pass at the slower side's pace; trailers and interim responses pass, too.
import type { ClientRequest, IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { addressOf, type ConnectionResult } from './client.js'
import { dialFailure, type Target } from './dialer.js'
import { type Answer, answerCut, answerFailure, bodyOf, headersOf, unauthorized } from './http-answer.js'
import {
  countHeader,
  type RequestTarget,
  readAbsoluteForm,
  requestHeaders,
  responseHeaders,
  trailerFields,
} from './http-message.js'
import type { Upstream } from './http-upstream.js'
import { type ProxyContext, tellOver } from './service.js'

export interface ExchangeOptions {
  readonly context: ProxyContext
  readonly upstream: Upstream
  readonly isAllowed: boolean
  /** The client waits for a 100 before it sends the body. */
  readonly expectsContinue: boolean
  /** Aborted, with the answer as its reason, when what follows the head is no body. */
  readonly broken: AbortSignal
}

const safeMethods: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE'])

/** Resolves when the response is out, or the client gone. Never rejects. */
export function exchange(request: IncomingMessage, response: ServerResponse, options: ExchangeOptions): Promise<void> {
  return new Promise(resolve => {
    if (response.destroyed || request.socket.destroyed) {
      resolve()
      return
    }
    response.once('close', resolve)
    const one = new Exchange(request, response, options)
    const { broken } = options
    broken.addEventListener('abort', () => one.giveUp(broken.reason))
    // It may be before its turn came.
    if (broken.aborted) one.giveUp(broken.reason)
    else one.begin()
  })
}

class Exchange {
  readonly #request: IncomingMessage
  readonly #response: ServerResponse
  readonly #client: Socket
  readonly #options: ExchangeOptions
  readonly #gone = new AbortController()
  readonly #began = performance.now()
  #target: Target | undefined
  #far: ClientRequest | undefined
  #stall: NodeJS.Timeout | undefined
  #bodyBegun = false
  #isContinued: boolean
  #isTold = false
  #sent = 0
  #received = 0

  constructor(request: IncomingMessage, response: ServerResponse, options: ExchangeOptions) {
    this.#request = request
    this.#response = response
    this.#client = request.socket
    this.#options = options
    this.#isContinued = !options.expectsContinue
  }

  begin(): void {
    const { counters } = this.#options.context
    if (!this.#options.isAllowed) {
      counters.unauthorized++
      this.#answer(unauthorized)
      return
    }
    const target = readAbsoluteForm(this.#request.method ?? '', this.#request.url ?? '')
    const unserved = 'why' in target ? target : this.#unserved()
    if ('why' in target || unserved !== undefined) {
      counters.refused++
      this.#answer(unserved as Answer)
      return
    }
    this.#target = { host: target.host, port: target.port }
    const { method, headers } = this.#request
    const limit = method === 'OPTIONS' || method === 'TRACE' ? headers['max-forwards'] : undefined
    const hops = limit !== undefined && /^\d{1,9}$/.test(limit as string) ? Number(limit) : undefined
    if (hops === 0) {
      this.#answer({ status: method === 'OPTIONS' ? 200 : 501, why: 'Max-Forwards ended here' })
      return
    }
    counters.requests++
    this.#response.once('close', () => this.#closed())
    this.#send(target, hops === undefined ? undefined : hops - 1, true)
  }

  /** The body is none. */
  giveUp(answer: Answer): void {
    const far = this.#far
    this.#far = undefined
    far?.destroy()
    this.#tell('cut', new Error(answer.why))
    if (this.#response.headersSent) {
      this.#client.destroy()
      return
    }
    this.#response.shouldKeepAlive = false
    this.#answer(answer)
  }

  #unserved(): Answer | undefined {
    const { rawHeaders, headers } = this.#request
    const coding = headers['transfer-encoding']
    if (coding !== undefined && coding.trim().toLowerCase() !== 'chunked') {
      return { status: 501, why: 'of the transfer codings only chunked is served' }
    }
    if (countHeader(rawHeaders, 'host') > 1) return { status: 400, why: 'there is more than one Host' }
    return undefined
  }

  #send(target: RequestTarget, maxForwards: number | undefined, mayRetry: boolean): void {
    const { method = '', rawHeaders, headers } = this.#request
    const { context, upstream, expectsContinue } = this.#options
    const isChunked = headers['transfer-encoding'] !== undefined
    const hasBody = isChunked || (headers['content-length'] ?? '0') !== '0'
    const mayRepeat = mayRetry && !hasBody && safeMethods.has(method)
    const sent = requestHeaders(rawHeaders, target.authority, isChunked, maxForwards)
    if (!hasBody && !safeMethods.has(method) && headers['content-length'] === undefined)
      sent.push('Content-Length', '0')
    let far: ClientRequest
    try {
      far = upstream.request({
        target,
        method,
        path: target.path,
        headers: sent,
        headerBytes: context.limits.headerBytes,
        mayRepeat,
        signal: this.#gone.signal,
      })
    } catch {
      this.#answer({ status: 400, why: 'the URL or a header has characters that it may not have' })
      return
    }
    this.#far = far
    let isOver = false
    let isAnswered = false
    const fail = (error: Error) => {
      // What breaks behind the whole response is no loss; the rest of the body is read and dropped.
      if (isOver || this.#far !== far || this.#response.writableEnded) return
      isOver = true
      if (this.#response.headersSent) {
        this.#cut(error)
      } else if (mayRepeat && far.reusedSocket && !this.#client.destroyed) {
        this.#send(target, maxForwards, false)
      } else {
        this.#failed(error, far.socket !== null && far.socket !== undefined)
      }
    }
    far.on('error', fail)
    far.once('close', () => {
      if (!isAnswered) fail(new Error('the server closed it'))
    })
    far.on('continue', () => this.#continue())
    far.on('information', ({ statusCode, headers: hints }) => {
      if (statusCode === 102 && this.#request.httpVersion === '1.1') this.#response.writeProcessing()
      if (statusCode === 103 && this.#request.httpVersion === '1.1' && hints.link !== undefined) {
        this.#response.writeEarlyHints({ link: hints.link })
      }
    })
    far.once('response', incoming => {
      isAnswered = true
      this.#respond(incoming)
    })
    if (expectsContinue) far.flushHeaders()
    if (hasBody) this.#pump(far)
    else far.end()
  }

  #continue(): void {
    if (this.#isContinued || this.#response.headersSent) return
    this.#isContinued = true
    this.#response.writeContinue()
  }

  /** The body, from the client on. It is not sent twice: only a request without one is repeated. */
  #pump(far: ClientRequest): void {
    const request = this.#request
    const { stallTimeout } = this.#options.context.limits
    let isBlocked = false
    const resume = () => {
      isBlocked = false
      request.resume()
    }
    request.on('data', (chunk: Buffer) => {
      this.#bodyBegun = true
      this.#isContinued = true
      this.#sent += chunk.length
      this.#stall?.refresh()
      // Once it is answered or broken the rest is read and dropped: the client's next request comes after it.
      if (far.destroyed || far.writableEnded || far.write(chunk)) return
      isBlocked = true
      request.pause()
      far.once('drain', resume)
    })
    far.once('close', resume)
    request.once('end', () => {
      clearTimeout(this.#stall)
      if (far.destroyed) return
      const trailers = trailerFields(request.rawTrailers)
      if (trailers.length > 0) far.addTrailers(trailers)
      far.end()
    })
    this.#stall = setTimeout(() => {
      const waits = isBlocked || (!this.#isContinued && !this.#response.headersSent)
      if (waits && !this.#response.writableFinished) {
        this.#stall?.refresh()
        return
      }
      this.#options.context.counters.timedOut++
      this.#client.destroy()
    }, stallTimeout).unref()
  }

  #respond(incoming: IncomingMessage): void {
    const response = this.#response
    const { statusCode = 502, statusMessage = '' } = incoming
    this.#closeIfUnread()
    response.sendDate = false
    try {
      response.writeHead(statusCode, statusMessage, responseHeaders(incoming.rawHeaders))
    } catch (error) {
      this.#far?.destroy()
      if (!response.headersSent) this.#failed(error as Error, true)
      return
    }
    response.flushHeaders()
    const resume = () => incoming.resume()
    incoming.on('data', (chunk: Buffer) => {
      this.#received += chunk.length
      if (response.write(chunk)) return
      incoming.pause()
      response.once('drain', resume)
    })
    incoming.once('end', () => {
      const trailers = trailerFields(incoming.rawTrailers)
      if (trailers.length > 0) response.addTrailers(trailers)
      response.end()
    })
    incoming.once('error', error => this.#cut(error))
  }

  /** Why there is no response. */
  #failed(error: Error, isConnected: boolean): void {
    const failure = dialFailure(error)
    this.#tell(isConnected ? 'cut' : failure, error)
    if (this.#client.destroyed) return
    this.#answer(isConnected ? answerCut(error) : answerFailure(failure, error, this.#target as Target))
  }

  /** The response broke off: what the client has must not pass for the whole. */
  #cut(error: Error): void {
    this.#tell('cut', error)
    if (!this.#client.destroyed) this.#client.resetAndDestroy()
  }

  #answer(answer: Answer): void {
    this.#closeIfUnread()
    this.#request.resume()
    this.#response.writeHead(answer.status, headersOf(answer).flat())
    this.#response.end(bodyOf(answer))
  }

  /** A client that still waits for a 100 may send its body or its next request: what comes cannot be told apart. */
  #closeIfUnread(): void {
    if (!this.#isContinued && !this.#bodyBegun) this.#response.shouldKeepAlive = false
  }

  /** The response is out, or the client is gone. */
  #closed(): void {
    clearTimeout(this.#stall)
    const isWhole = this.#response.writableFinished
    this.#tell(isWhole ? 'done' : this.#response.headersSent ? 'cut' : 'gone')
    this.#gone.abort(new Error('the client left'))
    if (!isWhole || !this.#request.complete) this.#far?.destroy()
  }

  #tell(result: ConnectionResult, error?: unknown): void {
    if (this.#isTold || this.#target === undefined) return
    this.#isTold = true
    const client = addressOf(this.#client)
    const known = { protocol: 'tcp', way: 'http', ...(client && { client }), target: this.#target, result } as const
    const traffic = { sent: this.#sent, received: this.#received, duration: performance.now() - this.#began }
    tellOver(this.#options.context, { ...known, ...traffic, ...(error !== undefined && { error }) })
  }
}

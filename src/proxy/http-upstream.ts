// The connections to servers of one client's HTTP requests. One is kept for the client's next request to the same server, if that
// may be sent again should the server have closed it meanwhile; never for another client's, for some servers log connections in.
import { Agent, type ClientRequest, request } from 'node:http'
import type { Dialer, RelaySocket, Target } from './dialer.js'

/** How long a connection is kept for the next request, ms. */
const keepTimeout = 15_000

export interface UpstreamRequest {
  readonly target: Target
  readonly method: string
  readonly path: string
  /** Flat. */
  readonly headers: readonly string[]
  readonly headerBytes: number
  /** It has no body and changes nothing (RFC 9110, section 9.2.1). */
  readonly mayRepeat: boolean
  /** Gives up the dial. */
  readonly signal: AbortSignal
}

export class Upstream {
  readonly #dial: Dialer
  #agent: Agent | undefined
  #key = ''
  #next: { target: Target; signal: AbortSignal } | undefined

  constructor(dial: Dialer) {
    this.#dial = dial
  }

  /** Throws where Node finds the head to be none. */
  request({ target, method, path, headers, headerBytes, mayRepeat, signal }: UpstreamRequest): ClientRequest {
    const key = `${target.host} ${target.port}`
    if (key !== this.#key || !mayRepeat) this.close()
    this.#key = key
    this.#agent ??= this.#createAgent()
    this.#next = { target, signal }
    const { host, port } = target
    return request({
      agent: this.#agent,
      host,
      port,
      method,
      path,
      headers: headers as string[],
      setHost: false,
      maxHeaderSize: headerBytes,
    })
  }

  /** Cuts what is kept. */
  close(): void {
    this.#agent?.destroy()
    this.#agent = undefined
  }

  #createAgent(): Agent {
    const agent = new Agent({
      keepAlive: true,
      keepAliveMsecs: keepTimeout,
      maxSockets: 1,
      maxFreeSockets: 1,
      timeout: keepTimeout,
    })
    // Node's own call in this place: it takes the socket by a callback, too.
    const dialling = agent as unknown as { createConnection: CreateConnection }
    dialling.createConnection = (_options, created) => {
      const { target, signal } = this.#next as { target: Target; signal: AbortSignal }
      this.#dial(target, signal).then(
        far => {
          // Half-open is of no use here, and an end between two requests would go unnoticed.
          far.once('end', () => far.end())
          created(null, far)
        },
        error => created(error),
      )
    }
    return agent
  }
}

type CreateConnection = (options: unknown, created: (error: Error | null, socket?: RelaySocket) => void) => void

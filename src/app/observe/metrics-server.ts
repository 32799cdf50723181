// The HTTP server of --metrics: /metrics for Prometheus, /healthz and /readyz for probes. It answers one request a connection, and
// every connection ends soon: whoever reaches the port can hold little.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { type ListenAt, type LocalListener, listenLocally } from '../../proxy/listener.js'
import { contentType } from './exposition.js'

export interface MetricsLimits {
  /** Connections at a time; for one more, the oldest is closed. */
  readonly maxConnections: number
  /** How long a connection may last, ms. */
  readonly timeout: number
}

export const defaultMetricsLimits: MetricsLimits = { maxConnections: 64, timeout: 10_000 }

/** Bytes of a request's head. */
const longestHead = 8192

export interface MetricsSource {
  metrics(): string
  /** Why it is not, in a line; undefined when it is ready. */
  notReady(): string | undefined
}

/** Rejects with LISTEN_FAILED. */
export async function startMetricsServer(
  at: ListenAt,
  source: MetricsSource,
  limits: Partial<MetricsLimits> = {},
): Promise<LocalListener> {
  const { maxConnections, timeout } = { ...defaultMetricsLimits, ...limits }
  const server = createServer({ maxHeaderSize: longestHead }, (request, response) => answer(request, response, source))
  server.on('clientError', (_error, socket) => socket.destroy())
  const open = new Set<Socket>()
  return listenLocally({
    at,
    maxConnections,
    yielding: open,
    accept(socket) {
      open.add(socket)
      socket.on('error', () => {})
      const timer = setTimeout(() => socket.destroy(), timeout).unref()
      socket.once('close', () => {
        open.delete(socket)
        clearTimeout(timer)
      })
      server.emit('connection', socket)
    },
    dropped: () => {},
  })
}

function answer({ method, url = '' }: IncomingMessage, response: ServerResponse, source: MetricsSource): void {
  const say = (status: number, text: string, type = 'text/plain; charset=utf-8') => {
    response.writeHead(status, {
      'content-type': type,
      'content-length': Buffer.byteLength(text),
      'cache-control': 'no-store',
      connection: 'close',
      ...(status === 405 && { allow: 'GET, HEAD' }),
    })
    response.end(method === 'HEAD' ? undefined : text)
  }
  if (method !== 'GET' && method !== 'HEAD') {
    say(405, 'only GET and HEAD\n')
    return
  }
  switch (url.split('?')[0]) {
    case '/metrics':
      say(200, source.metrics(), contentType)
      return
    case '/healthz':
      say(200, 'ok\n')
      return
    case '/readyz': {
      const reason = source.notReady()
      if (reason === undefined) say(200, 'ok\n')
      else say(503, `${reason}\n`)
      return
    }
    default:
      say(404, 'there is /metrics, /healthz and /readyz\n')
  }
}

// A proxy on a local port or unix socket: `-D`. A client's first byte tells whether it speaks SOCKS5 or HTTP.
import type { Socket } from 'node:net'
import { TunnelError } from '../errors.js'
import { ignore } from './dialer.js'
import { Greeting } from './greeting.js'
import { formatListenAt, isLoopback, type ListenAt, listenLocally } from './listener.js'
import {
  createProxyCounters,
  defaultProxyLimits,
  type ProxyContext,
  type ProxyCounters,
  type ProxyEnvironment,
  type ProxyLimits,
} from './service.js'
import { createSocks5 } from './socks5-server.js'

export interface ProxyOptions<At extends ListenAt = ListenAt> extends ProxyEnvironment {
  readonly at: At
  readonly limits?: Partial<ProxyLimits>
}

export interface ProxyServer<At extends ListenAt = ListenAt> {
  /** As bound. */
  readonly address: At
  readonly counters: Readonly<ProxyCounters>
  /** Clients now. */
  readonly connections: number
  /** Accepts no more, cuts every client and gives up every dial. */
  close(): Promise<void>
}

/** Throws PROXY_NOT_LOOPBACK: without credentials, only this host may come in. */
export function checkProxyAt(at: ListenAt, hasCredentials: boolean): void {
  if (hasCredentials || isLoopback(at)) return
  throw new TunnelError(
    'PROXY_NOT_LOOPBACK',
    `a proxy without credentials on ${formatListenAt(at)} would be open to other hosts: bind it to 127.0.0.1 or [::1], or give it --auth-file`,
  )
}

/** Rejects with LISTEN_FAILED or PROXY_NOT_LOOPBACK. */
export async function startProxy<At extends ListenAt>(options: ProxyOptions<At>): Promise<ProxyServer<At>> {
  const { at, limits: _, ...environment } = options
  const limits = { ...defaultProxyLimits, ...options.limits }
  const counters = createProxyCounters()
  checkProxyAt(at, options.credentials !== undefined)
  /** Clients without a request yet, the one that has taken the longest first. */
  const waiting = new Set<Socket>()
  const context: ProxyContext = { ...environment, limits, counters, asked: client => void waiting.delete(client) }
  const socks = createSocks5(context)
  // Loaded only with a proxy: Node's HTTP takes a good part of a start.
  const { createHttpProxy } = await import('./http-proxy.js')
  const http = createHttpProxy(context)

  function accept(client: Socket): void {
    counters.accepted++
    client.on('error', ignore)
    waiting.add(client)
    client.on('close', noLongerWaits)
    new Greeting(client, context, readFirst)
  }

  function readFirst(chunk: Uint8Array, greeting: Greeting): void {
    const first = chunk[0] as number
    if (first === socksVersion) {
      socks.serve(greeting, chunk)
    } else if (isLetter(first)) {
      greeting.settle()
      http.serve(greeting.client, chunk)
    } else {
      greeting.cut('malformed')
    }
  }

  function noLongerWaits(this: Socket): void {
    waiting.delete(this)
  }

  const dropped = () => counters.dropped++
  const { maxConnections } = limits
  const listener = await listenLocally({ at, maxConnections, accept, yielding: waiting, dropped })
  return {
    address: listener.address,
    counters,
    get connections() {
      return listener.connections
    },
    close: () => listener.close(),
  }
}

const socksVersion = 5

/** Every method of HTTP begins with one. */
function isLetter(byte: number): boolean {
  const lower = byte | 0x20
  return lower >= 0x61 && lower <= 0x7a
}

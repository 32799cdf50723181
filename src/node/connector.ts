// undici's `connect` option through the tunnel: its connector's arguments (lib/core/connect.js of undici 7), without undici.
import { isIP, type Socket } from 'node:net'
import type { ConnectionOptions } from 'node:tls'
import type { TunnelConnect } from './connect.js'
import { dressSecure } from './secure.js'
import type { TunnelSocket } from './socket.js'
import { ioError } from './socket-error.js'

/** As `up` and `ready()` have it, ms. */
const defaultTimeout = 20_000
/** undici's own. */
const defaultKeepAliveDelay = 60_000
const defaultCachedSessions = 100

/** What undici's buildConnector takes; `ca`, `cert`, `rejectUnauthorized` … are node:tls's. */
export interface ConnectorOptions extends Omit<ConnectionOptions, 'host' | 'path' | 'port' | 'socket' | 'timeout'> {
  /** Bounds dial and TLS handshake together, ms, 20 s by default; 0 for no bound. Fails with ETIMEDOUT. */
  timeout?: number | null | undefined
  /** Offers HTTP/2 to the server; undici's `allowH2` has to be set beside it. */
  allowH2?: boolean | undefined
  /** TLS sessions that are kept to be resumed, 100 by default; 0 keeps none. */
  maxCachedSessions?: number | null | undefined
  family?: 0 | 4 | 6 | undefined
  localAddress?: string | undefined
  keepAlive?: boolean | null | undefined
  /** ms, 60 s by default. */
  keepAliveInitialDelay?: number | null | undefined
}

/** Where undici wants to go. */
export interface ConnectorTarget {
  hostname: string
  host?: string | undefined
  protocol: string
  port: string
  servername?: string | undefined
  localAddress?: string | null | undefined
  /** A socket that leads there already, by way of an HTTP proxy. */
  httpSocket?: Socket | undefined
}

/** Goes where undici's Client, Pool and Agent take a function as `connect`. */
export type Connector = (
  target: ConnectorTarget,
  callback: (...args: [error: null, socket: Socket] | [error: Error, socket: null]) => void,
) => void

export function createConnector(connect: TunnelConnect, options: ConnectorOptions = {}): Connector {
  const { timeout, allowH2 = false, maxCachedSessions, keepAlive, keepAliveInitialDelay, ...secureOptions } = options
  const { family, session: ownSession, servername: ownServername } = options
  const most = timeout ?? defaultTimeout
  const sessions = new SessionCache(maxCachedSessions ?? defaultCachedSessions)

  return ({ hostname, host, protocol, port, servername, localAddress, httpSocket }, callback) => {
    let isOver = false
    let timer: NodeJS.Timeout | undefined
    const done = (...args: [error: null, socket: Socket] | [error: Error, socket: null]) => {
      if (isOver) return
      isOver = true
      clearTimeout(timer)
      callback(...args)
    }
    const isSecure = protocol === 'https:'
    const open = (): Socket =>
      httpSocket ??
      connect({
        host: hostname,
        port: port || (isSecure ? 443 : 80),
        family,
        localAddress: localAddress ?? options.localAddress,
        connectTimeout: most,
        allowHalfOpen: isSecure,
        noDelay: true,
        keepAlive: keepAlive ?? true,
        keepAliveInitialDelay: keepAliveInitialDelay ?? defaultKeepAliveDelay,
      })
    let socket: Socket
    try {
      socket = open()
    } catch (error) {
      process.nextTick(done, error as Error, null)
      return
    }
    if (isSecure) {
      const name = servername || ownServername || serverNameOf(host) || ''
      const key = name || hostname
      const session = ownSession ?? sessions.get(key)
      const secure = process.getBuiltinModule('node:tls').connect({
        ...secureOptions,
        ...(session && { session }),
        servername: name,
        host: hostname,
        ALPNProtocols: allowH2 ? ['http/1.1', 'h2'] : ['http/1.1'],
        socket,
      })
      secure.on('session', fresh => sessions.set(key, fresh))
      socket = httpSocket === undefined ? dressSecure(secure, socket as TunnelSocket) : secure
      if (most > 0) {
        timer = setTimeout(() => secure.destroy(ioError('ETIMEDOUT', 'connect')), most).unref()
      }
    }
    socket.once(isSecure ? 'secureConnect' : 'connect', () => done(null, socket))
    socket.on('error', error => done(error, null))
    socket.once('close', () => done(ioError('ECONNABORTED', 'connect'), null))
  }
}

/** The host's name without its port; SNI has no addresses (RFC 6066, section 3). */
function serverNameOf(host: string | undefined): string | undefined {
  if (host === undefined || host.startsWith('[')) return undefined
  const [name] = host.split(':') as [string]
  return isIP(name) === 0 ? name : undefined
}

/** The last session of each server; the oldest goes first. */
class SessionCache {
  readonly #sessions = new Map<string, Buffer>()
  readonly #most: number

  constructor(most: number) {
    this.#most = most
  }

  get(key: string): Buffer | undefined {
    return this.#sessions.get(key)
  }

  set(key: string, session: Buffer): void {
    if (this.#most === 0) return
    this.#sessions.delete(key)
    const [oldest] = this.#sessions.keys()
    if (oldest !== undefined && this.#sessions.size >= this.#most) this.#sessions.delete(oldest)
    this.#sessions.set(key, session)
  }
}

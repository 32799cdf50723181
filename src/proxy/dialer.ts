// What a way in needs from whoever carries its connections: a dialer. The tunnel is one, the host's network could be another,
// a policy may stand before either; proxies see only this, and why a dial failed.
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { DialSignal } from './departure.js'

/** Where a client wants to go: a name or an address without brackets, and a port above 0. */
export interface Target {
  readonly host: string
  readonly port: number
}

/** A connected socket: net.Socket and TunnelSocket both are. */
export interface RelaySocket extends Duplex {
  readonly localAddress?: string | undefined
  readonly localPort?: number | undefined
  resetAndDestroy(): unknown
}

/**
 * Connects, half-open allowed, and resolves once the connection stands; rejects with the socket's error, or when `signal`
 * aborts. Who dials bounds the dial in time.
 */
export type Dialer = (target: Target, signal: DialSignal) => Promise<RelaySocket>

/** Makes a Dialer of a `connect` in net's manner: it returns a socket that emits 'connect', or 'error' and 'close'. */
export function createDialer(connect: (options: Target & { allowHalfOpen: true }) => RelaySocket): Dialer {
  return ({ host, port }, signal) =>
    new Promise((resolve, reject) => {
      signal.throwIfAborted()
      const socket = connect({ host, port, allowHalfOpen: true })
      const settle = () => {
        signal.removeEventListener('abort', abort)
        socket.off('connect', connected)
        socket.off('close', closed)
      }
      const connected = () => {
        settle()
        resolve(socket)
      }
      const closed = () => {
        settle()
        reject(socket.errored ?? new Error(`the dial to ${formatTarget({ host, port })} was given up`))
      }
      const abort = () => {
        settle()
        socket.destroy()
        reject(signal.reason)
      }
      signal.addEventListener('abort', abort)
      socket.once('connect', connected)
      socket.once('close', closed)
      // It stays: an error between 'connect' and the relay's first listener is found there as `errored`.
      socket.on('error', ignore)
    })
}

/** For 'error' of a socket whose 'close' says enough. Shared: a closure would keep what it can see as long as the connection. */
export function ignore(): void {}

/** A socket of the host's that may be no TCP: Node cannot reset such a one, and throws; it is destroyed instead. */
export function asRelaySocket(socket: Socket): Socket {
  socket.resetAndDestroy = destroyInstead
  return socket
}

function destroyInstead(this: Socket): Socket {
  return this.destroy()
}

/** Why a dial failed, as far as the ways in tell their clients. */
export type DialFailure =
  | 'no-route'
  | 'unknown-host'
  | 'unresolved'
  | 'unreachable'
  | 'refused'
  | 'timeout'
  | 'no-handshake'
  | 'denied'
  | 'failed'

const failures: Readonly<Record<string, DialFailure>> = {
  // The tunnel's own words, as an error's code or its cause's; they say more than a socket's code.
  NO_ROUTE: 'no-route',
  UNKNOWN_HOST: 'unknown-host',
  DNS_UNAVAILABLE: 'unresolved',
  HANDSHAKE_TIMEOUT: 'no-handshake',
  ENDPOINT_UNRESOLVED: 'no-handshake',
  POLICY_DENIED: 'denied',
  // Node's codes.
  EACCES: 'denied',
  EPERM: 'denied',
  ENOTFOUND: 'unknown-host',
  EAI_AGAIN: 'unresolved',
  ECONNREFUSED: 'refused',
  ECONNRESET: 'refused',
  EHOSTUNREACH: 'unreachable',
  ENETUNREACH: 'unreachable',
  ETIMEDOUT: 'timeout',
}

export function dialFailure(error: unknown): DialFailure {
  for (const one of [(error as { cause?: unknown } | undefined)?.cause, error]) {
    const code = (one as { code?: unknown } | undefined)?.code
    const failure = typeof code === 'string' && Object.hasOwn(failures, code) ? failures[code] : undefined
    if (failure !== undefined) return failure
  }
  return 'failed'
}

/** `web1:22`, `[fd00::1]:22`; a path, where one stands for the host, as it is. */
export function formatTarget({ host, port }: Target): string {
  if (host.includes('/')) return host
  return host.includes(':') && !host.startsWith('tag:') ? `[${host}]:${port}` : `${host}:${port}`
}

// What ready() waits for: the first session, then the target's SYN-ACK; and what a failed wait or dial is told to be.
import { type Endpoint, formatAddress, formatPrefix, type IpAddress } from '../core/base/address.js'
import type { Host } from '../core/host/host.js'
import { TunnelError } from '../errors.js'
import { findAddresses } from './addresses.js'
import type { PeerBook, PeerRecord } from './peer-book.js'
import { type Evidence, explainSilence } from './readiness.js'
import type { TunnelSocket } from './socket.js'
import type { StackPort } from './stack-port.js'
import { explainDial } from './target-error.js'
import { withResolvers } from './with-resolvers.js'

/** How long ready() waits by default, ms. */
export const defaultReadyTimeout = 20_000
/** KEEPALIVE_TIMEOUT and REKEY_TIMEOUT: who was sent data and is silent for this long is not there, ms. */
const deadAfter = 15_000
/** setTimeout's longest delay, ms. */
const longestTimeout = 2 ** 31 - 1
/** AllowedIPs that an error names. */
const namedPrefixes = 20

export interface ReadyOptions {
  /** Bounds the handshake and, apart, the target's answer, ms; 0 waits forever. */
  timeout?: number
  signal?: AbortSignal
  /** Wait for this server's SYN-ACK as well. */
  target?: { host: string; port: number }
}

export interface ReadyGateOptions {
  readonly host: Host
  readonly book: PeerBook
  readonly now: () => number
  /** Something may be due. */
  readonly changed: () => void
  readonly stackPort: StackPort
  /** DNS servers that a name is asked of; none for a name of the configuration. Throws UNKNOWN_HOST. */
  readonly serversOf: (name: string) => readonly IpAddress[]
  readonly connect: (target: { host: string; port: number; connectTimeout: number }) => TunnelSocket
  readonly evidence: () => Pick<Evidence, 'port' | 'received' | 'udpError'>
  /** Aborts, with the reason, when the tunnel is closed. */
  readonly closing: AbortSignal
}

export class ReadyGate {
  readonly #options: ReadyGateOptions
  readonly #waiters = new Set<() => void>()

  constructor(options: ReadyGateOptions) {
    this.#options = options
  }

  /** A session stands that did not before. */
  wake(): void {
    for (const wake of this.#waiters) wake()
  }

  /** Resolves with the first peer that has a session; undefined where none has an endpoint. Rejects as Tunnel.ready() says. */
  async wait(options: ReadyOptions): Promise<PeerRecord | undefined> {
    checkReadyOptions(options)
    const { target } = options
    const called = target === undefined ? this.#callable() : [await this.#routeTo(target.host, options)]
    const record = called.length === 0 ? undefined : await this.#firstSession(called, options)
    if (target !== undefined) await this.#probe(target, options)
    return record
  }

  #callable(): PeerRecord[] {
    return this.#options.book.all().filter(record => record.keeper !== undefined)
  }

  /** Where DNS is to be asked, its servers have to be reached first, and in the time that a handshake has. */
  async #routeTo(host: string, options: ReadyOptions): Promise<PeerRecord> {
    const { serversOf, stackPort } = this.#options
    const leading = serversOf(host).flatMap(server => this.#recordFor(server) ?? [])
    if (leading.length > 0) await this.#firstSession(leading, options)
    for (const address of await findAddresses(stackPort, host, { signal: options.signal })) {
      const record = this.#recordFor(address)
      if (record !== undefined) return record
    }
    throw this.#noRoute(host)
  }

  #recordFor(address: IpAddress): PeerRecord | undefined {
    return this.#options.book.get(this.#options.host.device.route(address, 0, address.length as 4 | 16))
  }

  /** What the tunnel knows of a failed dial beyond its code. */
  explain(code: string, target: Endpoint): TunnelError | undefined {
    const record = this.#recordFor(target.address)
    if (record === undefined) return code === 'ENETUNREACH' ? this.#noRoute(formatAddress(target.address)) : undefined
    if (code !== 'ETIMEDOUT' && code !== 'EHOSTUNREACH') return undefined
    const now = this.#options.now()
    // A peer that lives says so, by a keepalive at the latest, within 10 s of what it got.
    const silence = now - record.peer.lastReceivedAt
    if (this.#options.host.device.canSend(record.peer, now) && record.initiations === 0 && silence < deadAfter)
      return undefined
    return this.#silence([record], undefined)
  }

  #noRoute(host: string): TunnelError {
    const prefixes = this.#options.book.all().flatMap(({ peer }) => peer.allowedIps)
    const named = prefixes.slice(0, namedPrefixes).map(formatPrefix).join(', ') || 'none'
    const covered = prefixes.length > namedPrefixes ? `${named} and ${prefixes.length - namedPrefixes} more` : named
    return new TunnelError(
      'NO_ROUTE',
      `no peer's AllowedIPs cover ${host} (they are: ${covered}): add it to those of the peer that leads there`,
    )
  }

  #firstSession(called: readonly PeerRecord[], options: ReadyOptions): Promise<PeerRecord> {
    const { device } = this.#options.host
    const timeout = options.timeout ?? defaultReadyTimeout
    const standing = () => called.find(record => device.canSend(record.peer, this.#options.now()))
    return this.#settle(timeout, options.signal, (resolve, reject) => {
      const look = () => {
        const record = standing()
        if (record !== undefined) resolve(record)
      }
      for (const record of called) device.initiate(record.peer, this.#options.now())
      this.#options.changed()
      look()
      this.#waiters.add(look)
      return {
        expired: () => reject(this.#silence(called, timeout)),
        done: () => this.#waiters.delete(look),
      }
    })
  }

  #silence(called: readonly PeerRecord[], timeout: number | undefined): TunnelError {
    return explainSilence({
      attempts: called.map(record => this.#options.book.attempt(record)),
      timeout,
      counters: this.#options.host.device.counters,
      ...this.#options.evidence(),
    })
  }

  async #probe(target: { host: string; port: number }, options: ReadyOptions): Promise<void> {
    const timeout = options.timeout ?? defaultReadyTimeout
    const socket = this.#options.connect({ ...target, connectTimeout: timeout })
    try {
      await this.#settle<void>(0, options.signal, (resolve, reject) => {
        socket.once('connect', () => resolve())
        socket.once('error', error => reject(explainDial(error, target, timeout)))
        return { expired: () => {}, done: () => {} }
      })
    } finally {
      socket.destroy()
    }
  }

  /** A promise that ends by its own means, by time, by the signal or by close(), and cleans up after itself. */
  #settle<T>(
    timeout: number,
    signal: AbortSignal | undefined,
    start: (resolve: (value: T) => void, reject: (error: unknown) => void) => { expired: () => void; done: () => void },
  ): Promise<T> {
    const { promise, resolve, reject } = withResolvers<T>()
    signal?.throwIfAborted()
    const { expired, done } = start(resolve, reject)
    const closing = this.#options.closing
    const onClose = () => reject(closing.reason)
    const onAbort = () => reject(signal?.reason)
    const timer = timeout > 0 ? setTimeout(expired, Math.min(timeout, longestTimeout)) : undefined
    closing.addEventListener('abort', onClose)
    signal?.addEventListener('abort', onAbort)
    return promise.finally(() => {
      clearTimeout(timer)
      closing.removeEventListener('abort', onClose)
      signal?.removeEventListener('abort', onAbort)
      done()
    })
  }
}

/** An unset variable makes NaN of a time and undefined of a port: that must not become a wait without end. */
function checkReadyOptions({ timeout, target }: ReadyOptions): void {
  if (timeout !== undefined && !(timeout >= 0)) {
    throw new TunnelError('USAGE', `timeout: milliseconds were expected, 0 or more, not ${String(timeout)}`)
  }
  if (target === undefined) return
  if (typeof target.host !== 'string' || target.host === '') {
    throw new TunnelError('USAGE', `target.host: a name or an address was expected, not ${String(target.host)}`)
  }
  if (!Number.isInteger(target.port) || target.port < 1 || target.port > 65535) {
    throw new TunnelError('USAGE', `target.port: a number from 1 to 65535 was expected, not ${String(target.port)}`)
  }
}

// What the sockets of a tunnel need from it: the stack, its clock, and a word to the loop after they have used it.
import type { Endpoint, IpAddress } from '../core/base/address.js'
import type { Stack } from '../core/netstack/stack.js'
import type { TunnelError } from '../errors.js'

/** Told of each family that was asked for, once, then of the end. */
export interface NameListener {
  /** Maybe none. */
  handleAddresses(family: 4 | 6, addresses: readonly IpAddress[]): void
  /** The error where there were none at all: a TunnelError (UNKNOWN_HOST, DNS_UNAVAILABLE, HANDSHAKE_TIMEOUT, TUNNEL_CLOSED …). */
  handleEnd(error: Error | undefined): void
}

export interface StackPort {
  readonly stack: Pick<Stack, 'connect' | 'listen' | 'bindUdp' | 'ping' | 'mtu' | 'ownAddresses'>
  /** Monotonic ms, the stack's clock. */
  now(): number
  /** After any call of the stack that may have produced output or moved a deadline: the loop takes a turn soon. */
  changed(): void
  /**
   * Addresses of a literal or of a name of the configuration, at least one, best first; undefined where DNS is to be asked.
   * Throws a TunnelError (UNKNOWN_HOST).
   */
  lookup(name: string): IpAddress[] | undefined
  /**
   * Asks DNS servers in the tunnel for a name that {@link lookup} leaves to them. `timeout` in ms; the resolver's own bounds it in
   * any case. Returns what ends it, after which nothing more is told; nothing is told before this returns.
   */
  resolve(name: string, options: { family: 0 | 4 | 6; timeout?: number }, listener: NameListener): () => void
  /**
   * Why a dial failed, where the tunnel knows more than the code says: NO_ROUTE when no AllowedIPs cover the target,
   * HANDSHAKE_TIMEOUT when its peer never answered. Becomes the `cause` of the socket's error.
   */
  explain?(code: string, target: Endpoint): TunnelError | undefined
  /** Calls `closed` when the tunnel was closed under what listens in it. Returns what takes that back. */
  whenClosed?(closed: () => void): () => void
  /** A socket that keeps the process alive came to be … */
  addRef(): void
  /** … and is gone, or was `unref`ed. */
  release(): void
}

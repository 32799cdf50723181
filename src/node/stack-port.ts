// What the sockets of a tunnel need from it: the stack, its clock, and a word to the loop after they have used it.
import type { Endpoint, IpAddress } from '../core/base/address.js'
import type { Stack } from '../core/netstack/stack.js'
import type { TunnelError } from '../errors.js'

export interface StackPort {
  readonly stack: Pick<Stack, 'connect' | 'listen' | 'bindUdp' | 'ping' | 'mtu' | 'ownAddresses'>
  /** Monotonic ms, the stack's clock. */
  now(): number
  /** After any call of the stack that may have produced output or moved a deadline: the loop takes a turn soon. */
  changed(): void
  /** Addresses of a name or a literal, at least one, best first. Throws a TunnelError (UNKNOWN_HOST). */
  lookup(name: string): IpAddress[]
  /**
   * Why a dial failed, where the tunnel knows more than the code says: NO_ROUTE when no AllowedIPs cover the target,
   * HANDSHAKE_TIMEOUT when its peer never answered. Becomes the `cause` of the socket's error.
   */
  explain?(code: string, target: Endpoint): TunnelError | undefined
  /** A socket that keeps the process alive came to be … */
  addRef(): void
  /** … and is gone, or was `unref`ed. */
  release(): void
}

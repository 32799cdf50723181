// What a forwarder's owner and the stack say to each other: whole prefixes are answered for, one request at a time.
import type { IpAddress, Prefix } from '../base/address.js'
import type { SocketCode, TcpConnection, TcpEvents } from './types.js'

export interface ForwardOptions {
  /** Whose addresses are answered for, but our own; the longest that covers an address counts. */
  readonly prefixes: readonly Prefix[]
}

/**
 * How a request is turned down: `refused` by a RST, or port unreachable for a datagram; `drop` by silence, as long as it
 * is repeated.
 */
export type ForwardRefusal = 'refused' | 'host-unreachable' | 'prohibited' | 'drop'

/** What each kind of request is handed to; what has no handler is dropped. Called from flush() only. */
export interface ForwardHandlers {
  tcp?(request: ForwardedDial): void
  udp?(request: ForwardedFlow): void
  echo?(request: ForwardedEcho): void
}

interface ForwardRequest {
  /** Whom the peer means: an address of the prefix. */
  readonly localAddress: IpAddress
  readonly remoteAddress: IpAddress
  /** The path that it came by. */
  readonly path: number
  /** It waits for an answer; not for ever: `limits.forwardTimeout`. */
  readonly isPending: boolean
  /** Set by the handler: called if it came to nothing without the handler's doing. */
  abandoned: (() => void) | undefined
  refuse(refusal: ForwardRefusal, now: number): void
}

/** A SYN. It is asked for once, however often it is sent; until it is accepted, nothing is answered. */
export interface ForwardedDial extends ForwardRequest {
  readonly localPort: number
  readonly remotePort: number
  /**
   * Answers with SYN-ACK; `established` gets the connection when the peer has answered that, and says who owns it.
   * False if nobody waits any more.
   */
  accept(established: (connection: TcpConnection) => TcpEvents, now: number): boolean
}

/** The first datagram of a flow; those that follow wait with it, within bounds. */
export interface ForwardedFlow extends ForwardRequest {
  readonly localPort: number
  readonly remotePort: number
  /** undefined if nobody waits any more. What has come follows with the next flush. */
  accept(events: UdpFlowEvents, now: number): UdpFlow | undefined
}

export interface UdpFlowEvents {
  /** A datagram of the peer's; the bytes are the receiver's own. */
  message(bytes: Uint8Array): void
  /** ICMP says that what was sent does not arrive. */
  error(code: SocketCode): void
  /** Nothing was sent either way for `limits.forwardIdle`, or the forwarder was closed. Not after close(). */
  closed(): void
}

export interface UdpFlow {
  /** A datagram from the address that the peer means. As {@link UdpSocket.send}. */
  send(bytes: Uint8Array, now: number): boolean
  /** The target refuses what it was sent: says so of the flow's first datagram, and closes. */
  refuse(refusal: ForwardRefusal, now: number): void
  close(): void
}

export interface ForwardedEcho extends ForwardRequest {
  readonly identifier: number
  readonly sequence: number
  readonly bytes: Uint8Array
  /** Sends the echo's data back. */
  answer(now: number): void
}

export interface Forwarder {
  /** What waits is dropped, flows end, connections stay. */
  close(): void
}

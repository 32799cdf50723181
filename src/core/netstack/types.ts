// What the stack and its owner say to each other: options, sink, sockets and their events. stack.ts exports all of it.
import type { IpAddress, Prefix } from '../base/address.js'
import type { PacketMemory } from '../base/packet-memory.js'
import type { CongestionControlFactory } from './congestion.js'
import type { CongestionControlName } from './congestion-control.js'
import type { FlowGate } from './gate.js'
import type { StackLimits } from './limits.js'

/** Node's own codes, of what can happen to a socket. */
export type SocketCode =
  | 'ECONNREFUSED'
  | 'ECONNRESET'
  | 'ECONNABORTED'
  | 'ETIMEDOUT'
  | 'EHOSTUNREACH'
  | 'ENETUNREACH'
  | 'EMSGSIZE'
  | 'EACCES'

/** Node's own codes, of what a call refuses for local reasons. */
export type LocalCode =
  | 'ENETUNREACH'
  | 'EADDRNOTAVAIL'
  | 'EADDRINUSE'
  | 'EINVAL'
  | 'EMFILE'
  | 'EMSGSIZE'
  | 'ECONNABORTED'
  | 'EACCES'

/** Thrown by connect, listen, bindUdp and ping, and only for local reasons; nothing from the network throws. */
export class StackError extends Error {
  override readonly name = 'StackError'
  readonly code: LocalCode

  constructor(code: LocalCode, message: string) {
    super(message)
    this.code = code
  }
}

export interface StackSink {
  /** An IP packet of `length` bytes at `offset` = slot + {@link packetHeadroom}, for that path. The slot is given away. */
  sendPacket(slot: number, offset: number, length: number, path: number, now: number): void
  /** Larger packets than `mtu` bytes vanish on the path, and no router says so. Once for each size. */
  reportMtu?(path: number, mtu: number): void
}

export interface StackOptions {
  readonly memory: PacketMemory
  /** Fills `bytes` from a secure source. */
  readonly random: (bytes: Uint8Array) => void
  /** 32 bits of `bytes` under a secret of the caller's: sequence numbers (RFC 6528) and timestamp offsets come from it. */
  readonly keyedHash: (bytes: Uint8Array) => number
  /** Own addresses; the first of a family is the source of what is dialled without one. Host bits are kept. */
  readonly addresses: readonly Prefix[]
  /** Largest IP packet of every path, in bytes; at least 576, 1280 where IPv6 is used. */
  readonly mtu: number
  /** The path to the address of `length` bytes at `bytes[offset …]`, −1 if there is none. */
  route(bytes: Uint8Array, offset: number, length: 4 | 16): number
  /** Whether packets may leave on the path now. Until they may, first packets wait, and the path is asked for. */
  pathReady(path: number): boolean
  /** Asks for the path; {@link Stack.handlePathUp} or handlePathDown answers later. */
  wakePath(path: number, now: number): void
  readonly sink: StackSink
  readonly limits?: Partial<StackLimits>
  /** Decides on each new flow, ours and others'. Without it all may pass. */
  readonly gate?: FlowGate
  /** By name, or one of the caller's own. BBR by default. */
  readonly congestion?: CongestionControlName | CongestionControlFactory
}

/** RFC 9293's names of the states, in lower case. A connection in TIME-WAIT is over for its owner and says `closed`. */
export type TcpState =
  | 'closed'
  | 'syn-sent'
  | 'syn-received'
  | 'established'
  | 'fin-wait-1'
  | 'fin-wait-2'
  | 'close-wait'
  | 'closing'
  | 'last-ack'

/** What happened to a connection. Called from flush() only, never from inside a call of the owner's. */
export interface TcpEvents {
  /** A dialled connection is established. An accepted one is when accept gets it. */
  connected(now: number): void
  /** read() has something: bytes, or null for the end. */
  readable(): void
  /** The send queue has room again after a write() that took less than it was offered. */
  writable(): void
  /** Our FIN was acknowledged: the peer has everything that was written. */
  allSent?(): void
  /** The last event, exactly once: nothing if both directions ended or the owner let go, else why. */
  closed(error?: SocketCode): void
}

export interface TcpStats {
  /** Smoothed round trip in ms (RFC 6298), 0 before the first sample. */
  readonly rtt: number
  readonly rttVariance: number
  readonly bytesSent: number
  readonly bytesReceived: number
  readonly segmentsSent: number
  readonly segmentsReceived: number
  readonly retransmits: number
  readonly timeouts: number
  /** 0 before the first data is sent. */
  readonly congestionWindow: number
}

/** One connection, as its owner sees it. */
export interface TcpConnection {
  readonly localAddress: IpAddress
  readonly localPort: number
  readonly remoteAddress: IpAddress
  readonly remotePort: number
  readonly state: TcpState
  readonly path: number
  /** Bytes written and not yet acknowledged. */
  readonly bytesQueued: number
  /** Bytes that read() would give now. */
  readonly bytesReadable: number
  readonly stats: TcpStats
  /** Copies what fits of `chunk[offset …]` to the send queue and says how much; less than offered: wait for writable(). */
  write(chunk: Uint8Array, offset: number, now: number): number
  /** FIN after what is queued; reading goes on. */
  end(now: number): void
  /**
   * The next bytes in order, at most 64 KiB, the caller's own; undefined: nothing now; null: the peer's FIN was reached
   * and everything is read. Reading opens the window.
   */
  read(): Uint8Array | undefined | null
  /** RST, gone; closed() follows without an error. */
  reset(now: number): void
  /**
   * The owner lets go, as close(2) does: RST if bytes were received and not read, else the queue and a FIN go out
   * without an owner, and data that still arrives is answered with RST. closed() follows without an error.
   */
  destroy(now: number): void
  /** Probes after `idleMs` of silence, then each second, ten times (Node's numbers). Off at first. */
  setKeepAlive(on: boolean, idleMs: number, now: number): void
  /** true (as at first): no Nagle. */
  setNoDelay(on: boolean): void
}

export interface ConnectOptions {
  readonly address: IpAddress
  readonly port: number
  readonly localAddress?: IpAddress
  readonly localPort?: number
  /** Milliseconds for the dial, the wait for the path included; without it SYNs give up after about two minutes. */
  readonly timeout?: number
}

export interface ListenOptions {
  /** One of our own; any without it. */
  readonly address?: IpAddress
  /** 0: a free one. */
  readonly port: number
  /** Connections half open at a time. */
  readonly backlog?: number
}

export interface TcpListener {
  readonly port: number
  /** Half-open connections are forgotten; established ones stay. */
  close(): void
}

export interface UdpEvents {
  /** A datagram; the bytes are the receiver's own. Called from flush() only. */
  message(bytes: Uint8Array, address: IpAddress, port: number): void
  /** A connected socket's peer has no such port, or cannot be reached. */
  error(code: SocketCode): void
}

export interface UdpOptions {
  readonly address?: IpAddress
  /** 0 or nothing: a free one. */
  readonly port?: number
}

export interface UdpSocket {
  readonly port: number
  /** Of what is sent, 1 to 255; 64 at first. */
  hopLimit: number
  /**
   * Takes a copy, and sends it in fragments if it is larger than the path's MTU; false if it does not fit in the queue now.
   * Throws a StackError without a route, and EMSGSIZE for more than 65507 bytes (65527 over IPv6).
   */
  send(bytes: Uint8Array, address: IpAddress, port: number, now: number): boolean
  /** From now on only that peer is heard, and its ICMP errors are reported. Throws a StackError without a route. */
  connect(address: IpAddress, port: number): void
  /** Everybody is heard again. */
  disconnect(): void
  close(): void
}

export interface PingOptions {
  /** Bytes of data, 56 by default. */
  readonly size?: number
  /** Milliseconds to wait for the reply once the request has left, and for the path before that; 5000 by default. */
  readonly timeout?: number
  /** Never in fragments, whatever the path is believed to carry: EMSGSIZE if it does not fit in one packet of our MTU. */
  readonly whole?: boolean
}

export type PingResult = { readonly rtt: number; readonly ttl: number } | { readonly error: SocketCode }

export interface Ping {
  cancel(): void
}

/** What stands, for a person to read. */
export interface StackStats {
  readonly connections: number
  readonly timeWait: number
  readonly orphans: number
  readonly listeners: number
  readonly udpSockets: number
  readonly slotsInUse: number
  readonly reassemblySlots: number
  /** Bytes of fragments that wait for others, as their bound counts. */
  readonly fragmentBytes: number
  /** Bytes received and not read, written and not acknowledged, as their memory counts. */
  readonly receiveMemory: number
  readonly sendMemory: number
}

// Every bound of the stack, with its default. Each can be set by `limits`.

export interface StackLimits {
  /** TCP connections of all states but TIME-WAIT; beyond it a SYN is dropped and connect() throws EMFILE. */
  readonly connections: number
  /** Half-open connections of a listener without a backlog of its own. */
  readonly backlog: number
  /** Connections in TIME-WAIT; the oldest makes room. */
  readonly timeWait: number
  /** Connections whose owner let go and that are not closed yet; beyond it they are reset. */
  readonly orphans: number
  /** Bytes received and not yet read that a connection's window starts with and grows to. */
  readonly receiveBuffer: number
  readonly maxReceiveBuffer: number
  /** Bytes written and not yet acknowledged that a connection may hold at first and at most. */
  readonly sendBuffer: number
  readonly maxSendBuffer: number
  /**
   * Bytes received and not yet read, over all connections: as it fills, each one's window is bounded by a fair share. The
   * hard bound, whatever was promised before, is this, 64 KiB a path, and what waited in packet memory for its turn;
   * beyond it data is dropped, not acknowledged.
   */
  readonly receiveMemory: number
  /**
   * Bytes written and not yet acknowledged, and what is known of each segment in flight, over all connections; a connection
   * always gets one chunk of 16 KiB.
   */
  readonly sendMemory: number
  /** Share of packet memory that segments received out of order may hold, over all connections. */
  readonly reassemblyShare: number
  /** Bytes of send queues kept for reuse. */
  readonly sendPool: number
  /** Datagrams of ours that wait for a flush. */
  readonly outputQueue: number
  /** Answers to others (RST, ICMP, echo) that wait for a flush; a path has at most half. */
  readonly replyQueue: number
  /** Bytes of fragments that wait for the others of their datagrams; a path has at most half. */
  readonly fragmentBytes: number
  /** Datagrams that wait for one path. */
  readonly pathQueue: number
  readonly udpSockets: number
  /** Datagrams and bytes that a UDP socket holds between two flushes; a path has at most half. */
  readonly udpQueue: number
  readonly udpQueueBytes: number
  /** Bytes that all UDP sockets hold between two flushes; a path has at most half. */
  readonly udpMemory: number
  readonly pings: number
  /** Connections to forwarded prefixes that are not established yet; a path has at most half. */
  readonly forwardPending: number
  /** UDP flows to forwarded prefixes, and echo requests that wait for their answer; a path has at most half of each. */
  readonly forwardFlows: number
  readonly forwardEchoes: number
  /** How long a forwarder's handler may think of a request, ms. */
  readonly forwardTimeout: number
  /** How long a forwarded UDP flow may be silent, ms. */
  readonly forwardIdle: number
  /** UDP flows and pairs that ping, as a gate remembers them; a path has at most half. */
  readonly trackedFlows: number
  /** RSTs and ICMP errors a second, all together, for each path. */
  readonly repliesPerSecond: number
  /** Challenge ACKs a second over all connections (RFC 5961, 7); the number in force is random around it. */
  readonly challengeAcksPerSecond: number
  /** Ports that are taken when none is asked for, both included. */
  readonly firstEphemeralPort: number
  readonly lastEphemeralPort: number
}

const KiB = 1024
const MiB = 1024 * KiB

export const defaultLimits: StackLimits = {
  connections: 65536,
  backlog: 1024,
  timeWait: 32768,
  orphans: 8192,
  receiveBuffer: 256 * KiB,
  maxReceiveBuffer: 32 * MiB,
  sendBuffer: 256 * KiB,
  maxSendBuffer: 32 * MiB,
  receiveMemory: 128 * MiB,
  sendMemory: 128 * MiB,
  reassemblyShare: 0.5,
  sendPool: 4 * MiB,
  outputQueue: 1024,
  replyQueue: 256,
  fragmentBytes: 4 * MiB,
  pathQueue: 64,
  udpSockets: 16384,
  udpQueue: 512,
  udpQueueBytes: MiB,
  udpMemory: 16 * MiB,
  pings: 1024,
  forwardPending: 4096,
  forwardFlows: 8192,
  forwardEchoes: 512,
  forwardTimeout: 30_000,
  forwardIdle: 120_000,
  trackedFlows: 65536,
  repliesPerSecond: 1000,
  challengeAcksPerSecond: 1000,
  firstEphemeralPort: 32768,
  lastEphemeralPort: 65535,
}

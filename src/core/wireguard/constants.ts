// Every number of the WireGuard protocol, and of this implementation of it, in one place. "Paper" is the WireGuard white
// paper (Donenfeld, NDSS 2017); "kernel" is the Linux module's source.
import { utf8Bytes } from '../base/text.js'

// Paper, 5.4.
export const construction = utf8Bytes('Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s')
export const identifier = utf8Bytes('WireGuard v1 zx2c4 Jason@zx2c4.com')
export const labelMac1 = utf8Bytes('mac1----')
export const labelCookie = utf8Bytes('cookie--')

/** Payloads are padded to a multiple of this (paper, 5.4.6). */
export const paddingMultiple = 16

// Counters are pairs of unsigned 32-bit halves. Paper, 6.1.
/** REKEY_AFTER_MESSAGES, 2^60: the high half from which a keypair is due for renewal. */
export const rekeyAfterMessagesHi = 2 ** 28
/** REJECT_AFTER_MESSAGES, 2^64 - 2^13 - 1: the first counter that is neither sent nor accepted. */
export const rejectAfterMessagesHi = 0xffff_ffff
export const rejectAfterMessagesLo = 0xffff_dfff

/** Bits of the replay window's ring, and how far behind the greatest counter one may lag (kernel, receive.c). */
export const replayRingBits = 8192
export const replayWindow = replayRingBits - 64

/** Times, in milliseconds. They are options for the sake of tests only: a peer counts on the protocol's own. */
export interface Timers {
  /** REKEY_AFTER_TIME: the initiator renews a keypair of this age when it sends. */
  readonly rekeyAfterTime: number
  /** REJECT_AFTER_TIME: a keypair of this age is wiped. */
  readonly rejectAfterTime: number
  /** REKEY_TIMEOUT: the time between two initiations. */
  readonly rekeyTimeout: number
  /** The most that chance adds to a retry (kernel, REKEY_TIMEOUT_JITTER_MAX_JIFFIES). */
  readonly rekeyTimeoutJitter: number
  /** KEEPALIVE_TIMEOUT. */
  readonly keepaliveTimeout: number
  /** Lifetime of the secret behind the cookies that are given (COOKIE_REFRESH_TIME). */
  readonly cookieSecretLifetime: number
  /** How long a cookie that was received serves: 5 s less than its secret may live, for the way. */
  readonly cookieLifetime: number
  /** The least time between two initiations accepted from one peer (kernel, INITIATIONS_PER_SECOND). */
  readonly initiationInterval: number
  /** How long the state of being under load lasts after its cause is gone. */
  readonly underLoadTime: number
}

export const defaultTimers: Timers = {
  rekeyAfterTime: 120_000,
  rejectAfterTime: 180_000,
  rekeyTimeout: 5_000,
  rekeyTimeoutJitter: 333,
  keepaliveTimeout: 10_000,
  cookieSecretLifetime: 120_000,
  cookieLifetime: 115_000,
  initiationInterval: 20,
  underLoadTime: 1_000,
}

/** Handshake state is wiped this many rejectAfterTime after the last keypair was derived (paper, 6.3). */
export const zeroAfterRejects = 3

/** Bounds of this implementation. */
export interface DeviceLimits {
  /** Peers at once (kernel, MAX_PEERS_PER_DEVICE). */
  readonly peers: number
  /** Packets that wait for a session, a peer; the oldest goes first (kernel, MAX_STAGED_PACKETS). */
  readonly stagedPackets: number
  /** Initiations sent without an answer before a peer is given up (kernel, MAX_TIMER_HANDSHAKES + 2). */
  readonly initiationAttempts: number
  /** Handshake messages that wait for their turn (kernel, MAX_QUEUED_INCOMING_HANDSHAKES). */
  readonly queuedHandshakes: number
  /** From this many waiting on, the device is under load: cookies are asked for. */
  readonly underLoadQueue: number
  /** So it is when working off the queue would take longer than this; milliseconds. */
  readonly underLoadWork: number
  /** Milliseconds of estimated work on handshakes in one turn; one is always done. */
  readonly handshakeWorkPerTurn: number
  /** Cookie replies sent in one turn. */
  readonly cookieRepliesPerTurn: number
  /** Cookie replies sent in a second: under a flood there are as many turns as there is time. What is beyond gets none. */
  readonly cookieRepliesPerSecond: number
  /** Handshakes a second from one source (IPv6: one /64) that showed its cookie, and how many at once. */
  readonly sourceRate: number
  readonly sourceBurst: number
  /** Sources remembered at once; when full, new ones are refused. */
  readonly sources: number
}

export const defaultLimits: DeviceLimits = {
  peers: 2 ** 20,
  stagedPackets: 128,
  initiationAttempts: 20,
  queuedHandshakes: 4096,
  underLoadQueue: 512,
  underLoadWork: 50,
  handshakeWorkPerTurn: 4,
  cookieRepliesPerTurn: 64,
  cookieRepliesPerSecond: 3072,
  sourceRate: 20,
  sourceBurst: 5,
  sources: 65_536,
}

// When another host seems to use the same key: silence within `contestedSilence` of a handshake, revived by a new one,
// `contestedTimes` times within `contestedPeriod`; milliseconds.
export const contestedSilence = 60_000
export const contestedPeriod = 600_000
export const contestedTimes = 3

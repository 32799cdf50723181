// TCP's constants with their sources. Times are milliseconds.

/** RFC 6298, 2.1. */
export const initialRto = 1000
/** RFC 6298, 5.7: after a SYN was resent and nothing gave a sample. */
export const rtoAfterLostSyn = 3000
/** On the variance term instead of RFC 6298's floor on the sum: a floor on the sum fires inside a peer's delayed ACK. */
export const minRtoVariance = 200
export const maxRto = 120_000
/** RFC 9293, 3.8.3's R2; Linux's tcp_retries2 and tcp_syn_retries. */
export const maxRetransmits = 15
export const maxSynRetransmits = 6
/** A dial without a timeout of its own: SYNs are tried for 127 s, and as long again the path may take to come up. */
export const longestDial = 254_000
/** RFC 9293, 3.7.1. */
export const defaultMss4 = 536
export const defaultMss6 = 1220
/** Linux's TCP_MIN_SND_MSS: room for every option and eight bytes. */
export const minMss = 48
/** RFC 5681, 3.2. */
export const dupThreshold = 3
/** RFC 6928. */
export const initialWindowSegments = 10
/** Of data that is to be acknowledged; Linux's TCP_DELACK_MIN. */
export const delayedAck = 40
/** A flow's first segments are acknowledged at once; Linux's TCP_MAX_QUICKACKS. */
export const quickAckSegments = 16
/** RFC 9293, 3.8.6.2.1: how long a segment too small for its window waits. */
export const minOverride = 200
export const maxOverride = 1000
/** RFC 9293's 2 MSL as Linux has it. */
export const timeWaitTime = 60_000
/** An orphan waits so long for the peer's FIN, and so long for any progress of its own data. */
export const orphanFinWait2 = 60_000
export const orphanProgress = 120_000
/** RFC 7323, 5.5: a timestamp older than this says nothing any more. */
export const pawsExpiry = 24 * 24 * 3600 * 1000
/** One challenge ACK a connection in this time; Linux's tcp_invalid_ratelimit. */
export const challengeInterval = 500
/** Node's TCP_KEEPINTVL and TCP_KEEPCNT. */
export const keepAliveInterval = 1000
export const keepAliveProbes = 10
/** Segments that a connection may hold unread however short memory is: two to go on with, and two for the next window. */
export const receiveFloorSegments = 4
/** After so long without a read the receive buffer is as small as at first, ms; Linux's tcp_rcv_space_adjust never shrinks. */
export const receiveIdle = 10_000
/** Largest slab that read() returns. */
export const slabSize = 65536
/** Segments of one flow that leave before it is the next flow's turn. */
export const flowQuantum = 16
/** RFC 791 and RFC 8200: what every path carries; a smaller packet-too-big is not believed. */
export const minMtu4 = 576
export const minMtu6 = 1280
/** How long a path's smaller MTU is believed (RFC 1191, 6.3). */
export const pathMtuExpiry = 10 * 60_000

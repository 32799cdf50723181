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
/** RFC 5681, 3.2; RFC 8985's DupThresh. */
export const dupThreshold = 3
/** What a timer of the event loop can keep: RACK's and TLP's and pacing's are no shorter, and no rate is told of less. */
export const timerTick = 1
/** RFC 8985, 6.2, step 4: recoveries without a DSACK until the reordering window is as small as at first. */
export const reoWndPersist = 16
/** How long a minimum of the round trip is believed; Linux's tcp_min_rtt_wlen. */
export const minRttWindow = 300_000
/** RFC 8985, 7.2: without a round trip, and how long a peer may hold back the ACK of a single segment (Linux's RTO minimum). */
export const initialProbeTimeout = 1000
export const maxAckDelay = 200
/** A loss probe waits so long at least; TLP's drafts and Linux up to 4.14. */
export const minProbeTimeout = 10
/** The least wait for what a peer has forgotten; Linux's tcp_check_sack_reneging. */
export const renegedTimeout = 10
/** Pacing credit that is kept: so many ms of the rate, and so many segments at least. */
export const pacingBurst = 4
export const pacingSegments = 2
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
/** Segments of one flow in flight, however small its peer wants them (CVE-2019-11478, CVE-2019-11479): 32 MiB of 536 bytes. */
export const maxFlightSegments = 65536
/** Segments of one flow that leave before it is the next flow's turn. */
export const flowQuantum = 16

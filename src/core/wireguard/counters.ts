// What a device counts: every message that it drops falls under exactly one reason.

export interface DeviceCounters {
  /** Not the size or type of any message. */
  notAMessage: number
  /** A handshake message while there is no private key. */
  noIdentity: number
  badMac1: number
  /** No handshake or keypair of ours has the index. */
  unknownIndex: number
  handshakeQueueFull: number
  /** Under load, a cookie was sent instead of an answer. */
  cookieRepliesSent: number
  /** Under load, and no cookie was sent either: too many were in this second. */
  cookieRepliesWithheld: number
  /** Under load, and MAC2 was right, but its source sends too many. */
  rateLimited: number
  /** MAC1 was right, but the message does not decrypt. */
  badHandshake: number
  unknownPeer: number
  /** An initiation no newer than the last one of its peer. */
  replayedInitiation: number
  /** An initiation too soon after the last one of its peer. */
  tooSoonInitiation: number
  badCookieReply: number
  /** For a keypair past its time or its counters. */
  expiredKeypair: number
  replayedData: number
  /** The tag is wrong. */
  badData: number
  /** Genuine, but holds no complete IP packet. */
  badInnerPacket: number
  /** Genuine, but its source is not among its peer's AllowedIPs. */
  badInnerSource: number
  /** To be sent, but the peer has no endpoint. */
  noEndpoint: number
  /** To be sent, but longer than a slot has room for. */
  tooLong: number
  /** Waited for a session that did not come, or too many others waited as well. */
  stagedDropped: number
  /** Packet memory had no free slot for a message of our own. */
  noMemory: number
  initiationsSent: number
  responsesSent: number
  keepalivesSent: number
  sessions: number
}

export function createCounters(): DeviceCounters {
  return {
    notAMessage: 0,
    noIdentity: 0,
    badMac1: 0,
    unknownIndex: 0,
    handshakeQueueFull: 0,
    cookieRepliesSent: 0,
    cookieRepliesWithheld: 0,
    rateLimited: 0,
    badHandshake: 0,
    unknownPeer: 0,
    replayedInitiation: 0,
    tooSoonInitiation: 0,
    badCookieReply: 0,
    expiredKeypair: 0,
    replayedData: 0,
    badData: 0,
    badInnerPacket: 0,
    badInnerSource: 0,
    noEndpoint: 0,
    tooLong: 0,
    stagedDropped: 0,
    noMemory: 0,
    initiationsSent: 0,
    responsesSent: 0,
    keepalivesSent: 0,
    sessions: 0,
  }
}

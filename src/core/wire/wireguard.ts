// WireGuard's four messages (white paper, 5.4): a parse and a serialise each. Handshake messages become objects; a data
// message's header is read and written where it lies, since one precedes every packet.

export const messageType = { initiation: 1, response: 2, cookieReply: 3, data: 4 } as const

export const initiationSize = 148
const responseSize = 92
const cookieReplySize = 64
export const dataHeaderSize = 16
/** An empty data message: header and tag. */
export const dataMinSize = 32

/** Bytes of the two MACs that end an initiation and a response. */
export const macSize = 16
export const macsSize = 2 * macSize

/** Why bytes are no WireGuard message. */
export const notAMessage = 0

/**
 * The type of the message of `length` bytes at `offset`, or {@link notAMessage}. The type is a little-endian u32, so that
 * the three reserved bytes behind it must be zero, and its size is the type's.
 */
export function messageTypeAt(view: DataView, offset: number, length: number): number {
  if (length < dataMinSize) return notAMessage
  const type = view.getUint32(offset, true)
  switch (type) {
    case messageType.data:
      return type
    case messageType.initiation:
      return length === initiationSize ? type : notAMessage
    case messageType.response:
      return length === responseSize ? type : notAMessage
    case messageType.cookieReply:
      return length === cookieReplySize ? type : notAMessage
    default:
      return notAMessage
  }
}

/** Little-endian u32 at `offset` of plain bytes. */
function readU32(bytes: Uint8Array, offset: number): number {
  return (
    ((bytes[offset] as number) |
      ((bytes[offset + 1] as number) << 8) |
      ((bytes[offset + 2] as number) << 16) |
      ((bytes[offset + 3] as number) << 24)) >>>
    0
  )
}

function writeU32(bytes: Uint8Array, offset: number, value: number): void {
  bytes[offset] = value
  bytes[offset + 1] = value >>> 8
  bytes[offset + 2] = value >>> 16
  bytes[offset + 3] = value >>> 24
}

/** The fields before the MACs, which cover them: MAC1 what precedes it, MAC2 what precedes it. */
export interface Initiation {
  readonly sender: number
  readonly ephemeral: Uint8Array
  readonly encryptedStatic: Uint8Array
  readonly encryptedTimestamp: Uint8Array
}

export interface Response {
  readonly sender: number
  readonly receiver: number
  readonly ephemeral: Uint8Array
  readonly encryptedNothing: Uint8Array
}

export interface CookieReply {
  readonly receiver: number
  readonly nonce: Uint8Array
  readonly encryptedCookie: Uint8Array
}

/** The fields of an initiation, as views of `bytes`; undefined if it is none. The MACs are for the caller. */
export function parseInitiation(bytes: Uint8Array): Initiation | undefined {
  if (bytes.length !== initiationSize || readU32(bytes, 0) !== messageType.initiation) return undefined
  return {
    sender: readU32(bytes, 4),
    ephemeral: bytes.subarray(8, 40),
    encryptedStatic: bytes.subarray(40, 88),
    encryptedTimestamp: bytes.subarray(88, 116),
  }
}

/** The bytes of an initiation, its MACs zero. */
export function serialiseInitiation(message: Initiation): Uint8Array {
  const bytes = new Uint8Array(initiationSize)
  writeU32(bytes, 0, messageType.initiation)
  writeU32(bytes, 4, message.sender)
  bytes.set(message.ephemeral, 8)
  bytes.set(message.encryptedStatic, 40)
  bytes.set(message.encryptedTimestamp, 88)
  return bytes
}

export function parseResponse(bytes: Uint8Array): Response | undefined {
  if (bytes.length !== responseSize || readU32(bytes, 0) !== messageType.response) return undefined
  return {
    sender: readU32(bytes, 4),
    receiver: readU32(bytes, 8),
    ephemeral: bytes.subarray(12, 44),
    encryptedNothing: bytes.subarray(44, 60),
  }
}

/** The bytes of a response, its MACs zero. */
export function serialiseResponse(message: Response): Uint8Array {
  const bytes = new Uint8Array(responseSize)
  writeU32(bytes, 0, messageType.response)
  writeU32(bytes, 4, message.sender)
  writeU32(bytes, 8, message.receiver)
  bytes.set(message.ephemeral, 12)
  bytes.set(message.encryptedNothing, 44)
  return bytes
}

export function parseCookieReply(bytes: Uint8Array): CookieReply | undefined {
  if (bytes.length !== cookieReplySize || readU32(bytes, 0) !== messageType.cookieReply) return undefined
  return { receiver: readU32(bytes, 4), nonce: bytes.subarray(8, 32), encryptedCookie: bytes.subarray(32, 64) }
}

export function serialiseCookieReply(message: CookieReply): Uint8Array {
  const bytes = new Uint8Array(cookieReplySize)
  writeU32(bytes, 0, messageType.cookieReply)
  writeU32(bytes, 4, message.receiver)
  bytes.set(message.nonce, 8)
  bytes.set(message.encryptedCookie, 32)
  return bytes
}

/** The sender's index in an initiation or a response: where a cookie reply to it goes. */
export function senderOf(bytes: Uint8Array): number {
  return readU32(bytes, 4)
}

/** The receiver's index: at 4 in a cookie reply and a data message, at 8 in a response. */
export function receiverAt(view: DataView, offset: number, type: number): number {
  return view.getUint32(offset + (type === messageType.response ? 8 : 4), true)
}

/** The counter of the data message at `offset`, its halves as unsigned 32-bit numbers. */
export function dataCounterHi(view: DataView, offset: number): number {
  return view.getUint32(offset + 12, true)
}

export function dataCounterLo(view: DataView, offset: number): number {
  return view.getUint32(offset + 8, true)
}

export function writeDataHeader(
  view: DataView,
  offset: number,
  receiver: number,
  counterHi: number,
  counterLo: number,
): void {
  view.setUint32(offset, messageType.data, true)
  view.setUint32(offset + 4, receiver, true)
  view.setUint32(offset + 8, counterLo, true)
  view.setUint32(offset + 12, counterHi, true)
}

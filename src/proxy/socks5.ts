// SOCKS protocol version 5 (RFC 1928), the server's side, without a socket: bytes go in, what they mean and what to answer
// come out. Authentication is none, or where there are credentials, user and password (RFC 1929); BIND is not served.
import { parseAddress } from '../core/base/address.js'
import type { Credentials } from './credentials.js'
import type { Target } from './dialer.js'
import { addressType, readAddress } from './socks5-address.js'

/** RFC 1928, section 6. */
export const replyCode = {
  succeeded: 0,
  generalFailure: 1,
  notAllowed: 2,
  networkUnreachable: 3,
  hostUnreachable: 4,
  connectionRefused: 5,
  ttlExpired: 6,
  commandNotSupported: 7,
  addressTypeNotSupported: 8,
} as const

export type ReplyCode = (typeof replyCode)[keyof typeof replyCode]

const version = 5
const method = { none: 0, password: 2, noneAcceptable: 0xff } as const
/** Of the subnegotiation, RFC 1929. */
const passwordVersion = 1
const passwordStatus = { success: 0, failure: 1 } as const
const command = { connect: 1, udpAssociate: 3 } as const
const nothing = new Uint8Array(0)

/** Why a client is sent away. */
export type Refusal = 'version' | 'methods' | 'credentials' | 'command' | 'address-type' | 'target'

/** Where a negotiation stands after some bytes. `reply`, maybe empty, is to be sent in any case, before anything else. */
export type Negotiation =
  /** More bytes are needed. */
  | { readonly state: 'reading'; readonly reply: Uint8Array }
  /** CONNECT to `target`; `rest` came after it and is the client's first data. */
  | { readonly state: 'connect'; readonly reply: Uint8Array; readonly target: Target; readonly rest: Uint8Array }
  /** UDP ASSOCIATE; `source` is where the client says that it will send from, and may be zeros or nonsense. */
  | { readonly state: 'associate'; readonly reply: Uint8Array; readonly source: Target }
  /** Nothing more is read; the connection ends after the reply. */
  | { readonly state: 'refused'; readonly reply: Uint8Array; readonly reason: Refusal }

/** Longest message: user and password. More than this is never kept. */
export const longestMessage = 1 + 1 + 255 + 1 + 255

/** One client's negotiation. */
export class Socks5Negotiation {
  readonly #credentials: Credentials | undefined
  #stage: 'greeting' | 'password' | 'request' | 'over' = 'greeting'
  #pending: Uint8Array = nothing

  /** With credentials, who has none is refused. */
  constructor(credentials?: Credentials) {
    this.#credentials = credentials
  }

  /** Takes the next bytes of the client. Not to be called again once the state was other than 'reading'. */
  push(chunk: Uint8Array): Negotiation {
    if (this.#stage === 'over') throw new Error('the negotiation is over')
    let bytes = this.#pending.length === 0 ? chunk : concatenate(this.#pending, chunk)
    let reply: Uint8Array = nothing
    if (this.#stage === 'greeting') {
      const end = 2 + (bytes[1] ?? 0)
      if (bytes.length > 0 && bytes[0] !== version) return this.#refuse(reply, 'version')
      if (bytes.length < 2 || bytes.length < end) return this.#wait(bytes, reply)
      const chosen = this.#credentials === undefined ? method.none : method.password
      if (!bytes.subarray(2, end).includes(chosen)) {
        return this.#refuse(Uint8Array.of(version, method.noneAcceptable), 'methods')
      }
      this.#stage = chosen === method.none ? 'request' : 'password'
      reply = Uint8Array.of(version, chosen)
      bytes = bytes.subarray(end)
    }
    if (this.#stage === 'password') {
      if (bytes.length > 0 && bytes[0] !== passwordVersion) return this.#refuse(reply, 'version')
      const passwordAt = 3 + (bytes[1] ?? 0)
      const end = passwordAt + (bytes[passwordAt - 1] ?? 0)
      if (bytes.length < passwordAt || bytes.length < end) return this.#wait(bytes, reply)
      const isKnown = this.#credentials?.match(bytes.subarray(2, passwordAt - 1), bytes.subarray(passwordAt, end))
      const status = isKnown ? passwordStatus.success : passwordStatus.failure
      reply = concatenate(reply, Uint8Array.of(passwordVersion, status))
      if (!isKnown) return this.#refuse(reply, 'credentials')
      this.#stage = 'request'
      bytes = bytes.subarray(end)
    }
    return this.#request(bytes, reply)
  }

  #request(bytes: Uint8Array, reply: Uint8Array): Negotiation {
    const refuse = (code: ReplyCode, reason: Refusal) => this.#refuse(concatenate(reply, formatReply(code)), reason)
    if (bytes.length > 0 && bytes[0] !== version) return this.#refuse(reply, 'version')
    if (bytes.length < 4) return this.#wait(bytes, reply)
    const asked = bytes[1]
    if (asked !== command.connect && asked !== command.udpAssociate) {
      return refuse(replyCode.commandNotSupported, 'command')
    }
    const address = readAddress(bytes, 3)
    if (address === 'more') return this.#wait(bytes, reply)
    if (address === 'type') return refuse(replyCode.addressTypeNotSupported, 'address-type')
    const { host, port, end } = address
    if (asked === command.udpAssociate) {
      this.#stage = 'over'
      return { state: 'associate', reply, source: { host: host ?? '', port } }
    }
    if (host === undefined) return refuse(replyCode.hostUnreachable, 'target')
    if (port === 0) return refuse(replyCode.connectionRefused, 'target')
    this.#stage = 'over'
    return { state: 'connect', reply, target: { host, port }, rest: bytes.subarray(end) }
  }

  #wait(bytes: Uint8Array, reply: Uint8Array): Negotiation {
    this.#pending = bytes.slice()
    return { state: 'reading', reply }
  }

  #refuse(reply: Uint8Array, reason: Refusal): Negotiation {
    this.#stage = 'over'
    return { state: 'refused', reply, reason }
  }
}

/** A reply with the address that the connection has on the far network; zeros where there is none. */
export function formatReply(code: ReplyCode, bound?: Target): Uint8Array {
  const address = (bound && parseAddress(bound.host)) ?? new Uint8Array(4)
  const reply = new Uint8Array(4 + address.length + 2)
  reply[0] = version
  reply[1] = code
  reply[3] = address.length === 4 ? addressType.ipv4 : addressType.ipv6
  reply.set(address, 4)
  new DataView(reply.buffer).setUint16(4 + address.length, bound?.port ?? 0)
  return reply
}

function concatenate(a: Uint8Array, b: Uint8Array): Uint8Array {
  const both = new Uint8Array(a.length + b.length)
  both.set(a)
  both.set(b, a.length)
  return both
}

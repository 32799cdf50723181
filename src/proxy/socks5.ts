// SOCKS protocol version 5 (RFC 1928), the server's side, without a socket: bytes go in, what they mean and what to answer
// come out. Only NO AUTHENTICATION REQUIRED is accepted and only CONNECT is served.
import { formatAddress, parseAddress } from '../core/base/address.js'
import type { Target } from './dialer.js'

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
const noAuthentication = 0
const noAcceptableMethods = 0xff
const connectCommand = 1
const addressType = { ipv4: 1, name: 3, ipv6: 4 } as const
const nothing = new Uint8Array(0)
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Why a client is sent away. */
export type Refusal = 'version' | 'methods' | 'command' | 'address-type' | 'target'

/** Where a negotiation stands after some bytes. `reply`, maybe empty, is to be sent in any case, before anything else. */
export type Negotiation =
  /** More bytes are needed. */
  | { readonly state: 'reading'; readonly reply: Uint8Array }
  /** CONNECT to `target`; `rest` came after it and is the client's first data. */
  | { readonly state: 'connect'; readonly reply: Uint8Array; readonly target: Target; readonly rest: Uint8Array }
  /** Nothing more is read; the connection ends after the reply. */
  | { readonly state: 'refused'; readonly reply: Uint8Array; readonly reason: Refusal }

/** Longest request: 4 bytes, a name with its length, a port. More than this is never kept. */
export const longestMessage = 4 + 1 + 255 + 2

/** One client's negotiation. */
export class Socks5Negotiation {
  #greeted = false
  #over = false
  #pending: Uint8Array = nothing

  /** Takes the next bytes of the client. Not to be called again once the state was other than 'reading'. */
  push(chunk: Uint8Array): Negotiation {
    if (this.#over) throw new Error('the negotiation is over')
    const bytes = this.#pending.length === 0 ? chunk : concatenate(this.#pending, chunk)
    let reply = nothing
    let start = 0
    if (!this.#greeted) {
      if (bytes.length > 0 && bytes[0] !== version) return this.#refuse(nothing, 'version')
      const end = 2 + (bytes[1] ?? 0)
      if (bytes.length < 2 || bytes.length < end) return this.#wait(bytes, nothing)
      if (!bytes.subarray(2, end).includes(noAuthentication)) {
        return this.#refuse(Uint8Array.of(version, noAcceptableMethods), 'methods')
      }
      this.#greeted = true
      reply = Uint8Array.of(version, noAuthentication)
      start = end
    }
    return this.#request(bytes.subarray(start), reply)
  }

  #request(bytes: Uint8Array, reply: Uint8Array): Negotiation {
    const refuse = (code: ReplyCode, reason: Refusal) => this.#refuse(concatenate(reply, formatReply(code)), reason)
    if (bytes.length > 0 && bytes[0] !== version) return this.#refuse(reply, 'version')
    if (bytes.length < 4) return this.#wait(bytes, reply)
    const type = bytes[3]
    if (bytes[1] !== connectCommand) return refuse(replyCode.commandNotSupported, 'command')
    let start = 4
    let end: number
    if (type === addressType.ipv4) end = start + 4
    else if (type === addressType.ipv6) end = start + 16
    else if (type === addressType.name) {
      if (bytes.length < 5) return this.#wait(bytes, reply)
      start = 5
      end = start + (bytes[4] as number)
    } else return refuse(replyCode.addressTypeNotSupported, 'address-type')
    if (bytes.length < end + 2) return this.#wait(bytes, reply)

    const address = bytes.subarray(start, end)
    const host = type === addressType.name ? readName(address) : formatAddress(address)
    const port = ((bytes[end] as number) << 8) | (bytes[end + 1] as number)
    if (host === undefined) return refuse(replyCode.hostUnreachable, 'target')
    if (port === 0) return refuse(replyCode.connectionRefused, 'target')
    this.#over = true
    return { state: 'connect', reply, target: { host, port }, rest: bytes.subarray(end + 2) }
  }

  #wait(bytes: Uint8Array, reply: Uint8Array): Negotiation {
    this.#pending = bytes.slice()
    return { state: 'reading', reply }
  }

  #refuse(reply: Uint8Array, reason: Refusal): Negotiation {
    this.#over = true
    return { state: 'refused', reply, reason }
  }
}

/** A reply with the address that the connection has on the far network; zeros where there is none. */
export function formatReply(code: ReplyCode, bound?: { host: string; port: number }): Uint8Array {
  const address = (bound && parseAddress(bound.host)) ?? new Uint8Array(4)
  const reply = new Uint8Array(4 + address.length + 2)
  reply[0] = version
  reply[1] = code
  reply[3] = address.length === 4 ? addressType.ipv4 : addressType.ipv6
  reply.set(address, 4)
  new DataView(reply.buffer).setUint16(4 + address.length, bound?.port ?? 0)
  return reply
}

/** A name as text; undefined when it is empty, is not UTF-8, or has spaces or control characters. */
function readName(bytes: Uint8Array): string | undefined {
  try {
    const name = utf8.decode(bytes)
    return /^[^\p{C}\p{Z}]+$/u.test(name) ? name : undefined
  } catch {
    return undefined
  }
}

function concatenate(a: Uint8Array, b: Uint8Array): Uint8Array {
  const both = new Uint8Array(a.length + b.length)
  both.set(a)
  both.set(b, a.length)
  return both
}

// DNS messages (RFC 1035, section 4; EDNS, RFC 6891): header, questions and records. Names are text in lower case without the
// final dot, the root being ''; a byte that host names do not have stands as \DDD, so that no label can pass for two.
import type { IpAddress } from '../base/address.js'

/** Types of records; any other is carried as bytes. */
export const dnsType = { a: 1, ns: 2, cname: 5, soa: 6, aaaa: 28, opt: 41 } as const
export const dnsClassIn = 1
/** Bits of {@link DnsMessage.flags}. */
export const dnsFlag = {
  response: 0x8000,
  authoritative: 0x0400,
  truncated: 0x0200,
  recursionDesired: 0x0100,
  recursionAvailable: 0x0080,
} as const
/** RCODEs (RFC 6895, section 2.3). */
export const dnsCode = { noError: 0, formatError: 1, serverFailure: 2, nameError: 3, notImplemented: 4 } as const

const opcodeMask = 0x7800
const headerLength = 12
/** RFC 1035, section 2.3.4, length bytes included. */
const longestName = 255
const longestLabel = 63
/** A name has at most 127 labels, and a pointer before each is as many as anybody needs. */
const mostPointers = 127

export interface DnsMessage {
  /** 16 bits. */
  readonly id: number
  /** The second 16 bits as they are: {@link dnsFlag}, opcode and the low bits of the RCODE. */
  readonly flags: number
  readonly questions: readonly DnsQuestion[]
  readonly answers: readonly DnsRecord[]
  readonly authorities: readonly DnsRecord[]
  readonly additionals: readonly DnsRecord[]
}

export interface DnsQuestion {
  readonly name: string
  readonly type: number
  readonly class: number
}

export interface DnsRecord {
  readonly name: string
  readonly type: number
  /** Of OPT, the size of UDP messages that the sender takes. */
  readonly class: number
  /** Seconds, 32 bits without sign. Of OPT, the high bits of the RCODE, the version and flags. */
  readonly ttl: number
  readonly data: DnsData
}

export type DnsData =
  /** A and AAAA. */
  | { readonly address: IpAddress }
  /** CNAME and NS. */
  | { readonly target: string }
  | { readonly soa: DnsSoa }
  /** Any other type. */
  | { readonly bytes: Uint8Array }

export interface DnsSoa {
  readonly primary: string
  readonly mailbox: string
  /** Serial, refresh, retry and expire. */
  readonly times: readonly [number, number, number, number]
  /** Seconds for which the absence of a record holds (RFC 2308, section 4). */
  readonly minimum: number
}

/** The RCODE, with the high bits that OPT adds. */
export function dnsCodeOf(message: DnsMessage): number {
  const opt = message.additionals.find(record => record.type === dnsType.opt)
  return (message.flags & 0xf) | ((opt === undefined ? 0 : opt.ttl >>> 24) << 4)
}

/** 0 is a standard query. */
export function dnsOpcodeOf(message: DnsMessage): number {
  return (message.flags & opcodeMask) >>> 11
}

/**
 * Reads a message; undefined if it is malformed. One that says it was truncated counts with the records that are whole. What
 * follows the last record is not looked at.
 */
export function parseDns(bytes: Uint8Array): DnsMessage | undefined {
  if (bytes.length < headerLength) return undefined
  const reader = new Reader(bytes)
  const id = reader.u16()
  const flags = reader.u16()
  const counts = [reader.u16(), reader.u16(), reader.u16(), reader.u16()]
  const questions = reader.list(counts[0] as number, () => reader.question())
  if (reader.failed) return undefined
  const sections = counts.slice(1).map(count => reader.list(count, () => reader.record()))
  if (reader.failed && (flags & dnsFlag.truncated) === 0) return undefined
  const [answers = [], authorities = [], additionals = []] = sections
  return { id, flags, questions, answers, authorities, additionals }
}

/** Once it has failed, what it returns is nothing, and nothing more is read. */
class Reader {
  failed = false
  readonly #bytes: Uint8Array
  readonly #view: DataView
  #at = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  }

  #take(length: number): number {
    const at = this.#at
    if (at + length > this.#bytes.length) this.failed = true
    else this.#at += length
    return at
  }

  u16(): number {
    const at = this.#take(2)
    return this.failed ? 0 : this.#view.getUint16(at)
  }

  u32(): number {
    const at = this.#take(4)
    return this.failed ? 0 : this.#view.getUint32(at)
  }

  slice(length: number): Uint8Array {
    const at = this.#take(length)
    return this.failed ? new Uint8Array(0) : this.#bytes.slice(at, at + length)
  }

  list<T>(count: number, read: () => T): T[] {
    const items: T[] = []
    for (let i = 0; i < count && !this.failed; i++) {
      const item = read()
      if (!this.failed) items.push(item)
    }
    return items
  }

  question(): DnsQuestion {
    return { name: this.name(), type: this.u16(), class: this.u16() }
  }

  record(): DnsRecord {
    const name = this.name()
    const type = this.u16()
    const klass = this.u16()
    const ttl = this.u32()
    const length = this.u16()
    const end = this.#at + length
    const data = this.#data(type, klass, length)
    if (this.#at !== end) this.failed = true
    return { name, type, class: klass, ttl, data }
  }

  #data(type: number, klass: number, length: number): DnsData {
    const addressLength = type === dnsType.a ? 4 : type === dnsType.aaaa ? 16 : 0
    if (addressLength > 0 && klass === dnsClassIn) return { address: this.slice(addressLength) }
    if (type === dnsType.cname || type === dnsType.ns) return { target: this.name() }
    if (type !== dnsType.soa) return { bytes: this.slice(length) }
    const primary = this.name()
    const mailbox = this.name()
    const times = [this.u32(), this.u32(), this.u32(), this.u32()] as const
    return { soa: { primary, mailbox, times, minimum: this.u32() } }
  }

  /** A pointer leads to before the part of the name in which it stands, so that following them ends (RFC 1035, section 4.1.4). */
  name(): string {
    const bytes = this.#bytes
    let text = ''
    let length = 1
    let pointers = 0
    let at = this.#at
    let start = at
    let end = -1
    while (!this.failed) {
      const size = bytes[at]
      if (size === 0) {
        this.#at = end < 0 ? at + 1 : end
        return text
      }
      if (size !== undefined && size >= 0xc0 && at + 1 < bytes.length) {
        const target = ((size & 0x3f) << 8) | (bytes[at + 1] as number)
        if (end < 0) end = at + 2
        if (target < headerLength || target >= start || ++pointers > mostPointers) break
        start = target
        at = target
        continue
      }
      if (size === undefined || size > longestLabel || at + 1 + size > bytes.length) break
      length += size + 1
      if (length > longestName) break
      if (text !== '') text += '.'
      text += labelText(bytes, at + 1, size)
      at += size + 1
    }
    this.failed = true
    return ''
  }
}

function labelText(bytes: Uint8Array, at: number, size: number): string {
  let text = ''
  for (let i = at; i < at + size; i++) {
    const byte = bytes[i] as number
    const lower = byte >= 0x41 && byte <= 0x5a ? byte + 0x20 : byte
    text += isPlain(lower) ? String.fromCharCode(lower) : `\\${byte.toString().padStart(3, '0')}`
  }
  return text
}

/** a-z, 0-9, '-' and '_'. */
function isPlain(byte: number): boolean {
  return (byte >= 0x61 && byte <= 0x7a) || (byte >= 0x30 && byte <= 0x39) || byte === 0x2d || byte === 0x5f
}

/** Writes a message, names not compressed. Throws a RangeError for a name that is none, and beyond 65535 bytes. */
export function serialiseDns(message: DnsMessage): Uint8Array {
  const { id, flags, questions, answers, authorities, additionals } = message
  const out: number[] = []
  for (const word of [id, flags, questions.length, answers.length, authorities.length, additionals.length]) {
    putWord(out, word)
  }
  for (const question of questions) {
    putName(out, question.name)
    putWord(out, question.type)
    putWord(out, question.class)
  }
  for (const record of [...answers, ...authorities, ...additionals]) putRecord(out, record)
  if (out.length > 0xffff) throw new RangeError('the DNS message is too long')
  return Uint8Array.from(out)
}

function putRecord(out: number[], { name, type, class: klass, ttl, data }: DnsRecord): void {
  putName(out, name)
  putWord(out, type)
  putWord(out, klass)
  putLong(out, ttl)
  const at = out.length
  putWord(out, 0)
  if ('address' in data) out.push(...data.address)
  else if ('target' in data) putName(out, data.target)
  else if ('soa' in data) {
    putName(out, data.soa.primary)
    putName(out, data.soa.mailbox)
    for (const time of data.soa.times) putLong(out, time)
    putLong(out, data.soa.minimum)
  } else for (const byte of data.bytes) out.push(byte)
  const length = out.length - at - 2
  out[at] = length >>> 8
  out[at + 1] = length & 0xff
}

function putWord(out: number[], word: number): void {
  out.push((word >>> 8) & 0xff, word & 0xff)
}

function putLong(out: number[], long: number): void {
  putWord(out, long >>> 16)
  putWord(out, long)
}

function putName(out: number[], name: string): void {
  const start = out.length
  for (const label of name === '' ? [] : name.split('.')) {
    const at = out.length
    out.push(0)
    for (let i = 0; i < label.length; i++) {
      const isEscaped = label[i] === '\\'
      out.push(isEscaped ? Number(label.slice(i + 1, i + 4)) : label.charCodeAt(i))
      if (isEscaped) i += 3
    }
    const length = out.length - at - 1
    if (length === 0 || length > longestLabel) throw new RangeError('a label of the name is empty or too long')
    out[at] = length
  }
  out.push(0)
  if (out.length - start > longestName) throw new RangeError('the name is too long')
}

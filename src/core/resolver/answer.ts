// What a message says to a question: nothing at all unless it is the answer to it (RFC 5452, section 9.1), else addresses along
// their aliases, that there are none and for how long (RFC 2308), or that this server is of no use.
import type { IpAddress } from '../base/address.js'
import {
  type DnsMessage,
  type DnsRecord,
  dnsClassIn,
  dnsCode,
  dnsCodeOf,
  dnsFlag,
  dnsOpcodeOf,
  dnsType,
} from '../wire/dns.js'

export interface Asked {
  readonly id: number
  readonly name: string
  readonly type: number
}

export type Verdict =
  /** `ttl` in seconds, here and below. */
  | { readonly kind: 'addresses'; readonly addresses: readonly IpAddress[]; readonly ttl: number }
  /** The name has another, of which this server says nothing, `aliases` further. */
  | { readonly kind: 'alias'; readonly name: string; readonly aliases: number; readonly ttl: number }
  /** `exists`: the name has records of other types. */
  | { readonly kind: 'nothing'; readonly exists: boolean; readonly ttl: number }
  /** Ask again over TCP. */
  | { readonly kind: 'truncated' }
  /** Ask again without EDNS (RFC 6891, section 7). */
  | { readonly kind: 'plain' }
  /** Ask another server. */
  | { readonly kind: 'useless'; readonly reason: string }

const codeNames: Readonly<Record<number, string>> = { 1: 'FORMERR', 2: 'SERVFAIL', 4: 'NOTIMP', 5: 'REFUSED' }

/** Undefined for what is not the answer. */
export function judgeAnswer(message: DnsMessage, asked: Asked, mostAliases: number): Verdict | undefined {
  const { id, flags, questions } = message
  if (id !== asked.id || (flags & dnsFlag.response) === 0 || dnsOpcodeOf(message) !== 0) return undefined
  const code = dnsCodeOf(message)
  const isFailure = code !== dnsCode.noError && code !== dnsCode.nameError
  const [question] = questions
  // Who could not read the question may leave it out.
  const isEcho =
    question === undefined
      ? isFailure
      : questions.length === 1 &&
        question.name === asked.name &&
        question.type === asked.type &&
        question.class === dnsClassIn
  if (!isEcho) return undefined
  if (code === dnsCode.formatError || code === dnsCode.notImplemented) return { kind: 'plain' }
  if (isFailure) return { kind: 'useless', reason: codeNames[code] ?? `RCODE ${code}` }
  if ((flags & dnsFlag.truncated) !== 0) return { kind: 'truncated' }
  return follow(message, asked, code, mostAliases)
}

function follow(message: DnsMessage, asked: Asked, code: number, mostAliases: number): Verdict {
  const answers = message.answers.filter(record => record.class === dnsClassIn)
  const aliasOf = new Map(answers.filter(({ type }) => type === dnsType.cname).map(record => [record.name, record]))
  let name = asked.name
  let ttl = Number.POSITIVE_INFINITY
  for (let aliases = 0; ; aliases++) {
    const records = answers.filter(record => record.name === name && record.type === asked.type)
    if (records.length > 0) {
      const addresses = records.flatMap(({ data }) => ('address' in data ? [data.address] : []))
      return { kind: 'addresses', addresses, ttl: Math.min(ttl, ...records.map(ttlOf)) }
    }
    const alias = aliasOf.get(name)
    if (alias === undefined) return without(message, name, aliases, code, ttl)
    if (aliases === mostAliases) return { kind: 'useless', reason: 'too many aliases' }
    ttl = Math.min(ttl, ttlOf(alias))
    name = (alias.data as { target: string }).target
  }
}

/** The chain ends at a name without an address. */
function without(message: DnsMessage, name: string, aliases: number, code: number, ttl: number): Verdict {
  const soa = message.authorities.find(record => 'soa' in record.data)
  if (code === dnsCode.nameError || soa !== undefined) {
    return { kind: 'nothing', exists: code === dnsCode.noError, ttl: Math.min(ttl, negativeTtl(soa)) }
  }
  if (aliases > 0) return { kind: 'alias', name, aliases, ttl }
  const isReferral = message.authorities.some(({ type }) => type === dnsType.ns)
  if (isReferral && (message.flags & dnsFlag.recursionAvailable) === 0) {
    return { kind: 'useless', reason: 'refers to other servers' }
  }
  return { kind: 'nothing', exists: true, ttl: 0 }
}

/** RFC 2308, section 5; without an SOA it is not to be kept. */
function negativeTtl(soa: DnsRecord | undefined): number {
  if (soa === undefined || !('soa' in soa.data)) return 0
  return Math.min(ttlOf(soa), ttlOf({ ttl: soa.data.soa.minimum }))
}

/** RFC 2181, section 8: with the highest bit set it is none. */
function ttlOf({ ttl }: Pick<DnsRecord, 'ttl'>): number {
  return ttl >= 0x8000_0000 ? 0 : ttl
}

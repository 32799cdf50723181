// A small DNS server's mind: records by name, and what it answers to a query. The core's tests ask it in virtual time, others over
// a tunnel.
import { parseAddress } from '../../src/core/base/address.js'
import {
  type DnsMessage,
  type DnsRecord,
  dnsClassIn,
  dnsCode,
  dnsFlag,
  dnsType,
  parseDns,
  serialiseDns,
} from '../../src/core/wire/dns.js'

/** What a name has: addresses, or `-> NAME` for an alias. `{}` exists and has nothing. */
export interface ZoneEntry {
  readonly a?: readonly string[]
  readonly aaaa?: readonly string[]
  readonly alias?: string
  /** Seconds; 60 by default. */
  readonly ttl?: number
}

export type Zone = Readonly<Record<string, ZoneEntry>>

export const soaTtl = 30
export const soaMinimum = 10
const mostAliases = 5

export function addressRecord(name: string, text: string, ttl = 60): DnsRecord {
  const address = parseAddress(text)!
  return { name, type: address.length === 4 ? dnsType.a : dnsType.aaaa, class: dnsClassIn, ttl, data: { address } }
}

export function aliasRecord(name: string, target: string, ttl = 60): DnsRecord {
  return { name, type: dnsType.cname, class: dnsClassIn, ttl, data: { target } }
}

export function soaRecord(name: string, ttl = soaTtl, minimum = soaMinimum): DnsRecord {
  const soa = { primary: `ns.${name}`, mailbox: `root.${name}`, times: [1, 2, 3, 4] as const, minimum }
  return { name, type: dnsType.soa, class: dnsClassIn, ttl, data: { soa } }
}

/** An answer to `query` with its id and question. */
export function replyTo(query: DnsMessage, parts: Partial<DnsMessage> = {}, code = 0): DnsMessage {
  return {
    id: query.id,
    flags: dnsFlag.response | dnsFlag.recursionDesired | dnsFlag.recursionAvailable | code,
    questions: query.questions,
    answers: [],
    authorities: [],
    additionals: [],
    ...parts,
  }
}

/** As a server with these records alone answers: aliases followed within the zone, NXDOMAIN and NODATA with an SOA. */
export function answerFrom(zone: Zone, query: DnsMessage): DnsMessage {
  const [question] = query.questions as [DnsMessage['questions'][number]]
  const answers: DnsRecord[] = []
  let name = question.name
  for (let aliases = 0; ; aliases++) {
    const entry = zone[name]
    const soa = [soaRecord('zone.test')]
    if (entry === undefined) return replyTo(query, { answers, authorities: soa }, dnsCode.nameError)
    if (entry.alias !== undefined && aliases < mostAliases) {
      answers.push(aliasRecord(name, entry.alias, entry.ttl))
      name = entry.alias
      continue
    }
    const texts = (question.type === dnsType.a ? entry.a : entry.aaaa) ?? []
    answers.push(...texts.map(text => addressRecord(name, text, entry.ttl)))
    return texts.length > 0 ? replyTo(query, { answers }) : replyTo(query, { answers, authorities: soa })
  }
}

/** What goes back over UDP: cut where it is longer than the query allows. */
export function overUdp(query: DnsMessage, answer: DnsMessage): Uint8Array {
  const bytes = serialiseDns(answer)
  const opt = query.additionals.find(record => record.type === dnsType.opt)
  if (bytes.length <= Math.max(512, opt?.class ?? 0)) return bytes
  return serialiseDns({ ...answer, flags: answer.flags | dnsFlag.truncated, answers: [] })
}

/** The bytes of a query that cannot be one are a fault of the test. */
export function readQuery(bytes: Uint8Array): DnsMessage {
  const query = parseDns(bytes)
  if (query === undefined) throw new Error('the query is malformed')
  return query
}

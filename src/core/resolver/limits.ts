// Every bound and time of the resolver, with its default. Each can be set by `dnsLimits`.

export interface DnsLimits {
  /** A name with fewer dots is tried in the search domains first, one with as many as it is. */
  readonly ndots: number
  /** Search domains that are tried, and servers that are asked for one name; more are left out. */
  readonly search: number
  readonly servers: number
  /** How long a server may take at first, ms, over UDP and over TCP; each further round waits twice as long. */
  readonly tryTimeout: number
  readonly tcpTimeout: number
  /** How often each silent server is asked. */
  readonly rounds: number
  /** How long looking up a name may take, with all its search domains, ms. */
  readonly lookupTimeout: number
  /** How long a server that was silent is asked after the others, ms. */
  readonly silentFor: number
  /** Wrong answers to one question, after which TCP is asked: somebody is guessing. */
  readonly wrongAnswers: number
  /** Aliases (CNAME) from a name to its addresses. */
  readonly aliases: number
  /** Addresses of one name and family; more are left out. */
  readonly addresses: number
  /** Answers kept; the one that was longest not asked for makes room. */
  readonly cacheEntries: number
  /** Longest times that an answer is kept, and that a name is kept not to exist, seconds, whatever the server says. */
  readonly maxTtl: number
  readonly maxNegativeTtl: number
  /** How long it is kept that no server gave an answer, seconds (RFC 9520, section 3.2: at least 1). */
  readonly failureTtl: number
  /** Questions under way at once, and questions that wait for their turn; beyond it a lookup fails. */
  readonly questions: number
  readonly waiting: number
}

export const defaultDnsLimits: DnsLimits = {
  ndots: 1,
  search: 8,
  servers: 8,
  tryTimeout: 2000,
  tcpTimeout: 5000,
  rounds: 3,
  lookupTimeout: 15_000,
  silentFor: 30_000,
  wrongAnswers: 8,
  aliases: 12,
  addresses: 32,
  cacheEntries: 1024,
  maxTtl: 3600,
  maxNegativeTtl: 300,
  failureTtl: 1,
  questions: 256,
  waiting: 8192,
}

// A stub resolver (RFC 1035, section 5.3.1) without I/O: lookups in, messages to DNS servers out. Equal questions under way are
// one, answers are kept as long as they hold (RFC 2308, RFC 2181 section 8), and each query has an id and a port of its own
// (RFC 5452).
import { type IpAddress, sameAddress } from '../base/address.js'
import { createDeadlineHeap } from '../base/deadline-heap.js'
import { DnsCache } from './cache.js'
import { type DnsLimits, defaultDnsLimits } from './limits.js'
import { type Answered, Lookup } from './lookup.js'
import { checkName, expandName, plainDomain } from './name.js'
import { Question, type QuestionOwner } from './question.js'
import { DnsRoutes, type DnsSettings } from './routes.js'
import type {
  Cancellable,
  DnsCounters,
  LookupEvents,
  LookupFailure,
  LookupOptions,
  QuestionResult,
  ResolverSink,
} from './types.js'

export type { DnsLimits } from './limits.js'
export type { DnsSettings } from './routes.js'
export type * from './types.js'

export interface ResolverOptions {
  readonly settings: DnsSettings
  readonly sink: ResolverSink
  /** Fills `bytes` from a secure source. */
  readonly random: (bytes: Uint8Array) => void
  readonly limits?: Partial<DnsLimits> | undefined
}

export class Resolver {
  readonly limits: DnsLimits
  readonly counters: DnsCounters = {
    lookups: 0,
    found: 0,
    unknown: 0,
    failed: 0,
    cacheHits: 0,
    queriesUdp: 0,
    queriesTcp: 0,
    answers: 0,
    truncated: 0,
    malformed: 0,
    mismatched: 0,
    timeouts: 0,
    refused: 0,
  }
  readonly #sink: ResolverSink
  readonly #owner: QuestionOwner
  readonly #deadlines = createDeadlineHeap<Question | Lookup>()
  readonly #cache: DnsCache<QuestionResult>
  /** Under way, and in front of them those that wait for their turn. */
  readonly #questions = new Map<string, Question>()
  readonly #waiting = new Set<Question>()
  readonly #exchanges = new Map<number, Question>()
  /** Servers that did not answer, and until when they come last. */
  #silent: { server: IpAddress; until: number }[] = []
  #nextExchange = 0
  #routes: DnsRoutes
  #search: readonly string[]

  constructor(options: ResolverOptions) {
    const { settings, sink, random } = options
    this.limits = { ...defaultDnsLimits, ...options.limits }
    this.#sink = sink
    this.#cache = new DnsCache(this.limits.cacheEntries)
    this.#routes = new DnsRoutes(settings, this.limits.servers)
    this.#search = this.#searchOf(settings)
    const word = new Uint8Array(2)
    this.#owner = {
      limits: this.limits,
      counters: this.counters,
      sink,
      randomId() {
        random(word)
        return ((word[0] as number) << 8) | (word[1] as number)
      },
      serversFor: (name, now) => this.#serversFor(name, now),
      noteServer: (server, isSilent, now) => this.#noteServer(server, isSilent, now),
      schedule: (question, deadline) => this.#deadlines.set(question, deadline),
      openExchange: question => this.#openExchange(question),
      closeExchange: exchange => this.#closeExchange(exchange),
      settle: (question, result, ttl, now) => this.#settle(question, result, ttl, now),
    }
  }

  #searchOf({ search }: DnsSettings): string[] {
    return [...new Set(search.map(plainDomain))].slice(0, this.limits.search)
  }

  /** Other servers and search domains from now on; what was kept is forgotten. */
  setSettings(settings: DnsSettings): void {
    this.#routes = new DnsRoutes(settings, this.limits.servers)
    this.#search = this.#searchOf(settings)
    this.#silent = []
    this.#cache.clear()
  }

  /** Answers kept, and questions under way. */
  get size(): { cached: number; questions: number } {
    return { cached: this.#cache.size, questions: this.#questions.size }
  }

  /** Why this cannot be asked for: it is no name. */
  problemOf(text: string): string | undefined {
    return checkName(text).problem
  }

  /** The servers that would be asked for a name, in any of the search domains; none where nobody would, or it is no name. */
  serversOf(text: string): IpAddress[] {
    const servers: IpAddress[] = []
    for (const name of this.#namesOf(text)) {
      for (const server of this.#routes.serversFor(name)) {
        if (!servers.some(other => sameAddress(other, server))) servers.push(server)
      }
    }
    return servers
  }

  /** Names that nobody would be asked for are left out. */
  #namesOf(text: string): string[] {
    const checked = checkName(text)
    if (checked.problem !== undefined) return []
    const names = expandName(checked.name, checked.absolute, { search: this.#search, ndots: this.limits.ndots })
    return names.filter(name => this.#routes.serversFor(name).length > 0)
  }

  /** What is told may be told before this returns. */
  lookup(name: string, options: LookupOptions, events: LookupEvents, now: number): Cancellable {
    const { family = 0, timeout = 0 } = options
    this.counters.lookups++
    const families = family === 0 ? ([6, 4] as const) : ([family] as const)
    const owner = {
      ask: (full: string, type: number, answered: Answered, at: number) => this.#ask(full, type, answered, at),
      leave: (question: Question, answered: Answered) => this.#leave(question, answered),
      hurry: (found: Lookup, at: number) => this.#hurry(found, at),
      finish: (over: Lookup, failure: LookupFailure | undefined) => this.#finish(over, failure),
    }
    const servers = this.serversOf(name)
    const lookup = new Lookup(owner, this.#namesOf(name), servers, families, events)
    const { lookupTimeout } = this.limits
    this.#deadlines.set(lookup, now + (timeout > 0 ? Math.min(timeout, lookupTimeout) : lookupTimeout))
    lookup.start(now)
    return {
      cancel: () => {
        this.#deadlines.cancel(lookup)
        lookup.cancel()
      },
    }
  }

  #hurry(lookup: Lookup, now: number): void {
    this.#deadlines.set(lookup, Math.min(lookup.deadline, now + this.limits.tryTimeout))
  }

  #finish(lookup: Lookup, failure: LookupFailure | undefined): void {
    this.#deadlines.cancel(lookup)
    if (failure === undefined) this.counters.found++
    else if (failure.kind === 'unknown') this.counters.unknown++
    else this.counters.failed++
  }

  #ask(name: string, type: number, answered: Answered, now: number): Question | undefined {
    const key = `${type} ${name}`
    const kept = this.#cache.get(key, now)
    if (kept !== undefined) {
      this.counters.cacheHits++
      answered(kept, now)
      return undefined
    }
    const underWay = this.#questions.get(key)
    const question = underWay ?? new Question(this.#owner, key, name, type)
    const isFull = this.#questions.size - this.#waiting.size >= this.limits.questions
    if (underWay === undefined && isFull && this.#waiting.size >= this.limits.waiting) {
      this.counters.refused++
      answered({ kind: 'busy' }, now)
      return undefined
    }
    question.waiters.add(answered)
    if (underWay !== undefined) return question
    this.#questions.set(key, question)
    if (isFull) {
      this.#waiting.add(question)
      return question
    }
    question.start(now)
    // No server may be reachable: then it is over, and `answered` was told.
    return this.#questions.has(key) ? question : undefined
  }

  #leave(question: Question, answered: Answered): void {
    question.waiters.delete(answered)
    if (question.waiters.size > 0) return
    question.end()
    this.#questions.delete(question.key)
    this.#waiting.delete(question)
  }

  #settle(question: Question, result: QuestionResult, ttl: number, now: number): void {
    const { maxTtl, maxNegativeTtl } = this.limits
    const seconds = Math.min(ttl, result.kind === 'addresses' ? maxTtl : maxNegativeTtl)
    this.#cache.set(question.key, result, now + seconds * 1000, now)
    this.#questions.delete(question.key)
    const waiters = [...question.waiters]
    question.waiters.clear()
    for (const answered of waiters) answered(result, now)
    this.#startWaiting(now)
  }

  #startWaiting(now: number): void {
    for (const question of this.#waiting) {
      if (this.#questions.size - this.#waiting.size >= this.limits.questions) return
      this.#waiting.delete(question)
      question.start(now)
    }
  }

  #serversFor(name: string, now: number): IpAddress[] {
    this.#silent = this.#silent.filter(({ until }) => until > now)
    const isSilent = (server: IpAddress) => this.#silent.some(silent => sameAddress(silent.server, server))
    const servers = this.#routes.serversFor(name)
    return [...servers.filter(server => !isSilent(server)), ...servers.filter(isSilent)]
  }

  #noteServer(server: IpAddress, isSilent: boolean, now: number): void {
    this.#silent = this.#silent.filter(silent => !sameAddress(silent.server, server))
    if (isSilent) this.#silent.push({ server, until: now + this.limits.silentFor })
  }

  #openExchange(question: Question): number {
    const exchange = this.#nextExchange++
    this.#exchanges.set(exchange, question)
    return exchange
  }

  #closeExchange(exchange: number): void {
    if (this.#exchanges.delete(exchange)) this.#sink.endExchange(exchange)
  }

  /** A message came back; the port it came from is the caller's to check. */
  handleMessage(exchange: number, bytes: Uint8Array, now: number): void {
    this.#exchanges.get(exchange)?.handleMessage(exchange, bytes, now)
  }

  /** Nothing will come back: a socket's code. */
  handleFailure(exchange: number, code: string, now: number): void {
    this.#exchanges.get(exchange)?.handleFailure(exchange, code, now)
  }

  nextDeadline(): number {
    return this.#deadlines.next()
  }

  handleTimeout(now: number): void {
    for (let due = this.#deadlines.popDue(now); due !== undefined; due = this.#deadlines.popDue(now)) {
      due.handleTimeout(now)
    }
  }
}

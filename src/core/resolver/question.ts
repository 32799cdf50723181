// One question under way: a name and a type, asked of one server after the other until one answers. A try that was not
// answered in time stays open: a late answer is one too.
import type { IpAddress } from '../base/address.js'
import type { Deadlined } from '../base/deadline-heap.js'
import { dnsClassIn, dnsFlag, dnsType, parseDns, serialiseDns } from '../wire/dns.js'
import { type Asked, judgeAnswer, type Verdict } from './answer.js'
import type { DnsLimits } from './limits.js'
import type { DnsCounters, QuestionFailure, QuestionResult, ResolverSink } from './types.js'

/** What fits everywhere without fragments (DNS flag day 2020). */
const udpSize = 1232
/** The longest wait of a lookup is the caller's; this only keeps a question from being later than any. */
const longestTry = 60_000

/** What a question needs of its resolver. */
export interface QuestionOwner {
  readonly limits: DnsLimits
  readonly counters: DnsCounters
  readonly sink: ResolverSink
  /** 16 bits that nobody can guess. */
  randomId(): number
  /** Best first. */
  serversFor(name: string, now: number): readonly IpAddress[]
  noteServer(server: IpAddress, isSilent: boolean, now: number): void
  schedule(question: Question, deadline: number): void
  openExchange(question: Question): number
  closeExchange(exchange: number): void
  /** `ttl` in seconds. */
  settle(question: Question, result: QuestionResult, ttl: number, now: number): void
}

interface Server {
  readonly address: IpAddress
  /** Why it is not asked any more. */
  reason: string | undefined
  wasAsked: boolean
  edns: boolean
}

interface Exchange {
  readonly server: Server
  readonly overTcp: boolean
  readonly asked: Asked
  wrongAnswers: number
}

export class Question implements Deadlined {
  heapIndex = -1
  deadline = Number.POSITIVE_INFINITY
  readonly key: string
  readonly type: number
  readonly waiters = new Set<(result: QuestionResult, now: number) => void>()
  readonly #owner: QuestionOwner
  readonly #exchanges = new Map<number, Exchange>()
  #name: string
  #aliases = 0
  #ttl = Number.POSITIVE_INFINITY
  #servers: Server[] = []
  #next = 0
  #round = 0
  #current = -1
  #over = false

  constructor(owner: QuestionOwner, key: string, name: string, type: number) {
    this.#owner = owner
    this.key = key
    this.#name = name
    this.type = type
  }

  start(now: number): void {
    this.#servers = this.#owner
      .serversFor(this.#name, now)
      .map(address => ({ address, reason: undefined, wasAsked: false, edns: true }))
    this.#next = 0
    this.#round = 0
    this.#tryNext(now)
  }

  #tryNext(now: number): void {
    const { limits } = this.#owner
    while (this.#round < limits.rounds && this.#servers.some(({ reason }) => reason === undefined)) {
      const server = this.#servers[this.#next++]
      if (server === undefined) {
        this.#next = 0
        this.#round++
      } else if (server.reason === undefined && this.#ask(server, false, now)) return
    }
    this.#settle(this.failure(), limits.failureTtl, now)
  }

  /** False if nothing can be sent to that server. */
  #ask(server: Server, overTcp: boolean, now: number): boolean {
    const { limits, counters, sink } = this.#owner
    const asked = { id: this.#owner.randomId(), name: this.#name, type: this.type }
    const exchange = this.#owner.openExchange(this)
    server.wasAsked = true
    this.#exchanges.set(exchange, { server, overTcp, asked, wrongAnswers: 0 })
    const query = serialiseQuery(asked, server.edns)
    const problem = (overTcp ? sink.sendTcp : sink.sendUdp).call(sink, exchange, server.address, query)
    if (problem !== undefined) {
      server.reason = problem
      this.#close(exchange)
      return false
    }
    counters[overTcp ? 'queriesTcp' : 'queriesUdp']++
    this.#current = exchange
    const patience = (overTcp ? limits.tcpTimeout : limits.tryTimeout) * 2 ** this.#round
    this.#owner.schedule(this, now + Math.min(patience, longestTry))
    return true
  }

  handleTimeout(now: number): void {
    const exchange = this.#exchanges.get(this.#current)
    if (exchange !== undefined) {
      this.#owner.counters.timeouts++
      this.#owner.noteServer(exchange.server.address, true, now)
      if (exchange.overTcp) this.#close(this.#current)
    }
    this.#tryNext(now)
  }

  handleMessage(handle: number, bytes: Uint8Array, now: number): void {
    const exchange = this.#exchanges.get(handle) as Exchange
    const { limits, counters } = this.#owner
    const message = parseDns(bytes)
    const verdict = message && judgeAnswer(message, exchange.asked, limits.aliases - this.#aliases)
    if (verdict !== undefined) {
      counters.answers++
      this.#owner.noteServer(exchange.server.address, false, now)
      this.#handleVerdict(handle, exchange, verdict, now)
      return
    }
    counters[message === undefined ? 'malformed' : 'mismatched']++
    exchange.wrongAnswers++
    if (exchange.overTcp) this.#giveUp(handle, exchange, 'answers something else', now)
    else if (exchange.wrongAnswers >= limits.wrongAnswers) this.#askAgain(handle, exchange, true, now)
  }

  #handleVerdict(handle: number, exchange: Exchange, verdict: Verdict, now: number): void {
    const { server, overTcp } = exchange
    switch (verdict.kind) {
      case 'addresses': {
        const addresses = verdict.addresses.slice(0, this.#owner.limits.addresses)
        this.#settle({ kind: 'addresses', addresses }, verdict.ttl, now)
        break
      }
      case 'nothing':
        this.#settle({ kind: 'nothing', exists: verdict.exists }, verdict.ttl, now)
        break
      case 'alias':
        this.#aliases += verdict.aliases
        this.#ttl = Math.min(this.#ttl, verdict.ttl)
        this.#name = verdict.name
        this.#closeAll()
        this.start(now)
        break
      case 'truncated':
        this.#owner.counters.truncated++
        if (overTcp) this.#giveUp(handle, exchange, 'truncates its answer', now)
        else this.#askAgain(handle, exchange, true, now)
        break
      case 'plain':
        if (!server.edns) this.#giveUp(handle, exchange, 'FORMERR', now)
        else {
          server.edns = false
          this.#askAgain(handle, exchange, overTcp, now)
        }
        break
      case 'useless':
        this.#giveUp(handle, exchange, verdict.reason, now)
    }
  }

  /** The same server, in another way. */
  #askAgain(handle: number, { server }: Exchange, overTcp: boolean, now: number): void {
    this.#close(handle)
    if (!this.#ask(server, overTcp, now)) this.#tryNext(now)
  }

  handleFailure(handle: number, code: string, now: number): void {
    this.#giveUp(handle, this.#exchanges.get(handle) as Exchange, code, now)
  }

  /** That server is of no use for this question; one that is being waited for meanwhile goes on. */
  #giveUp(handle: number, { server }: Exchange, reason: string, now: number): void {
    server.reason = reason
    this.#close(handle)
    if (handle === this.#current) this.#tryNext(now)
  }

  /** What it comes to if nothing more happens. */
  failure(): QuestionFailure {
    const asked = this.#servers.filter(({ wasAsked }) => wasAsked)
    const failures = asked.map(({ address, reason }) => ({ server: address, reason: reason ?? 'silent' }))
    return { kind: 'failed', name: this.#name, failures }
  }

  #settle(result: QuestionResult, ttl: number, now: number): void {
    this.end()
    this.#owner.settle(this, result, Math.min(ttl, this.#ttl), now)
  }

  /** Nobody waits for it any more, or it is answered. */
  end(): void {
    if (this.#over) return
    this.#over = true
    this.#owner.schedule(this, Number.POSITIVE_INFINITY)
    this.#closeAll()
  }

  #close(handle: number): void {
    this.#exchanges.delete(handle)
    this.#owner.closeExchange(handle)
  }

  #closeAll(): void {
    for (const handle of [...this.#exchanges.keys()]) this.#close(handle)
  }
}

/** Recursion is wanted; the only other thing said is how large an answer may be. */
function serialiseQuery({ id, name, type }: Asked, edns: boolean): Uint8Array {
  const opt = { name: '', type: dnsType.opt, class: udpSize, ttl: 0, data: { bytes: new Uint8Array(0) } }
  return serialiseDns({
    id,
    flags: dnsFlag.recursionDesired,
    questions: [{ name, type, class: dnsClassIn }],
    answers: [],
    authorities: [],
    additionals: edns ? [opt] : [],
  })
}

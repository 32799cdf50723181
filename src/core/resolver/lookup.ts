// One lookup: the full names that a name may stand for, in order, each asked for in every family that is wanted. The first
// that has an address in either is the one.
import type { IpAddress } from '../base/address.js'
import type { Deadlined } from '../base/deadline-heap.js'
import { dnsType } from '../wire/dns.js'
import type { Question } from './question.js'
import type { LookupEvents, LookupFailure, QuestionResult } from './types.js'

/** What a lookup needs of its resolver. */
export interface LookupOwner {
  /** Calls `answered` at once where the answer is known, and returns nothing then; else the question that it joined. */
  ask(name: string, type: number, answered: Answered, now: number): Question | undefined
  leave(question: Question, answered: Answered): void
  /** One family is found: the other has no more than one try from now. */
  hurry(lookup: Lookup, now: number): void
  finish(lookup: Lookup, failure: LookupFailure | undefined): void
}

export type Answered = (result: QuestionResult, now: number) => void
type Family = 4 | 6

export class Lookup implements Deadlined {
  heapIndex = -1
  deadline = Number.POSITIVE_INFINITY
  readonly #owner: LookupOwner
  readonly #events: LookupEvents
  readonly #families: readonly Family[]
  readonly #names: readonly string[]
  readonly #servers: readonly IpAddress[]
  readonly #joined = new Map<Family, { question: Question; answered: Answered }>()
  readonly #results = new Map<Family, QuestionResult>()
  #next = 0
  #found = false
  #exists = false
  /** No server answered for a name that was tried before. */
  #failure: LookupFailure | undefined
  #over = false

  constructor(
    owner: LookupOwner,
    names: readonly string[],
    servers: readonly IpAddress[],
    families: readonly Family[],
    events: LookupEvents,
  ) {
    this.#owner = owner
    this.#names = names
    this.#servers = servers
    this.#families = families
    this.#events = events
  }

  start(now: number): void {
    const name = this.#names[this.#next++]
    if (name === undefined) {
      this.#end(this.#failure ?? { kind: 'unknown', exists: this.#exists, asked: this.#names, servers: this.#servers })
      return
    }
    this.#results.clear()
    for (const family of this.#families) {
      const answered: Answered = (result, at) => {
        this.#joined.delete(family)
        this.#handleResult(family, result, at)
      }
      const question = this.#owner.ask(name, family === 4 ? dnsType.a : dnsType.aaaa, answered, now)
      if (question !== undefined) this.#joined.set(family, { question, answered })
      // An answer that was known may have been the end.
      if (this.#over) return
    }
  }

  #handleResult(family: Family, result: QuestionResult, now: number): void {
    if (this.#over) return
    this.#results.set(family, result)
    if (this.#found) this.#tell(family, result)
    else if (result.kind === 'addresses') {
      this.#found = true
      this.#owner.hurry(this, now)
      for (const [each, known] of this.#results) this.#tell(each, known)
    }
    if (this.#over || this.#results.size < this.#families.length) return
    if (this.#found) this.#end(undefined)
    else this.#goOn(now)
  }

  #tell(family: Family, result: QuestionResult): void {
    if (!this.#over) this.#events.addresses(family, result.kind === 'addresses' ? result.addresses : [])
  }

  /** The name has no address. Where a server was silent, the next name must not win for that: the result would be a matter of luck. */
  #goOn(now: number): void {
    const results = [...this.#results.values()]
    const isAbsent = results.some(result => result.kind === 'nothing' && !result.exists)
    const failure = results.find(result => result.kind === 'failed' || result.kind === 'busy')
    if (failure !== undefined && !isAbsent) {
      if (failure.kind === 'busy' || failure.failures.some(({ reason }) => reason === 'silent')) {
        this.#end(failure)
        return
      }
      if (!this.#isAside) this.#failure ??= failure
    }
    if (results.some(result => result.kind === 'nothing' && result.exists)) this.#exists = true
    this.start(now)
  }

  /** A word alone, after the search domains: servers of one network refuse such a name, and what they said before counts. */
  get #isAside(): boolean {
    return this.#next > 1 && !this.#names[this.#next - 1]?.includes('.')
  }

  /** Time is over. What one family has is enough. */
  handleTimeout(): void {
    if (!this.#found) {
      const failures = [...this.#joined.values()].map(({ question }) => question.failure())
      this.#end(failures.find(failure => failure.failures.length > 0) ?? { kind: 'busy' })
      return
    }
    for (const family of this.#families) {
      if (!this.#results.has(family)) this.#tell(family, { kind: 'busy' })
    }
    this.#end(undefined)
  }

  #end(failure: LookupFailure | undefined): void {
    if (this.#over) return
    this.cancel()
    this.#owner.finish(this, failure)
    this.#events.end(failure)
  }

  /** Nothing is told any more. */
  cancel(): void {
    this.#over = true
    for (const { question, answered } of this.#joined.values()) this.#owner.leave(question, answered)
    this.#joined.clear()
  }
}

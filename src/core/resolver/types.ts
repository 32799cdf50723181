// What a resolver and its owner say to each other.
import type { IpAddress } from '../base/address.js'

export interface ResolverSink {
  /**
   * Sends a message from a socket of its own, at a random port, to port 53 of `server`, whose answers alone come back by
   * {@link Resolver.handleMessage}, and its failure by handleFailure. Returns the code of what keeps it from leaving.
   */
  sendUdp(exchange: number, server: IpAddress, message: Uint8Array): string | undefined
  /** Likewise over a connection; each message has a frame of two bytes there, which the resolver never sees. */
  sendTcp(exchange: number, server: IpAddress, message: Uint8Array): string | undefined
  /** Nothing more is wanted of it; told for one that could not leave, too. */
  endExchange(exchange: number): void
}

/** What a server did that gave no answer: 'silent', an RCODE's name, or a socket's code. */
export interface ServerFailure {
  readonly server: IpAddress
  readonly reason: string
}

/** No server gave an answer for `name`, which may be an alias of what was asked for. */
export interface QuestionFailure {
  readonly kind: 'failed'
  readonly name: string
  readonly failures: readonly ServerFailure[]
}

export type QuestionResult =
  | { readonly kind: 'addresses'; readonly addresses: readonly IpAddress[] }
  /** `exists`: the name has records of other types. */
  | { readonly kind: 'nothing'; readonly exists: boolean }
  | QuestionFailure
  /** Too much was asked at once. */
  | { readonly kind: 'busy' }

/** Why a lookup found nothing. */
export type LookupFailure =
  /** The servers say so. `exists`: there is such a name, without an address of a family that was asked for. */
  | {
      readonly kind: 'unknown'
      readonly exists: boolean
      readonly asked: readonly string[]
      readonly servers: readonly IpAddress[]
    }
  | QuestionFailure
  | { readonly kind: 'busy' }

/** Each family that was asked for once, then the end, unless the lookup was cancelled. */
export interface LookupEvents {
  /** What the name has of that family, maybe nothing. */
  addresses(family: 4 | 6, addresses: readonly IpAddress[]): void
  /** `failure` where no family had any. */
  end(failure?: LookupFailure): void
}

export interface LookupOptions {
  /** Both by default. */
  readonly family?: 0 | 4 | 6 | undefined
  /** ms; at most the limit's. */
  readonly timeout?: number | undefined
}

export interface Cancellable {
  cancel(): void
}

export interface DnsCounters {
  /** Names that were asked for, and what became of them. */
  lookups: number
  found: number
  unknown: number
  failed: number
  cacheHits: number
  /** Messages to servers. */
  queriesUdp: number
  queriesTcp: number
  /** Answers that were of use. */
  answers: number
  truncated: number
  /** Dropped: no DNS message, or not the answer to what was asked. */
  malformed: number
  mismatched: number
  /** Tries that a server let pass in silence. */
  timeouts: number
  /** Turned away: too many at once. */
  refused: number
}

// Where the peers are: an endpoint given by name is resolved by this host's resolver, again while it fails, and again once the
// last handshake is so old that the name may lead elsewhere by now. Of a name's addresses several are tried at once: the
// initiation that goes to the peer's endpoint goes to the others, byte for byte, a quarter of a second later (RFC 8305's way).
// The endpoint itself moves by what comes back alone, so that nothing here takes a live one away.
import { type Endpoint, formatEndpoint, parseAddress, sameEndpoint } from '../core/base/address.js'
import type { Config } from '../core/config/config.js'

/** A name that never had an address is asked for again after this, ms. */
const retryInterval = 2000
/** Two questions for one name are at least this far apart, ms: less than initiations are. */
const askInterval = 4000
/** RFC 8305's Connection Attempt Delay, ms. */
const attemptDelay = 250
/** Other addresses that one initiation is sent to; the rest of a longer list gets the next one. */
const addressesPerInitiation = 3
/** From this age of the last handshake on, ms, a name is resolved again: a session is renewed long before. */
const staleHandshake = 135_000
/** Who was heard within this time, ms, is where it is (KEEPALIVE_TIMEOUT + REKEY_TIMEOUT). */
const aliveTime = 15_000

type ConfiguredEndpoint = NonNullable<Config['peers'][number]['endpoint']>

/** Resolves a name to addresses in the order in which to try them. Rejects with Node's DNS errors. */
export type ResolveHost = (host: string) => Promise<string[]>

export interface EndpointEnvironment {
  readonly resolve: ResolveHost
  /** Monotonic ms. */
  now(): number
  /** Calls back after `delay` ms; returns what cancels that. */
  schedule(delay: number, callback: () => void): () => void
}

/** The peer whose endpoint is kept, as far as that needs it. */
export interface EndpointPeer {
  readonly endpoint: Endpoint | undefined
  /** Monotonic ms, `-Infinity` before the first time. */
  readonly lastHandshakeAt: number
  readonly lastReceivedAt: number
  setEndpoint(endpoint: Endpoint): void
  /** Sends the initiation that awaits its response there too; false if none does. */
  resendInitiation(endpoint: Endpoint): boolean
}

export interface EndpointKeeper {
  /** Why the name has no address; undefined while one is known. */
  readonly failure: NodeJS.ErrnoException | undefined
  /** The endpoint as it was given. */
  readonly text: string
  /** Call it when an initiation was sent to the peer's endpoint. */
  initiationSent(): void
  /** Whether this is one of the addresses that the name had when it was last resolved, or the address that was given. */
  covers(endpoint: Endpoint): boolean
  stop(): void
}

export function systemResolver(family: 4 | 6 | undefined): ResolveHost {
  return async host => {
    const { lookup } = await import('node:dns/promises')
    const found = await lookup(host, { all: true, verbatim: true, ...(family !== undefined && { family }) })
    return found.map(entry => entry.address)
  }
}

export function systemEnvironment(now: () => number, family: 4 | 6 | undefined): EndpointEnvironment {
  return {
    resolve: systemResolver(family),
    now,
    schedule(delay, callback) {
      const timer = setTimeout(callback, delay).unref()
      return () => clearTimeout(timer)
    },
  }
}

/** Sets the peer's endpoint, at once for an address, and keeps it from then on. */
export function keepEndpoint(
  endpoint: ConfiguredEndpoint,
  peer: EndpointPeer,
  environment: EndpointEnvironment,
): EndpointKeeper {
  const address = parseAddress(endpoint.host)
  if (address === undefined) return new NameKeeper(endpoint, peer, environment)
  const literal = { address, port: endpoint.port }
  peer.setEndpoint(literal)
  return {
    failure: undefined,
    text: formatEndpoint(literal),
    initiationSent() {},
    covers: other => sameEndpoint(literal, other),
    stop() {},
  }
}

class NameKeeper implements EndpointKeeper {
  readonly #given: ConfiguredEndpoint
  readonly #peer: EndpointPeer
  readonly #environment: EndpointEnvironment
  #candidates: Endpoint[] = []
  #failure: NodeJS.ErrnoException | undefined
  #asking = false
  #askedAt = -Infinity
  #stopped = false
  #cancelRetry = () => {}
  #cancelNext = () => {}

  constructor(given: ConfiguredEndpoint, peer: EndpointPeer, environment: EndpointEnvironment) {
    this.#given = given
    this.#peer = peer
    this.#environment = environment
    void this.#ask()
  }

  get failure(): NodeJS.ErrnoException | undefined {
    return this.#candidates.length > 0 ? undefined : this.#failure
  }

  get text(): string {
    return `${this.#given.host}:${this.#given.port}`
  }

  covers(endpoint: Endpoint): boolean {
    return this.#candidates.some(candidate => sameEndpoint(candidate, endpoint))
  }

  stop(): void {
    this.#stopped = true
    this.#cancelRetry()
    this.#cancelNext()
  }

  initiationSent(): void {
    if (this.#stopped || this.#isAlive()) return
    const now = this.#environment.now()
    if (now - this.#peer.lastHandshakeAt >= staleHandshake && now - this.#askedAt >= askInterval) void this.#ask()
    this.#tryOthers(attemptDelay)
  }

  #isAlive(): boolean {
    return this.#environment.now() - this.#peer.lastReceivedAt < aliveTime
  }

  async #ask(): Promise<void> {
    if (this.#asking || this.#stopped) return
    this.#asking = true
    this.#askedAt = this.#environment.now()
    const before = this.#candidates
    try {
      const found = (await this.#environment.resolve(this.#given.host)).flatMap(text => {
        const address = parseAddress(text)
        return address === undefined ? [] : [{ address, port: this.#given.port }]
      })
      if (found.length > 0) this.#candidates = alternateFamilies(found)
      else this.#failure = Object.assign(new Error('no address'), { code: 'ENODATA' })
    } catch (error) {
      this.#failure = error as NodeJS.ErrnoException
    }
    this.#asking = false
    if (this.#stopped) return
    if (this.#candidates.length === 0) {
      this.#cancelRetry = this.#environment.schedule(retryInterval, () => void this.#ask())
    } else if (this.#candidates !== before) this.#use()
  }

  #use(): void {
    const { endpoint } = this.#peer
    if (endpoint === undefined) this.#peer.setEndpoint(this.#candidates[0] as Endpoint)
    else if (!this.#isAlive() && !this.covers(endpoint)) this.#tryOthers(0)
  }

  /** Sends the pending initiation to the addresses that it has not gone to, one after the other. */
  #tryOthers(delay: number): void {
    this.#cancelNext()
    const { endpoint } = this.#peer
    const others = this.#candidates.filter(other => endpoint === undefined || !sameEndpoint(other, endpoint))
    const round = others.slice(0, addressesPerInitiation)
    // Whoever had its turn goes to the end of the list.
    this.#candidates = [...this.#candidates.filter(candidate => !round.includes(candidate)), ...round]
    const next = () => {
      const other = round.shift()
      if (other === undefined || this.#isAlive() || !this.#peer.resendInitiation(other)) return
      this.#cancelNext = this.#environment.schedule(attemptDelay, next)
    }
    if (delay === 0) next()
    else this.#cancelNext = this.#environment.schedule(delay, next)
  }
}

/** The addresses of both families by turns, beginning with the first one's. */
function alternateFamilies(endpoints: readonly Endpoint[]): Endpoint[] {
  const size = endpoints[0]?.address.length
  const first = endpoints.filter(endpoint => endpoint.address.length === size)
  const second = endpoints.filter(endpoint => endpoint.address.length !== size)
  const mixed: Endpoint[] = []
  for (let i = 0; i < Math.max(first.length, second.length); i++) {
    for (const endpoint of [first[i], second[i]]) if (endpoint !== undefined) mixed.push(endpoint)
  }
  return mixed
}

// Where the peers are: endpoints given by name are resolved by this host's resolver, again after every failure and once a
// peer has been silent too long, and each of a name's addresses gets its turn.
import { lookup } from 'node:dns/promises'
import { type Endpoint, formatEndpoint, parseAddress } from '../core/base/address.js'
import type { Config } from '../core/config/config.js'

/** A name that did not resolve is asked for again after this, ms. */
const retryInterval = 2000

type ConfiguredEndpoint = NonNullable<Config['peers'][number]['endpoint']>

/** Resolves a name to addresses in the order in which to try them. Rejects with Node's DNS errors. */
export type ResolveHost = (host: string) => Promise<string[]>

export interface EndpointKeeper {
  /** Why the name has no address now; undefined while it has one. */
  readonly failure: NodeJS.ErrnoException | undefined
  readonly text: string
  /** The next of the name's addresses, for when the present one does not answer; resolves again after the last of them. */
  advance(): void
  stop(): void
}

export function systemResolver(family: 4 | 6 | undefined): ResolveHost {
  return async host => {
    const found = await lookup(host, { all: true, verbatim: true, ...(family !== undefined && { family }) })
    return found.map(entry => entry.address)
  }
}

/** Keeps one peer's endpoint; `found` is called with each address that is to be used from now on. */
export function keepEndpoint(
  endpoint: ConfiguredEndpoint,
  resolve: ResolveHost,
  found: (endpoint: Endpoint) => void,
): EndpointKeeper {
  const literal = parseAddress(endpoint.host)
  let candidates: Endpoint[] = []
  let failure: NodeJS.ErrnoException | undefined
  let retry: NodeJS.Timeout | undefined
  let asking = false
  let stopped = false

  async function ask(): Promise<void> {
    if (asking || stopped) return
    asking = true
    try {
      const addresses = await resolve(endpoint.host)
      candidates = addresses.flatMap(text => {
        const address = parseAddress(text)
        return address === undefined ? [] : [{ address, port: endpoint.port }]
      })
      failure = candidates.length > 0 ? undefined : Object.assign(new Error('no address'), { code: 'ENODATA' })
    } catch (error) {
      failure = error as NodeJS.ErrnoException
    }
    asking = false
    if (stopped) return
    if (failure === undefined) use()
    else retry = setTimeout(ask, retryInterval).unref()
  }

  function use(): void {
    const next = candidates.shift()
    if (next !== undefined) found(next)
  }

  if (literal !== undefined) found({ address: literal, port: endpoint.port })
  else void ask()

  return {
    get failure() {
      return failure
    },
    text:
      literal === undefined
        ? `${endpoint.host}:${endpoint.port}`
        : formatEndpoint({ address: literal, port: endpoint.port }),
    advance() {
      if (literal !== undefined) return
      if (candidates.length > 0) use()
      else void ask()
    },
    stop() {
      stopped = true
      clearTimeout(retry)
    },
  }
}

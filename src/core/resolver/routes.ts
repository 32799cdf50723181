// Which DNS servers are asked for a name: those of the longest suffix that is its own, else the general ones.
import { type IpAddress, sameAddress } from '../base/address.js'
import { plainDomain } from './name.js'

export interface DnsSettings {
  /** For every name that no route takes. */
  readonly servers: readonly IpAddress[]
  readonly search: readonly string[]
  readonly routes: readonly DnsRoute[]
}

/** Servers for a domain and all below it. */
export interface DnsRoute {
  readonly suffix: string
  readonly servers: readonly IpAddress[]
}

export class DnsRoutes {
  readonly #general: readonly IpAddress[]
  readonly #bySuffix = new Map<string, IpAddress[]>()

  constructor(settings: DnsSettings, mostServers: number) {
    this.#general = unique(settings.servers).slice(0, mostServers)
    for (const { suffix, servers } of settings.routes) {
      const key = plainDomain(suffix)
      this.#bySuffix.set(key, unique([...(this.#bySuffix.get(key) ?? []), ...servers]).slice(0, mostServers))
    }
  }

  /** None where nobody is to be asked. */
  serversFor(name: string): readonly IpAddress[] {
    for (let at = 0; at >= 0; at = name.indexOf('.', at) + 1 || -1) {
      const servers = this.#bySuffix.get(name.slice(at))
      if (servers !== undefined) return servers
    }
    return this.#general
  }
}

function unique(addresses: readonly IpAddress[]): IpAddress[] {
  return addresses.filter((one, i) => addresses.findIndex(other => sameAddress(one, other)) === i)
}

// The names of a tunnel: the configuration's own first, then DNS servers in the tunnel, by the settings of `DNS` and `DNSRoute`.
import type { IpAddress } from '../core/base/address.js'
import type { InterfaceConfig } from '../core/config/types.js'
import type { Netmap, NetmapNode } from '../core/policy/netmap.js'
import type { DnsCounters, DnsLimits } from '../core/resolver/resolver.js'
import { explainLookup, unaskableName } from './name-error.js'
import { createNames, type NameSources, type Names } from './names.js'
import { NodeNames } from './policy/node-names.js'
import { TunnelResolver } from './resolver.js'
import type { NameListener, StackPort } from './stack-port.js'

/** What of `[Interface]` says names. */
export type NameSettings = Pick<InterfaceConfig, 'name' | 'addresses' | 'hosts' | 'dns'>

export interface NameServiceOptions {
  readonly settings: NameSettings
  readonly limits?: Partial<DnsLimits> | undefined
  readonly stackPort: StackPort
  /** As they are now. */
  readonly peers: () => NameSources['peers']
  /** Who has which tag, as things are now. */
  readonly netmap: () => Netmap
  /** When a node was last heard; −Infinity if it never was. */
  readonly heardAt: (node: NetmapNode) => number
}

export class NameService {
  readonly #peers: NameServiceOptions['peers']
  readonly #resolver: TunnelResolver
  #settings: NameSettings
  /** Made when a name is asked for. */
  #table: Names | undefined
  #nodes: NodeNames | undefined
  readonly #netmap: NameServiceOptions['netmap']
  readonly #heardAt: NameServiceOptions['heardAt']

  constructor(options: NameServiceOptions) {
    const { settings, limits, stackPort, peers } = options
    this.#netmap = options.netmap
    this.#heardAt = options.heardAt
    this.#settings = settings
    this.#peers = peers
    this.#resolver = new TunnelResolver({
      settings: settings.dns,
      limits,
      stackPort,
      explain: (name, family, failure) =>
        explainLookup(name, family, failure, {
          known: this.#names.list,
          explain: (code, target) => stackPort.explain?.(code, target),
        }),
    })
  }

  get #names(): Names {
    this.#table ??= createNames({ interface: this.#settings, peers: this.#peers() })
    return this.#table
  }

  get #nodeNames(): NodeNames {
    this.#nodes ??= new NodeNames(this.#netmap(), this.#heardAt)
    return this.#nodes
  }

  get counters(): Readonly<DnsCounters> {
    return this.#resolver.counters
  }

  /** Peers' names may be others. */
  renamed(): void {
    this.#table = undefined
    this.#nodes = undefined
  }

  /** From now on these. Answers that were kept are forgotten. */
  setSettings(settings: NameSettings): void {
    this.#settings = settings
    this.renamed()
    this.#resolver.setSettings(settings.dns)
  }

  /** See {@link StackPort.lookup}. */
  lookup(name: string): IpAddress[] | undefined {
    const found = this.#names.find(name) ?? this.#names.find(this.#nodeNames.bare(name)) ?? this.#nodeNames.find(name)
    if (found !== undefined) return found
    if (this.#resolver.serversOf(name).length > 0) return undefined
    throw unaskableName(name, this.#resolver.problemOf(name), this.#names.list)
  }

  /** The servers that a name is asked of which the configuration does not know; else none. */
  serversOf(name: string): IpAddress[] {
    return this.lookup(name) === undefined ? this.#resolver.serversOf(name) : []
  }

  /** See {@link StackPort.resolve}. */
  resolve(name: string, options: { family: 0 | 4 | 6; timeout?: number }, listener: NameListener): () => void {
    return this.#resolver.resolve(name, options, listener)
  }

  /** Ends every lookup with `reason`, now and from now on. */
  close(reason: Error): void {
    this.#resolver.close(reason)
  }
}

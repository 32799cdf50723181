// Names that the netmap gives: its nodes, with its domain or without, and tags: `tag:web` where a host stands alone, `web.tag` and
// `web.tag.DOMAIN` where a colon cannot. A tag stands for every node that has it, the likeliest to answer first.
import type { IpAddress } from '../../core/base/address.js'
import type { Netmap, NetmapNode } from '../../core/policy/netmap.js'
import { TunnelError } from '../../errors.js'

/** Tags that an error lists. */
const tagsListed = 20

export class NodeNames {
  readonly #domain: string | undefined
  readonly #nodes = new Map<string, readonly IpAddress[]>()
  readonly #tags = new Map<string, NetmapNode[]>()
  readonly #heardAt: (node: NetmapNode) => number

  /** `heardAt`: when the node was last heard, in ms of whatever clock; −Infinity if it never was. */
  constructor({ domain, nodes }: Netmap, heardAt: (node: NetmapNode) => number) {
    this.#domain = domain?.toLowerCase()
    this.#heardAt = heardAt
    for (const node of nodes) {
      this.#nodes.set(node.name.toLowerCase(), node.addresses)
      for (const tag of new Set(node.tags.map(each => each.toLowerCase()))) {
        const others = this.#tags.get(tag)
        if (others === undefined) this.#tags.set(tag, [node])
        else others.push(node)
      }
    }
  }

  get list(): string[] {
    return [...this.#nodes.keys()]
  }

  /** The name without the netmap's domain, if it ends so. */
  bare(name: string): string {
    const plain = name.toLowerCase().replace(/\.$/, '')
    const suffix = this.#domain === undefined ? undefined : `.${this.#domain}`
    return suffix !== undefined && plain.endsWith(suffix) ? plain.slice(0, -suffix.length) : plain
  }

  /** Undefined for what is neither. Throws UNKNOWN_HOST for `tag:NAME` that no node has. */
  find(name: string): IpAddress[] | undefined {
    const bare = this.bare(name)
    const addresses = this.#nodes.get(bare)
    if (addresses !== undefined && addresses.length > 0) return [...addresses]
    const tag = bare.startsWith('tag:')
      ? bare
      : bare.endsWith('.tag')
        ? `tag:${bare.slice(0, -'.tag'.length)}`
        : undefined
    if (tag === undefined) return undefined
    const found = this.#liveFirst(this.#tags.get(tag) ?? []).flatMap(node => node.addresses)
    if (found.length > 0) return found
    if (!bare.startsWith('tag:')) return undefined
    const known = [...this.#tags.keys()].slice(0, tagsListed).join(', ') || 'none'
    throw new TunnelError('UNKNOWN_HOST', `no node has ${JSON.stringify(tag)}: check the tag (known tags: ${known})`)
  }

  #liveFirst(nodes: readonly NetmapNode[]): NetmapNode[] {
    const heard = new Map(nodes.map(node => [node, this.#heardAt(node)]))
    return [...nodes].sort((a, b) => {
      const [first, second] = [heard.get(a) as number, heard.get(b) as number]
      return first === second ? 0 : second - first
    })
  }
}

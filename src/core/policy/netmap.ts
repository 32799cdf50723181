// Who is who: nodes with their addresses, tags, users and routes; checked against themselves and a policy.
import { formatAddress, type IpAddress, type Prefix, unmapAddress } from '../base/address.js'
import type { PolicyDocument } from './types.js'

export interface NetmapNode {
  readonly name: string
  /** Public key, 32 bytes. */
  readonly key?: Uint8Array
  /** Its own addresses: they carry its tags and user. */
  readonly addresses: readonly IpAddress[]
  /** `tag:web`. A node with tags has no user as far as the policy is concerned. */
  readonly tags: readonly string[]
  /** Login, `alice@example.com`. */
  readonly user?: string
  /** Roles of the user, `admin` for instance; given by any node, roles can be evaluated. */
  readonly roles?: readonly string[]
  /** Approved subnets behind it: their addresses carry neither tags nor user. */
  readonly routes: readonly Prefix[]
  /** Milliseconds since the epoch. The policy does not look at it: whoever compiles leaves expired nodes out. */
  readonly expiry?: number
}

export interface Netmap {
  /** `web1` is also `web1.DOMAIN`. */
  readonly domain?: string
  readonly nodes: readonly NetmapNode[]
  /** Synced groups: `group:NAME@DOMAIN` to logins. */
  readonly groups?: Readonly<Record<string, readonly string[]>>
}

/** What is wrong with a netmap. It has no line: the reader of the netmap file knows where node `node` stands. */
export interface NetmapProblem {
  readonly code: 'duplicate-name' | 'tag-without-owner' | 'address-claimed-twice' | 'not-a-tag'
  /** Index in `nodes`. */
  readonly node: number
  readonly message: string
}

/** Duplicate names, addresses claimed twice and, with a policy, tags without an owner there. Empty where all is well. */
export function checkNetmap(netmap: Netmap, document?: PolicyDocument): NetmapProblem[] {
  const problems: NetmapProblem[] = []
  const names = new Map<string, number>()
  const addresses = new Map<string, number>()
  for (const [node, { name, addresses: own, tags }] of netmap.nodes.entries()) {
    const add = (code: NetmapProblem['code'], message: string) => problems.push({ code, node, message })
    // Names are looked up as DNS does: without regard to case.
    if (names.has(name.toLowerCase())) add('duplicate-name', `two nodes have the name ${name}: rename one of them`)
    else names.set(name.toLowerCase(), node)
    for (const address of own) {
      const text = formatAddress(unmapAddress(address))
      const other = addresses.get(text)
      if (other === undefined) addresses.set(text, node)
      else if (other !== node) {
        const first = (netmap.nodes[other] as NetmapNode).name
        add('address-claimed-twice', `${first} and ${name} both have the address ${text}: give it to one of them`)
      }
    }
    for (const tag of tags) {
      if (!tag.startsWith('tag:')) add('not-a-tag', `${name} has the tag ${tag}: tags start with tag:`)
      else if (document !== undefined && !document.tagOwners.has(tag))
        add('tag-without-owner', `${name} has ${tag}, which the policy's tagOwners do not define: add it there`)
    }
  }
  return problems
}

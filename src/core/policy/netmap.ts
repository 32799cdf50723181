// Who is who: nodes with their addresses, tags, users and routes; checked against themselves and a policy.
import type { IpAddress, Prefix } from '../base/address.js'
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
export function checkNetmap(_netmap: Netmap, _document?: PolicyDocument): NetmapProblem[] {
  throw new Error('not yet')
}

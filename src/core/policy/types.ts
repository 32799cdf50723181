// The parsed policy file: selectors, rules and tests, each with its place. Names resolved, nothing about any node yet.
import type { Diagnostic, Place } from './diagnostics.js'

/** Addresses of one family from `first` to `last`, both included, as unsigned integers. */
export interface AddressRange {
  readonly family: 4 | 6
  readonly first: bigint
  readonly last: bigint
}

/** Roles of a tailnet's users that a policy can name as `autogroup:ROLE`. */
export type Role = 'owner' | 'admin' | 'network-admin' | 'it-admin' | 'billing-admin' | 'auditor'

/** What a selector selects, without where it stands. */
export type SelectorValue =
  /** `*`: as a source the network's nodes and approved routes, as a destination any address. */
  | { readonly kind: 'any' }
  /** Untagged nodes of a user. */
  | { readonly kind: 'user'; readonly user: string }
  /** `user:*@DOMAIN`: untagged nodes of every user of the domain. */
  | { readonly kind: 'domain'; readonly domain: string }
  /** Untagged nodes of the members. A synced group, `group:NAME@DOMAIN`, is one that only the netmap can give. */
  | { readonly kind: 'group'; readonly name: string; readonly synced: boolean }
  /** The nodes' own addresses, not the subnets behind them. */
  | { readonly kind: 'tag'; readonly name: string }
  /** Untagged nodes of every user. */
  | { readonly kind: 'member' }
  /** Nodes with any tag. */
  | { readonly kind: 'tagged' }
  /** Untagged nodes of users with the role, where the netmap gives roles. */
  | { readonly kind: 'role'; readonly role: Role }
  /** Destination only: untagged nodes of the source's user. */
  | { readonly kind: 'self' }
  /** Destination only: public addresses, by way of an exit node. */
  | { readonly kind: 'internet' }
  /** Source only: any address at all. */
  | { readonly kind: 'danger-all' }
  /** Source only, cannot be evaluated. */
  | { readonly kind: 'shared' }
  /** Destination only, cannot be evaluated. */
  | { readonly kind: 'service'; readonly name: string }
  /** An address, a CIDR, a host or an IP set: exactly these addresses. Sorted, not overlapping. */
  | { readonly kind: 'ranges'; readonly ranges: readonly AddressRange[] }

/** A selector as it stands in the file. `text` has the accepted spelling, without ports. */
export interface Selector {
  readonly value: SelectorValue
  readonly text: string
  readonly place: Place
}

/** Ports `first` to `last` of one protocol, both included; 0 to 65535 where the protocol has none. */
export interface PortRange {
  readonly protocol: number
  readonly first: number
  readonly last: number
}

/** Destinations that share the ports which may be reached there. */
export interface Target {
  readonly destinations: readonly Selector[]
  readonly ports: readonly PortRange[]
}

/** One entry of `acls`, or of `grants` with an `ip`. */
export interface PolicyRule {
  readonly section: 'acls' | 'grants'
  readonly place: Place
  /** The rule on one line, for messages. */
  readonly text: string
  readonly sources: readonly Selector[]
  readonly targets: readonly Target[]
  /**
   * Why it grants nothing whatever the netmap says: srcPosture, via and the like. A rule that names a role or a synced
   * group grants nothing either, unless the netmap gives them.
   */
  readonly unevaluated?: string
}

/** One entry of `tests`; what is wrong with it makes it fail, and is no error of the file. */
export interface PolicyTest {
  readonly place: Place
  readonly source: TestSelector
  /** IP protocol number; undefined: TCP or UDP suffices. */
  readonly protocol: number | undefined
  readonly accept: readonly TestDestination[]
  readonly deny: readonly TestDestination[]
  /** Reasons for which the test fails whatever the rules say. */
  readonly problems: readonly string[]
}

/** The one source or destination of a test. */
export interface TestSelector {
  readonly text: string
  readonly place: Place
  /** Undefined where the text is none that a test may have; {@link problem} says why. */
  readonly value: SelectorValue | undefined
  readonly problem?: string
}

export interface TestDestination extends TestSelector {
  /** 0 where it cannot be used. */
  readonly port: number
}

/** A policy file that was read. With errors in {@link diagnostics} it must not be enforced: see `hasErrors`. */
export interface PolicyDocument {
  readonly diagnostics: readonly Diagnostic[]
  readonly rules: readonly PolicyRule[]
  readonly groups: ReadonlyMap<string, readonly string[]>
  readonly hosts: ReadonlyMap<string, readonly AddressRange[]>
  readonly ipsets: ReadonlyMap<string, readonly AddressRange[]>
  /** Tag to owners, as written. */
  readonly tagOwners: ReadonlyMap<string, readonly string[]>
  readonly tests: readonly PolicyTest[]
  /** Entries of `sshTests`, which are never run here. */
  readonly sshTests: readonly Place[]
}

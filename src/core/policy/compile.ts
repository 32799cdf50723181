// Policy and netmap compiled to tables that decide without a search through the rules.
import type { IpAddress } from '../base/address.js'
import type { Netmap, NetmapNode } from './netmap.js'
import type { PolicyDocument } from './types.js'

/** A rule as messages and the audit log name it. */
export interface RuleReference {
  readonly line: number
  readonly column: number
  /** The rule on one line. */
  readonly text: string
}

/** Bounds of a compiled policy, each with a default in {@link defaultCompileLimits}. */
export interface CompileLimits {
  /** Bytes for each of the three row tables (by source, by destination, by port). */
  maxTableBytes: number
}

export const defaultCompileLimits: CompileLimits = { maxTableBytes: 32 * 1024 * 1024 }

/** Throws POLICY_INVALID for a document with errors: what was refused is never enforced in part. */
export function compilePolicy(
  _document: PolicyDocument,
  _netmap: Netmap,
  _limits: Partial<CompileLimits> = {},
): CompiledPolicy {
  throw new Error('not yet')
}

export interface CompiledPolicy {
  /**
   * The index of the first rule that allows it, or -1. Addresses are 4 or 16 bytes, IPv4-mapped ones are unmapped first;
   * anything else, or two families, is -1. `protocol` is IP's number; `port` is the destination's, 0 where the protocol has
   * none. ICMP for IPv4 and ICMPv6 for IPv6 are allowed by any rule between the two addresses. Does not allocate.
   */
  decide(source: Uint8Array, destination: Uint8Array, protocol: number, port: number): number
  /** Whether any rule between the two addresses exists: then ping is allowed too. */
  mayPing(source: Uint8Array, destination: Uint8Array): boolean
  /** The rule of an index that {@link decide} gave. */
  ruleAt(index: number): RuleReference
  /** The node that has this address as its own. */
  nodeOf(address: IpAddress): NetmapNode | undefined
  /** {@link nodeOf}, else the node with the longest route that covers the address (the first of several). */
  ownerOf(address: IpAddress): NetmapNode | undefined
}

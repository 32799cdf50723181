// What a host is told of who may talk to whom, and what it tells of each flow.
import type { IpAddress } from '../base/address.js'
import type { CompiledPolicy, RuleReference } from '../policy/compile.js'
import type { NetmapNode } from '../policy/netmap.js'

/** `report` lets everything through and tells what would have been refused. */
export type PolicyMode = 'enforce' | 'report'

/** A policy as it holds now. Compiled with `nodes`, and with nobody else. */
export interface FlowPolicy {
  readonly compiled: CompiledPolicy
  readonly nodes: readonly NetmapNode[]
  /** Nodes whose time is over: they are in the netmap no more, and nothing goes to them. */
  readonly expired: readonly NetmapNode[]
  readonly mode: PolicyMode
  /** For tests alone: flows of our own pass unjudged, so that the other end is seen to judge them. */
  readonly ignoreOutbound?: boolean
}

/**
 * `no-rule` allows it; `source`: the sender has no claim to its address, by its key; `route`: AllowedIPs lead to another key than
 * the netmap's; `expired`: one of the two nodes is.
 */
export type Refusal = 'no-rule' | 'source' | 'route' | 'expired'

/** `denied` never began; `cut` stood, until a change of policy or netmap; `reported` would have been refused. */
export type FlowDecision = 'allowed' | 'reported' | 'denied' | 'cut'

/** A flow that is over, or that was refused. */
export interface FlowReport {
  readonly decision: FlowDecision
  /** Begun by us. */
  readonly outbound: boolean
  /** IP's number. */
  readonly protocol: number
  readonly source: IpAddress
  /** 0 where the protocol has none, as below. */
  readonly sourcePort: number
  readonly destination: IpAddress
  readonly destinationPort: number
  /** Whose own address it is, if it came by its own key. */
  readonly sourceNode: NetmapNode | undefined
  readonly destinationNode: NetmapNode | undefined
  /** Which allows it; undefined where none does. */
  readonly rule: RuleReference | undefined
  readonly refusal: Refusal | undefined
  /** Bytes of payload from the source, and to it. */
  readonly sent: number
  readonly received: number
  /** ms. */
  readonly duration: number
  /** How often the same was refused, or begun by a peer and over without a byte, since it was told last, with this time; else 1. */
  readonly count: number
}

export function createFlowCounters() {
  return {
    allowedIn: 0,
    allowedOut: 0,
    reportedIn: 0,
    reportedOut: 0,
    deniedIn: 0,
    deniedOut: 0,
    /** For its source: by its key it may not speak for that address. */
    deniedSource: 0,
    /** Of ours, for their route: by its key who is there is not the node that has the address. */
    deniedRoute: 0,
    deniedExpiredIn: 0,
    deniedExpiredOut: 0,
    cutIn: 0,
    cutOut: 0,
    /** Refusals, and flows of peers without a byte, that were too many to be told one by one. */
    untold: 0,
  }
}

/** Flows by decision. What was denied for its source, its route or an expired node is counted there alone. */
export type FlowCounters = ReturnType<typeof createFlowCounters>

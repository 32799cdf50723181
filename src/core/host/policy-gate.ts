// The stack's gate: joins WireGuard's keys, the netmap's nodes and the policy. A packet's source counts by key and address: an own
// address of the node with the peer's key carries its tags and user, one of that node's routes carries neither, and nobody may
// speak for any other. A new flow is decided on once; what belongs to a flow that stands is not judged again before a change.
import type { IpAddress } from '../base/address.js'
import type { PrefixTable } from '../base/prefix-table.js'
import type { FlowGate, FlowTicket } from '../netstack/gate.js'
import { loopbackPath } from '../netstack/paths.js'
import type { RuleReference } from '../policy/compile.js'
import { type AddressWords, addressOf, copyWords, protocolIcmp, protocolIcmpv6 } from '../wire/ip.js'
import { type Claims, claimsByKey, expiredAddresses, noClaims, type Standing, textOf } from './claims.js'
import { Denials } from './denials.js'
import { createFlowCounters, type FlowPolicy, type FlowReport, type Refusal } from './flow-policy.js'

export interface PolicyGateOptions {
  readonly policy: FlowPolicy
  /** The public key at the other end of a path; undefined if nobody is there any more. */
  keyOf(path: number): Uint8Array | undefined
  report(flow: FlowReport): void
}

class Ticket implements FlowTicket {
  readonly protocol: number
  readonly outbound: boolean
  readonly local: AddressWords
  readonly localPort: number
  readonly remote: AddressWords
  readonly remotePort: number
  readonly began: number
  /** The source came through routes: it is not the node that has this address as its own. */
  routed = false
  rule: RuleReference | undefined
  refusal: Refusal | undefined
  /** Why it may not go on, if it may not. */
  cutFor: Refusal | undefined

  constructor(
    protocol: number,
    outbound: boolean,
    local: AddressWords,
    localPort: number,
    remote: AddressWords,
    remotePort: number,
    began: number,
  ) {
    this.protocol = protocol
    this.outbound = outbound
    this.local = copyWords(local)
    this.localPort = localPort
    this.remote = copyWords(remote)
    this.remotePort = remotePort
    this.began = began
  }
}

export class PolicyGate implements FlowGate {
  readonly counters = createFlowCounters()
  readonly #options: PolicyGateOptions
  readonly #denials = new Denials()
  /** Flows that a peer began and that carried nothing: as many as it likes, a packet each. */
  readonly #probes = new Denials()
  #policy: FlowPolicy
  #claims: ReadonlyMap<string, Claims>
  #expired: PrefixTable<boolean>
  /** By path, as long as nothing changes. */
  readonly #claimsOf = new Map<number, Claims>()
  /** The last flow of ours that was refused. */
  #lastRefused: FlowReport | undefined

  constructor(options: PolicyGateOptions) {
    this.#options = options
    this.#policy = options.policy
    this.#claims = claimsByKey(options.policy.nodes)
    this.#expired = expiredAddresses(options.policy.expired, options.policy.nodes)
  }

  get policy(): FlowPolicy {
    return this.#policy
  }

  /** The flow of ours that was refused last, for whoever has to say why a call just failed. */
  get lastRefused(): FlowReport | undefined {
    return this.#lastRefused
  }

  /** From now on this holds; flows that stand are to be asked about again. */
  setPolicy(policy: FlowPolicy): void {
    this.#policy = policy
    this.#claims = claimsByKey(policy.nodes)
    this.#expired = expiredAddresses(policy.expired, policy.nodes)
    this.#claimsOf.clear()
  }

  admit(
    outbound: boolean,
    protocol: number,
    local: AddressWords,
    localPort: number,
    remote: AddressWords,
    remotePort: number,
    path: number,
    now: number,
  ): FlowTicket | undefined {
    const ticket = new Ticket(protocol, outbound, local, localPort, remote, remotePort, now)
    const { counters } = this
    const { mode } = this.#policy
    this.#judge(ticket, path)
    const { refusal } = ticket
    if (refusal === undefined) {
      counters[outbound ? 'allowedOut' : 'allowedIn']++
      return ticket
    }
    if (mode === 'report') {
      counters[outbound ? 'reportedOut' : 'reportedIn']++
      return ticket
    }
    if (refusal === 'source') counters.deniedSource++
    else if (refusal === 'route') counters.deniedRoute++
    else if (refusal === 'expired') counters[outbound ? 'deniedExpiredOut' : 'deniedExpiredIn']++
    else counters[outbound ? 'deniedOut' : 'deniedIn']++
    this.#deny(ticket, now)
    return undefined
  }

  /** Writes into the ticket which rule allows the flow, or why it is refused. */
  #judge(ticket: Ticket, path: number): void {
    const { protocol, outbound, local, remote } = ticket
    ticket.rule = undefined
    ticket.refusal = undefined
    if (outbound && this.#policy.ignoreOutbound === true) return
    const ours = addressOf(local)
    const theirs = addressOf(remote)
    const standing = outbound ? 'own' : this.#standing(theirs, path)
    ticket.routed = standing === 'routed'
    if (standing === 'none') ticket.refusal = 'source'
    else if (this.#isExpired(ours) || this.#isExpired(theirs)) ticket.refusal = 'expired'
    else {
      const port = portOf(protocol, outbound ? ticket.remotePort : ticket.localPort)
      const [source, destination] = outbound ? [ours, theirs] : [theirs, ours]
      const index = this.#decide(source, destination, protocol, port, standing)
      if (index < 0) ticket.refusal = 'no-rule'
      else if (outbound && this.#leadsElsewhere(theirs, path)) ticket.refusal = 'route'
      else ticket.rule = this.#policy.compiled.ruleAt(index)
    }
  }

  #decide(source: IpAddress, destination: IpAddress, protocol: number, port: number, standing: Standing): number {
    return this.#policy.compiled.decide(source, destination, protocol, port, standing === 'routed')
  }

  isFrom(remote: AddressWords, path: number): boolean {
    return this.#policy.mode === 'report' || this.#standing(addressOf(remote), path) !== 'none'
  }

  mayAnswer(
    protocol: number,
    local: AddressWords,
    localPort: number,
    remote: AddressWords,
    remotePort: number,
    path: number,
  ): boolean {
    const { mode, compiled } = this.#policy
    if (mode === 'report') return true
    const ours = addressOf(local)
    const theirs = addressOf(remote)
    const standing = this.#standing(theirs, path)
    if (standing === 'none' || this.#isExpired(ours) || this.#isExpired(theirs)) return false
    return (
      this.#decide(theirs, ours, protocol, portOf(protocol, localPort), standing) >= 0 ||
      compiled.decide(ours, theirs, protocol, portOf(protocol, remotePort)) >= 0
    )
  }

  mayTalk(local: AddressWords, remote: AddressWords, path: number): boolean {
    const { mode, compiled } = this.#policy
    if (mode === 'report') return true
    const ours = addressOf(local)
    const theirs = addressOf(remote)
    const standing = this.#standing(theirs, path)
    if (standing === 'none' || this.#isExpired(ours) || this.#isExpired(theirs)) return false
    return compiled.mayPing(ours, theirs) || compiled.mayPing(theirs, ours, standing === 'routed')
  }

  mayGoOn(ticket: FlowTicket, path: number): boolean {
    const flow = ticket as Ticket
    const { rule, refusal } = flow
    this.#judge(flow, path)
    if (flow.refusal === undefined || this.#policy.mode === 'report') return true
    flow.cutFor = flow.refusal
    // What the log tells of it is why it was let in.
    flow.rule = rule
    flow.refusal = refusal
    return false
  }

  ended(ticket: FlowTicket, sent: number, received: number, cut: boolean, now: number): void {
    const flow = ticket as Ticket
    if (cut) {
      this.counters[flow.outbound ? 'cutOut' : 'cutIn']++
      flow.refusal = flow.cutFor
    }
    const decision = cut ? 'cut' : flow.refusal === undefined ? 'allowed' : 'reported'
    const bytes = flow.outbound ? { sent, received } : { sent: received, received: sent }
    const report = { ...this.#describe(flow), decision, ...bytes, duration: now - flow.began } as const
    const count = cut || flow.outbound || sent + received > 0 ? 1 : this.#probes.count(report, now)
    if (count > 0) this.#options.report({ ...report, count })
    else this.counters.untold++
  }

  #deny(ticket: Ticket, now: number): void {
    const report = { ...this.#describe(ticket), decision: 'denied' as const, sent: 0, received: 0, duration: 0 }
    if (ticket.outbound) this.#lastRefused = { ...report, count: 1 }
    const count = this.#denials.count(report, now)
    if (count > 0) this.#options.report({ ...report, count })
    else this.counters.untold++
  }

  #describe(ticket: Ticket) {
    const { protocol, outbound, localPort, remotePort, rule, refusal } = ticket
    const local = addressOf(ticket.local)
    const remote = addressOf(ticket.remote)
    const [source, destination] = outbound ? [local, remote] : [remote, local]
    const [from, to] = outbound ? [localPort, remotePort] : [remotePort, localPort]
    const { compiled } = this.#policy
    return {
      outbound,
      protocol,
      source,
      sourcePort: portOf(protocol, from),
      destination,
      destinationPort: portOf(protocol, to),
      sourceNode: refusal === 'source' || ticket.routed ? undefined : compiled.nodeOf(source),
      destinationNode: compiled.nodeOf(destination),
      rule,
      refusal,
    }
  }

  #standing(address: IpAddress, path: number): Standing {
    let claims = this.#claimsOf.get(path)
    if (claims === undefined) {
      const key = this.#options.keyOf(path)
      // A path that is gone comes back under another number.
      if (key === undefined) return 'none'
      claims = this.#claims.get(textOf(key)) ?? noClaims
      this.#claimsOf.set(path, claims)
    }
    return claims.lookup(address, 0, address.length as 4 | 16) ?? 'none'
  }

  /** Whether the key at the other end is neither that of the node with the address nor of a router to it. */
  #leadsElsewhere(address: IpAddress, path: number): boolean {
    if (path === loopbackPath || this.#policy.compiled.nodeOf(address)?.key === undefined) return false
    return this.#standing(address, path) === 'none'
  }

  #isExpired(address: IpAddress): boolean {
    return this.#expired.size > 0 && this.#expired.lookup(address, 0, address.length as 4 | 16) === true
  }
}

/** Echoes have none: what stands in its place tells their direction. */
function portOf(protocol: number, port: number): number {
  return protocol === protocolIcmp || protocol === protocolIcmpv6 ? 0 : port
}

// The policy of one tunnel: its files, who is who by the netmap or the configuration, and what follows when either changes. What
// cannot be used changes nothing: the last good policy stays, and that is said.
import { type Endpoint, formatAddress } from '../../core/base/address.js'
import { encodeKey } from '../../core/base/base64.js'
import type { Config, InterfaceConfig } from '../../core/config/types.js'
import type { FlowPolicy, PolicyMode } from '../../core/host/flow-policy.js'
import type { Host } from '../../core/host/host.js'
import { diagnosticsUnder } from '../../core/policy/clauses.js'
import { type CompiledPolicy, compilePolicy } from '../../core/policy/compile.js'
import { checkNetmap, type Netmap, type NetmapNode } from '../../core/policy/netmap.js'
import { checkNetmapFile } from '../../core/policy/netmap-file.js'
import { TunnelError } from '../../errors.js'
import { explainDenied } from './denied.js'
import { type NetmapPeer, netmapOfPeers } from './netmap-of-peers.js'
import {
  liveOf,
  type PolicySource,
  type ReadNetmap,
  type ReadPolicy,
  readNetmap,
  readPolicy,
  refused,
  warningsOf,
} from './source.js'

export interface PolicyOptions {
  /**
   * Who may reach whom: the path of a policy file, or `{ text }`. Without it everybody. What it does not allow fails with EACCES, and
   * is not let in; a policy that cannot be used opens no tunnel.
   */
  policy?: PolicySource
  /** Who is who: the path of a netmap file, or `{ text }`; by default the names, addresses and tags of the configuration. */
  netmap?: PolicySource
  /** `report` refuses nothing, and tells what it would have refused as 'flow'. */
  policyMode?: PolicyMode
}

/** What of a running tunnel it works on. */
export interface PolicySurroundings {
  readonly host: Host
  /** Monotonic ms. */
  readonly now: () => number
  readonly own: () => Pick<InterfaceConfig, 'name' | 'addresses' | 'tags'>
  readonly ownKey: () => Uint8Array | undefined
  readonly peers: () => readonly NetmapPeer[]
  /** Nodes may have other names, tags and addresses: before flows are cut. */
  readonly netmapChanged: (netmap: Netmap) => void
  /** Something may be due. */
  readonly changed: () => void
  readonly warn: (message: string) => void
}

interface PolicyStatus {
  /** How a running tunnel is told apart from one with another policy: `digest` is of the file's content. */
  readonly policy?: { readonly file: string; readonly mode: PolicyMode; readonly digest: string }
  /** Of the netmap file. */
  readonly nodes?: readonly object[]
}

interface Files {
  readonly policy: ReadPolicy | undefined
  readonly netmap: ReadNetmap | undefined
}

/** How often a netmap's expiries are looked at, at least, ms: clocks are set, and hosts sleep. */
const longestPause = 60_000
/** Warnings of a policy file that are told one by one. */
const shownWarnings = 20
const shownNames = 5

/** Until the first real one: nothing is let through. */
const nothing: CompiledPolicy = {
  decide: () => -1,
  mayPing: () => false,
  ruleAt: () => ({ line: 0, column: 0, text: '' }),
  nodeOf: () => undefined,
  ownerOf: () => undefined,
}

/** Reads the files. Rejects with POLICY_UNREADABLE, POLICY_INVALID, NETMAP_INVALID or USAGE. */
export async function openPolicy(options: PolicyOptions): Promise<TunnelPolicy> {
  const { policyMode } = options
  if (policyMode !== undefined && policyMode !== 'enforce' && policyMode !== 'report') {
    throw new TunnelError('USAGE', `policyMode: enforce or report was expected, not ${String(policyMode)}`)
  }
  if (policyMode !== undefined && options.policy === undefined) {
    throw new TunnelError('USAGE', 'policyMode: there is no policy that it could be about: give one')
  }
  return new TunnelPolicy(options, await readFiles(options))
}

async function readFiles({ policy, netmap }: PolicyOptions): Promise<Files> {
  const [readP, readN] = await Promise.all([
    policy === undefined ? undefined : readPolicy(policy),
    netmap === undefined ? undefined : readNetmap(netmap),
  ])
  return { policy: readP, netmap: readN }
}

export class TunnelPolicy {
  readonly #options: PolicyOptions
  readonly #mode: PolicyMode
  #files: Files
  #surroundings: PolicySurroundings | undefined
  #netmap: Netmap | undefined
  #timer: NodeJS.Timeout | undefined
  #refreshes = false
  #held = false

  /** @internal Use {@link openPolicy}. */
  constructor(options: PolicyOptions, files: Files) {
    this.#options = options
    this.#mode = options.policyMode ?? 'enforce'
    this.#files = files
  }

  /** For the host at its beginning: refuses everything. Undefined where there is a netmap alone. */
  get initial(): FlowPolicy | undefined {
    if (this.#files.policy === undefined) return undefined
    return { compiled: nothing, nodes: [], expired: [], mode: 'enforce' }
  }

  /** The policy's file, for messages. */
  get file(): string {
    return this.#files.policy?.name ?? 'the policy'
  }

  /** The netmap of the file, if there is one, without who is expired. */
  get netmap(): Netmap | undefined {
    return this.#netmap
  }

  /** What other processes of this user may know of it. */
  get status(): PolicyStatus {
    const { policy } = this.#files
    const nodes = this.#netmap?.nodes.map(({ name, tags, addresses, key }) => ({
      name,
      tags,
      addresses: addresses.map(formatAddress),
      ...(key && { publicKey: encodeKey(key) }),
    }))
    return {
      ...(policy && { policy: { file: policy.name, mode: this.#mode, digest: policy.digest } }),
      ...(nodes && { nodes }),
    }
  }

  /** Takes the tunnel over. Throws NETMAP_INVALID. */
  attach(surroundings: PolicySurroundings): void {
    this.#surroundings = surroundings
    this.#apply(this.#files)
    this.#tellWarnings(surroundings)
  }

  /** A peer may have another name, address or tag, or be gone: flows that stand are judged anew before the next packet. */
  peersChanged(): void {
    if (this.#refreshes || this.#held || this.#surroundings === undefined) return
    this.#refreshes = true
    queueMicrotask(() => {
      this.#refreshes = false
      if (!this.#held) this.#refresh()
    })
  }

  /**
   * Reads the files again, runs `change`, which makes the tunnel what `next` says, and takes the files over. Rejects, and nothing
   * changes, with POLICY_UNREADABLE, POLICY_INVALID or NETMAP_INVALID; with what `change` rejects with, the files of before stay.
   */
  async reload<T>(next: Config, change: () => Promise<T>): Promise<T> {
    const files = await readFiles(this.#options)
    const ownKey = this.#surroundings?.ownKey()
    this.#check(files, liveOf(files.netmap?.netmap ?? netmapOfPeers(next.interface, ownKey, next.peers)))
    this.#held = true
    try {
      const result = await change()
      this.#apply(files)
      if (this.#surroundings !== undefined) this.#tellWarnings(this.#surroundings)
      return result
    } finally {
      this.#held = false
      this.peersChanged()
    }
  }

  /** Why a dial was refused; POLICY_DENIED. */
  explain(target: Endpoint): TunnelError {
    return explainDenied(target, this.#surroundings?.host.gate?.lastRefused, this.file)
  }

  close(): void {
    clearTimeout(this.#timer)
    this.#surroundings = undefined
  }

  /** What is due by itself: it must not fail, and if it does, what held before still holds. */
  #refresh(): void {
    const surroundings = this.#surroundings
    if (surroundings === undefined) return
    try {
      this.#apply(this.#files)
    } catch (error) {
      surroundings.warn(`the policy of before stays in force: ${(error as Error).message}`)
    }
  }

  /** Throws NETMAP_INVALID or POLICY_INVALID, and changes nothing then. */
  #apply(files: Files): void {
    const surroundings = this.#surroundings
    if (surroundings === undefined) return
    const { host, own, ownKey, peers, now, netmapChanged, changed } = surroundings
    const whole = files.netmap?.netmap ?? netmapOfPeers(own(), ownKey(), peers())
    const netmap = liveOf(whole)
    this.#check(files, netmap)
    const { policy } = files
    const compiled = policy && compilePolicy(policy.document, netmap)
    this.#files = files
    this.#netmap = files.netmap && netmap
    if (files.netmap !== undefined) netmapChanged(netmap)
    if (compiled !== undefined) {
      const live = new Set(netmap.nodes)
      const expired = whole.nodes.filter(node => !live.has(node))
      host.setPolicy({ compiled, nodes: netmap.nodes, expired, mode: this.#mode, ...unjudged(this.#options) }, now())
      changed()
    }
    this.#watchExpiry(netmap)
  }

  #check({ policy, netmap: file }: Files, netmap: Netmap): void {
    if (file !== undefined) {
      const live = new Set(netmap.nodes)
      const places = file.places.filter((_, i) => live.has(file.netmap.nodes[i] as NetmapNode))
      const problems = checkNetmapFile({ netmap, places, diagnostics: [] }, policy?.document)
      if (problems.length > 0) throw refused('NETMAP_INVALID', file.name, problems)
    } else if (policy !== undefined) {
      const [problem] = checkNetmap(netmap, policy.document)
      if (problem !== undefined)
        throw new TunnelError('NETMAP_INVALID', `the configuration's peers: ${problem.message}`)
    }
  }

  #watchExpiry({ nodes }: Netmap): void {
    clearTimeout(this.#timer)
    const next = nodes.reduce((least, { expiry = least }) => Math.min(least, expiry), Number.POSITIVE_INFINITY)
    if (next === Number.POSITIVE_INFINITY) return
    const look = () => {
      if (Date.now() >= next) this.#refresh()
      else wait()
    }
    const wait = () => {
      this.#timer = setTimeout(look, Math.min(longestPause, Math.max(0, next - Date.now()) + 1)).unref()
    }
    wait()
  }

  #tellWarnings({ own, peers, warn }: PolicySurroundings): void {
    const { policy, netmap } = this.#files
    if (policy !== undefined) {
      const warnings = warningsOf(policy.name, diagnosticsUnder(policy.document, this.#netmap))
      for (const warning of warnings.slice(0, shownWarnings)) warn(warning)
      if (warnings.length > shownWarnings) {
        warn(`${policy.name}: ${warnings.length - shownWarnings} more: \`tunless policy check\` shows them`)
      }
      if (this.#mode === 'report') warn(`${policy.name} refuses nothing: it is in report mode`)
    }
    if (policy === undefined || netmap === undefined) return
    const known = new Set(netmap.netmap.nodes.flatMap(({ addresses }) => addresses.map(formatAddress)))
    const unknown = own()
      .addresses.map(({ address }) => formatAddress(address))
      .filter(address => !known.has(address))
    if (unknown.length > 0)
      warn(`${netmap.name} has no node with this host's ${unknown.join(' and ')}: it may reach nobody`)
    const keys = new Set(netmap.netmap.nodes.map(({ key }) => key?.join()))
    const strangers = peers().filter(({ publicKey }) => !keys.has(publicKey.join()))
    if (strangers.length > 0) {
      const names = strangers
        .slice(0, shownNames)
        .map(({ name, addresses }) => name ?? addresses.map(formatAddress).join())
      const more = strangers.length > shownNames ? ` and ${strangers.length - shownNames} more` : ''
      warn(`${netmap.name} has no node with the key of ${names.join(', ')}${more}: nothing is let in from there`)
    }
  }
}

/** Of a test that wants to see the other end refuse. */
const ignoreOutbound = Symbol.for('tunless.test.ignoreOutbound')

function unjudged(options: PolicyOptions): Pick<FlowPolicy, 'ignoreOutbound'> {
  return (options as Record<symbol, unknown>)[ignoreOutbound] === true ? { ignoreOutbound: true } : {}
}

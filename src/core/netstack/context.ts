// What the protocols of a stack share.
import type { Deadlined, DeadlineHeap } from '../base/deadline-heap.js'
import type { PacketMemory } from '../base/packet-memory.js'
import type { AddressWords } from '../wire/ip.js'
import type { CongestionControlFactory } from './congestion.js'
import type { StackCounters } from './counters.js'
import type { FlowGate } from './gate.js'
import type { Identity } from './identity.js'
import type { StackLimits } from './limits.js'
import type { PacketOutput } from './output.js'
import type { PathTable } from './paths.js'
import type { RandomNumbers } from './random.js'
import type { TrackedFlows } from './tracked-flows.js'

/** Something with a deadline in the stack's one table. */
export interface Timed extends Deadlined {
  handleDeadline(now: number): void
}

export interface StackContext {
  readonly memory: PacketMemory
  readonly mtu: number
  readonly limits: StackLimits
  readonly counters: StackCounters
  readonly deadlines: DeadlineHeap<Timed>
  readonly paths: PathTable
  readonly output: PacketOutput
  readonly random: RandomNumbers
  readonly identity: Identity
  readonly congestion: CongestionControlFactory
  /** Decides who may talk to whom, and what it has let through of UDP and echoes; both or neither. */
  readonly gate: FlowGate | undefined
  readonly tracked: TrackedFlows | undefined
  /** One slot for a packet of the largest size, for what is done with it at once. */
  readonly large: PacketMemory
  /** The latest time that any call brought, for what has no time of its own. */
  now: number
  /** The turn came so late that what it brings has waited long for it. */
  readonly late: boolean
  /** While deadlines are met: whatever came by then was handed in. */
  readonly readUntil: number
  isOwn(address: AddressWords): boolean
  /** Our address that speaks to `remote`; undefined if we have none of its family. */
  sourceFor(remote: AddressWords): AddressWords | undefined
  /** The path to an address, loopbackPath for our own, −1 if there is none. */
  routeTo(remote: AddressWords): number
}

// A host without a kernel: joins a WireGuard device and a TCP/IP stack over one packet memory. The stack knows no peers and
// the device no sockets; a peer's id is the stack's path number. Sans-IO: every input takes `now`, every output goes to the
// sink, and after each input the owner calls flush() once a turn and handleTimeout() at nextDeadline().
import type { Endpoint, Prefix } from '../base/address.js'
import { defaultMemoryBytes, type PacketMemory } from '../base/packet-memory.js'
import type { Crypto } from '../crypto/crypto.js'
import type { CongestionControlFactory } from '../netstack/congestion.js'
import type { CongestionControlName } from '../netstack/congestion-control.js'
import type { StackLimits } from '../netstack/limits.js'
import { Stack } from '../netstack/stack.js'
import type { Timers } from '../wireguard/constants.js'
import { Device, type DeviceEvent, type DeviceLimits, type DeviceTrace, type PeerChange } from '../wireguard/device.js'
import type { Peer } from '../wireguard/peer.js'
import type { FlowPolicy, FlowReport } from './flow-policy.js'
import { createKeyedHash } from './keyed-hash.js'
import { PolicyGate } from './policy-gate.js'
import { slotSizeFor } from './slot-size.js'

export interface HostSink {
  /** A datagram for the network: `memory.u8[slot … slot + length)`. The slot is given away. */
  sendDatagram(slot: number, length: number, endpoint: Endpoint): void
  /** What the device saw, after the stack was told. */
  report(event: DeviceEvent): void
  /** Packets larger than `mtu` bytes vanish on the way to a peer, and no router says so. Once for each size. */
  reportMtu?(peer: Peer, mtu: number): void
  /** A flow that the policy let through is over, or one was refused. */
  reportFlow?(flow: FlowReport): void
}

export interface HostOptions {
  readonly crypto: Crypto
  /** Fills `bytes` from a secure source. */
  readonly random: (bytes: Uint8Array) => void
  readonly privateKey: Uint8Array
  /** Own addresses in the tunnel. */
  readonly addresses: readonly Prefix[]
  readonly peers?: readonly PeerChange[]
  /** Largest inner packet, in bytes. */
  readonly mtu: number
  readonly sink: HostSink
  /** Monotonic milliseconds at the start. */
  readonly now: number
  /** Packet memory that `crypto` made, with slots by slot-size.ts; by default the host has it make its own. */
  readonly memory?: PacketMemory
  /** Size of the host's own packet memory, 56 MiB by default. */
  readonly memoryBytes?: number
  /** Of TCP connections: by name, or one of the caller's own. BBR by default. */
  readonly congestion?: CongestionControlName | CongestionControlFactory
  /** Who may talk to whom; without it everybody. */
  readonly policy?: FlowPolicy
  /** Shortened in tests only. */
  readonly timers?: Partial<Timers>
  readonly deviceLimits?: Partial<DeviceLimits>
  readonly stackLimits?: Partial<StackLimits>
  /** Shows what passes outside and inside, and the secrets of handshakes. */
  readonly trace?: DeviceTrace
}

export class Host {
  readonly memory: PacketMemory
  readonly device: Device
  readonly stack: Stack
  /** Only with a policy. */
  readonly gate: PolicyGate | undefined
  #now: number

  constructor(options: HostOptions) {
    const { crypto, random, sink } = options
    this.#now = options.now
    this.memory =
      options.memory ?? crypto.createMemory(options.memoryBytes ?? defaultMemoryBytes, slotSizeFor(options.mtu))
    this.device = new Device({
      crypto,
      memory: this.memory,
      random,
      mtu: options.mtu,
      sink: {
        sendDatagram: sink.sendDatagram,
        deliverPacket: (slot, offset, length, peer) =>
          this.stack.handlePacket(slot, offset, length, peer.id, this.#now),
        report: event => {
          this.#tellStack(event)
          sink.report(event)
        },
      },
      ...(options.timers && { timers: options.timers }),
      ...(options.deviceLimits && { limits: options.deviceLimits }),
      ...(options.trace && { trace: options.trace }),
    })
    this.gate =
      options.policy &&
      new PolicyGate({
        policy: options.policy,
        keyOf: path => this.device.peerById(path)?.publicKey,
        report: flow => sink.reportFlow?.(flow),
      })
    this.stack = new Stack({
      memory: this.memory,
      random,
      keyedHash: createKeyedHash(crypto, random),
      addresses: options.addresses,
      mtu: options.mtu,
      route: (bytes, offset, length) => this.device.route(bytes, offset, length)?.id ?? -1,
      pathReady: path => {
        const peer = this.device.peerById(path)
        return peer !== undefined && this.device.canSend(peer, this.#now)
      },
      wakePath: (path, now) => {
        const peer = this.device.peerById(path)
        if (peer !== undefined) this.device.initiate(peer, now)
      },
      sink: {
        sendPacket: (slot, offset, length, path, now) => {
          const peer = this.device.peerById(path) ?? this.#reroute(offset)
          if (peer === undefined) this.memory.free(slot)
          else this.device.sendPacket(slot, offset, length, peer, now)
        },
        reportMtu: (path, mtu) => {
          const peer = this.device.peerById(path)
          if (peer !== undefined) sink.reportMtu?.(peer, mtu)
        },
      },
      ...(this.gate && { gate: this.gate }),
      ...(options.congestion && { congestion: options.congestion }),
      ...(options.stackLimits && { limits: options.stackLimits }),
    })
    this.device.setPrivateKey(options.privateKey, options.now)
    for (const peer of options.peers ?? []) this.device.setPeer(peer, options.now)
  }

  /** Takes a peer away; flows to addresses that another peer has by now go on there. False if there is none. */
  removePeer(publicKey: Uint8Array, now: number): boolean {
    this.#now = now
    const peer = this.device.peer(publicKey)
    if (peer === undefined) return false
    this.device.removePeer(publicKey, now)
    this.stack.handlePathDown(peer.id, now, true)
    return true
  }

  /** From now on this policy holds, for flows that stand, too. Only for a host that was made with one. */
  setPolicy(policy: FlowPolicy, now: number): void {
    this.#now = now
    if (this.gate === undefined) throw new Error('the host was made without a policy')
    this.gate.setPolicy(policy)
    this.stack.recheck(now)
  }

  /** Whose packet it is by its destination, where the peer that its flow had is gone: a peer's new key takes the flows over. */
  #reroute(offset: number): Peer | undefined {
    const { u8 } = this.memory
    const isIpv4 = (u8[offset] as number) >> 4 === 4
    return this.device.route(u8, offset + (isIpv4 ? 16 : 24), isIpv4 ? 4 : 16)
  }

  #tellStack(event: DeviceEvent): void {
    if (event.type === 'session') this.stack.handlePathUp(event.peer.id, this.#now)
    else if (event.type === 'heard') this.stack.handlePathHeard(event.peer.id, this.#now)
    else if (event.type === 'gave-up') this.stack.handlePathDown(event.peer.id, this.#now)
  }

  /** A datagram from `source` stands at `memory.u8[slot … slot + length)`. The slot is given away. True for genuine data of a session. */
  handleDatagram(slot: number, length: number, source: Endpoint, now: number): boolean {
    this.#now = now
    return this.device.handleDatagram(slot, length, source, now)
  }

  /**
   * Does what is due at `now`; `wall` is milliseconds since 1970, for the timestamps of handshakes alone. Whatever came by
   * `readUntil` was handed in: what was due later is not held against peers whose answer may lie unread.
   */
  handleTimeout(now: number, wall: number, readUntil = now): void {
    this.#now = now
    this.stack.handleTimeout(now, readUntil)
    this.device.handleTimeout(now, wall)
  }

  /** When to call {@link handleTimeout}: monotonic milliseconds, `Infinity` if nothing is pending. */
  nextDeadline(): number {
    return Math.min(this.device.nextDeadline(), this.stack.nextDeadline())
  }

  /** Once a turn: up to `budget` packets leave, then sockets hear what happened. True if there is more to do. */
  flush(now: number, budget: number): boolean {
    this.#now = now
    return this.stack.flush(now, budget)
  }

  /** Resets every connection, sends that, and forgets all keys. */
  close(now: number): void {
    this.#now = now
    this.stack.close(now)
    this.device.stop(now)
  }
}

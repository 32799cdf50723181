// Data messages (WireGuard paper, 5.4.6): an inner packet is sealed and opened where it lies, 16 bytes into its slot. The
// functions here run once a packet; they allocate nothing.
import type { Endpoint } from '../base/address.js'
import { noSlot } from '../base/packet-memory.js'
import { tagLength } from '../crypto/crypto.js'
import { dataCounterHi, dataCounterLo, dataHeaderSize, dataMinSize, writeDataHeader } from '../wire/wireguard.js'
import {
  noteDataReceived,
  noteDataSent,
  noteEndpoint,
  noteReceived,
  noteSent,
  noteSessionStands,
  noteTraversal,
} from './activity.js'
import { paddingMultiple } from './constants.js'
import type { DeviceContext } from './context.js'
import { canSend, mayUse, renewOnReceive, renewOnSend, wantInitiation } from './initiate.js'
import { innerPacketLength, sourceOffset } from './inner-packet.js'
import type { Keypair } from './keypair.js'
import type { PeerState } from './peer.js'

/** Sends the inner packet of `length` bytes at `slot + 16`, or stages it and asks for a session. Takes the slot. */
export function sendPacket(device: DeviceContext, peer: PeerState, slot: number, length: number, now: number): boolean {
  if (peer.endpoint === undefined) {
    device.counters.noEndpoint++
    device.memory.free(slot)
    return false
  }
  if (canSend(device, peer, now)) {
    transmit(device, peer, peer.keypairs.current as Keypair, slot, length, now)
  } else {
    device.counters.stagedDropped += peer.staged.push(slot, length)
    wantInitiation(device, peer, now)
  }
  return true
}

/** Sends what waited for a session, in order. */
export function sendStaged(device: DeviceContext, peer: PeerState, now: number): void {
  if (peer.staged.size > 0) peer.staged.drain((slot, length) => sendPacket(device, peer, slot, length, now))
}

/** Sends an empty packet, or asks for a session, whose first packet will do as well. */
export function sendKeepalive(device: DeviceContext, peer: PeerState, now: number): void {
  if (peer.endpoint === undefined || !canSend(device, peer, now)) {
    wantInitiation(device, peer, now)
    return
  }
  const slot = device.memory.alloc()
  if (slot === noSlot) {
    device.counters.noMemory++
    return
  }
  device.counters.keepalivesSent++
  transmit(device, peer, peer.keypairs.current as Keypair, slot, 0, now)
}

function transmit(
  device: DeviceContext,
  peer: PeerState,
  keypair: Keypair,
  slot: number,
  length: number,
  now: number,
): void {
  const { memory } = device
  const padded = paddedLength(length, device.mtu)
  const total = dataHeaderSize + padded + tagLength
  if (total > memory.slotSize) {
    device.counters.tooLong++
    memory.free(slot)
    return
  }
  const offset = slot + dataHeaderSize
  for (let i = length; i < padded; i++) memory.u8[offset + i] = 0
  if (device.trace !== undefined && length > 0) device.trace.packet?.(memory, offset, length, true)
  writeDataHeader(memory.view, slot, keypair.remoteIndex, keypair.sendHi, keypair.sendLo)
  keypair.sending.seal(memory, offset, padded, keypair.sendHi, keypair.sendLo)
  keypair.advance()
  peer.txBytes += total
  noteTraversal(peer, now)
  noteSent(peer)
  if (length > 0) noteDataSent(device, peer, now)
  renewOnSend(device, peer, keypair, now)
  device.sink.sendDatagram(slot, total, peer.endpoint as Endpoint)
}

/** Padded with zeros to a multiple of 16, but not past the MTU; of a packet beyond the MTU, the last unit (kernel, send.c). */
export function paddedLength(length: number, mtu: number): number {
  const last = mtu > 0 && length > mtu ? length % mtu : length
  const padded = Math.ceil(last / paddingMultiple) * paddingMultiple
  return length - last + (mtu > 0 ? Math.min(mtu, padded) : padded)
}

/** Opens the data message of `length` bytes at `slot`, and delivers what it holds. Takes the slot. True if it is genuine. */
export function receiveData(
  device: DeviceContext,
  slot: number,
  length: number,
  source: Endpoint,
  now: number,
): boolean {
  const { memory, counters } = device
  const keypair = device.indices.get(memory.view.getUint32(slot + 4, true))
  if (keypair === undefined || keypair.kind !== 'keypair') {
    counters.unknownIndex++
    memory.free(slot)
    return false
  }
  const hi = dataCounterHi(memory.view, slot)
  const lo = dataCounterLo(memory.view, slot)
  if (!mayUse(device, keypair, now)) counters.expiredKeypair++
  else if (!keypair.replay.mayAccept(hi, lo)) counters.replayedData++
  else if (!keypair.receiving.open(memory, slot + dataHeaderSize, length - dataHeaderSize, hi, lo)) counters.badData++
  else {
    keypair.replay.accept(hi, lo)
    receiveGenuine(device, keypair, slot, length, source, now)
    return true
  }
  memory.free(slot)
  return false
}

function receiveGenuine(
  device: DeviceContext,
  keypair: Keypair,
  slot: number,
  length: number,
  source: Endpoint,
  now: number,
): void {
  const { memory, counters, sink } = device
  const { peer } = keypair
  noteEndpoint(device, peer, source, now)
  if (peer.keypairs.confirm(keypair) && keypair.maySend) {
    noteSessionStands(device, peer, now)
    sendStaged(device, peer, now)
    sink.report({ type: 'session', peer, at: now, initiator: false })
  }
  renewOnReceive(device, peer, now)
  noteReceived(peer, now)
  noteTraversal(peer, now)
  const plaintextLength = length - dataMinSize
  if (plaintextLength === 0) {
    peer.rxBytes += length
    memory.free(slot)
    sink.report({ type: 'heard', peer, at: now })
    return
  }
  noteDataReceived(device, peer, now)
  const offset = slot + dataHeaderSize
  const innerLength = innerPacketLength(memory.u8, offset, plaintextLength)
  const isIpv4 = (memory.u8[offset] as number) >> 4 === 4
  if (device.trace !== undefined && innerLength > 0) device.trace.packet?.(memory, offset, innerLength, false)
  if (innerLength === 0) counters.badInnerPacket++
  else if (device.allowedIps.lookup(memory.u8, offset + sourceOffset(isIpv4), isIpv4 ? 4 : 16) !== peer)
    counters.badInnerSource++
  else {
    peer.rxBytes += length
    sink.deliverPacket(slot, offset, innerLength, peer)
    return
  }
  memory.free(slot)
}

// The handshake as WireGuard runs it (paper, 5.4.2 to 5.4.5 and 5.4.7): what is sent, what is accepted, and the keypair that
// comes of it. Noise itself is in noise.ts. The initiator's state is kept apart from what is answered, so that two peers
// that call each other at once both get through.
import { type Endpoint, sameEndpoint } from '../base/address.js'
import { noSlot } from '../base/packet-memory.js'
import { SecretKey } from '../base/secret.js'
import type { PrivateKey } from '../crypto/crypto.js'
import {
  type Initiation,
  parseCookieReply,
  parseInitiation,
  parseResponse,
  serialiseInitiation,
  serialiseResponse,
} from '../wire/wireguard.js'
import {
  noteEndpoint,
  noteInitiationSent,
  noteReceived,
  noteSent,
  noteSessionDerived,
  noteSessionStands,
  noteTraversal,
} from './activity.js'
import { construction, identifier } from './constants.js'
import type { DeviceContext } from './context.js'
import { Keypair } from './keypair.js'
import {
  readInitiationPayload,
  readInitiationStatic,
  readResponse,
  SymmetricState,
  writeInitiation,
  writeResponse,
} from './noise.js'
import { type PeerState, PendingInitiation } from './peer.js'
import { compareTimestamps } from './tai64n.js'
import { traceHandshake } from './trace.js'
import { sendKeepalive, sendStaged } from './transport.js'

const noPayload = new Uint8Array(0)
/** Further addresses of one initiation that are remembered, for the round trip. */
const longestResent = 8

/** Sends a fresh initiation, in place of the one that may be pending. */
export function sendInitiation(device: DeviceContext, peer: PeerState, now: number, wall: number): void {
  const { crypto, identity } = device
  if (identity === undefined || peer.staticStatic === undefined || peer.endpoint === undefined) return
  peer.dropPending()
  const state = SymmetricState.start(crypto, construction, identifier)
  const ephemeral = createEphemeral(device, peer)
  const timestamp = device.clock.next(wall, peer.lastSentTimestamp)
  const fields = writeInitiation(crypto, state, ephemeral, identity.key, peer.publicKey, peer.staticStatic, timestamp)
  if (fields === undefined) {
    ephemeral.wipe()
    state.wipe()
    return
  }
  peer.lastSentTimestamp = timestamp
  const index = device.indices.draw()
  const message = serialiseInitiation({
    sender: index,
    ephemeral: fields.ephemeral,
    encryptedStatic: fields.encryptedStatic,
    encryptedTimestamp: fields.encryptedPayload,
  })
  peer.macs.write(message, now)
  peer.pending = new PendingInitiation({ peer, index, sentAt: now, ephemeral, state, message })
  device.indices.set(index, peer.pending)
  peer.attempts++
  device.counters.initiationsSent++
  noteInitiationSent(device, peer, now)
  sendHandshake(device, peer, message, now)
  device.sink.report({ type: 'initiation', peer, at: now, attempt: peer.attempts })
}

/**
 * Sends the initiation that awaits its response to another address of the peer's, byte for byte: a peer that got both takes the
 * second for a replay. Nothing else moves. False if none is pending.
 */
export function resendInitiation(device: DeviceContext, peer: PeerState, endpoint: Endpoint, now: number): boolean {
  if (peer.pending === undefined) return false
  const { message, resent } = peer.pending
  if (resent.length < longestResent) resent.push({ endpoint, at: now })
  if (sendMessage(device, message, endpoint)) peer.txBytes += message.length
  return true
}

/** Answers an initiation whose MACs are in order, if it comes from a peer and is not a replay. */
export function handleInitiation(device: DeviceContext, bytes: Uint8Array, source: Endpoint, now: number): void {
  const message = parseInitiation(bytes)
  if (message === undefined || device.identity === undefined) return
  const state = SymmetricState.start(device.crypto, construction, identifier)
  const peer = authenticate(device, device.identity.key, state, message, now)
  if (peer !== undefined) {
    peer.rxBytes += bytes.length
    noteReceived(peer, now)
    noteEndpoint(device, peer, source, now)
    sendResponse(device, peer, state, message.ephemeral, message.sender, now)
  }
  state.wipe()
}

/** Whose initiation it is; undefined, and nothing has changed but a count, if it is nobody's or an old one. */
function authenticate(
  device: DeviceContext,
  key: PrivateKey,
  state: SymmetricState,
  message: Initiation,
  now: number,
): PeerState | undefined {
  const { crypto, counters, timers } = device
  const remoteStatic = readInitiationStatic(crypto, state, key, message)
  const peer = remoteStatic && device.peerByKey(remoteStatic)
  const timestamp = peer?.staticStatic && readInitiationPayload(state, peer.staticStatic, message.encryptedTimestamp)
  if (remoteStatic === undefined) counters.badHandshake++
  else if (peer?.staticStatic === undefined) counters.unknownPeer++
  else if (timestamp === undefined) counters.badHandshake++
  else if (peer.latestTimestamp !== undefined && compareTimestamps(timestamp, peer.latestTimestamp) <= 0)
    counters.replayedInitiation++
  else if (now < peer.lastInitiationAcceptedAt + timers.initiationInterval) counters.tooSoonInitiation++
  else {
    peer.latestTimestamp = timestamp
    peer.lastInitiationAcceptedAt = now
    return peer
  }
  return undefined
}

/** Answers, and derives the keypair that the initiator's first packet will confirm. */
function sendResponse(
  device: DeviceContext,
  peer: PeerState,
  state: SymmetricState,
  remoteEphemeral: Uint8Array,
  remoteIndex: number,
  now: number,
): void {
  const { crypto } = device
  const ephemeral = createEphemeral(device, peer)
  const fields = writeResponse(crypto, state, ephemeral, remoteEphemeral, peer.publicKey, peer.presharedKey, noPayload)
  ephemeral.wipe()
  if (fields === undefined) {
    device.counters.badHandshake++
    return
  }
  const localIndex = device.indices.draw()
  const keypair = deriveKeypair(device, peer, state, false, localIndex, remoteIndex, now)
  device.indices.set(localIndex, keypair)
  peer.keypairs.installResponders(keypair)
  noteSessionDerived(device, peer, now)
  const message = serialiseResponse({
    sender: localIndex,
    receiver: remoteIndex,
    ephemeral: fields.ephemeral,
    encryptedNothing: fields.encryptedPayload,
  })
  peer.macs.write(message, now)
  device.counters.responsesSent++
  sendHandshake(device, peer, message, now)
}

/** Takes the response to our initiation, and confirms the session at once. */
export function handleResponse(device: DeviceContext, bytes: Uint8Array, source: Endpoint, now: number): void {
  const { crypto, identity, counters } = device
  const message = parseResponse(bytes)
  if (message === undefined || identity === undefined) return
  const pending = device.indices.get(message.receiver)
  if (pending === undefined || pending.kind !== 'handshake') {
    counters.unknownIndex++
    return
  }
  const { peer } = pending
  const state = pending.state.clone()
  const payload = readResponse(crypto, state, pending.ephemeral, identity.key, peer.presharedKey, {
    ephemeral: message.ephemeral,
    encryptedPayload: message.encryptedNothing,
  })
  if (payload === undefined) {
    counters.badHandshake++
    state.wipe()
    return
  }
  const keypair = deriveKeypair(device, peer, state, true, pending.index, message.sender, now)
  state.wipe()
  peer.dropPending()
  device.indices.set(keypair.localIndex, keypair)
  peer.keypairs.installInitiators(keypair)
  peer.rxBytes += bytes.length
  noteSessionDerived(device, peer, now)
  noteReceived(peer, now)
  noteTraversal(peer, now)
  noteEndpoint(device, peer, source, now)
  noteSessionStands(device, peer, now)
  sendStaged(device, peer, now)
  const sentAt = pending.resent.findLast(({ endpoint }) => sameEndpoint(endpoint, source))?.at ?? pending.sentAt
  device.sink.report({ type: 'session', peer, at: now, initiator: true, rtt: now - sentAt })
  const isConfirmed = keypair.sendLo > 0 || keypair.sendHi > 0
  if (!isConfirmed && peer.keypairs.current === keypair) sendKeepalive(device, peer, now)
}

/** Stores the cookie, which the next initiation will carry. Nothing else moves. */
export function handleCookieReply(device: DeviceContext, bytes: Uint8Array, now: number): void {
  const message = parseCookieReply(bytes)
  const entry = message === undefined ? undefined : device.indices.get(message.receiver)
  if (message === undefined || entry === undefined) {
    device.counters.unknownIndex++
    return
  }
  const { peer } = entry
  if (peer.macs.takeCookie(message.nonce, message.encryptedCookie, now)) {
    device.sink.report({ type: 'cookie', peer, at: now })
  } else device.counters.badCookieReply++
}

function createEphemeral(device: DeviceContext, peer: PeerState): PrivateKey {
  const secret = SecretKey.copy(new Uint8Array(32))
  device.random(secret)
  const ephemeral = device.crypto.privateKey(secret)
  if (device.trace !== undefined) traceHandshake(device, peer, secret)
  secret.fill(0)
  return ephemeral
}

function deriveKeypair(
  device: DeviceContext,
  peer: PeerState,
  state: SymmetricState,
  isInitiator: boolean,
  localIndex: number,
  remoteIndex: number,
  now: number,
): Keypair {
  const [initiators, responders] = state.split()
  const sending = device.crypto.transportKey(isInitiator ? initiators : responders)
  const receiving = device.crypto.transportKey(isInitiator ? responders : initiators)
  initiators.fill(0)
  responders.fill(0)
  return new Keypair({ peer, isInitiator, localIndex, remoteIndex, createdAt: now, sending, receiving })
}

function sendHandshake(device: DeviceContext, peer: PeerState, message: Uint8Array, now: number): void {
  peer.lastSentHandshakeAt = now
  noteTraversal(peer, now)
  noteSent(peer)
  if (peer.endpoint !== undefined && sendMessage(device, message, peer.endpoint)) peer.txBytes += message.length
}

/** Sends a message that does not lie in packet memory; false if there is no room for it there. */
export function sendMessage(device: DeviceContext, message: Uint8Array, endpoint: Endpoint): boolean {
  const slot = device.memory.alloc()
  if (slot === noSlot) {
    device.counters.noMemory++
    return false
  }
  device.memory.u8.set(message, slot)
  device.sink.sendDatagram(slot, message.length, endpoint)
  return true
}

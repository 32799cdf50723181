// When a handshake is wanted. Nothing here sends: the initiation itself is created when the timer fires, which is where
// the wall clock for its timestamp comes in.
import type { DeviceContext } from './context.js'
import type { Keypair } from './keypair.js'
import type { PeerState } from './peer.js'
import { timer } from './timers.js'

/** Whether a keypair stands that may send. */
export function canSend(device: DeviceContext, peer: PeerState, now: number): boolean {
  const keypair = peer.keypairs.current
  return keypair !== undefined && mayUse(device, keypair, now) && keypair.maySend && keypair.hasCounter
}

/** Whether a keypair is young enough to be used at all. */
export function mayUse(device: DeviceContext, keypair: Keypair, now: number): boolean {
  return now < keypair.createdAt + device.timers.rejectAfterTime
}

/**
 * Asks for a handshake: at once, or when the last one of ours is old enough. An attempt that is already under way goes on
 * instead, with a fresh count: it is not given up while there is something to send.
 */
export function wantInitiation(device: DeviceContext, peer: PeerState, now: number): void {
  peer.attempts = 0
  peer.awaitsEndpoint = peer.endpoint === undefined
  if (peer.staticStatic === undefined || peer.endpoint === undefined) return
  if (peer.timers.isSet(timer.retry) || peer.timers.isSet(timer.initiate)) return
  peer.timers.set(timer.initiate, Math.max(now, peer.lastSentHandshakeAt + device.timers.rekeyTimeout))
}

/** After sending: the initiator renews an old keypair, either side a worn one (WireGuard paper, 6.2). */
export function renewOnSend(device: DeviceContext, peer: PeerState, keypair: Keypair, now: number): void {
  const old = keypair.isInitiator && now - keypair.createdAt >= device.timers.rekeyAfterTime
  if (old || keypair.isWorn) wantInitiation(device, peer, now)
}

/** After receiving: the initiator renews, once, a keypair that would end before a passive keepalive could renew it. */
export function renewOnReceive(device: DeviceContext, peer: PeerState, now: number): void {
  const keypair = peer.keypairs.current
  if (peer.renewedOnReceive || keypair === undefined || !keypair.maySend || !keypair.isInitiator) return
  const { rejectAfterTime, keepaliveTimeout, rekeyTimeout } = device.timers
  if (now - keypair.createdAt < rejectAfterTime - keepaliveTimeout - rekeyTimeout) return
  peer.renewedOnReceive = true
  wantInitiation(device, peer, now)
}

// What each event means for a peer's timers (WireGuard paper, section 6; kernel, timers.c): one function an event.
import { type Endpoint, sameEndpoint } from '../base/address.js'
import { contestedPeriod, contestedTimes, zeroAfterRejects } from './constants.js'
import type { DeviceContext } from './context.js'
import type { PeerState } from './peer.js'
import { timer } from './timers.js'

/** Anything authenticated was sent: no keepalive is due. */
export function noteSent(peer: PeerState): void {
  peer.timers.clear(timer.keepalive)
  peer.needsAnotherKeepalive = false
}

/** Anything authenticated came: the session is not lost. */
export function noteReceived(peer: PeerState, now: number): void {
  peer.timers.clear(timer.silence)
  peer.lastReceivedAt = now
}

/** Anything authenticated went either way: the path is kept open for another interval. */
export function noteTraversal(peer: PeerState, now: number): void {
  if (peer.persistentKeepalive > 0) peer.timers.set(timer.persistent, now + peer.persistentKeepalive * 1000)
}

/** Data was sent: if nothing comes back, the session is lost. */
export function noteDataSent(device: DeviceContext, peer: PeerState, now: number): void {
  if (peer.timers.isSet(timer.silence)) return
  const { keepaliveTimeout, rekeyTimeout } = device.timers
  peer.timers.set(timer.silence, now + keepaliveTimeout + rekeyTimeout + device.jitter())
}

/** Data came: if nothing is sent, a keepalive says that it did; a second one if there was more of it meanwhile. */
export function noteDataReceived(device: DeviceContext, peer: PeerState, now: number): void {
  if (peer.timers.isSet(timer.keepalive)) peer.needsAnotherKeepalive = true
  else peer.timers.set(timer.keepalive, now + device.timers.keepaliveTimeout)
}

export function noteInitiationSent(device: DeviceContext, peer: PeerState, now: number): void {
  peer.timers.clear(timer.initiate)
  peer.timers.set(timer.retry, now + device.timers.rekeyTimeout + device.jitter())
}

/** A keypair was derived: it has its end, and so have the leftovers of handshakes. */
export function noteSessionDerived(device: DeviceContext, peer: PeerState, now: number): void {
  const { rejectAfterTime } = device.timers
  peer.timers.set(timer.zero, now + zeroAfterRejects * rejectAfterTime)
  if (!peer.timers.isSet(timer.expire)) peer.timers.set(timer.expire, peer.keypairs.oldest() + rejectAfterTime)
}

/** A handshake is complete: both sides have the keypair. */
export function noteSessionStands(device: DeviceContext, peer: PeerState, now: number): void {
  peer.timers.clear(timer.retry)
  peer.timers.clear(timer.initiate)
  peer.attempts = 0
  peer.renewedOnReceive = false
  peer.lastHandshakeAt = now
  device.counters.sessions++
  if (peer.fellSilent) noteRevival(device, peer, now)
}

/** A session that had fallen silent young was replaced: if that happens again and again, somebody else takes them away. */
function noteRevival(device: DeviceContext, peer: PeerState, now: number): void {
  peer.fellSilent = false
  peer.revivals.push(now)
  if (peer.revivals.length < contestedTimes) return
  const first = peer.revivals.shift() as number
  if (now - first > contestedPeriod) return
  peer.revivals.length = 0
  device.sink.report({ type: 'contested', peer, at: now })
}

/** Roaming (WireGuard paper, 2.1): answers go to where the last genuine message came from. */
export function noteEndpoint(device: DeviceContext, peer: PeerState, source: Endpoint, now: number): void {
  if (peer.endpoint !== undefined && sameEndpoint(peer.endpoint, source)) return
  peer.endpoint = source
  device.sink.report({ type: 'endpoint', peer, at: now, endpoint: source })
}

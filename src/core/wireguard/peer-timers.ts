// What happens when a peer's timer fires (WireGuard paper, section 6; kernel, timers.c).
import { noteTraversal } from './activity.js'
import { contestedSilence, zeroAfterRejects } from './constants.js'
import type { DeviceContext } from './context.js'
import { sendInitiation } from './handshake.js'
import { wantInitiation } from './initiate.js'
import type { PeerState } from './peer.js'
import { type Timer, timer } from './timers.js'
import { sendKeepalive } from './transport.js'

/** Fires all timers of the peer that are due. `wall` is the wall clock, for the timestamp of an initiation. */
export function fireTimers(device: DeviceContext, peer: PeerState, now: number, wall: number): void {
  for (let due = peer.timers.takeDue(now); due !== undefined; due = peer.timers.takeDue(now))
    fire(device, peer, due, now, wall)
  peer.timers.schedule()
}

function fire(device: DeviceContext, peer: PeerState, due: Timer, now: number, wall: number): void {
  const { timers, counters, sink } = device
  switch (due) {
    case timer.initiate:
    case timer.retry: {
      const earliest = peer.lastSentHandshakeAt + timers.rekeyTimeout
      if (now < earliest) peer.timers.set(due, earliest)
      else if (peer.attempts < device.limits.initiationAttempts) sendInitiation(device, peer, now, wall)
      else {
        peer.timers.clear(timer.keepalive)
        counters.stagedDropped += peer.staged.clear()
        if (!peer.timers.isSet(timer.zero)) peer.timers.set(timer.zero, now + zeroAfterRejects * timers.rejectAfterTime)
        sink.report({ type: 'gave-up', peer, at: now })
      }
      return
    }
    case timer.keepalive: {
      const another = peer.needsAnotherKeepalive
      peer.needsAnotherKeepalive = false
      sendKeepalive(device, peer, now)
      if (another) peer.timers.set(timer.keepalive, now + timers.keepaliveTimeout)
      return
    }
    case timer.persistent:
      sendKeepalive(device, peer, now)
      noteTraversal(peer, now)
      return
    case timer.silence:
      peer.fellSilent = peer.lastReceivedAt - peer.lastHandshakeAt <= contestedSilence
      wantInitiation(device, peer, now)
      return
    case timer.expire: {
      const oldest = peer.keypairs.expire(now, timers.rejectAfterTime)
      peer.timers.set(timer.expire, oldest + timers.rejectAfterTime)
      return
    }
    case timer.zero:
      peer.dropPending()
      peer.keypairs.clear()
  }
}

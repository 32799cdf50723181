// How connections end (RFC 9293, 3.6): orderly, into TIME-WAIT, by RST in either direction, by a timer; and the bounds
// on those that their owner left.
import { flagAck, flagRst } from '../../wire/tcp.js'
import type { FlowGate } from '../gate.js'
import type { SocketCode } from '../types.js'
import { orphanFinWait2, orphanProgress } from './constants.js'
import type { TcpLayer } from './layer.js'
import { sendControl } from './segment.js'
import {
  stateClosed,
  stateCloseWait,
  stateClosing,
  stateEstablished,
  stateFinWait1,
  stateFinWait2,
  stateSynReceived,
  stateSynSent,
} from './states.js'
import { eventClosed, type Tcb } from './tcb.js'

/** FIN after what is queued. */
export function endSending(c: Tcb): void {
  if (c.finQueued || c.stateCode === stateClosed) return
  c.finQueued = true
  c.layer.wantSend(c)
}

/** RST, gone. */
export function abort(c: Tcb, code: SocketCode | undefined, now: number): void {
  if (c.stateCode === stateClosed) return
  if (c.stateCode >= stateSynReceived) {
    sendControl(c, flagRst | flagAck, now)
    c.layer.context.counters.tcpResetsSent++
  }
  remove(c, code)
}

/** Resets the connections that the gate allows no more; their owners hear EACCES. */
export function cutRefused(layer: TcpLayer, gate: FlowGate, now: number): void {
  for (const c of layer.flows.all()) {
    if (c.ticket === undefined || gate.mayGoOn(c.ticket, c.path)) continue
    layer.context.counters.gatedFlowsCut++
    giveTicketBack(c, true, now)
    abort(c, 'EACCES', now)
  }
}

function giveTicketBack(c: Tcb, isCut: boolean, now: number): void {
  const { ticket } = c
  if (ticket === undefined) return
  c.ticket = undefined
  c.layer.context.gate?.ended(ticket, c.bytesSent, c.bytesReceived, isCut, now)
}

/** The owner lets go (RFC 1122, 4.2.2.13; RFC 2525, 2.17). */
export function letGo(c: Tcb, now: number): void {
  c.released = true
  if (c.stateCode === stateClosed || c.orphan) {
    c.received.clear()
    return
  }
  const { counters, limits } = c.layer.context
  if (c.stateCode === stateSynSent) {
    remove(c, undefined)
    return
  }
  if (c.received.length > 0 || c.stateCode === stateSynReceived) {
    abort(c, undefined, now)
    return
  }
  if (c.layer.orphans >= limits.orphans) {
    counters.tcpOrphansFull++
    abort(c, undefined, now)
    return
  }
  c.orphan = true
  c.layer.orphans++
  c.keepAliveAt = Infinity
  c.layer.raise(c, eventClosed)
  endSending(c)
  armOrphan(c, now)
}

/** Bounds the life of an orphan: the peer's FIN in time, or progress of its own data. */
export function armOrphan(c: Tcb, now: number): void {
  c.lifetimeAt = now + (c.stateCode === stateFinWait2 ? orphanFinWait2 : orphanProgress)
  c.layer.schedule(c)
}

/** Our FIN was acknowledged, and the peer's FIN received: the wait is a record's business. */
export function enterTimeWait(c: Tcb, now: number): void {
  c.layer.timeWait.add(
    {
      local: c.local,
      remote: c.remote,
      localPort: c.localPort,
      remotePort: c.remotePort,
      sndNxt: c.sndNxt,
      rcvNxt: c.rcvNxt,
      tsOk: c.tsOk,
      tsOffset: c.tsOffset,
      tsRecent: c.tsRecent,
      tsRecentAt: c.tsRecentAt,
      window: Math.min(0xffff, Math.max(0, (c.rcvAdv - c.rcvNxt) | 0) >> c.rcvShift),
    },
    now,
  )
  // Not for the ACK that ends CLOSING, which asks for nothing.
  if (c.ackNow) sendControl(c, flagAck, now)
  remove(c, undefined)
}

/** Takes the connection out of every table and gives back what it holds but for bytes that its owner may still read. */
export function remove(c: Tcb, code: SocketCode | undefined): void {
  if (c.stateCode === stateClosed) return
  const { layer } = c
  const { context } = layer
  if (c.listener !== undefined) layer.listeners.leave(c)
  c.stateCode = stateClosed
  c.closeCode = code
  layer.flows.delete(c)
  if (c.ticket !== undefined) giveTicketBack(c, false, context.now)
  context.paths.forget(c.path, c)
  c.retransmitAt = Infinity
  c.sender.reorderAt = Infinity
  c.sender.lossProbeAt = Infinity
  c.sender.paceAt = Infinity
  c.ackAt = Infinity
  c.keepAliveAt = Infinity
  c.lifetimeAt = Infinity
  context.deadlines.cancel(c)
  c.board.release()
  c.sendQueue.clear()
  c.reassembly.clear()
  if (c.orphan) layer.orphans--
  if (c.released || c.events === undefined) c.received.clear()
  c.leaveShares()
  layer.raise(c, eventClosed)
}

/** The peer's FIN is next in order: everything before it was received. */
export function receiveFin(c: Tcb, now: number): void {
  c.rcvNxt = (c.rcvNxt + 1) | 0
  if (((c.rcvNxt - c.rcvAdv) | 0) > 0) c.rcvAdv = c.rcvNxt
  c.ackNow = true
  c.layer.wantSend(c)
  switch (c.stateCode) {
    case stateEstablished:
      c.stateCode = stateCloseWait
      return
    case stateFinWait1:
      c.stateCode = stateClosing
      return
    case stateFinWait2:
      enterTimeWait(c, now)
  }
}

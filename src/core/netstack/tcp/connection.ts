// A connection as its owner sees it: the control block with the calls of RFC 9293, 3.9.1.
import type { IpAddress } from '../../base/address.js'
import { addressOf } from '../../wire/ip.js'
import type { TcpConnection, TcpState, TcpStats } from '../types.js'
import { abort, endSending, letGo, remove } from './close.js'
import { growReceiveBuffer, windowUpdateDue } from './receive-window.js'
import { sendBufferOf } from './send-buffer.js'
import { startCongestion } from './start-congestion.js'
import { stateClosed, stateEstablished, stateNames } from './states.js'
import { Tcb } from './tcb.js'
import { handleTcbDeadline } from './timers.js'

export class Connection extends Tcb implements TcpConnection {
  get localAddress(): IpAddress {
    return addressOf(this.local)
  }

  get remoteAddress(): IpAddress {
    return addressOf(this.remote)
  }

  get state(): TcpState {
    return stateNames[this.stateCode] as TcpState
  }

  get bytesQueued(): number {
    return this.sendQueue.length
  }

  get bytesReadable(): number {
    return this.received.length
  }

  get stats(): TcpStats {
    return {
      rtt: this.rto.smoothed,
      rttVariance: this.rto.variance,
      bytesSent: this.bytesSent,
      bytesReceived: this.bytesReceived,
      segmentsSent: this.segmentsSent,
      segmentsReceived: this.segmentsReceived,
      retransmits: this.retransmits,
      timeouts: this.timeouts,
      congestionWindow: this.congestion === undefined ? 0 : this.congestion.window,
    }
  }

  write(chunk: Uint8Array, offset: number, now: number): number {
    if (this.stateCode === stateClosed || this.finQueued) return 0
    this.layer.context.now = now
    const offered = chunk.length - offset
    if (this.congestion === undefined && this.stateCode >= stateEstablished) startCongestion(this, now)
    const count = Math.min(offered, Math.max(0, sendBufferOf(this) - this.sendQueue.length))
    this.sendQueue.push(chunk, offset, count)
    if (count < offered) this.wroteShort = true
    if (count > 0 && this.stateCode >= stateEstablished) this.layer.wantSend(this)
    return count
  }

  end(now: number): void {
    this.layer.context.now = now
    endSending(this)
  }

  read(): Uint8Array | undefined | null {
    const slab = this.received.read()
    if (slab === undefined) return this.finSeen && this.rcvNxt === ((this.finSequence + 1) | 0) ? null : undefined
    if (this.stateCode !== stateClosed) {
      growReceiveBuffer(this, slab.length, this.layer.context.now)
      if (windowUpdateDue(this)) {
        this.ackNow = true
        this.layer.wantSend(this)
      }
    }
    return slab
  }

  reset(now: number): void {
    this.layer.context.now = now
    this.released = true
    abort(this, undefined, now)
  }

  destroy(now: number): void {
    this.layer.context.now = now
    letGo(this, now)
  }

  setKeepAlive(on: boolean, idleMs: number, now: number): void {
    this.keepAliveIdle = on ? Math.max(1, idleMs) : 0
    this.keepAliveSent = 0
    this.keepAliveAt = on && this.stateCode >= stateEstablished ? now + this.keepAliveIdle : Infinity
    this.layer.schedule(this)
  }

  setNoDelay(on: boolean): void {
    this.noDelay = on
    if (on && this.stateCode >= stateEstablished) this.layer.wantSend(this)
  }

  /** The stack's: a timer of this connection is due. */
  handleDeadline(now: number): void {
    handleTcbDeadline(this, now)
  }

  /** The stack's: the path that a dial waited for stands. */
  pathUp(): void {
    this.synDue = true
    this.layer.wantSend(this)
  }

  /** The stack's: the path that a dial waited for will not stand. */
  pathDown(): void {
    remove(this, 'EHOSTUNREACH')
  }
}

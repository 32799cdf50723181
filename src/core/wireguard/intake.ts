// Handshake messages on their way in (WireGuard paper, 5.3): MAC1 first, then a bounded queue, then so much work a turn. Under
// load, who has not shown by a cookie that it receives at its address gets one, and no work is done for it.
import type { Endpoint } from '../base/address.js'
import { messageType, receiverAt } from '../wire/wireguard.js'
import type { DeviceContext } from './context.js'
import { CookieReplies } from './cookie-replies.js'
import { handleCookieReply, handleInitiation, handleResponse, sendMessage } from './handshake.js'
import { HandshakeQueue } from './handshake-queue.js'
import { RateLimiter } from './ratelimiter.js'

// Work, as parts of answering one initiation: a response takes two of its five DHs, anything else none.
const initiationWork = 1
const responseWork = 0.4
const checkWork = 0.02
/** Part of the time that may go into handshakes for good, and how much may be done beyond it before that is load; ms. */
const sustainedShare = 0.2
const sustainedBurst = 500

export class HandshakeIntake {
  readonly #device: DeviceContext
  readonly #queue: HandshakeQueue
  readonly #limiter: RateLimiter
  readonly #replies: CookieReplies
  /** When the queue last became non-empty. */
  #waitingSince = 0
  #loadedUntil = -Infinity
  /** Work done and not made up for by the time since, ms. */
  #recentWork = 0
  #recentAt = -Infinity

  constructor(device: DeviceContext) {
    this.#device = device
    this.#queue = new HandshakeQueue(device.limits.queuedHandshakes)
    this.#limiter = new RateLimiter(device.limits)
    this.#replies = new CookieReplies(device.limits)
  }

  /** Messages that wait. */
  get queued(): number {
    return this.#queue.size
  }

  /** Sources that the limiter remembers. */
  get sources(): number {
    return this.#limiter.size
  }

  /** Queues the message of `length` bytes at `offset`, if it passes what can be checked cheaply. */
  handleMessage(type: number, offset: number, length: number, source: Endpoint, now: number): void {
    const { memory, counters, identity, indices } = this.#device
    if (identity === undefined) counters.noIdentity++
    else if (type !== messageType.cookieReply && !identity.checker.mac1Valid(memory.u8, offset, length))
      counters.badMac1++
    else if (type !== messageType.initiation && indices.get(receiverAt(memory.view, offset, type)) === undefined)
      counters.unknownIndex++
    else if (!this.#queue.push(memory.u8, offset, length, source)) counters.handshakeQueueFull++
    else {
      if (this.#queue.size === 1) this.#waitingSince = now
      this.#measureLoad(now)
    }
  }

  /** Works off the queue, as far as a turn's share of the processor goes. */
  handleTimeout(now: number): void {
    const { limits, crypto, counters } = this.#device
    this.#limiter.collect(now)
    const replies = counters.cookieRepliesSent + limits.cookieRepliesPerTurn
    for (let work = 0; work < limits.handshakeWorkPerTurn && counters.cookieRepliesSent < replies; ) {
      this.#measureLoad(now)
      const message = this.#queue.shift()
      if (message === undefined) return
      const done = this.#handle(message.bytes, message.source, now) * crypto.handshakeCost
      this.#recentWork += done
      work += done
    }
  }

  nextDeadline(): number {
    return this.#queue.size > 0 ? this.#waitingSince : this.#limiter.nextDeadline()
  }

  isUnderLoad(now: number): boolean {
    return now < this.#loadedUntil
  }

  clear(): void {
    this.#queue.clear()
    this.#limiter.clear()
    this.#loadedUntil = -Infinity
  }

  /** Being under load is sticky, since a queue is shortest just after it was worked off; a short one that never ends counts, too. */
  #measureLoad(now: number): void {
    const { limits, crypto, timers } = this.#device
    const { size } = this.#queue
    this.#recentWork = Math.max(0, this.#recentWork - (now - this.#recentAt) * sustainedShare)
    this.#recentAt = now
    const isLong = size >= limits.underLoadQueue || size * crypto.handshakeCost > limits.underLoadWork
    if (isLong || this.#recentWork > sustainedBurst) this.#loadedUntil = now + timers.underLoadTime
  }

  /** Handles one message; returns the work that it took. */
  #handle(bytes: Uint8Array, source: Endpoint, now: number): number {
    const type = bytes[0]
    if (type === messageType.cookieReply) {
      handleCookieReply(this.#device, bytes, now)
      return checkWork
    }
    if (this.isUnderLoad(now) && !this.#mayCostWork(bytes, source, now)) return checkWork
    if (type === messageType.initiation) {
      handleInitiation(this.#device, bytes, source, now)
      return initiationWork
    }
    handleResponse(this.#device, bytes, source, now)
    return responseWork
  }

  #mayCostWork(bytes: Uint8Array, source: Endpoint, now: number): boolean {
    const { identity, counters } = this.#device
    if (identity === undefined) return false
    if (!identity.checker.mac2Valid(bytes, source, now)) {
      const cookie = identity.checker.cookieFor(source, now)
      if (!this.#replies.take(cookie, now)) counters.cookieRepliesWithheld++
      else if (sendMessage(this.#device, identity.checker.reply(bytes, cookie), source)) counters.cookieRepliesSent++
      return false
    }
    if (this.#limiter.allow(source.address, now)) return true
    counters.rateLimited++
    return false
  }
}

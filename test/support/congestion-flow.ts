// A sender for congestion controllers without a TCP around them: packets are numbered, each has an ACK, loss is found by
// three later ACKs and by a timer. Fills AckSample as a connection does, and paces by credit.
import type { CongestionControl, CongestionControlFactory, LostSegment } from '../../src/core/netstack/congestion.js'
import type { SeededRandom } from '../../src/testing/random.js'
import type { VirtualClock } from '../../src/testing/virtual-clock.js'
import { createSample } from './congestion-sample.js'

export const mss = 1368

interface Packet {
  sentAt: number
  delivered: number
  deliveredAt: number
  firstSentAt: number
  lost: number
  inFlight: number
  appLimited: boolean
  gone: boolean
}

export interface Flow {
  readonly control: CongestionControl
  /** Bytes delivered. */
  readonly delivered: number
  readonly lost: number
  readonly sent: number
  readonly inFlight: number
  /** The application has something to send. */
  active: boolean
}

/** What is saved of the pacing rate, ms. */
const creditTime = 4

export class Sender implements Flow {
  readonly control: CongestionControl
  active = true
  delivered = 0
  lost = 0
  sent = 0
  inFlight = 0
  readonly #clock: VirtualClock
  readonly #tick: number
  readonly #carry: () => number
  readonly #packets = new Map<number, Packet>()
  #next = 0
  #head = 0
  #highestAcked = -1
  #deliveredAt = 0
  #firstSentAt = 0
  #srtt: number
  #minRtt: number
  #credit = 2 * mss
  #creditAt = 0
  #wakeAt = Infinity
  #timerAt = Infinity
  /** Recovery lasts until this packet is acknowledged; −1: none. */
  #recoverUntil = -1
  /** The latest packet sent while the window was the limit. */
  #limitedUntil = -1
  #appLimitedUntil = 0
  #idleSince: number
  #acks: number[] = []
  #lastAckAt = 0
  readonly #random: SeededRandom

  constructor(
    clock: VirtualClock,
    random: SeededRandom,
    options: { readonly rtt: number; readonly tick?: number },
    carry: () => number,
    factory: CongestionControlFactory,
    startAt: number,
  ) {
    this.#clock = clock
    this.#random = random
    this.#tick = options.tick ?? 0
    this.#carry = carry
    this.#srtt = options.rtt
    this.#minRtt = options.rtt
    this.#idleSince = startAt
    this.control = factory({
      segmentSize: mss,
      initialWindow: 10 * mss,
      rtt: options.rtt,
      selectiveAcks: true,
      now: startAt,
      random: () => this.#random.next(),
    })
    clock.schedule(startAt, () => this.#turn())
  }

  #requestTurn(at: number): void {
    const { now } = this.#clock
    if (this.#tick > 0) at = Math.ceil(Math.max(at, now + 1e-9) / this.#tick) * this.#tick
    if (at >= this.#wakeAt) return
    this.#wakeAt = at
    this.#clock.schedule(at, () => {
      if (this.#wakeAt > this.#clock.now) return
      this.#wakeAt = Infinity
      this.#turn()
    })
  }

  #turn(): void {
    const { now } = this.#clock
    if (this.#acks.length > 0) {
      const acks = this.#acks
      this.#acks = []
      this.#handleAcks(acks, now)
    }
    if (now >= this.control.deadline) this.control.handleDeadline(now)
    if (now >= this.#timerAt && this.inFlight > 0) this.#timeout(now)
    this.#send(now)
    if (this.control.deadline < Infinity) this.#requestTurn(this.control.deadline)
    if (this.#timerAt < Infinity) this.#requestTurn(this.#timerAt)
  }

  #send(now: number): void {
    const rate = this.control.pacingRate
    if (rate < Infinity) {
      const most = Math.max(2 * mss, creditTime * rate)
      this.#credit = Math.min(most, this.#credit + rate * (now - this.#creditAt))
    }
    this.#creditAt = now
    if (!this.active) {
      if (this.inFlight < this.control.window) this.#appLimitedUntil = this.delivered + this.inFlight
      this.#requestTurn(now + 1)
      return
    }
    if (this.inFlight === 0 && now > this.#idleSince && this.sent > 0) this.control.onIdle(now - this.#idleSince, now)
    for (;;) {
      if (this.inFlight + mss > this.control.window) {
        this.#limitedUntil = this.#next
        return
      }
      if (rate < Infinity && this.#credit < mss) {
        this.#requestTurn(now + (mss - this.#credit) / rate + 1e-6)
        return
      }
      if (rate < Infinity) this.#credit -= mss
      this.#emit(now)
    }
  }

  #emit(now: number): void {
    if (this.inFlight === 0) {
      this.#firstSentAt = now
      this.#deliveredAt = now
    }
    const id = this.#next++
    this.inFlight += mss
    this.sent += mss
    this.#packets.set(id, {
      sentAt: now,
      delivered: this.delivered,
      deliveredAt: this.#deliveredAt,
      firstSentAt: this.#firstSentAt,
      lost: this.lost,
      inFlight: this.inFlight,
      appLimited: this.#appLimitedUntil > this.delivered,
      gone: false,
    })
    this.control.onSent(mss, this.inFlight, now)
    if (this.#timerAt === Infinity) this.#armTimer(now)
    const back = this.#carry()
    if (back < 0) return
    // ACKs stay in order.
    this.#lastAckAt = Math.max(this.#lastAckAt, back)
    this.#clock.schedule(this.#lastAckAt, () => {
      this.#acks.push(id)
      this.#requestTurn(this.#clock.now)
    })
  }

  #armTimer(now: number): void {
    this.#timerAt = now + this.#srtt + Math.max(200, this.#srtt)
    this.#requestTurn(this.#timerAt)
  }

  #handleAcks(acks: number[], now: number): void {
    sample.now = now
    sample.priorInFlight = this.inFlight
    sample.delivered = 0
    sample.lost = 0
    sample.rtt = 0
    sample.rateInterval = 0
    sample.rateDelivered = 0
    let newest: Packet | undefined
    let newestId = -1
    for (const id of acks) {
      const packet = this.#packets.get(id)
      if (packet === undefined) continue
      this.#packets.delete(id)
      this.delivered += mss
      sample.delivered += mss
      if (!packet.gone) this.inFlight -= mss
      newest = packet
      newestId = id
    }
    if (newest === undefined) return
    this.#deliveredAt = now
    this.#highestAcked = Math.max(this.#highestAcked, newestId)
    this.#firstSentAt = newest.sentAt
    if (this.#appLimitedUntil <= this.delivered) this.#appLimitedUntil = 0
    sample.rtt = now - newest.sentAt
    this.#minRtt = Math.min(this.#minRtt, sample.rtt)
    this.#srtt += (sample.rtt - this.#srtt) / 8
    const interval = Math.max(newest.sentAt - newest.firstSentAt, now - newest.deliveredAt)
    if (interval >= Math.max(this.#minRtt, this.#tick)) {
      sample.rateInterval = interval
      sample.rateDelivered = this.delivered - newest.delivered
    }
    sample.priorDelivered = newest.delivered
    sample.priorLost = newest.lost
    sample.sentInFlight = newest.inFlight
    sample.appLimited = newest.appLimited
    sample.windowLimited = newestId <= this.#limitedUntil
    if (this.#recoverUntil >= 0 && this.#highestAcked >= this.#recoverUntil) {
      this.#recoverUntil = -1
      this.control.onRecovered(now)
    }
    const wasRecovering = this.#recoverUntil >= 0
    this.#findLost(now)
    sample.recovering = wasRecovering || this.#recoverUntil >= 0
    sample.acknowledged = sample.delivered
    sample.smoothedRtt = this.#srtt
    sample.inFlight = this.inFlight
    sample.totalDelivered = this.delivered
    sample.totalLost = this.lost
    this.control.onAck(sample)
    if (this.inFlight === 0) {
      this.#timerAt = Infinity
      this.#idleSince = now
    } else this.#armTimer(now)
  }

  #findLost(now: number): void {
    for (; this.#head <= this.#highestAcked - 3; this.#head++) {
      const packet = this.#packets.get(this.#head)
      if (packet === undefined || packet.gone) continue
      this.#packets.delete(this.#head)
      this.#lose(packet, now)
    }
    if (sample.lost > 0 && this.#recoverUntil < 0) {
      this.#recoverUntil = this.#next
      this.control.onLoss(this.inFlight + sample.lost, now)
    }
  }

  #lose(packet: Packet, now: number): void {
    this.lost += mss
    this.inFlight -= mss
    sample.lost += mss
    lostSegment.length = mss
    lostSegment.sentInFlight = packet.inFlight
    lostSegment.lostSince = this.lost - packet.lost
    lostSegment.priorDelivered = packet.delivered
    lostSegment.appLimited = packet.appLimited
    this.control.onSegmentLost(lostSegment, now)
  }

  #timeout(now: number): void {
    this.control.onTimeout(this.inFlight, now)
    sample.lost = 0
    for (const packet of this.#packets.values()) this.#lose(packet, now)
    this.#packets.clear()
    this.#recoverUntil = this.#next
    this.#timerAt = Infinity
  }
}

const lostSegment: LostSegment = { length: 0, sentInFlight: 0, lostSince: 0, priorDelivered: 0, appLimited: false }

const sample = createSample()

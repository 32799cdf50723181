// The keys of one session, and the three slots in which a peer holds them (WireGuard paper, 5.4.6 and 6; kernel, noise.c).
import type { TransportKey } from '../crypto/crypto.js'
import { rejectAfterMessagesHi, rejectAfterMessagesLo, rekeyAfterMessagesHi } from './constants.js'
import type { PeerState } from './peer.js'
import { ReplayWindow } from './replay.js'

export class Keypair {
  readonly kind = 'keypair'
  readonly peer: PeerState
  readonly isInitiator: boolean
  readonly localIndex: number
  readonly remoteIndex: number
  readonly createdAt: number
  readonly sending: TransportKey
  readonly receiving: TransportKey
  readonly replay = new ReplayWindow()
  /** The next counter to send, in two unsigned 32-bit halves. */
  sendHi = 0
  sendLo = 0
  /** False once our own private key has changed: what comes in is still read. */
  maySend = true

  constructor(
    fields: Pick<
      Keypair,
      'peer' | 'isInitiator' | 'localIndex' | 'remoteIndex' | 'createdAt' | 'sending' | 'receiving'
    >,
  ) {
    this.peer = fields.peer
    this.isInitiator = fields.isInitiator
    this.localIndex = fields.localIndex
    this.remoteIndex = fields.remoteIndex
    this.createdAt = fields.createdAt
    this.sending = fields.sending
    this.receiving = fields.receiving
  }

  /** Whether a counter is left to send with. */
  get hasCounter(): boolean {
    return this.sendHi !== rejectAfterMessagesHi || this.sendLo < rejectAfterMessagesLo
  }

  /** Whether more than REKEY_AFTER_MESSAGES were sent. */
  get isWorn(): boolean {
    return this.sendHi > rekeyAfterMessagesHi || (this.sendHi === rekeyAfterMessagesHi && this.sendLo > 0)
  }

  /** Moves to the next counter. A counter is used once. */
  advance(): void {
    this.sendLo = (this.sendLo + 1) >>> 0
    if (this.sendLo === 0) this.sendHi++
  }

  wipe(): void {
    this.maySend = false
    this.sending.wipe()
    this.receiving.wipe()
  }
}

/** The slots `previous`, `current` and `next`. Keypairs that fall out of them are handed to `drop`, to be wiped. */
export class KeypairSlots {
  readonly #drop: (keypair: Keypair) => void
  #previous: Keypair | undefined
  #current: Keypair | undefined
  #next: Keypair | undefined

  constructor(drop: (keypair: Keypair) => void) {
    this.#drop = drop
  }

  get previous(): Keypair | undefined {
    return this.#previous
  }

  /** What is sent with. */
  get current(): Keypair | undefined {
    return this.#current
  }

  /** What the other side initiated and has not yet confirmed by a packet. */
  get next(): Keypair | undefined {
    return this.#next
  }

  /** The initiator's: it is confirmed by the response and becomes current; a `next` that waits is not lost. */
  installInitiators(keypair: Keypair): void {
    const before = this.#next ?? this.#current
    if (this.#next !== undefined) {
      this.#next = undefined
      this.#dropped(this.#current)
    }
    this.#dropped(this.#previous)
    this.#previous = before
    this.#current = keypair
  }

  /** The responder's: it waits for the other side's first packet. */
  installResponders(keypair: Keypair): void {
    this.#dropped(this.#next)
    this.#next = keypair
    this.#previous = this.#dropped(this.#previous)
  }

  /** A packet came with this keypair: true if it was waiting for one, and so becomes current. */
  confirm(keypair: Keypair): boolean {
    if (keypair !== this.#next) return false
    this.#dropped(this.#previous)
    this.#previous = this.#current
    this.#current = keypair
    this.#next = undefined
    return true
  }

  /** Drops the keypairs that are `lifetime` old; returns when the oldest of the others was made, or `Infinity`. */
  expire(now: number, lifetime: number): number {
    if (isOver(this.#previous, now, lifetime)) this.#previous = this.#dropped(this.#previous)
    if (isOver(this.#current, now, lifetime)) this.#current = this.#dropped(this.#current)
    if (isOver(this.#next, now, lifetime)) this.#next = this.#dropped(this.#next)
    return this.oldest()
  }

  /** When the oldest keypair was made; `Infinity` if there is none. */
  oldest(): number {
    return Math.min(
      this.#previous?.createdAt ?? Infinity,
      this.#current?.createdAt ?? Infinity,
      this.#next?.createdAt ?? Infinity,
    )
  }

  /** What was agreed under another private key is not sent with any more. */
  stopSending(): void {
    if (this.#current !== undefined) this.#current.maySend = false
    if (this.#next !== undefined) this.#next.maySend = false
  }

  clear(): void {
    this.expire(Infinity, 0)
  }

  #dropped(keypair: Keypair | undefined): undefined {
    if (keypair !== undefined) this.#drop(keypair)
  }
}

function isOver(keypair: Keypair | undefined, now: number, lifetime: number): boolean {
  return keypair !== undefined && keypair.createdAt + lifetime <= now
}

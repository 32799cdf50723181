// MAC1, MAC2 and cookies (WireGuard paper, 5.3, 5.4.4 and 5.4.7): the side that checks and gives cookies, one a device, and
// the side that computes MACs and takes cookies, one a peer.
import { type Endpoint, unmapAddress } from '../base/address.js'
import { isZero } from '../crypto/bytes.js'
import type { Crypto, MacKey } from '../crypto/crypto.js'
import { macSize, macsSize, senderOf, serialiseCookieReply } from '../wire/wireguard.js'
import { labelCookie, labelMac1, type Timers } from './constants.js'

type Random = (bytes: Uint8Array) => void

/** Checks what comes in under our own static key, and makes cookies. */
export class CookieChecker {
  readonly #crypto: Crypto
  readonly #random: Random
  readonly #timers: Timers
  readonly #mac1Key: MacKey
  readonly #cookieKey: Uint8Array
  readonly #cookie = new Uint8Array(macSize)
  #secret: MacKey | undefined
  #secretAt = 0

  constructor(crypto: Crypto, random: Random, timers: Timers, publicKey: Uint8Array) {
    this.#crypto = crypto
    this.#random = random
    this.#timers = timers
    this.#mac1Key = crypto.macKey(crypto.hash(labelMac1, publicKey))
    this.#cookieKey = crypto.hash(labelCookie, publicKey)
  }

  /** Whether MAC1 of the initiation or response of `length` bytes at `offset` is right: its sender knows our key. */
  mac1Valid(bytes: Uint8Array, offset: number, length: number): boolean {
    const covered = length - macsSize
    return this.#mac1Key.verify(bytes, offset, covered, offset + covered)
  }

  /** Whether MAC2 is right: the sender receives at its address, for a cookie went there. */
  mac2Valid(message: Uint8Array, source: Endpoint, now: number): boolean {
    // Whoever has no cookie sends zeros: nearly all of a flood, and the cookie's key need not be set up.
    if (isZero(message.subarray(message.length - macSize))) return false
    const cookie = this.cookieFor(source, now)
    const covered = message.length - macSize
    const key = this.#crypto.macKey(cookie)
    const valid = key.verify(message, 0, covered, covered)
    key.wipe()
    return valid
  }

  /** The cookie reply to a message, with the cookie of where it came from. */
  reply(message: Uint8Array, cookie: Uint8Array): Uint8Array {
    const nonce = new Uint8Array(24)
    this.#random(nonce)
    const mac1 = message.subarray(message.length - macsSize, message.length - macSize)
    const encryptedCookie = this.#crypto.xseal(this.#cookieKey, nonce, cookie, mac1)
    return serialiseCookieReply({ receiver: senderOf(message), nonce, encryptedCookie })
  }

  wipe(): void {
    this.#secret?.wipe()
    this.#secret = undefined
    this.#mac1Key.wipe()
  }

  /** The MAC of the source address and port under a secret that is renewed, on use, every two minutes. Valid until the next call. */
  cookieFor(source: Endpoint, now: number): Uint8Array {
    if (this.#secret === undefined || now - this.#secretAt >= this.#timers.cookieSecretLifetime) {
      const secret = new Uint8Array(32)
      this.#random(secret)
      this.#secret?.wipe()
      this.#secret = this.#crypto.macKey(secret)
      this.#secretAt = now
      secret.fill(0)
    }
    const address = unmapAddress(source.address)
    const origin = new Uint8Array(address.length + 2)
    origin.set(address)
    origin[address.length] = source.port >> 8
    origin[address.length + 1] = source.port
    this.#secret.compute(origin, 0, origin.length, this.#cookie, 0)
    return this.#cookie
  }
}

/** Writes the MACs of what goes to one peer, and keeps the cookie that it gave. */
export class PeerMacs {
  readonly #crypto: Crypto
  readonly #timers: Timers
  readonly #mac1Key: MacKey
  readonly #cookieKey: Uint8Array
  readonly #lastMac1 = new Uint8Array(macSize)
  #awaitsCookie = false
  #cookie: MacKey | undefined
  #cookieAt = 0

  constructor(crypto: Crypto, timers: Timers, publicKey: Uint8Array) {
    this.#crypto = crypto
    this.#timers = timers
    this.#mac1Key = crypto.macKey(crypto.hash(labelMac1, publicKey))
    this.#cookieKey = crypto.hash(labelCookie, publicKey)
  }

  /** Fills in MAC1 of an initiation or response, and MAC2 while a cookie is held; it stays zero otherwise. */
  write(message: Uint8Array, now: number): void {
    const mac1Offset = message.length - macsSize
    this.#mac1Key.compute(message, 0, mac1Offset, message, mac1Offset)
    this.#lastMac1.set(message.subarray(mac1Offset, mac1Offset + macSize))
    this.#awaitsCookie = true
    if (this.#cookie === undefined) return
    if (now - this.#cookieAt >= this.#timers.cookieLifetime) this.#dropCookie()
    else this.#cookie.compute(message, 0, mac1Offset + macSize, message, mac1Offset + macSize)
  }

  /** Takes the cookie of a reply to the last message that was sent; false if it is not one, or not the first. */
  takeCookie(nonce: Uint8Array, encryptedCookie: Uint8Array, now: number): boolean {
    if (!this.#awaitsCookie) return false
    const cookie = this.#crypto.xopen(this.#cookieKey, nonce, encryptedCookie, this.#lastMac1)
    if (cookie === undefined) return false
    this.#dropCookie()
    this.#cookie = this.#crypto.macKey(cookie)
    this.#cookieAt = now
    this.#awaitsCookie = false
    return true
  }

  wipe(): void {
    this.#dropCookie()
    this.#awaitsCookie = false
  }

  #dropCookie(): void {
    this.#cookie?.wipe()
    this.#cookie = undefined
  }
}

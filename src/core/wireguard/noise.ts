// Noise_IKpsk2 with 25519, ChaChaPoly and BLAKE2s (Noise Protocol Framework, revision 34): its symmetric state and its two
// messages. Prologue and payloads are arguments, so that published vectors run on this very code.
//
//   <- s
//   ...
//   -> e, es, s, ss
//   <- e, ee, se, psk
import { writeNonce } from '../crypto/bytes.js'
import type { Crypto, PrivateKey } from '../crypto/crypto.js'

const byte1 = Uint8Array.of(1)
const byte2 = Uint8Array.of(2)
const byte3 = Uint8Array.of(3)

/** The SymmetricState of section 5.2, its CipherState's key and nonce included. */
export class SymmetricState {
  readonly #crypto: Crypto
  readonly #chainingKey = new Uint8Array(new ArrayBuffer(32))
  readonly #key = new Uint8Array(new ArrayBuffer(32))
  readonly #hash = new Uint8Array(32)
  readonly #nonce = new Uint8Array(12)
  /** n: a few messages at most are sealed under one key of a handshake. */
  #sealed = 0

  constructor(crypto: Crypto) {
    this.#crypto = crypto
  }

  /** InitializeSymmetric with a protocol name longer than a hash, then MixHash(prologue). */
  static start(crypto: Crypto, protocolName: Uint8Array, prologue: Uint8Array): SymmetricState {
    const state = new SymmetricState(crypto)
    state.#chainingKey.set(crypto.hash(protocolName))
    state.#hash.set(state.#chainingKey)
    state.mixHash(prologue)
    return state
  }

  /** Another state at the same point. Whatever is then tried on it changes nothing here. */
  clone(): SymmetricState {
    const copy = new SymmetricState(this.#crypto)
    copy.#chainingKey.set(this.#chainingKey)
    copy.#key.set(this.#key)
    copy.#hash.set(this.#hash)
    copy.#sealed = this.#sealed
    return copy
  }

  /** The handshake hash, h. */
  get hash(): Uint8Array {
    return this.#hash.slice()
  }

  mixHash(data: Uint8Array): void {
    this.#hash.set(this.#crypto.hash(this.#hash, data))
  }

  mixKey(input: Uint8Array): void {
    const [chainingKey, key] = this.#hkdf(input, 2)
    this.#setKey(chainingKey, key)
  }

  mixKeyAndHash(input: Uint8Array): void {
    const [chainingKey, data, key] = this.#hkdf(input, 3)
    this.mixHash(data as Uint8Array)
    data?.fill(0)
    this.#setKey(chainingKey, key)
  }

  encryptAndHash(plaintext: Uint8Array): Uint8Array {
    const sealed = this.#crypto.seal(this.#key, this.#nextNonce(), plaintext, this.#hash)
    this.mixHash(sealed)
    return sealed
  }

  decryptAndHash(sealed: Uint8Array): Uint8Array | undefined {
    const plaintext = this.#crypto.open(this.#key, this.#nextNonce(), sealed, this.#hash)
    this.mixHash(sealed)
    return plaintext
  }

  /** The two transport keys: the initiator's for sending, then the responder's. */
  split(): [initiator: Uint8Array, responder: Uint8Array] {
    return this.#hkdf(new Uint8Array(0), 2) as [Uint8Array, Uint8Array]
  }

  wipe(): void {
    this.#chainingKey.fill(0)
    this.#key.fill(0)
    this.#hash.fill(0)
  }

  #setKey(chainingKey: Uint8Array | undefined, key: Uint8Array | undefined): void {
    this.#chainingKey.set(chainingKey as Uint8Array)
    this.#key.set(key as Uint8Array)
    chainingKey?.fill(0)
    key?.fill(0)
    this.#sealed = 0
  }

  #nextNonce(): Uint8Array {
    writeNonce(this.#nonce, 0, this.#sealed++)
    return this.#nonce
  }

  /** HKDF of section 4.3. */
  #hkdf(input: Uint8Array, outputs: 2 | 3): Uint8Array[] {
    const { hmac } = this.#crypto
    const temporary = hmac(this.#chainingKey, input)
    const first = hmac(temporary, byte1)
    const second = hmac(temporary, first, byte2)
    const all = outputs === 2 ? [first, second] : [first, second, hmac(temporary, second, byte3)]
    temporary.fill(0)
    return all
  }
}

/** The first message. */
export interface InitiationFields {
  readonly ephemeral: Uint8Array
  readonly encryptedStatic: Uint8Array
  readonly encryptedPayload: Uint8Array
}

/** The second message. */
export interface ResponseFields {
  readonly ephemeral: Uint8Array
  readonly encryptedPayload: Uint8Array
}

/** Mixes a DH result and wipes it; false if there is none. */
function mixShared(state: SymmetricState, shared: Uint8Array | undefined): boolean {
  if (shared === undefined) return false
  state.mixKey(shared)
  shared.fill(0)
  return true
}

/** The token `e` in a pattern with a preshared key (section 9.2). */
function mixEphemeral(state: SymmetricState, ephemeral: Uint8Array): void {
  state.mixHash(ephemeral)
  state.mixKey(ephemeral)
}

/**
 * `-> e, es, s, ss` by the initiator; `state` is fresh, and afterwards awaits the response. `staticStatic` is the DH of the
 * two static keys, which does not change and so is computed once. Undefined if the responder's key is of low order.
 */
export function writeInitiation(
  crypto: Crypto,
  state: SymmetricState,
  ephemeral: PrivateKey,
  localStatic: PrivateKey,
  remoteStatic: Uint8Array,
  staticStatic: Uint8Array,
  payload: Uint8Array,
): InitiationFields | undefined {
  state.mixHash(remoteStatic)
  mixEphemeral(state, ephemeral.publicKey)
  if (!mixShared(state, crypto.dh(ephemeral, remoteStatic))) return undefined
  const encryptedStatic = state.encryptAndHash(localStatic.publicKey)
  state.mixKey(staticStatic)
  return { ephemeral: ephemeral.publicKey, encryptedStatic, encryptedPayload: state.encryptAndHash(payload) }
}

/** `-> e, es, s` by the responder: who it is that calls, or undefined. */
export function readInitiationStatic(
  crypto: Crypto,
  state: SymmetricState,
  localStatic: PrivateKey,
  message: Pick<InitiationFields, 'ephemeral' | 'encryptedStatic'>,
): Uint8Array | undefined {
  state.mixHash(localStatic.publicKey)
  mixEphemeral(state, message.ephemeral)
  if (!mixShared(state, crypto.dh(localStatic, message.ephemeral))) return undefined
  return state.decryptAndHash(message.encryptedStatic)
}

/** `-> ss` and the payload, by the responder, who now knows whose static key it is. */
export function readInitiationPayload(
  state: SymmetricState,
  staticStatic: Uint8Array,
  encryptedPayload: Uint8Array,
): Uint8Array | undefined {
  state.mixKey(staticStatic)
  return state.decryptAndHash(encryptedPayload)
}

/** `<- e, ee, se, psk` by the responder. Undefined if one of the initiator's keys is of low order. */
export function writeResponse(
  crypto: Crypto,
  state: SymmetricState,
  ephemeral: PrivateKey,
  remoteEphemeral: Uint8Array,
  remoteStatic: Uint8Array,
  presharedKey: Uint8Array,
  payload: Uint8Array,
): ResponseFields | undefined {
  mixEphemeral(state, ephemeral.publicKey)
  if (!mixShared(state, crypto.dh(ephemeral, remoteEphemeral))) return undefined
  if (!mixShared(state, crypto.dh(ephemeral, remoteStatic))) return undefined
  state.mixKeyAndHash(presharedKey)
  return { ephemeral: ephemeral.publicKey, encryptedPayload: state.encryptAndHash(payload) }
}

/** `<- e, ee, se, psk` by the initiator: the payload, or undefined if the message is not genuine. */
export function readResponse(
  crypto: Crypto,
  state: SymmetricState,
  ephemeral: PrivateKey,
  localStatic: PrivateKey,
  presharedKey: Uint8Array,
  message: ResponseFields,
): Uint8Array | undefined {
  mixEphemeral(state, message.ephemeral)
  if (!mixShared(state, crypto.dh(ephemeral, message.ephemeral))) return undefined
  if (!mixShared(state, crypto.dh(localStatic, message.ephemeral))) return undefined
  state.mixKeyAndHash(presharedKey)
  return state.decryptAndHash(message.encryptedPayload)
}

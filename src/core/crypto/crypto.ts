// The one face of cryptography in this project: what WireGuard needs and no more. Behind it stand noble (the reference),
// node (OpenSSL) and whatever comes faster; each is held to the same vectors.
import type { PacketMemory } from '../base/packet-memory.js'

/** Bytes of a Poly1305 tag. */
export const tagLength = 16

/** An X25519 private key, kept by the backend. */
export interface PrivateKey {
  readonly publicKey: Uint8Array
  /** Forgets the key; the handle is useless from here on. */
  wipe(): void
}

/** ChaCha20-Poly1305 under one key, in place over packet memory, without additional data (WireGuard paper, 5.4.6). */
export interface TransportKey {
  /**
   * Encrypts `length` bytes at `offset` and writes the tag behind them. The nonce is 4 zero bytes and the counter's 8,
   * little-endian; the counter comes as two unsigned 32-bit halves, since a Number ends at 2^53.
   */
  seal(memory: PacketMemory, offset: number, length: number, counterHi: number, counterLo: number): void
  /** Decrypts `length` bytes at `offset`, their last 16 the tag. False, and nothing is written, if they are not genuine. */
  open(memory: PacketMemory, offset: number, length: number, counterHi: number, counterLo: number): boolean
  /** Forgets the key: from here on it opens nothing, and sealing throws. */
  wipe(): void
}

/** Keyed BLAKE2s with a 128-bit result (RFC 7693), its key block compressed once and for all. */
export interface MacKey {
  /** Writes the MAC of `bytes[offset … offset + length)` to `out[outOffset … outOffset + 16)`. */
  compute(bytes: Uint8Array, offset: number, length: number, out: Uint8Array, outOffset: number): void
  /** Whether the 16 bytes at `macOffset` are the MAC of the `length` bytes at `offset`; in constant time. */
  verify(bytes: Uint8Array, offset: number, length: number, macOffset: number): boolean
  wipe(): void
}

/** Secrets go in as bytes, which the caller then wipes. Keys and public keys are 32 bytes; other lengths throw RangeError. */
export interface Crypto {
  readonly name: string
  /** Rough time to answer one initiation, in milliseconds: what a queue of them will cost before it is worked off. */
  readonly handshakeCost: number
  /** Packet memory that this backend's transport keys work on. */
  createMemory(bytes: number, slotSize: number): PacketMemory
  /** An X25519 key (RFC 7748); `secret` is clamped on use. */
  privateKey(secret: Uint8Array): PrivateKey
  /** X25519; undefined when the result is all zeros, which a public key of low order gives. */
  dh(key: PrivateKey, publicKey: Uint8Array): Uint8Array | undefined
  /** BLAKE2s-256 of the parts one after the other (RFC 7693). */
  hash(...parts: readonly Uint8Array[]): Uint8Array
  /** HMAC-BLAKE2s-256 (RFC 2104) with a key of at most 64 bytes. */
  hmac(key: Uint8Array, ...parts: readonly Uint8Array[]): Uint8Array
  /** A key of 1 to 32 bytes. */
  macKey(key: Uint8Array): MacKey
  /** ChaCha20-Poly1305 (RFC 8439), with a nonce of 12 bytes; the tag follows the ciphertext. */
  seal(key: Uint8Array, nonce: Uint8Array, plaintext: Uint8Array, additional: Uint8Array): Uint8Array
  /** Undefined if it is not genuine. */
  open(key: Uint8Array, nonce: Uint8Array, sealed: Uint8Array, additional: Uint8Array): Uint8Array | undefined
  /** XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03), with a nonce of 24 bytes. */
  xseal(key: Uint8Array, nonce: Uint8Array, plaintext: Uint8Array, additional: Uint8Array): Uint8Array
  xopen(key: Uint8Array, nonce: Uint8Array, sealed: Uint8Array, additional: Uint8Array): Uint8Array | undefined
  transportKey(key: Uint8Array): TransportKey
}

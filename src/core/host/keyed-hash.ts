// The keyed hash behind the stack's initial sequence numbers and timestamp offsets (RFC 6528, RFC 7323 section 5.4).
import type { Crypto } from '../crypto/crypto.js'

/** A function from bytes to 32 bits that nobody without the secret, made here, can predict. */
export function createKeyedHash(crypto: Crypto, random: (bytes: Uint8Array) => void): (bytes: Uint8Array) => number {
  const secret = new Uint8Array(32)
  random(secret)
  return bytes => {
    const digest = crypto.hash(secret, bytes)
    return new DataView(digest.buffer, digest.byteOffset).getUint32(0)
  }
}

// The reference backend: noble's audited TypeScript, on any runtime. X25519 comes as an argument, so that a runtime which
// has its own never loads @noble/curves.
import { chacha20poly1305, xchacha20poly1305 } from '@noble/ciphers/chacha.js'
import type { x25519 } from '@noble/curves/ed25519.js'
import { blake2s } from '@noble/hashes/blake2.js'
import { hmac } from '@noble/hashes/hmac.js'
import { createPacketMemory } from '../../base/packet-memory.js'
import { SecretKey } from '../../base/secret.js'
import { macKeyBlake2s } from '../blake2s.js'
import { concatBytes, expectLength, isZero, writeNonce } from '../bytes.js'
import { type Crypto, type PrivateKey, type TransportKey, tagLength } from '../crypto.js'

export type NobleX25519 = Pick<typeof x25519, 'scalarMult' | 'scalarMultBase'>

interface NoblePrivateKey extends PrivateKey {
  readonly secret: Uint8Array
}

export function createNobleCrypto(curve: NobleX25519): Crypto {
  return {
    name: 'noble',
    handshakeCost: 4,
    createMemory: (bytes, slotSize) => createPacketMemory(new ArrayBuffer(bytes), slotSize),
    privateKey(secret): NoblePrivateKey {
      expectLength(secret, 32, 'a private key')
      const kept = SecretKey.copy(secret)
      return { secret: kept, publicKey: curve.scalarMultBase(kept), wipe: () => void kept.fill(0) }
    },
    dh(key, publicKey) {
      expectLength(publicKey, 32, 'a public key')
      try {
        const shared = curve.scalarMult((key as NoblePrivateKey).secret, publicKey)
        return isZero(shared) ? undefined : shared
      } catch {
        return undefined // noble throws on a public key of low order
      }
    },
    hash: (...parts) => blake2s(parts.length === 1 ? (parts[0] as Uint8Array) : concatBytes(...parts)),
    hmac: (key, ...parts) => hmac(blake2s, key, concatBytes(...parts)),
    macKey: macKeyBlake2s,
    seal: (key, nonce, plaintext, additional) => chacha20poly1305(key, nonce, additional).encrypt(plaintext),
    open: (key, nonce, sealed, additional) => attempt(chacha20poly1305(key, nonce, additional), sealed),
    xseal: (key, nonce, plaintext, additional) => xchacha20poly1305(key, nonce, additional).encrypt(plaintext),
    xopen: (key, nonce, sealed, additional) => attempt(xchacha20poly1305(key, nonce, additional), sealed),
    transportKey,
  }
}

function attempt(
  cipher: { decrypt(sealed: Uint8Array, out?: Uint8Array): Uint8Array },
  sealed: Uint8Array,
  out?: Uint8Array,
): Uint8Array | undefined {
  if (sealed.length < tagLength) return undefined
  try {
    return cipher.decrypt(sealed, out)
  } catch {
    return undefined // the tag is wrong
  }
}

function transportKey(key: Uint8Array): TransportKey {
  expectLength(key, 32, 'a transport key')
  const kept = SecretKey.copy(key)
  const nonce = new Uint8Array(12)
  let isWiped = false
  return {
    seal(memory, offset, length, counterHi, counterLo) {
      if (isWiped) throw new Error('the key was wiped')
      writeNonce(nonce, counterHi, counterLo)
      const plaintext = memory.u8.subarray(offset, offset + length)
      memory.u8.set(chacha20poly1305(kept, nonce).encrypt(plaintext), offset)
    },
    open(memory, offset, length, counterHi, counterLo) {
      if (isWiped) return false
      writeNonce(nonce, counterHi, counterLo)
      const opened = attempt(chacha20poly1305(kept, nonce), memory.u8.subarray(offset, offset + length))
      if (opened === undefined) return false
      memory.u8.set(opened, offset)
      return true
    },
    wipe() {
      kept.fill(0)
      isWiped = true
    },
  }
}

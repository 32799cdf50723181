// The backend over OpenSSL by way of node:crypto: constant-time X25519 with kept key objects, and ChaCha20-Poly1305 three
// times as fast as in TypeScript. X25519 keys come as JWK, since SPKI and PKCS8 take ten times as long to read; those of
// ciphers as key objects, since bytes cost Node 24 another 8 us a call.
import {
  createCipheriv,
  createDecipheriv,
  createPrivateKey,
  createPublicKey,
  createSecretKey,
  diffieHellman,
  type JsonWebKey,
  type KeyObject,
} from 'node:crypto'
import { hchacha } from '@noble/ciphers/chacha.js'
import { createPacketMemory } from '../../core/base/packet-memory.js'
import { hashBlake2s, hmacBlake2s, macKeyBlake2s } from '../../core/crypto/blake2s.js'
import { expectLength, isZero, writeNonce } from '../../core/crypto/bytes.js'
import { type Crypto, type PrivateKey, type TransportKey, tagLength } from '../../core/crypto/crypto.js'

const algorithm = 'chacha20-poly1305'
const aeadOptions = { authTagLength: tagLength } as const

interface NodePrivateKey extends PrivateKey {
  key: KeyObject | undefined
}

export const nodeCrypto: Crypto = {
  name: 'node',
  handshakeCost: 0.4,
  createMemory: (bytes, slotSize) => createPacketMemory(new ArrayBuffer(bytes), slotSize),
  privateKey,
  dh(handle, publicKey) {
    expectLength(publicKey, 32, 'a public key')
    const { key } = handle as NodePrivateKey
    if (key === undefined) return undefined
    try {
      const shared = diffieHellman({ privateKey: key, publicKey: createPublicKey(jwk({ x: base64url(publicKey) })) })
      return isZero(shared) ? undefined : new Uint8Array(shared.buffer, shared.byteOffset, shared.length)
    } catch {
      return undefined // OpenSSL 3 refuses an all-zero result
    }
  },
  hash: hashBlake2s,
  hmac: hmacBlake2s,
  macKey: macKeyBlake2s,
  seal,
  open,
  xseal: (key, nonce, plaintext, additional) =>
    extend(key, nonce, subkey => seal(subkey, tailOf(nonce), plaintext, additional)),
  xopen: (key, nonce, sealed, additional) =>
    extend(key, nonce, subkey => open(subkey, tailOf(nonce), sealed, additional)),
  transportKey,
}

function privateKey(secret: Uint8Array): NodePrivateKey {
  expectLength(secret, 32, 'a private key')
  // A private JWK must name a public key; OpenSSL derives the real one by itself.
  const key = createPrivateKey(jwk({ d: base64url(secret), x: base64url(secret.map(() => 0)) }))
  const { x } = createPublicKey(key).export({ format: 'jwk' })
  return {
    key,
    publicKey: Uint8Array.from(Buffer.from(x as string, 'base64url')),
    wipe() {
      this.key = undefined // OpenSSL wipes its copy when the key object is collected
    },
  }
}

function jwk(fields: JsonWebKey): { key: JsonWebKey; format: 'jwk' } {
  return { key: { kty: 'OKP', crv: 'X25519', ...fields }, format: 'jwk' }
}

function base64url(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('base64url')
}

function seal(key: Uint8Array, nonce: Uint8Array, plaintext: Uint8Array, additional: Uint8Array): Uint8Array {
  const cipher = createCipheriv(algorithm, createSecretKey(key), nonce, aeadOptions)
  cipher.setAAD(additional, { plaintextLength: plaintext.length })
  const sealed = new Uint8Array(plaintext.length + tagLength)
  sealed.set(cipher.update(plaintext))
  cipher.final()
  sealed.set(cipher.getAuthTag(), plaintext.length)
  return sealed
}

function open(key: Uint8Array, nonce: Uint8Array, sealed: Uint8Array, additional: Uint8Array): Uint8Array | undefined {
  const length = sealed.length - tagLength
  if (length < 0) return undefined
  const decipher = createDecipheriv(algorithm, createSecretKey(key), nonce, aeadOptions)
  decipher.setAAD(additional, { plaintextLength: length })
  decipher.setAuthTag(sealed.subarray(length))
  const opened = Uint8Array.from(decipher.update(sealed.subarray(0, length)))
  try {
    decipher.final()
  } catch {
    return undefined // the tag is wrong
  }
  return opened
}

// "expand 32-byte k", the constant of ChaCha20 (RFC 8439, 2.3).
const sigma = Uint32Array.of(0x61707865, 0x3320646e, 0x79622d32, 0x6b206574)

/** HChaCha20 (draft-irtf-cfrg-xchacha-03, 2.2) of the key and the nonce's first 16 bytes is the key of ChaCha20. */
function extend<T>(key: Uint8Array, nonce: Uint8Array, use: (subkey: Uint8Array) => T): T {
  expectLength(key, 32, 'a key')
  expectLength(nonce, 24, 'an XChaCha20 nonce')
  const input = new Uint32Array(12)
  const inputBytes = new Uint8Array(input.buffer)
  inputBytes.set(key)
  inputBytes.set(nonce.subarray(0, 16), 32)
  const subkey = new Uint32Array(8)
  hchacha(sigma, input.subarray(0, 8), input.subarray(8), subkey)
  const result = use(new Uint8Array(subkey.buffer))
  input.fill(0)
  subkey.fill(0)
  return result
}

function tailOf(nonce: Uint8Array): Uint8Array {
  const tail = new Uint8Array(12)
  tail.set(nonce.subarray(16), 4)
  return tail
}

function transportKey(bytes: Uint8Array): TransportKey {
  expectLength(bytes, 32, 'a transport key')
  let key: KeyObject | undefined = createSecretKey(bytes)
  const nonce = new Uint8Array(12)
  return {
    seal(memory, offset, length, counterHi, counterLo) {
      if (key === undefined) throw new Error('the key was wiped')
      writeNonce(nonce, counterHi, counterLo)
      const cipher = createCipheriv(algorithm, key, nonce, aeadOptions)
      if (length > 0) memory.u8.set(cipher.update(memory.u8.subarray(offset, offset + length)), offset)
      cipher.final()
      memory.u8.set(cipher.getAuthTag(), offset + length)
    },
    open(memory, offset, length, counterHi, counterLo) {
      const plaintextLength = length - tagLength
      if (key === undefined || plaintextLength < 0) return false
      writeNonce(nonce, counterHi, counterLo)
      const decipher = createDecipheriv(algorithm, key, nonce, aeadOptions)
      decipher.setAuthTag(memory.u8.subarray(offset + plaintextLength, offset + length))
      const opened =
        plaintextLength > 0 ? decipher.update(memory.u8.subarray(offset, offset + plaintextLength)) : undefined
      try {
        decipher.final()
      } catch {
        return false // the tag is wrong
      }
      if (opened !== undefined) memory.u8.set(opened, offset)
      return true
    },
    wipe() {
      key = undefined // OpenSSL wipes its copy when the key object is collected
    },
  }
}

import { describe, expect, it } from 'vitest'
import { blake2s } from '../../../../src/core/crypto/blake2s.js'
import { concatBytes } from '../../../../src/core/crypto/bytes.js'
import { backends, bytesOf, hexOf, loadVectors } from '../../../support/wireguard-crypto.js'

interface Aead {
  section: string
  key: string
  nonce: string
  additional: string
  plaintext: string
  sealed: string
}

const x25519 = loadVectors<{
  functions: { scalar: string; u: string; result: string }[]
  iterations: { count: number; result: string }[]
  exchanges: { privateA: string; publicA: string; privateB: string; publicB: string; shared: string }[]
}>('rfc7748-x25519')
const lowOrder = loadVectors<{ publicKeys: string[] }>('x25519-low-order')
const chacha = loadVectors<{ vectors: Aead[] }>('rfc8439-aead')
const xchacha = loadVectors<{ vectors: Aead[] }>('xchacha-aead')
const rfc7693 = loadVectors<{
  vectors: { input: string; hash: string }[]
  selfTest: { outputLengths: number[]; inputLengths: number[]; hash: string }
}>('rfc7693-blake2s')
const kat = loadVectors<{ key: string; vectors: { input: string; hash: string }[] }>('blake2s-kat')

describe.each(backends)('the %s backend', (_name, crypto) => {
  it.each(x25519.functions)('computes X25519 of RFC 7748, 5.2: $scalar', ({ scalar, u, result }) => {
    expect(hexOf(crypto.dh(crypto.privateKey(bytesOf(scalar)), bytesOf(u))!)).toBe(result)
  })

  it.each(x25519.iterations)('computes X25519 of RFC 7748, 5.2, $count times on itself', ({ count, result }) => {
    let k = bytesOf('09'.padEnd(64, '0'))
    let u = k
    for (let i = 0; i < count; i++) [k, u] = [crypto.dh(crypto.privateKey(k), u)!, k]
    expect(hexOf(k)).toBe(result)
  })

  it.each(x25519.exchanges)('agrees on a key as in RFC 7748, 6.1', exchange => {
    const a = crypto.privateKey(bytesOf(exchange.privateA))
    const b = crypto.privateKey(bytesOf(exchange.privateB))
    expect(hexOf(a.publicKey)).toBe(exchange.publicA)
    expect(hexOf(b.publicKey)).toBe(exchange.publicB)
    expect(hexOf(crypto.dh(a, b.publicKey)!)).toBe(exchange.shared)
    expect(hexOf(crypto.dh(b, a.publicKey)!)).toBe(exchange.shared)
  })

  it.each(lowOrder.publicKeys)('gives no DH result for the low-order public key %s (W3)', publicKey => {
    expect(crypto.dh(crypto.privateKey(bytesOf(x25519.exchanges[0]!.privateA)), bytesOf(publicKey))).toBeUndefined()
  })

  it.each(chacha.vectors)('seals and opens RFC 8439, $section', vector => {
    const [key, nonce, additional] = [bytesOf(vector.key), bytesOf(vector.nonce), bytesOf(vector.additional)]
    expect(hexOf(crypto.seal(key, nonce, bytesOf(vector.plaintext), additional))).toBe(vector.sealed)
    expect(hexOf(crypto.open(key, nonce, bytesOf(vector.sealed), additional)!)).toBe(vector.plaintext)
  })

  it.each(xchacha.vectors)('seals and opens XChaCha20-Poly1305, $section of the draft', vector => {
    const [key, nonce, additional] = [bytesOf(vector.key), bytesOf(vector.nonce), bytesOf(vector.additional)]
    expect(hexOf(crypto.xseal(key, nonce, bytesOf(vector.plaintext), additional))).toBe(vector.sealed)
    expect(hexOf(crypto.xopen(key, nonce, bytesOf(vector.sealed), additional)!)).toBe(vector.plaintext)
  })

  it.each(rfc7693.vectors)('hashes $input as RFC 7693, B', ({ input, hash }) => {
    expect(hexOf(crypto.hash(bytesOf(input)))).toBe(hash)
  })

  it('agrees with itself on a hash in parts, at every split', () => {
    const message = Uint8Array.from({ length: 130 }, (_, i) => i)
    const whole = hexOf(crypto.hash(message))
    for (let at = 0; at <= message.length; at++)
      expect(hexOf(crypto.hash(message.subarray(0, at), message.subarray(at)))).toBe(whole)
  })
})

describe('BLAKE2s', () => {
  it('passes the self-test of RFC 7693, E', () => {
    const { outputLengths, inputLengths, hash } = rfc7693.selfTest
    const digests = outputLengths.flatMap(outLength =>
      inputLengths.flatMap(inLength => {
        const input = selfTestSequence(inLength)
        return [blake2s(input, outLength), blake2s(input, outLength, selfTestSequence(outLength))]
      }),
    )
    expect(hexOf(blake2s(concatBytes(...digests)))).toBe(hash)
  })

  it("gives BLAKE2's known answers under a key", () => {
    for (const { input, hash } of kat.vectors) expect(hexOf(blake2s(bytesOf(input), 32, bytesOf(kat.key)))).toBe(hash)
  })
})

/** selftest_seq of RFC 7693, E: a Fibonacci generator seeded with the length. */
function selfTestSequence(length: number): Uint8Array {
  let a = Math.imul(0xdead4bad, length) >>> 0
  let b = 1
  return Uint8Array.from({ length }, () => {
    const t = (a + b) >>> 0
    a = b
    b = t
    return t >>> 24
  })
}

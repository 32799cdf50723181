import { blake2s as nobleBlake2s } from '@noble/hashes/blake2.js'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { blake2s } from '../../../../src/core/crypto/blake2s.js'
import { equalAt, equalBytes, isZero, writeNonce } from '../../../../src/core/crypto/bytes.js'
import { backends, hexOf } from '../../../support/wireguard-crypto.js'

const bytes = (constraints: { minLength?: number; maxLength?: number }) => fc.uint8Array(constraints)
const exactly = (length: number) => bytes({ minLength: length, maxLength: length })
const [, noble] = backends.find(([name]) => name === 'noble')!

/** The counters at which a Number, a 32-bit or a 53-bit one goes wrong, as halves; the last one may be used. */
const counters: [text: string, hi: number, lo: number][] = [
  ['0', 0, 0],
  ['1', 0, 1],
  ['2^32 - 1', 0, 0xffff_ffff],
  ['2^32', 1, 0],
  ['2^53 - 1', 0x1f_ffff, 0xffff_ffff],
  ['2^53', 0x20_0000, 0],
  ['2^53 + 1', 0x20_0000, 1],
  ['2^60', 0x1000_0000, 0],
  ['2^64 - 2^13 - 2', 0xffff_ffff, 0xffff_dffe],
]

describe.each(backends)('the %s backend', (_name, crypto) => {
  it('seals, opens, hashes and agrees as the reference does', () => {
    fc.assert(
      fc.property(
        exactly(32),
        exactly(24),
        bytes({ maxLength: 200 }),
        bytes({ maxLength: 100 }),
        (key, nonce, text, aad) => {
          const short = nonce.subarray(0, 12)
          expect(crypto.seal(key, short, text, aad)).toEqual(noble.seal(key, short, text, aad))
          expect(crypto.open(key, short, noble.seal(key, short, text, aad), aad)).toEqual(text)
          expect(crypto.xseal(key, nonce, text, aad)).toEqual(noble.xseal(key, nonce, text, aad))
          expect(crypto.xopen(key, nonce, noble.xseal(key, nonce, text, aad), aad)).toEqual(text)
          expect(crypto.hash(text, aad)).toEqual(noble.hash(text, aad))
          expect(crypto.hmac(key, text, aad)).toEqual(noble.hmac(key, text, aad))
        },
      ),
      { numRuns: 200 },
    )
    fc.assert(
      fc.property(exactly(32), exactly(32), (secret, other) => {
        const key = crypto.privateKey(secret)
        expect(key.publicKey).toEqual(noble.privateKey(secret).publicKey)
        const { publicKey } = noble.privateKey(other)
        expect(crypto.dh(key, publicKey)).toEqual(noble.dh(noble.privateKey(secret), publicKey))
      }),
      { numRuns: 10 },
    )
  })

  it('refuses what is not genuine: any flipped bit, a short message, another nonce (X2)', () => {
    const key = new Uint8Array(32).fill(1)
    const nonce = new Uint8Array(24).fill(2)
    const aad = Uint8Array.of(3)
    const sealed = crypto.seal(key, nonce.subarray(0, 12), Uint8Array.of(4, 5), aad)
    const xsealed = crypto.xseal(key, nonce, Uint8Array.of(4, 5), aad)
    for (let bit = 0; bit < sealed.length * 8; bit++) {
      expect(crypto.open(key, nonce.subarray(0, 12), flip(sealed, bit), aad)).toBeUndefined()
      expect(crypto.xopen(key, nonce, flip(xsealed, bit), aad)).toBeUndefined()
    }
    for (let length = 0; length < sealed.length; length++) {
      expect(crypto.open(key, nonce.subarray(0, 12), sealed.subarray(0, length), aad)).toBeUndefined()
      expect(crypto.xopen(key, nonce, xsealed.subarray(0, length), aad)).toBeUndefined()
    }
    expect(crypto.open(key, new Uint8Array(12), sealed, aad)).toBeUndefined()
    expect(crypto.open(key, nonce.subarray(0, 12), sealed, Uint8Array.of(4))).toBeUndefined()
  })

  it.each(counters)(
    'seals in packet memory, at counter %s, what the reference seals with that nonce',
    (_text, hi, lo) => {
      const key = Uint8Array.from({ length: 32 }, (_, i) => i)
      const nonce = new Uint8Array(12)
      writeNonce(nonce, hi, lo)
      const value = new DataView(nonce.buffer).getBigUint64(4, true)
      expect(value).toBe((BigInt(hi) << 32n) | BigInt(lo))
      const memory = crypto.createMemory(4 * 2048, 2048)
      const transport = crypto.transportKey(key)
      for (const length of [0, 1, 15, 16, 17, 64, 1420]) {
        const plaintext = Uint8Array.from({ length }, (_, i) => i * 7)
        const slot = memory.alloc()
        memory.u8.fill(0xee, slot, slot + 2048)
        memory.u8.set(plaintext, slot + 16)
        transport.seal(memory, slot + 16, length, hi, lo)
        const sealed = noble.seal(key, nonce, plaintext, new Uint8Array(0))
        expect(memory.u8.slice(slot + 16, slot + 32 + length)).toEqual(sealed)
        expect(transport.open(memory, slot + 16, length + 16, hi, lo ^ 1)).toBe(false)
        expect(memory.u8.slice(slot + 16, slot + 32 + length)).toEqual(sealed)
        expect(transport.open(memory, slot + 16, length + 16, hi, lo)).toBe(true)
        expect(memory.u8.slice(slot + 16, slot + 16 + length)).toEqual(plaintext)
        expect(memory.u8.subarray(slot, slot + 16).every(byte => byte === 0xee)).toBe(true)
        expect(memory.u8.subarray(slot + 32 + length, slot + 2048).every(byte => byte === 0xee)).toBe(true)
        memory.free(slot)
      }
      transport.wipe()
    },
  )

  it('opens nothing shorter than a tag', () => {
    const memory = crypto.createMemory(2048, 2048)
    const transport = crypto.transportKey(new Uint8Array(32))
    for (let length = 0; length < 16; length++) expect(transport.open(memory, 16, length, 0, 0)).toBe(false)
  })

  it('neither opens nor seals with a key that was wiped', () => {
    const memory = crypto.createMemory(2048, 2048)
    const transport = crypto.transportKey(new Uint8Array(32).fill(7))
    transport.seal(memory, 16, 32, 0, 0)
    transport.wipe()
    expect(transport.open(memory, 16, 48, 0, 0)).toBe(false)
    expect(() => transport.seal(memory, 16, 32, 0, 1)).toThrow('the key was wiped')
  })

  it('keeps a copy of a key, so that the caller can wipe his', () => {
    const secret = new Uint8Array(32).fill(9)
    const key = crypto.privateKey(secret)
    const { publicKey } = crypto.privateKey(new Uint8Array(32).fill(5))
    const before = crypto.dh(key, publicKey)
    secret.fill(0)
    expect(crypto.dh(key, publicKey)).toEqual(before)
    key.wipe()
    expect(crypto.dh(key, publicKey)).not.toEqual(before)
  })

  it('refuses keys of another length', () => {
    for (const length of [0, 31, 33]) {
      expect(() => crypto.privateKey(new Uint8Array(length))).toThrow(RangeError)
      expect(() => crypto.transportKey(new Uint8Array(length))).toThrow(RangeError)
      expect(() => crypto.dh(crypto.privateKey(new Uint8Array(32).fill(1)), new Uint8Array(length))).toThrow(RangeError)
    }
    expect(() => crypto.macKey(new Uint8Array(0))).toThrow(RangeError)
    expect(() => crypto.macKey(new Uint8Array(33))).toThrow(RangeError)
  })

  it('computes and verifies keyed MACs over ranges', () => {
    fc.assert(
      fc.property(bytes({ minLength: 1, maxLength: 32 }), bytes({ minLength: 1, maxLength: 200 }), (key, message) => {
        const mac = crypto.macKey(key)
        const framed = new Uint8Array(message.length + 40).fill(0xaa)
        framed.set(message, 7)
        mac.compute(framed, 7, message.length, framed, 7 + message.length)
        const expected = nobleBlake2s(message, { key, dkLen: 16 })
        expect(framed.slice(7 + message.length, 23 + message.length)).toEqual(expected)
        expect(mac.verify(framed, 7, message.length, 7 + message.length)).toBe(true)
        framed[7] = framed[7]! ^ 1
        expect(mac.verify(framed, 7, message.length, 7 + message.length)).toBe(false)
      }),
    )
  })
})

describe('our own BLAKE2s', () => {
  it('is that of noble, for every length of message, key and result', () => {
    fc.assert(
      fc.property(
        bytes({ maxLength: 300 }),
        bytes({ maxLength: 32 }),
        fc.integer({ min: 1, max: 32 }),
        (message, key, length) => {
          const options = key.length > 0 ? { key, dkLen: length } : { dkLen: length }
          expect(hexOf(blake2s(message, length, key))).toBe(hexOf(nobleBlake2s(message, options)))
        },
      ),
      { numRuns: 500 },
    )
  })
})

describe('comparing secrets', () => {
  it('tells equal from different at every place (X7)', () => {
    const a = Uint8Array.from({ length: 16 }, (_, i) => i)
    expect(equalBytes(a, a.slice())).toBe(true)
    expect(equalBytes(a, a.subarray(1))).toBe(false)
    for (let bit = 0; bit < 128; bit++) {
      expect(equalBytes(a, flip(a, bit))).toBe(false)
      expect(equalAt(a, 0, flip(a, bit), 0, 16)).toBe(false)
    }
    expect(isZero(new Uint8Array(32))).toBe(true)
    expect(isZero(flip(new Uint8Array(32), 255))).toBe(false)
  })

  it('looks at every byte, wherever the difference is (X7)', () => {
    const looks = (bytes: Uint8Array) => {
      const seen: number[] = []
      const watched = new Proxy(bytes, {
        get(target, key) {
          if (typeof key === 'string' && /^[0-9]+$/.test(key)) seen.push(Number(key))
          return Reflect.get(target, key, target)
        },
      })
      return { watched, seen }
    }
    const all = Array.from({ length: 16 }, (_, i) => i)
    const a = new Uint8Array(16)
    for (let bit = 0; bit < 128; bit += 8) {
      for (const compare of [equalBytes, (x: Uint8Array, y: Uint8Array) => equalAt(x, 0, y, 0, 16)]) {
        const [left, right] = [looks(a), looks(flip(a, bit))]
        expect(compare(left.watched, right.watched)).toBe(false)
        expect([left.seen, right.seen]).toEqual([all, all])
      }
    }
  })
})

function flip(message: Uint8Array, bit: number): Uint8Array {
  const flipped = message.slice()
  flipped[bit >> 3] = flipped[bit >> 3]! ^ (1 << (bit & 7))
  return flipped
}

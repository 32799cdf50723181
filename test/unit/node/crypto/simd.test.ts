import { randomBytes } from 'node:crypto'
import { chacha20 } from '@noble/ciphers/chacha.js'
import fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import { writeNonce } from '../../../../src/core/crypto/bytes.js'
import { onesSum } from '../../../../src/core/wire/checksum.js'
import { copySum } from '../../../../src/core/wire/copy-sum.js'
import { selectCrypto } from '../../../../src/node/crypto/select.js'
import { SimdModule } from '../../../../src/node/crypto/simd/simd.js'

const simd = selectCrypto('simd')
const noble = selectCrypto('noble')
const empty = new Uint8Array(0)
const slotSize = 2048 + 64

const pattern = (length: number, seed = 0) => Uint8Array.from({ length }, (_, i) => (i * 151 + seed) >> 1)
const nonceOf = (hi: number, lo: number) => {
  const nonce = new Uint8Array(12)
  writeNonce(nonce, hi, lo)
  return nonce
}
const same = (a: Uint8Array, b: Uint8Array) => Buffer.compare(a, b) === 0
const isZero = (bytes: Uint8Array) => bytes.every(byte => byte === 0)

describe('transport messages in WebAssembly', () => {
  it('are those of the reference at every length up to 2048 and every alignment, and touch nothing else', () => {
    const memory = simd.createMemory(3 * slotSize, slotSize)
    const keyBytes = pattern(32, 77)
    const key = simd.transportKey(keyBytes)
    const wrong: string[] = []
    for (let length = 0; length <= 2048; length++) {
      const plaintext = pattern(length, length)
      const sealed = noble.seal(keyBytes, nonceOf(length, ~length), plaintext, empty)
      for (let alignment = 0; alignment < 16; alignment++) {
        const start = slotSize + 16 + alignment
        const end = start + sealed.length
        memory.u8.fill(0xee, start - 16, end + 16)
        memory.u8.set(plaintext, start)
        key.seal(memory, start, length, length, ~length >>> 0)
        const isSealed = same(memory.u8.subarray(start, end), sealed)
        const isOpened =
          key.open(memory, start, length + 16, length, ~length >>> 0) &&
          same(memory.u8.subarray(start, start + length), plaintext) &&
          same(memory.u8.subarray(end - 16, end), sealed.subarray(length))
        const around = [memory.u8.subarray(start - 16, start), memory.u8.subarray(end, end + 16)]
        const isAlone = around.every(bytes => bytes.every(byte => byte === 0xee))
        if (!isSealed || !isOpened || !isAlone) wrong.push(`${length} at ${alignment}`)
      }
    }
    expect(wrong).toEqual([])
  })

  it('are those of the reference whatever key, counter, length and text', () => {
    const word = fc.integer({ min: 0, max: 0xffff_ffff })
    const bytes = fc.uint8Array({ minLength: 32, maxLength: 32 })
    const memory = simd.createMemory(slotSize, slotSize)
    fc.assert(
      fc.property(bytes, word, word, fc.uint8Array({ maxLength: 2000 }), fc.nat(15), (key, hi, lo, text, at) => {
        memory.u8.set(text, at)
        simd.transportKey(key).seal(memory, at, text.length, hi, lo)
        const sealed = noble.seal(key, nonceOf(hi, lo), text, empty)
        expect(same(memory.u8.subarray(at, at + sealed.length), sealed)).toBe(true)
      }),
      { numRuns: 300 },
    )
  })

  it('are those of the reference where Poly1305 ends at the edges of its field', () => {
    const p = 2n ** 130n - 5n
    const memory = simd.createMemory(slotSize, slotSize)
    const limbs = [0n, 2n ** 32n, 2n ** 64n, 2n ** 96n, 2n ** 128n, 2n ** 129n, 3n * 2n ** 128n]
    const edges = limbs.flatMap(limb => Array.from({ length: 16 }, (_, i) => limb + BigInt(i - 8)))
    // By what carries, the same value may come out in one of two forms: several messages show both.
    for (const edge of Array.from({ length: 8 }, () => edges).flat()) {
      const { key, plaintext, pad } = messageThatEndsAt(mod(edge, p))
      memory.u8.set(plaintext)
      const transport = simd.transportKey(key)
      transport.seal(memory, 0, 32, 0, 0)
      expect(toBigInt(memory.u8.subarray(32, 48))).toBe(mod(mod(edge, p) + pad, 2n ** 128n))
      expect(same(memory.u8.subarray(0, 48), noble.seal(key, nonceOf(0, 0), plaintext, empty))).toBe(true)
      expect(transport.open(memory, 0, 48, 0, 0)).toBe(true)
    }
  })

  it('are those of the reference where all that Poly1305 takes is ones', () => {
    const memory = simd.createMemory(slotSize, slotSize)
    for (let i = 0; i < 200; i++) {
      const key = randomBytes(32)
      const stream = chacha20(key, nonceOf(0, i), new Uint8Array(64 + 1424)).subarray(64)
      const plaintext = stream.map(byte => ~byte)
      memory.u8.set(plaintext)
      simd.transportKey(key).seal(memory, 0, plaintext.length, 0, i)
      expect(memory.u8.subarray(0, 1424).every(byte => byte === 0xff)).toBe(true)
      const sealed = noble.seal(key, nonceOf(0, i), plaintext, empty)
      expect(same(memory.u8.subarray(1424, 1440), sealed.subarray(1424))).toBe(true)
    }
  })

  it.each([0, 1, 16, 100, 192, 193, 448, 1420])('of %i bytes are refused, untouched, with any byte wrong', length => {
    const memory = simd.createMemory(slotSize, slotSize)
    const key = simd.transportKey(pattern(32))
    memory.u8.set(pattern(length))
    key.seal(memory, 0, length, 1, 2)
    const sealed = memory.u8.slice(0, length + 16)
    for (let i = 0; i < sealed.length; i++) {
      const bad = sealed.slice()
      bad[i] = bad[i]! ^ (1 << (i & 7))
      memory.u8.set(bad)
      expect(key.open(memory, 0, bad.length, 1, 2)).toBe(false)
      expect(same(memory.u8.subarray(0, bad.length), bad)).toBe(true)
    }
    memory.u8.set(sealed)
    expect(key.open(memory, 0, sealed.length, 2, 1)).toBe(false)
    expect(key.open(memory, 0, sealed.length - 1, 1, 2)).toBe(false)
    expect(simd.transportKey(pattern(32, 1)).open(memory, 0, sealed.length, 1, 2)).toBe(false)
    expect(same(memory.u8.subarray(0, sealed.length), sealed)).toBe(true)
    expect(key.open(memory, 0, sealed.length, 1, 2)).toBe(true)
  })

  it('fill a slot of any size, the last one too', () => {
    for (const size of [16, 64, 2048, 16_448, 65_536]) {
      const memory = simd.createMemory(2 * size, size)
      expect(memory.capacity).toBe(2)
      memory.alloc()
      const slot = memory.alloc()
      const plaintext = pattern(size - 16)
      memory.u8.set(plaintext, slot)
      const key = simd.transportKey(pattern(32))
      key.seal(memory, slot, size - 16, 0, 9)
      expect(
        same(memory.u8.subarray(slot, slot + size), noble.seal(pattern(32), nonceOf(0, 9), plaintext, empty)),
      ).toBe(true)
      expect(key.open(memory, slot, size, 0, 9)).toBe(true)
      expect(same(memory.u8.subarray(slot, slot + size - 16), plaintext)).toBe(true)
    }
  })

  it('leave nothing of key and keystream behind in memory', () => {
    const memory = simd.createMemory(2 * slotSize, slotSize)
    const keyBytes = Uint8Array.from(randomBytes(32))
    const key = simd.transportKey(keyBytes)
    for (const length of [0, 5, 64, 200, 1420, 2048]) {
      const where = memory.u8.subarray(0, length + 16)
      const clean = () => {
        expect(isZero(memory.u8.subarray(length + 16))).toBe(true)
        expect(Buffer.from(where).indexOf(keyBytes)).toBe(-1)
      }
      key.seal(memory, 0, length, 0, 0)
      clean()
      expect(key.open(memory, 0, length + 16, 0, 1)).toBe(false)
      clean()
      expect(key.open(memory, 0, length + 16, 0, 0)).toBe(true)
      clean()
      where.fill(0)
    }
  })

  it('keep many keys and two memories apart', () => {
    const memories = [simd.createMemory(slotSize, slotSize), simd.createMemory(slotSize, slotSize)]
    const keys = Array.from({ length: 1000 }, (_, i) => simd.transportKey(pattern(32, i)))
    for (let round = 0; round < 2; round++) {
      keys.forEach((key, i) => {
        const sealed = noble.seal(pattern(32, i), nonceOf(round, i), pattern(48, i), empty)
        for (const memory of memories) memory.u8.set(pattern(48, i))
        for (const memory of memories) key.seal(memory, 0, 48, round, i)
        for (const memory of memories) expect(same(memory.u8.subarray(0, 64), sealed)).toBe(true)
        for (const memory of memories) expect(key.open(memory, 0, 64, round, i)).toBe(true)
      })
    }
  })

  it('are refused by a wiped key, and only by it', () => {
    const memory = simd.createMemory(slotSize, slotSize)
    const [key, other] = [simd.transportKey(pattern(32)), simd.transportKey(pattern(32))]
    key.seal(memory, 0, 20, 0, 0)
    key.wipe()
    expect(key.open(memory, 0, 36, 0, 0)).toBe(false)
    expect(() => key.seal(memory, 0, 20, 0, 1)).toThrow('the key was wiped')
    expect(other.open(memory, 0, 36, 0, 0)).toBe(true)
  })

  it("want the backend's own memory", () => {
    const memory = noble.createMemory(slotSize, slotSize)
    expect(() => simd.transportKey(pattern(32)).seal(memory, 0, 16, 0, 0)).toThrow("not the crypto backend's own")
  })
})

describe("packet memory that is WebAssembly's", () => {
  it('has as many slots as any other', () => {
    for (const [bytes, size] of [
      [2048, 2048],
      [65_536, 2048],
      [100_000, 1600],
      [4096 * 2048, 2048],
    ] as const) {
      const memory = simd.createMemory(bytes, size)
      expect(memory.capacity).toBe(noble.createMemory(bytes, size).capacity)
      expect(memory.alloc()).toBe(0)
    }
  })

  it('sums as the checksum in TypeScript does, at every length and alignment', () => {
    const memory = simd.createMemory(slotSize, slotSize)
    const { u8, u32 } = memory
    const check = () => {
      for (let length = 0; length <= 1600; length++) {
        const offset = 16 + (length % 37)
        expect(onesSum(memory, offset, length)).toBe(onesSum({ u8, u32 }, offset, length))
      }
      for (let offset = 0; offset < 33; offset++)
        for (let length = 0; length < 70; length++)
          expect(onesSum(memory, offset, length)).toBe(onesSum({ u8, u32 }, offset, length))
    }
    expect(memory.onesSum).toBeDefined()
    check()
    u8.set(randomBytes(slotSize))
    check()
    u8.fill(0xff)
    check()
  })

  it('takes copies and their sums as other memory does', () => {
    const [memory, other] = [simd.createMemory(slotSize, slotSize), noble.createMemory(slotSize, slotSize)]
    const { u8, u32 } = noble.createMemory(slotSize, slotSize)
    u8.set(randomBytes(slotSize))
    for (let length = 0; length < 600; length++) {
      const [from, to] = [length % 11, length % 13]
      expect(copySum({ u8, u32 }, from, memory, to, length)).toBe(copySum({ u8, u32 }, from, other, to, length))
      expect(same(memory.u8.subarray(0, slotSize), other.u8)).toBe(true)
    }
  })

  it('sums 64 KiB of ones', () => {
    const memory = simd.createMemory(65_536 * 2, 65_536)
    memory.u8.fill(0xff, 0, 65_536)
    expect(onesSum(memory, 0, 65_535)).toBe(onesSum({ u8: memory.u8, u32: memory.u32 }, 0, 65_535))
    expect(onesSum(memory, 1, 65_534)).toBe(0xffff)
  })
})

describe('the module', () => {
  it.each([
    ['without WebAssembly', undefined, 'this runtime has no WebAssembly'],
    [
      'without SIMD',
      {
        ...{ Memory: class {}, Instance: class {} },
        Module: class {
          constructor() {
            throw new SyntaxError('Wasm SIMD unsupported')
          }
        },
      },
      'Wasm SIMD unsupported',
    ],
    [
      'without address space',
      {
        ...{ Module: class {}, Instance: class {} },
        Memory: class {
          constructor() {
            throw new RangeError('could not allocate memory')
          }
        },
      },
      'could not allocate memory',
    ],
  ])('says why it is not there: %s', (_how, api, reason) => {
    vi.stubGlobal('WebAssembly', api)
    try {
      expect(SimdModule.load()).toMatchObject({ message: reason })
    } finally {
      vi.unstubAllGlobals()
    }
  })
})

const mod = (a: bigint, m: bigint) => ((a % m) + m) % m
const toBigInt = (bytes: Uint8Array) => bytes.reduceRight((sum, byte) => (sum << 8n) | BigInt(byte), 0n)
const toBytes = (value: bigint) => Uint8Array.from({ length: 16 }, (_, i) => Number((value >> BigInt(8 * i)) & 0xffn))

/** Two blocks, the second one chosen so that Poly1305's accumulator is `edge` when only the pad is still to come. */
function messageThatEndsAt(edge: bigint): { key: Uint8Array; plaintext: Uint8Array; pad: bigint } {
  const p = 2n ** 130n - 5n
  const one = 2n ** 128n
  for (;;) {
    const key = Uint8Array.from(randomBytes(32))
    const stream = chacha20(key, nonceOf(0, 0), new Uint8Array(96))
    const r = toBigInt(stream.subarray(0, 16)) & 0x0ffffffc0ffffffc0ffffffc0fffffffn
    const inverse = power(r, p - 2n, p)
    const lengths = one + (32n << 64n)
    const first = Uint8Array.from(randomBytes(16))
    const second = mod(mod(edge * inverse - lengths, p) * inverse - (toBigInt(first) + one) * r - one, p)
    if (second >= one) continue // three in four are no 128 bits
    const sealed = Buffer.concat([first, toBytes(second)])
    const plaintext = Uint8Array.from(sealed, (byte, i) => byte ^ stream[64 + i]!)
    return { key, plaintext, pad: toBigInt(stream.subarray(16, 32)) }
  }
}

function power(base: bigint, exponent: bigint, modulus: bigint): bigint {
  let result = 1n
  for (let b = base, e = exponent; e > 0n; e >>= 1n, b = (b * b) % modulus) if (e & 1n) result = (result * b) % modulus
  return result
}

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { checksumOf, foldSum, onesSum, sumIsValid } from '../../../../src/core/wire/checksum.js'
import { copySum } from '../../../../src/core/wire/copy-sum.js'

function memoryOf(size: number) {
  const buffer = new ArrayBuffer(size)
  return { u8: new Uint8Array(buffer), u32: new Uint32Array(buffer) }
}

/** RFC 1071's definition, byte by byte. */
function naiveSum(bytes: Uint8Array): number {
  let sum = 0
  for (let i = 0; i < bytes.length; i++) sum += i % 2 === 0 ? (bytes[i] as number) * 256 : (bytes[i] as number)
  while (sum > 0xffff) sum = (sum & 0xffff) + Math.floor(sum / 65536)
  return sum
}

describe('onesSum', () => {
  test("gives RFC 1071's example", () => {
    const memory = memoryOf(8)
    memory.u8.set([0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7])
    expect(onesSum(memory, 0, 8)).toBe(0xddf2)
    expect(checksumOf(onesSum(memory, 0, 8))).toBe(0x220d)
  })

  test('agrees with the definition at every alignment and length up to 70', () => {
    const memory = memoryOf(128)
    for (let i = 0; i < 128; i++) memory.u8[i] = (i * 37 + 201) & 0xff
    for (let offset = 0; offset < 8; offset++) {
      for (let length = 0; length <= 70; length++) {
        expect(onesSum(memory, offset, length)).toBe(naiveSum(memory.u8.subarray(offset, offset + length)))
      }
    }
  })

  test('agrees with the definition on anything', () => {
    const bytes = fc.uint8Array({ minLength: 0, maxLength: 3000 })
    fc.assert(
      fc.property(bytes, fc.nat(7), (content, offset) => {
        const memory = memoryOf(3072)
        memory.u8.set(content, offset)
        expect(onesSum(memory, offset, content.length)).toBe(naiveSum(content))
      }),
    )
  })

  test('does not overflow on 64 KiB of ones', () => {
    const memory = memoryOf(65536)
    memory.u8.fill(0xff)
    expect(onesSum(memory, 0, 65535)).toBe(naiveSum(memory.u8.subarray(0, 65535)))
    expect(onesSum(memory, 1, 65535)).toBe(naiveSum(memory.u8.subarray(1)))
  })
})

describe('copySum', () => {
  test('copies and sums as two passes would, at every pair of alignments', () => {
    const shape = fc.record({
      content: fc.uint8Array({ minLength: 0, maxLength: 1600 }),
      from: fc.nat(9),
      to: fc.nat(9),
    })
    fc.assert(
      fc.property(shape, ({ content, from, to }) => {
        const source = memoryOf(2048)
        const target = memoryOf(2048)
        source.u8.set(content, from)
        expect(copySum(source, from, target, to, content.length)).toBe(naiveSum(content))
        expect(target.u8.subarray(to, to + content.length)).toEqual(content)
        expect(target.u8.subarray(0, to).every(byte => byte === 0)).toBe(true)
        expect(target.u8.subarray(to + content.length).every(byte => byte === 0)).toBe(true)
      }),
      { numRuns: 500 },
    )
  })
})

test('a sum with its own checksum is valid, and not with one bit changed', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 2, maxLength: 200 }), fc.nat(), (content, bit) => {
      const even = content.subarray(0, content.length & ~1)
      const memory = memoryOf(256)
      memory.u8.set(even, 2)
      const sum = checksumOf(onesSum(memory, 0, even.length + 2))
      memory.u8[0] = sum >> 8
      memory.u8[1] = sum & 0xff
      if (even.every(byte => byte === 0)) return
      expect(sumIsValid(onesSum(memory, 0, even.length + 2))).toBe(true)
      const at = bit % (even.length * 8)
      memory.u8[2 + (at >> 3)] = (memory.u8[2 + (at >> 3)] as number) ^ (1 << (at & 7))
      expect(sumIsValid(onesSum(memory, 0, even.length + 2))).toBe(false)
    }),
  )
})

test('foldSum folds every carry', () => {
  expect(foldSum(0xffffffff)).toBe(0xffff)
  expect(foldSum(0x1fffe)).toBe(0xffff)
  expect(foldSum(0x10000)).toBe(1)
})

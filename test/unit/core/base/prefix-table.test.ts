import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { formatPrefix, maskAddress, type Prefix, parseAddress, parsePrefix } from '../../../../src/core/base/address.js'
import { createPrefixTable } from '../../../../src/core/base/prefix-table.js'

const prefix = (text: string): Prefix => parsePrefix(text) as Prefix
const address = (text: string): Uint8Array => parseAddress(text) as Uint8Array

function lookup<T>(table: ReturnType<typeof createPrefixTable<T>>, text: string): T | undefined {
  const bytes = address(text)
  return table.lookup(bytes, 0, bytes.length as 4 | 16)
}

describe('prefix table', () => {
  it('gives the longest prefix that covers an address', () => {
    const table = createPrefixTable<string>()
    for (const text of ['0.0.0.0/0', '10.0.0.0/8', '10.7.0.0/16', '10.7.0.3/32', 'fd00::/8', 'fd07::1/128']) {
      table.insert(prefix(text), text)
    }
    expect(lookup(table, '10.7.0.3')).toBe('10.7.0.3/32')
    expect(lookup(table, '10.7.0.4')).toBe('10.7.0.0/16')
    expect(lookup(table, '10.8.0.1')).toBe('10.0.0.0/8')
    expect(lookup(table, '192.0.2.1')).toBe('0.0.0.0/0')
    expect(lookup(table, 'fd07::1')).toBe('fd07::1/128')
    expect(lookup(table, 'fd07::2')).toBe('fd00::/8')
    expect(lookup(table, '2001:db8::1')).toBeUndefined()
  })

  it('keeps the families apart: a v4 default route covers no v6 address, mapped ones neither', () => {
    const table = createPrefixTable<number>()
    table.insert(prefix('0.0.0.0/0'), 4)
    expect(lookup(table, '::ffff:10.7.0.1')).toBeUndefined()
    table.insert(prefix('::/0'), 6)
    expect(lookup(table, '::1')).toBe(6)
    expect(lookup(table, '127.0.0.1')).toBe(4)
  })

  it('masks host bits, and moves a prefix that is added again', () => {
    const table = createPrefixTable<string>()
    expect(table.insert({ address: address('10.7.0.9'), length: 24 }, 'first')).toBeUndefined()
    expect(table.insert({ address: address('10.7.0.1'), length: 24 }, 'second')).toBe('first')
    expect(table.size).toBe(1)
    expect(lookup(table, '10.7.0.200')).toBe('second')
  })

  it('removes exactly one prefix', () => {
    const table = createPrefixTable<string>()
    table.insert(prefix('10.0.0.0/8'), 'wide')
    table.insert(prefix('10.7.0.0/16'), 'narrow')
    expect(table.remove(prefix('10.7.0.0/17'))).toBe(false)
    expect(table.remove(prefix('10.7.0.0/16'))).toBe(true)
    expect(lookup(table, '10.7.0.1')).toBe('wide')
    expect(table.size).toBe(1)
  })

  it('uses the room of removed prefixes again', () => {
    const table = createPrefixTable<number>()
    for (let round = 0; round < 50; round++) {
      for (let i = 0; i < 200; i++) table.insert({ address: Uint8Array.of(10, round, i, 0), length: 24 }, i)
      expect(table.size).toBe(200)
      expect(lookup(table, `10.${round}.7.1`)).toBe(7)
      for (let i = 0; i < 200; i++) expect(table.remove(prefix(`10.${round}.${i}.0/24`))).toBe(true)
      expect([table.size, [...table.entries()]]).toEqual([0, []])
    }
  })

  it('agrees with a plain list under random insertions and removals', () => {
    const arbitraryPrefix = fc.oneof(
      fc.record({ address: fc.uint8Array({ minLength: 4, maxLength: 4 }), length: fc.integer({ min: 0, max: 32 }) }),
      fc.record({ address: fc.uint8Array({ minLength: 16, maxLength: 16 }), length: fc.integer({ min: 0, max: 128 }) }),
      // Few distinct bits, so that prefixes nest.
      fc
        .tuple(fc.constantFrom(0, 1, 128, 129, 255), fc.integer({ min: 0, max: 32 }))
        .map(([byte, length]) => ({ address: Uint8Array.of(byte, byte, 0, 0), length })),
    )
    const operation = fc.record({ remove: fc.boolean(), prefix: arbitraryPrefix, value: fc.nat() })
    fc.assert(
      fc.property(
        fc.array(operation, { maxLength: 60 }),
        fc.array(arbitraryPrefix, { maxLength: 20 }),
        (operations, probes) => {
          const table = createPrefixTable<number>()
          const list = new Map<string, [Prefix, number]>()
          for (const { remove, prefix: given, value } of operations) {
            const masked = { address: maskAddress(given.address, given.length), length: given.length }
            if (remove) expect(table.remove(given)).toBe(list.delete(formatPrefix(masked)))
            else {
              table.insert(given, value)
              list.set(formatPrefix(masked), [masked, value])
            }
          }
          expect(table.size).toBe(list.size)
          expect(new Map([...table.entries()].map(([p, v]) => [formatPrefix(p), v]))).toEqual(
            new Map([...list].map(([key, [, value]]) => [key, value])),
          )
          for (const { address: probe } of [...probes, ...operations.map(o => o.prefix)]) {
            let best: [Prefix, number] | undefined
            for (const entry of list.values()) {
              const [candidate] = entry
              if (candidate.address.length !== probe.length) continue
              if (
                formatPrefix({ address: maskAddress(probe, candidate.length), length: 0 }) !==
                formatPrefix({ ...candidate, length: 0 })
              )
                continue
              if (best === undefined || candidate.length > best[0].length) best = entry
            }
            expect(table.lookup(probe, 0, probe.length as 4 | 16)).toBe(best?.[1])
          }
        },
      ),
    )
  })
})

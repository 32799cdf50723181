import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { formatPrefix, maskAddress, type Prefix, parseAddress } from '../../../../src/core/base/address.js'
import { AllowedIps } from '../../../../src/core/wireguard/allowed-ips.js'
import { prefix } from '../../../support/wireguard.js'

interface Named {
  name: string
}

const find = (table: AllowedIps<Named>, text: string) => {
  const bytes = parseAddress(text)!
  return table.lookup(bytes, 0, bytes.length as 4 | 16)?.name
}

describe('AllowedIPs', () => {
  const [a, b] = [{ name: 'a' }, { name: 'b' }]

  it('finds the longest prefix, /0 included (W23)', () => {
    const table = new AllowedIps<Named>()
    table.add(prefix('0.0.0.0/0'), a)
    table.add(prefix('10.0.0.0/8'), b)
    table.add(prefix('10.7.0.0/16'), a)
    table.add(prefix('10.7.0.9/32'), b)
    expect(find(table, '192.0.2.1')).toBe('a')
    expect(find(table, '10.1.1.1')).toBe('b')
    expect(find(table, '10.7.0.1')).toBe('a')
    expect(find(table, '10.7.0.9')).toBe('b')
  })

  it('keeps IPv4 and IPv6 apart: a mapped address never matches an IPv4 rule (W23)', () => {
    const table = new AllowedIps<Named>()
    table.add(prefix('0.0.0.0/0'), a)
    expect(find(table, '::ffff:10.0.0.1')).toBeUndefined()
    table.add(prefix('::/0'), b)
    expect(find(table, '::ffff:10.0.0.1')).toBe('b')
    expect(find(table, '10.0.0.1')).toBe('a')
  })

  it('masks host bits (W23)', () => {
    const table = new AllowedIps<Named>()
    table.add({ address: parseAddress('10.7.3.4')!, length: 16 }, a)
    expect(table.of(a).map(formatPrefix)).toEqual(['10.7.0.0/16'])
    expect(find(table, '10.7.200.1')).toBe('a')
  })

  it('moves a prefix that another peer had, and lists those of each in order (W23)', () => {
    const table = new AllowedIps<Named>()
    table.add(prefix('10.0.0.0/8'), a)
    table.add(prefix('10.1.0.0/16'), a)
    table.add(prefix('10.0.0.0/8'), b)
    table.add(prefix('10.0.0.0/8'), b)
    expect(table.of(a).map(formatPrefix)).toEqual(['10.1.0.0/16'])
    expect(table.of(b).map(formatPrefix)).toEqual(['10.0.0.0/8'])
    table.removePeer(a)
    expect(find(table, '10.1.0.1')).toBe('b')
    expect(table.of(a)).toEqual([])
    expect(table.size).toBe(1)
  })

  it('agrees with a plain list (W23)', () => {
    const address = (length: 4 | 16) =>
      fc
        .array(fc.constantFrom(0, 1, 10, 128, 255), { minLength: length, maxLength: length })
        .map(bytes => Uint8Array.from(bytes))
    const prefixes = (length: 4 | 16) =>
      fc.record({ address: address(length), length: fc.integer({ min: 0, max: length * 8 }) })
    const rules = fc.array(
      fc.record({
        prefix: fc.oneof(prefixes(4), prefixes(16)),
        peer: fc.integer({ min: 0, max: 3 }),
        remove: fc.boolean(),
      }),
      { maxLength: 40 },
    )
    fc.assert(
      fc.property(
        rules,
        fc.array(fc.oneof(address(4), address(16)), { minLength: 10, maxLength: 30 }),
        (steps, probes) => {
          const peers = ['p0', 'p1', 'p2', 'p3'].map(name => ({ name }))
          const table = new AllowedIps<Named>()
          let naive: { prefix: Prefix; peer: Named }[] = []
          for (const step of steps) {
            const peer = peers[step.peer]!
            if (step.remove) {
              table.removePeer(peer)
              naive = naive.filter(entry => entry.peer !== peer)
            } else {
              table.add(step.prefix, peer)
              const masked = {
                address: maskAddress(step.prefix.address, step.prefix.length),
                length: step.prefix.length,
              }
              naive = naive.filter(entry => formatPrefix(entry.prefix) !== formatPrefix(masked))
              naive.push({ prefix: masked, peer })
            }
          }
          expect(table.size).toBe(naive.length)
          for (const probe of probes) {
            const best = naive
              .filter(({ prefix: { address, length } }) => {
                return address.length === probe.length && String(maskAddress(probe, length)) === String(address)
              })
              .sort((x, y) => y.prefix.length - x.prefix.length)[0]
            expect(table.lookup(probe, 0, probe.length as 4 | 16)).toBe(best?.peer)
          }
        },
      ),
    )
  })
})

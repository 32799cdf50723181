import fc from 'fast-check'
import ipaddr from 'ipaddr.js'
import { describe, expect, it } from 'vitest'
import {
  formatAddress,
  formatEndpoint,
  formatPrefix,
  maskAddress,
  type Prefix,
  parseAddress,
  parsePrefix,
  sameEndpoint,
  unmapAddress,
} from '../../../../src/core/base/address.js'
import { decodeKey, encodeKey } from '../../../../src/core/base/base64.js'

describe('addresses in text', () => {
  it.each(['10.7.0.1', '0.0.0.0', '255.255.255.255', '::', '::1', 'fd07::1', '2001:db8::8a2e:370:7334'])('%s', text => {
    expect(formatAddress(parseAddress(text) as Uint8Array)).toBe(text)
  })

  it.each([
    '',
    '10.7.0',
    '10.7.0.256',
    '010.7.0.1',
    '0x0a.7.0.1',
    '10.7.0.1 ',
    'fd07:::1',
    'fe80::1%eth0',
    'web1',
    '1',
    '10.7.0.1.',
    '.10.7.0.1',
    '10..7.1',
    '10.7.0.1.2',
    '10.7.0.00',
    '10.7.0./',
    '10.7.0.:',
    '1.2.3.4444',
  ])('refuses %j', text => expect(parseAddress(text)).toBeUndefined())

  it('IPv4 is what ipaddr.js takes for four decimal parts, whatever the text', () => {
    const part = fc.oneof(
      fc.nat(300).map(String),
      fc.constantFrom('', '0', '00', '01', '255', '256', '+1', ' 1', 'a', '１'),
    )
    const parts = fc.array(part, { minLength: 3, maxLength: 5 }).map(each => each.join('.'))
    fc.assert(
      fc.property(fc.oneof(parts, fc.ipV4(), fc.string({ maxLength: 16 })), text => {
        fc.pre(!text.includes(':'))
        const isAddress = ipaddr.IPv4.isValidFourPartDecimal(text)
        const expected = isAddress ? Uint8Array.from(ipaddr.IPv4.parse(text).toByteArray()) : undefined
        expect(parseAddress(text)).toEqual(expected)
        if (expected !== undefined) expect(formatAddress(expected)).toBe(text)
      }),
      { numRuns: 2000 },
    )
  })

  it('an endpoint of IPv6 stands in brackets', () => {
    expect(formatEndpoint({ address: parseAddress('fd99::1') as Uint8Array, port: 51820 })).toBe('[fd99::1]:51820')
    expect(formatEndpoint({ address: parseAddress('192.0.2.1') as Uint8Array, port: 1 })).toBe('192.0.2.1:1')
  })

  it('endpoints are the same by value', () => {
    const at = (text: string, port: number) => ({ address: parseAddress(text) as Uint8Array, port })
    expect(sameEndpoint(at('192.0.2.1', 1), at('192.0.2.1', 1))).toBe(true)
    expect(sameEndpoint(at('192.0.2.1', 1), at('192.0.2.1', 2))).toBe(false)
    expect(sameEndpoint(at('192.0.2.1', 1), at('::ffff:192.0.2.1', 1))).toBe(false)
  })

  it('a mapped IPv4 address is unmapped, no other is touched (W8)', () => {
    expect(formatAddress(unmapAddress(parseAddress('::ffff:192.0.2.1') as Uint8Array))).toBe('192.0.2.1')
    expect(unmapAddress(parseAddress('::fffe:192.0.2.1') as Uint8Array).length).toBe(16)
  })
})

describe('prefixes in text', () => {
  it.each([
    ['10.7.0.9/24', '10.7.0.0/24'],
    ['10.7.0.9', '10.7.0.9/32'],
    ['255.255.255.255/0', '0.0.0.0/0'],
    ['fd07::dead:beef/64', 'fd07::/64'],
    ['::1', '::1/128'],
    ['2001:db8:ffff::/33', '2001:db8:8000::/33'],
  ])('%s is %s', (given, expected) => expect(formatPrefix(parsePrefix(given) as Prefix)).toBe(expected))

  it.each(['10.7.0.0/33', '10.7.0.0/', '10.7.0.0/-1', '10.7.0.0/1e1', '::/129', '/24', '10.7.0.0/24/8'])(
    'refuses %s',
    text => expect(parsePrefix(text)).toBeUndefined(),
  )

  it('masking agrees with bit arithmetic at every length', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 16, maxLength: 16 }),
        fc.integer({ min: 0, max: 128 }),
        (address, length) => {
          const bits = Array.from(address, byte => byte.toString(2).padStart(8, '0')).join('')
          const masked = bits.slice(0, length).padEnd(128, '0')
          expect(Array.from(maskAddress(address, length), byte => byte.toString(2).padStart(8, '0')).join('')).toBe(
            masked,
          )
        },
      ),
    )
  })
})

describe('keys in text', () => {
  it('are 44 characters, there and back (W3)', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), key => {
        const text = encodeKey(key)
        expect(text).toHaveLength(44)
        expect(decodeKey(text)).toEqual(key)
      }),
    )
  })

  it('have one spelling: set last bits, missing padding and white space are refused (W3)', () => {
    const text = encodeKey(new Uint8Array(32).fill(7))
    expect(decodeKey(`${text.slice(0, 42)}d=`)).toBeUndefined()
    for (const wrong of [
      text.slice(0, 43),
      `${text} `,
      `${text}\n`,
      text.replace('B', '-'),
      `${text.slice(0, 43)}A`,
      '',
    ]) {
      expect(decodeKey(wrong)).toBeUndefined()
    }
  })
})

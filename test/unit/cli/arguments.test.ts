import { InvalidArgumentError } from 'commander'
import { describe, expect, it } from 'vitest'
import { readDuration, readEndpoint, readHost, readTargetPort } from '../../../src/cli/arguments.js'

describe('a duration', () => {
  it.each([
    ['20', 20_000],
    ['0', 0],
    ['1.5', 1500],
    ['0.25', 250],
    ['500ms', 500],
    ['3s', 3000],
    ['2m', 120_000],
    ['1h', 3_600_000],
    ['596h', 2_145_600_000],
  ])('%s is %d ms', (text, milliseconds) => {
    expect(readDuration(text)).toBe(milliseconds)
  })

  it.each(['', ' 1', '1 s', '-1', '5x', '1d', '1e3', '0x10', '.5', 'Infinity', 'NaN', '597h', '99999999999'])(
    'is not %j',
    text => {
      expect(() => readDuration(text)).toThrow(InvalidArgumentError)
    },
  )
})

describe('a target', () => {
  it('is a name or an address, in brackets or not', () => {
    expect(['web1', '10.7.0.3', 'fd00::3', '[fd00::3]', 'a_b.c-d'].map(readHost)).toEqual([
      'web1',
      '10.7.0.3',
      'fd00::3',
      'fd00::3',
      'a_b.c-d',
    ])
  })

  it.each(['', 'a b', 'a\0b', 'a\nb', 'a/b', '[a', '-[', 'ä', 'x'.repeat(256)])('is not %j', text => {
    expect(() => readHost(text)).toThrow(InvalidArgumentError)
  })

  it.each(['0', '65536', '70000', '22x', ' 22', '', '-22', '2\n2'])('has no port %j', text => {
    expect(() => readTargetPort(text)).toThrow(InvalidArgumentError)
  })
})

describe('--endpoint', () => {
  it('is a host and a port', () => {
    expect(readEndpoint('vpn.example.com:51820')).toEqual({ host: 'vpn.example.com', port: 51820 })
    expect(readEndpoint('[2001:db8::1]:443')).toEqual({ host: '2001:db8::1', port: 443 })
  })

  it.each(['vpn', ':51820', 'vpn:', 'vpn:0', '2001:db8::1:443', 'a:1:2'])('is not %j', text => {
    expect(() => readEndpoint(text)).toThrow(InvalidArgumentError)
  })
})

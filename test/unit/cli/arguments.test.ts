import { InvalidArgumentError } from 'commander'
import { describe, expect, it } from 'vitest'
import {
  collectForward,
  readDuration,
  readEndpoint,
  readHost,
  readListen,
  readTargetPort,
} from '../../../src/cli/arguments.js'

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

describe('-D', () => {
  it.each([
    ['1080', { host: '127.0.0.1', port: 1080 }],
    ['0', { host: '127.0.0.1', port: 0 }],
    ['127.0.0.2:1080', { host: '127.0.0.2', port: 1080 }],
    ['localhost:1080', { host: 'localhost', port: 1080 }],
    ['[::1]:1080', { host: '::1', port: 1080 }],
    ['*:1080', { host: '::', port: 1080 }],
    [':1080', { host: '::', port: 1080 }],
  ])('%s listens on %j', (text, expected) => {
    expect(readListen(text)).toEqual(expected)
  })

  it.each([
    '',
    'x',
    '65536',
    '-1',
    '1080:127.0.0.1:1',
    '::1:1080',
    '[::1]',
    '[::1]1080',
    'a b:1',
    '127.0.0.1:',
    '1080x',
  ])('refuses %j', text => {
    expect(() => readListen(text)).toThrow(InvalidArgumentError)
  })
})

describe('-L', () => {
  it.each([
    ['5432:db.internal:5432', { host: '127.0.0.1', port: 5432, target: { host: 'db.internal', port: 5432 } }],
    ['0:10.7.0.3:80', { host: '127.0.0.1', port: 0, target: { host: '10.7.0.3', port: 80 } }],
    ['0.0.0.0:80:web1:8080', { host: '0.0.0.0', port: 80, target: { host: 'web1', port: 8080 } }],
    ['*:80:web1:8080', { host: '::', port: 80, target: { host: 'web1', port: 8080 } }],
    ['[::1]:80:[fd00::3]:8080', { host: '::1', port: 80, target: { host: 'fd00::3', port: 8080 } }],
    ['80:[fd00::3]:8080', { host: '127.0.0.1', port: 80, target: { host: 'fd00::3', port: 8080 } }],
  ])('%s leads to %j', (text, expected) => {
    expect(collectForward(text)).toEqual([expected])
  })

  it('adds up', () => {
    expect(collectForward('2:b:2', collectForward('1:a:1')).map(forward => forward.port)).toEqual([1, 2])
  })

  it.each([
    '',
    '80',
    '80:web1',
    '80:web1:0',
    '80:web1:65536',
    '80::80',
    '1:2:3:4:5',
    '80:fd00::3:80',
    '80:we b:80',
    '80:web1:80\n',
  ])('refuses %j', text => {
    expect(() => collectForward(text)).toThrow(InvalidArgumentError)
  })
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

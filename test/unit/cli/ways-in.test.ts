import { InvalidArgumentError } from 'commander'
import { describe, expect, it } from 'vitest'
import { collectForward, collectProxy, collectReverse } from '../../../src/cli/ways-in.js'

const here = '127.0.0.1'

describe('-D', () => {
  it.each([
    ['1080', { host: here, port: 1080 }],
    ['0', { host: here, port: 0 }],
    ['127.0.0.2:1080', { host: '127.0.0.2', port: 1080 }],
    ['localhost:1080', { host: 'localhost', port: 1080 }],
    ['[::1]:1080', { host: '::1', port: 1080 }],
    ['*:1080', { host: '::', port: 1080 }],
    [':1080', { host: '::', port: 1080 }],
    ['unix:/run/user/1/proxy.sock', { path: '/run/user/1/proxy.sock' }],
    ['/run/proxy.sock', { path: '/run/proxy.sock' }],
    ['unix:./proxy.sock', { path: './proxy.sock' }],
  ])('%s listens on %j', (text, expected) => {
    expect(collectProxy(text)).toEqual([expected])
  })

  it('adds up', () => {
    expect(collectProxy('unix:/a', collectProxy('1'))).toEqual([{ host: here, port: 1 }, { path: '/a' }])
  })

  it.each([
    '',
    'x',
    '65536',
    '70000',
    '-1',
    '1080:127.0.0.1:1',
    '::1:1080',
    '[::1]',
    '[::1]1080',
    'a b:1',
    '127.0.0.1:',
    '1080x',
    'unix:',
    'unix:/run/',
    'unix:/run/a\0b',
  ])('refuses %j', text => {
    expect(() => collectProxy(text)).toThrow(InvalidArgumentError)
  })
})

describe('-L', () => {
  it.each([
    ['5432:db.internal:5432', { at: { host: here, port: 5432 }, target: { host: 'db.internal', port: 5432 } }],
    ['0:10.7.0.3:80', { at: { host: here, port: 0 }, target: { host: '10.7.0.3', port: 80 } }],
    ['0.0.0.0:80:web1:8080', { at: { host: '0.0.0.0', port: 80 }, target: { host: 'web1', port: 8080 } }],
    ['*:80:web1:8080', { at: { host: '::', port: 80 }, target: { host: 'web1', port: 8080 } }],
    ['[::1]:80:[fd00::3]:8080', { at: { host: '::1', port: 80 }, target: { host: 'fd00::3', port: 8080 } }],
    ['80:[fd00::3]:8080', { at: { host: here, port: 80 }, target: { host: 'fd00::3', port: 8080 } }],
    ['80:web1:8080/tcp', { at: { host: here, port: 80 }, target: { host: 'web1', port: 8080 } }],
    [
      '5353:10.7.0.1:53/udp',
      { at: { host: here, port: 5353 }, target: { host: '10.7.0.1', port: 53 }, protocol: 'udp' },
    ],
    ['/run/db.sock:db:5432', { at: { path: '/run/db.sock' }, target: { host: 'db', port: 5432 } }],
    ['unix:./db.sock:[fd00::3]:5432', { at: { path: './db.sock' }, target: { host: 'fd00::3', port: 5432 } }],
  ])('%s leads to %j', (text, expected) => {
    expect(collectForward(text)).toEqual([expected])
  })

  it('adds up', () => {
    expect(collectForward('2:b:2', collectForward('1:a:1')).map(forward => forward.target.host)).toEqual(['a', 'b'])
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
    '80:web1:80/sctp',
    '80:/run/far.sock',
    '/run/db.sock:db:5432/udp',
    '/run/a:b:db:1',
  ])('refuses %j', text => {
    expect(() => collectForward(text)).toThrow(InvalidArgumentError)
  })
})

describe('-R', () => {
  it.each([
    ['8080:localhost:3000', { at: { port: 8080 }, target: { host: 'localhost', port: 3000 } }],
    ['0:127.0.0.1:3000', { at: { port: 0 }, target: { host: here, port: 3000 } }],
    ['*:80:[::1]:3000', { at: { port: 80 }, target: { host: '::1', port: 3000 } }],
    [':80:a:3000', { at: { port: 80 }, target: { host: 'a', port: 3000 } }],
    ['10.7.0.2:80:a:3000', { at: { host: '10.7.0.2', port: 80 }, target: { host: 'a', port: 3000 } }],
    ['[fd07::2]:80:a:3000', { at: { host: 'fd07::2', port: 80 }, target: { host: 'a', port: 3000 } }],
    ['80:/run/app.sock', { at: { port: 80 }, target: { path: '/run/app.sock' } }],
    ['80:unix:/run/a:b.sock', { at: { port: 80 }, target: { path: '/run/a:b.sock' } }],
    ['10.7.0.2:80:./app.sock', { at: { host: '10.7.0.2', port: 80 }, target: { path: './app.sock' } }],
  ])('%s leads to %j', (text, expected) => {
    expect(collectReverse(text)).toEqual([expected])
  })

  it.each([
    '',
    '80',
    'a:80',
    '80:a',
    '80:a:0',
    '70000:a:1',
    '1:2:3:4:5',
    '80:a:3000/udp',
    '80:',
    ':/run/a',
    '80:/run/a/',
    'a:b:80:/run/a',
  ])('refuses %j', text => {
    expect(() => collectReverse(text)).toThrow(InvalidArgumentError)
  })
})

import { createServer, type Server } from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { Dialer, RelaySocket, Target } from '../../../src/proxy/dialer.js'
import {
  createDirectDialer,
  createHostDialer,
  type DirectPattern,
  isDirect,
  isOfDomains,
  parseDirectPattern,
} from '../../../src/proxy/direct.js'

const patterns = (...texts: string[]) => texts.map(text => parseDirectPattern(text) as DirectPattern)

describe('a pattern of --direct', () => {
  it.each([
    ['github.com', 'github.com', true],
    ['GitHub.com', 'github.COM.', true],
    ['github.com', 'api.github.com', false],
    ['.github.com', 'api.github.com', true],
    ['.github.com', 'a.b.github.com', true],
    ['.github.com', 'github.com', false],
    ['.github.com', 'notgithub.com', false],
    ['192.0.2.0/24', '192.0.2.77', true],
    ['192.0.2.77/24', '192.0.2.1', true],
    ['192.0.2.0/24', '192.0.3.1', false],
    ['192.0.2.0/24', '::ffff:192.0.2.1', true],
    ['192.0.2.1', '192.0.2.1', true],
    ['192.0.2.1', '192.0.2.11', false],
    ['2001:db8::/32', '2001:db8:1::1', true],
    ['2001:db8::/32', '192.0.2.1', false],
    ['0.0.0.0/0', '198.51.100.1', true],
    ['0.0.0.0/0', 'github.com', false],
    ['*', 'github.com', false],
  ])('%s and %s: %s', (pattern, host, expected) => {
    expect(isDirect(host, patterns(pattern))).toBe(expected)
  })

  it.each([
    '',
    '.',
    '*.example.com',
    'a b',
    '192.0.2.0/33',
    '300.1.1.1',
    '192.0.2',
    'x/24',
    'a\0b',
    '-x',
    'a'.repeat(300),
  ])('is not %j', text => {
    expect(parseDirectPattern(text)).toBeUndefined()
  })
})

describe('the dialer before tunnel and host', () => {
  const signal = new AbortController().signal
  const refuse = (code: string) => Object.assign(new Error(code), { code })

  function build(texts: string[], failure?: Error) {
    const went: string[] = []
    const by = (way: string, error?: Error): Dialer => {
      return async ({ host }) => {
        went.push(`${way} ${host}`)
        if (error !== undefined) throw error
        return {} as RelaySocket
      }
    }
    const told: Target[] = []
    const dial = createDirectDialer({
      patterns: patterns(...texts),
      tunnel: by('tunnel', failure),
      host: by('host'),
      names: {
        isOwn: async name => isOfDomains(name, ['corp.example']),
        lookup: async () => ['192.0.2.1', '192.0.2.2'],
      },
      onDirect: target => told.push(target),
    })
    return { went, told, dial: (host: string) => dial({ host, port: 443 }, signal) }
  }

  it('takes what is named by the host and tells it, and all else by the tunnel', async () => {
    const { went, told, dial } = build(['github.com', '192.0.2.0/24'])
    await dial('github.com')
    await dial('192.0.2.1')
    await dial('web1')
    expect(went).toEqual(['host github.com', 'host 192.0.2.1', 'tunnel web1'])
    expect(told).toEqual([
      { host: 'github.com', port: 443 },
      { host: '192.0.2.1', port: 443 },
    ])
  })

  it('never falls back without *', async () => {
    const { went, dial } = build(['github.com'], refuse('NO_ROUTE'))
    await expect(dial('web1')).rejects.toThrow('NO_ROUTE')
    expect(went).toEqual(['tunnel web1'])
  })

  it('with *, lets the host look for a name that the tunnel does not know and that is none of its own', async () => {
    const { went, told, dial } = build(['*'], refuse('UNKNOWN_HOST'))
    await dial('example.org')
    expect(went).toEqual(['tunnel example.org', 'host example.org'])
    expect(told).toHaveLength(1)
  })

  it.each(['db9.corp.example', 'CORP.example.', 'db9'])('with *, keeps %s from the host', async name => {
    const { went, dial } = build(['*'], refuse('UNKNOWN_HOST'))
    await expect(dial(name)).rejects.toThrow('UNKNOWN_HOST')
    expect(went).toEqual([`tunnel ${name}`])
  })

  it('with *, dials what has no route by the address that the tunnel has for it', async () => {
    const { went, told, dial } = build(['*'], refuse('NO_ROUTE'))
    await dial('db.corp.example')
    await dial('198.51.100.7')
    expect(went).toEqual(['tunnel db.corp.example', 'host 192.0.2.1', 'tunnel 198.51.100.7', 'host 198.51.100.7'])
    expect(told[0]).toEqual({ host: 'db.corp.example', port: 443 })
  })

  it.each(['ECONNREFUSED', 'ETIMEDOUT', 'HANDSHAKE_TIMEOUT', 'EACCES', 'DNS_UNAVAILABLE'])(
    'with *, stays after %s',
    async code => {
      const { went, dial } = build(['*'], refuse(code))
      await expect(dial('web1')).rejects.toThrow(code)
      expect(went).toEqual(['tunnel web1'])
    },
  )
})

describe('a name of the tunnel', () => {
  it.each([
    ['db.corp.example', ['corp.example'], true],
    ['DB.Corp.Example.', ['corp.example'], true],
    ['corp.example', ['Corp.Example.'], true],
    ['notcorp.example', ['corp.example'], false],
    ['example.org', ['corp.example', 'lab'], false],
    ['web9', ['corp.example'], true],
    ['web9.', ['corp.example'], false],
    ['web9', [], false],
  ])('%s with the domains %j: %s', (name, domains, expected) => {
    expect(isOfDomains(name, domains)).toBe(expected)
  })
})

describe('the dialer of the host', () => {
  async function listening(): Promise<number> {
    const server: Server = createServer().listen(0, '127.0.0.1')
    onTestFinished(() => void server.close())
    await new Promise(resolve => server.once('listening', resolve))
    return (server.address() as { port: number }).port
  }

  it('connects, and says why not', async () => {
    const port = await listening()
    const socket = await createHostDialer(1000)({ host: '127.0.0.1', port }, new AbortController().signal)
    expect(socket.localAddress).toBe('127.0.0.1')
    socket.destroy()
    await expect(createHostDialer(0)({ host: '127.0.0.1', port: 1 }, new AbortController().signal)).rejects.toThrow(
      'ECONNREFUSED',
    )
  })

  it('gives up with its client', async () => {
    const signal = AbortSignal.abort(new Error('left'))
    await expect(createHostDialer(1000)({ host: '127.0.0.1', port: 1 }, signal)).rejects.toThrow('left')
  })
})

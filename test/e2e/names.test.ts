// Names by DNS through the tunnel, as a program uses them: two tunnels over real UDP on loopback, the servers in the far one.
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import http from 'node:http'
import net from 'node:net'
import { text } from 'node:stream/consumers'
import { promisify } from 'node:util'
import { afterEach, describe, expect, it } from 'vitest'
import { openTunnel, type Tunnel, type TunnelOptions } from '../../src/index.js'
import { createDialer } from '../../src/proxy/dialer.js'
import { startProxy } from '../../src/proxy/proxy.js'
import type { Zone } from '../support/dns.js'
import { type DnsServer, startDns } from '../support/dns-server.js'
import { newKeyPair } from '../support/pair.js'

const zone: Zone = {
  'db.corp.example': { a: ['10.7.0.1'], aaaa: ['fd07::1'] },
  'www.corp.example': { alias: 'db.corp.example' },
  'old.corp.example': { a: ['10.7.0.1'] },
  // More than 1232 bytes.
  'big.corp.example': { a: Array.from({ length: 120 }, (_, i) => `10.7.9.${i + 1}`) },
  'half.corp.example': { a: ['10.7.0.1'], aaaa: ['fd07::dead'] },
  'mail.corp.example': {},
  'here.corp.example': { a: ['127.0.7.1'] },
  web1: { a: ['10.9.9.9'] },
}

const tunnels: Tunnel[] = []
afterEach(async () => {
  await Promise.all(tunnels.splice(0).map(tunnel => tunnel.close()))
})

interface World {
  readonly gateway: Tunnel
  readonly runner: Tunnel
  readonly dns: DnsServer
}

interface WorldOptions {
  /** Lines under [Interface] of the runner. */
  readonly lines?: string
  readonly answers?: Parameters<typeof startDns>[1]['answers']
  readonly limits?: TunnelOptions['dnsLimits']
}

/** The gateway is 10.7.0.1, 10.7.0.53 and 10.7.0.54; a DNS server is at 10.7.0.53. */
async function open({
  lines = 'DNS = 10.7.0.53, corp.example',
  answers = zone,
  limits,
}: WorldOptions = {}): Promise<World> {
  const keys = [newKeyPair(), newKeyPair()] as const
  const gateway = await openTunnel({
    text: `[Interface]
PrivateKey = ${keys[0].privateKey}
Address = 10.7.0.1/24, 10.7.0.53/24, 10.7.0.54/24, fd07::1/64
[Peer]
PublicKey = ${keys[1].publicKey}
AllowedIPs = 10.7.0.2/32, fd07::2/128
`,
  })
  tunnels.push(gateway)
  const runner = await openTunnel(
    {
      text: `[Interface]
PrivateKey = ${keys[1].privateKey}
Address = 10.7.0.2/32, fd07::2/128
Host = cache 10.7.0.8
${lines}
[Peer]
Name = web1
Address = 10.7.0.1
PublicKey = ${keys[0].publicKey}
AllowedIPs = 10.7.0.0/24, fd07::/64
Endpoint = 127.0.0.1:${gateway.port}
`,
    },
    limits === undefined ? {} : { dnsLimits: limits },
  )
  tunnels.push(runner)
  return { gateway, runner, dns: await startDns(gateway, { address: '10.7.0.53', answers }) }
}

async function greet(gateway: Tunnel, port: number, host?: string): Promise<void> {
  const server = gateway.createServer(socket => socket.on('error', () => {}).end('hello'))
  server.listen(port, ...(host === undefined ? [] : [host]))
  await once(server, 'listening')
}

describe('a name that DNS in the tunnel knows', () => {
  it.each(['db.corp.example', 'db', 'www', 'DB.Corp.Example.'])('is dialled: %s', async host => {
    const { gateway, runner } = await open()
    await greet(gateway, 5432)
    const socket = runner.connect(5432, host)
    expect(await text(socket)).toBe('hello')
    expect(socket.remoteAddress).toBe('fd07::1')
  })

  it("is asked for once, after the configuration's own names", async () => {
    const { runner, dns } = await open()
    expect(await runner.lookup('web1')).toEqual({ address: '10.7.0.1', family: 4 })
    expect(await runner.lookup('cache')).toEqual({ address: '10.7.0.8', family: 4 })
    expect(await runner.lookup('10.9.9.9')).toEqual({ address: '10.9.9.9', family: 4 })
    expect(dns.log).toEqual([])
    await Promise.all(Array.from({ length: 20 }, () => runner.lookup('db')))
    await runner.lookup('db.corp.example')
    expect(dns.log).toEqual(['udp aaaa db.corp.example', 'udp a db.corp.example'])
    expect(new Set(dns.ports).size).toBe(2)
    expect(runner.stats().dns).toMatchObject({ queriesUdp: 2, found: 21, cacheHits: 2 })
  })

  it('has an answer too long for UDP: it comes over TCP', async () => {
    const { runner, dns } = await open({ limits: { addresses: 200 } })
    const found = await runner.lookup('big', { family: 4, all: true })
    expect(found).toHaveLength(120)
    expect(dns.log).toEqual(['udp a big.corp.example', 'tcp a big.corp.example'])
  })

  it('is dialled at the address that answers, in a quarter of a second', async () => {
    const { gateway, runner } = await open()
    await greet(gateway, 5432)
    const socket = runner.connect(5432, 'half')
    const attempts: string[] = []
    socket.on('connectionAttempt', address => attempts.push(address))
    expect(await text(socket)).toBe('hello')
    expect(attempts).toEqual(['fd07::dead', '10.7.0.1'])
    expect(socket.remoteAddress).toBe('10.7.0.1')
  })

  it('is pinged, waited for, and sent to', async () => {
    const { gateway, runner } = await open()
    await greet(gateway, 5432)
    expect((await runner.ready({ target: { host: 'old', port: 5432 } })).peer?.name).toBe('web1')
    expect((await runner.ping('db', { timeout: 5000 })).address).toBe('fd07::1')
    const echo = gateway.createSocket()
    echo.bind(5353)
    echo.on('message', (message, from) => echo.send(message, from.port, from.address))
    await once(echo, 'listening')
    const socket = runner.createSocket('udp4')
    const sent = new Promise(resolve => socket.send('ping', 5353, 'www', (...words) => resolve(words)))
    expect(String((await once(socket, 'message'))[0])).toBe('ping')
    expect(await sent).toEqual([null, 4])
    socket.connect(5353, 'old')
    await once(socket, 'connect')
    expect(socket.remoteAddress()).toMatchObject({ address: '10.7.0.1', port: 5353 })
    socket.close()
  })

  it("leads others there by their option 'lookup'", async () => {
    const { gateway, runner } = await open()
    const far = http.createServer((request, response) => response.end(`hello ${request.headers.host}`))
    const server = gateway.createServer(socket => far.emit('connection', socket)).listen(80)
    await once(server, 'listening')
    const request = http.get({
      host: 'old',
      lookup: runner.lookup,
      createConnection: options => runner.connect({ host: String(options.host), port: 80 }),
    })
    const [response] = (await once(request, 'response')) as [http.IncomingMessage]
    expect(await text(response)).toBe('hello old:80')
    // net asks the lookup that it is given, and would dial by the host: all of 127.0.0.0/8 is there.
    const local = net.createServer(socket => socket.end('local')).listen(5432, '127.0.7.1')
    await once(local, 'listening')
    const socket = net.connect({ host: 'here', port: 5432, lookup: runner.lookup })
    expect(await text(socket)).toBe('local')
    local.close()
  })
})

describe('lookup', () => {
  it("has dns.lookup's shape, by callback and as a promise", async () => {
    const { runner } = await open()
    const { lookup } = runner
    const all = [
      { address: 'fd07::1', family: 6 },
      { address: '10.7.0.1', family: 4 },
    ]
    expect(await lookup('db')).toEqual(all[0])
    expect(await lookup('db', { all: true })).toEqual(all)
    expect(await lookup('db', { all: true, order: 'ipv4first' })).toEqual(all.toReversed())
    expect(await lookup('db', { verbatim: false })).toEqual(all[1])
    expect(await lookup('db', 4)).toEqual(all[1])
    expect(await new Promise(resolve => lookup('db', (...words) => resolve(words)))).toEqual([null, 'fd07::1', 6])
    expect(await new Promise(resolve => lookup('db', { family: 4 }, (...words) => resolve(words)))).toEqual([
      null,
      '10.7.0.1',
      4,
    ])
    expect(await new Promise(resolve => lookup('db', { all: true }, (...words) => resolve(words)))).toEqual([null, all])
  })

  it('tells what is not there from what could not be asked', async () => {
    const { runner } = await open({
      lines: 'DNS = 10.7.0.53\nDNSRoute = broken.example 10.7.0.54\nDNSRoute = away.example 10.99.0.1',
      limits: { tryTimeout: 1000, rounds: 1 },
    })
    await runner.ready()
    const failed = (name: string) => runner.lookup(name).then(Promise.reject, error => error)
    expect(await failed('none.corp.example')).toMatchObject({
      message: 'getaddrinfo ENOTFOUND none.corp.example',
      code: 'ENOTFOUND',
      errno: -3008,
      syscall: 'getaddrinfo',
      hostname: 'none.corp.example',
      cause: { code: 'UNKNOWN_HOST', message: expect.stringContaining('10.7.0.53') },
    })
    expect((await failed('mail.corp.example')).cause).toMatchObject({
      code: 'UNKNOWN_HOST',
      message: expect.stringContaining('has no address'),
    })
    // Nobody listens there.
    expect(await failed('x.broken.example')).toMatchObject({
      code: 'EAI_AGAIN',
      errno: -3001,
      cause: { code: 'DNS_UNAVAILABLE', message: expect.stringContaining('10.7.0.54 says ECONNREFUSED') },
    })
    expect((await failed('x.away.example')).cause).toMatchObject({
      code: 'DNS_UNAVAILABLE',
      message: expect.stringMatching(/10\.99\.0\.1 is outside of every peer's AllowedIPs.*add it/),
    })
    expect((await failed('web1\0.corp.example')).cause).toMatchObject({
      code: 'UNKNOWN_HOST',
      message: expect.stringContaining('a character that no host name has'),
    })
    expect((await failed('localhost')).cause).toMatchObject({ code: 'UNKNOWN_HOST' })
  })

  it('says that the server is silent, where the tunnel stands', async () => {
    const { runner } = await open({ answers: () => undefined, limits: { tryTimeout: 100, rounds: 2 } })
    await runner.ready()
    const error = await runner.lookup('db').then(Promise.reject, reason => reason)
    expect(error).toMatchObject({ code: 'EAI_AGAIN', cause: { code: 'DNS_UNAVAILABLE' } })
    expect(error.cause.message).toContain('DNS server 10.7.0.53 does not answer')
  })

  it('throws for what is no argument', async () => {
    const { runner } = await open()
    const code = (expected: string) => expect.objectContaining({ code: expected })
    expect(() => runner.lookup(7 as never)).toThrow(code('ERR_INVALID_ARG_TYPE'))
    expect(() => runner.lookup('db', { family: 5 })).toThrow(code('ERR_INVALID_ARG_VALUE'))
    expect(() => runner.lookup('db', { order: 'x' as never })).toThrow(code('ERR_INVALID_ARG_VALUE'))
    expect(() => runner.lookup('db', {}, 'x' as never)).toThrow(code('ERR_INVALID_ARG_TYPE'))
  })

  it('ends when the tunnel is closed', async () => {
    const { runner } = await open({ answers: () => undefined })
    const failed = runner.lookup('db').then(Promise.reject, error => error)
    await new Promise(resolve => setTimeout(resolve, 50))
    await runner.close()
    expect((await failed).cause).toMatchObject({ code: 'TUNNEL_CLOSED' })
  })
})

describe('DNSRoute', () => {
  it('gives a domain servers of its own, as a comment too, and other names none where there is no DNS', async () => {
    const { gateway, runner, dns } = await open({ lines: '# DNSRoute = lab.example corp.example 10.7.0.54' })
    const other = await startDns(gateway, { address: '10.7.0.54', answers: zone })
    expect(await runner.lookup('old.corp.example')).toEqual({ address: '10.7.0.1', family: 4 })
    expect(other.log).toHaveLength(2)
    const error = await runner.lookup('old.example').then(Promise.reject, reason => reason)
    expect(error.cause.message).toMatch(
      /^unknown host "old.example": use an address, or add .*known names: web1, cache/,
    )
    expect(dns.log).toEqual([])
  })
})

describe('a tunnel whose peer does not answer', () => {
  it('says so of a name that DNS would have to be asked for', async () => {
    const { publicKey } = newKeyPair()
    const runner = await openTunnel(
      {
        text: `[Interface]
PrivateKey = ${newKeyPair().privateKey}
Address = 10.7.0.2/32
DNS = 10.7.0.53
[Peer]
PublicKey = ${publicKey}
AllowedIPs = 10.7.0.0/24
Endpoint = 127.0.0.1:9
`,
      },
      { dnsLimits: { tryTimeout: 100, rounds: 1 } },
    )
    tunnels.push(runner)
    const socket = runner.connect(22, 'db.corp.example')
    const [error] = await once(socket, 'error')
    expect(error).toMatchObject({ code: 'EAI_AGAIN', cause: { code: 'HANDSHAKE_TIMEOUT' } })
    await expect(runner.ready({ target: { host: 'db', port: 22 }, timeout: 200 })).rejects.toMatchObject({
      code: 'HANDSHAKE_TIMEOUT',
    })
  })
})

describe('a SOCKS client', () => {
  it.each([
    ['a name that is there', 'db', 0],
    ['a name that is not', 'none', 4],
    ['a name that no server answers for', 'x.broken.example', 4],
  ])('that asks for %s gets the reply that says so', async (_, host, reply) => {
    const { gateway, runner } = await open({
      lines: 'DNS = 10.7.0.53, corp.example\nDNSRoute = broken.example 10.7.0.54',
    })
    await greet(gateway, 5432)
    const dial = createDialer(target => runner.connect({ ...target, connectTimeout: 5000 }))
    const proxy = await startProxy({ at: { host: '127.0.0.1', port: 0 }, dial })
    try {
      const client = net.connect(proxy.address.port, '127.0.0.1')
      client.write(Buffer.from([5, 1, 0, 5, 1, 0, 3, host.length, ...Buffer.from(host), 5432 >> 8, 5432 & 0xff]))
      let received = Buffer.alloc(0)
      for await (const chunk of client) {
        received = Buffer.concat([received, chunk])
        if (received.length >= 4) break
      }
      expect(received[3]).toBe(reply)
    } finally {
      await proxy.close()
    }
  })
})

describe('a process', () => {
  it('is not held by what was kept or by a resolver that rests', async () => {
    const keys = newKeyPair()
    const script = `import { openTunnel } from ${JSON.stringify(new URL('../../dist/index.js', import.meta.url).href)}
      const tunnel = await openTunnel({ text: ${JSON.stringify(`[Interface]
PrivateKey = ${keys.privateKey}
Address = 10.7.0.2/32
DNS = 10.7.0.2
`)} })
      tunnel.unref()
      await tunnel.lookup('db').catch(error => console.log(error.code, error.cause.code))`
    const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script])
    expect(stdout).toBe('EAI_AGAIN DNS_UNAVAILABLE\n')
  })
})

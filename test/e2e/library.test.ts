// The library as a program uses it: two tunnels over real UDP on loopback.
import { execFile } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import http from 'node:http'
import { text } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import { promisify } from 'node:util'
import { afterEach, describe, expect, it } from 'vitest'
import { openTunnel, type TunnelSocket } from '../../src/index.js'
import { newKeyPair, openPair, type Pair, type PairOptions } from '../support/pair.js'

const pairs: Pair[] = []
afterEach(async () => {
  await Promise.all(pairs.splice(0).map(pair => pair.close()))
})

async function open(options?: PairOptions): Promise<Pair> {
  const pair = await openPair(options)
  pairs.push(pair)
  return pair
}

async function listen(pair: Pair, port: number, handle: (socket: TunnelSocket) => void) {
  const server = pair.gateway.createServer({ allowHalfOpen: true }, handle)
  server.listen(port)
  await once(server, 'listening')
  return server
}

describe('a tunnel between two processes of our own', () => {
  it.each([
    ['IPv4', {}],
    ['IPv6', { v6: true }],
    ['with a preshared key', { presharedKey: Buffer.alloc(32, 3).toString('base64') }],
    ['noble on one side', { runner: { crypto: 'noble' as const } }],
  ])('stands when ready() resolves: %s', async (_name, options) => {
    const pair = await open(options)
    const { peer } = await pair.runner.ready()
    expect(peer?.name).toBe('web1')
    expect(peer?.endpoint).toBe(`${'v6' in options ? '[::1]' : '127.0.0.1'}:${pair.gateway.port}`)
    expect(peer?.rtt).toBeGreaterThan(0)
  })

  it.each(['web1', '10.7.0.1', 'fd07::1'])('carries bytes both ways, half-closed at the end: %s', async host => {
    const pair = await open()
    await listen(pair, 9000, socket => {
      const hash = createHash('sha256')
      socket.on('data', chunk => hash.update(chunk))
      socket.on('end', () => socket.end(hash.digest('hex')))
    })
    const body = randomBytes(3_000_000)
    const socket = pair.runner.connect({ host, port: 9000, allowHalfOpen: true })
    socket.end(body)
    expect(await text(socket)).toBe(createHash('sha256').update(body).digest('hex'))
  })

  it('serves http, and the client is node:http', async () => {
    const pair = await open()
    const server = http.createServer((request, response) => response.end(`hello ${request.url}`))
    await listen(pair, 80, socket => server.emit('connection', socket))
    const request = http.get({ host: 'web1', path: '/x', createConnection: () => pair.runner.connect(80, 'web1') })
    const [response] = (await once(request, 'response')) as [http.IncomingMessage]
    expect(await text(response)).toBe('hello /x')
  })

  it('answers ping over both families', async () => {
    const pair = await open()
    for (const host of ['10.7.0.1', 'fd07::1']) {
      const { rtt, address } = await pair.runner.ping(host, { timeout: 5000 })
      expect(address).toBe(host)
      expect(rtt).toBeGreaterThan(0)
    }
  })

  it('carries datagrams', async () => {
    const pair = await open()
    const echo = pair.gateway.createSocket()
    echo.bind(5353)
    echo.on('message', (message, from) => echo.send(message, from.port, from.address))
    const client = pair.runner.createSocket()
    client.bind()
    client.send(Buffer.from('ping'), 5353, 'web1')
    const [message, from] = await once(client, 'message')
    expect([String(message), from.address, from.port]).toEqual(['ping', '10.7.0.1', 5353])
    client.close()
    echo.close()
  })

  it('resolves when bound where no peer has an endpoint', async () => {
    const pair = await open()
    expect(await pair.gateway.ready()).toEqual({})
  })

  it('lives through rekeys', async () => {
    const timers = { rekeyAfterTime: 400, rejectAfterTime: 1200, rekeyTimeout: 200, keepaliveTimeout: 200 }
    const pair = await open({ gateway: { timers }, runner: { timers } })
    let handshakes = 0
    pair.runner.on('handshake', () => handshakes++)
    await listen(pair, 9000, socket => void pipeline(socket, socket))
    const socket = pair.runner.connect(9000, 'web1')
    let sent = 0
    let received = 0
    socket.on('data', chunk => {
      received += chunk.length
    })
    while (handshakes < 4) {
      socket.write(Buffer.alloc(1000))
      sent += 1000
      await new Promise(resolve => setTimeout(resolve, 10))
    }
    socket.end()
    await once(socket, 'close')
    expect(received).toBe(sent)
  })
})

describe('close()', () => {
  it('lets what was written before arrive', async () => {
    const pair = await open()
    let received = 0
    const whole = new Promise(resolve => {
      void listen(pair, 9000, socket => {
        socket.on('data', chunk => {
          received += chunk.length
        })
        socket.on('end', () => resolve(socket.end()))
      })
    })
    await pair.runner.ready()
    const socket = pair.runner.connect(9000, 'web1')
    await once(socket, 'connect')
    socket.end(Buffer.alloc(150_000))
    await once(socket, 'finish')
    socket.destroy()
    await pair.runner.close()
    await whole
    expect(received).toBe(150_000)
  })

  it('resets what is still in use, which is no error on the side that closes', async () => {
    const pair = await open()
    const accepted = new Promise<TunnelSocket>(resolve => void listen(pair, 9000, resolve))
    const socket = pair.runner.connect(9000, 'web1')
    const far = await accepted
    const [[hadError], [remote]] = await Promise.all([once(socket, 'close'), once(far, 'error'), pair.runner.close()])
    expect([hadError, remote.code]).toEqual([false, 'ECONNRESET'])
  })

  it('is not needed for the process to end, after unref(): not even while an endpoint does not resolve', async () => {
    const conf = `[Interface]\nPrivateKey = ${newKeyPair().privateKey}\nAddress = 10.7.0.9/32\n[Peer]\nPublicKey = ${newKeyPair().publicKey}\nAllowedIPs = 10.7.0.0/24\nEndpoint = name.invalid:51820\n`
    const script = `import { openTunnel } from ${JSON.stringify(new URL('../../dist/index.js', import.meta.url).href)}
      const tunnel = await openTunnel({ text: ${JSON.stringify(conf)} })
      tunnel.unref()
      await tunnel.ready({ timeout: 500 }).catch(error => console.log(error.code))`
    const run = promisify(execFile)(process.execPath, ['--input-type=module', '-e', script], { timeout: 15_000 })
    expect((await run).stdout).toBe('ENDPOINT_UNRESOLVED\n')
  })

  it('fails a dial that is under way', async () => {
    const pair = await open()
    await pair.runner.ready()
    const socket = pair.runner.connect(9000, '10.7.0.77')
    const failed = once(socket, 'error')
    await new Promise(setImmediate)
    const [[error]] = await Promise.all([failed, pair.runner.close()])
    expect(error.code).toBe('ECONNABORTED')
  })
})

describe('ready() refuses what cannot be meant', () => {
  it.each([
    [{ timeout: Number.NaN }, 'timeout'],
    [{ timeout: -1 }, 'timeout'],
    [{ timeout: '5s' as never }, 'timeout'],
    [{ target: { host: 'web1' } as never }, 'target.port'],
    [{ target: { host: '', port: 22 } }, 'target.host'],
  ])('%j', async (options, thing) => {
    const pair = await open()
    await expect(pair.runner.ready(options)).rejects.toMatchObject({
      code: 'USAGE',
      message: expect.stringContaining(thing),
    })
  })
})

describe('a peer that falls silent', () => {
  it('is told, and a failed dial says so', async () => {
    const timers = { rekeyTimeout: 300, keepaliveTimeout: 300 }
    const pair = await open({ runner: { timers } })
    await pair.runner.ready()
    const silent = once(pair.runner, 'silent')
    await pair.gateway.close()
    const socket = pair.runner.connect({ host: 'web1', port: 22, connectTimeout: 2000 })
    const [error] = await once(socket, 'error')
    expect((await silent)[0]).toMatchObject({ name: 'web1' })
    expect(error.cause).toMatchObject({
      code: 'HANDSHAKE_TIMEOUT',
      message: expect.stringMatching(/web1 at 127\.0\.0\.1:\d+ \(\d+ initiations? unanswered, silent for \d+ s\)/),
    })
  })
})

describe('ready() with a target', () => {
  it('waits for its SYN-ACK', async () => {
    const pair = await open()
    await listen(pair, 22, socket => socket.end())
    await expect(pair.runner.ready({ target: { host: 'web1', port: 22 } })).resolves.toMatchObject({
      peer: { name: 'web1' },
    })
  })

  it.each([
    ['a refused one', 'web1', 23, 'TARGET_REFUSED', 'web1:23 refused'],
    ['a name that nobody knows', 'web9', 22, 'UNKNOWN_HOST', 'web9'],
    ['an address that no AllowedIPs cover', '192.0.2.1', 22, 'NO_ROUTE', '10.7.0.0/24'],
  ])('%s is told apart', async (_name, host, port, code, message) => {
    const pair = await open()
    await expect(pair.runner.ready({ target: { host, port }, timeout: 5000 })).rejects.toMatchObject({
      code,
      message: expect.stringContaining(message),
    })
  })

  it('a silent one times out', async () => {
    const pair = await open()
    await expect(pair.runner.ready({ target: { host: '10.7.0.77', port: 22 }, timeout: 400 })).rejects.toMatchObject({
      code: 'TARGET_TIMEOUT',
    })
  })
})

describe('failing well', () => {
  it('a peer that never answers: HANDSHAKE_TIMEOUT, with what was tried', async () => {
    const keys = newKeyPair()
    const tunnel = await openTunnel({
      text: `[Interface]\nPrivateKey = ${keys.privateKey}\nAddress = 10.7.0.9/32\n[Peer]\nPublicKey = ${newKeyPair().publicKey}\nAllowedIPs = 10.7.0.0/24\nEndpoint = 127.0.0.1:9\n`,
    })
    await expect(tunnel.ready({ timeout: 300 })).rejects.toMatchObject({
      code: 'HANDSHAKE_TIMEOUT',
      message: expect.stringContaining('127.0.0.1:9'),
    })
    const waiting = tunnel.ready({ timeout: 0 })
    const assertion = expect(waiting).rejects.toMatchObject({ code: 'TUNNEL_CLOSED' })
    await tunnel.close()
    await assertion
    await expect(tunnel.ready()).rejects.toMatchObject({ code: 'TUNNEL_CLOSED' })
    expect(() => tunnel.connect(1, '10.7.0.1')).toThrow('closed')
  })

  it('an aborted signal ends ready() with its reason', async () => {
    const pair = await open()
    await expect(pair.runner.ready({ signal: AbortSignal.abort(new Error('enough')) })).rejects.toThrow('enough')
  })

  it('a second tunnel with the same key: TUNNEL_KEY_IN_USE and who has it', async () => {
    const pair = await open()
    await expect(openTunnel(pair.runner.config)).rejects.toMatchObject({
      code: 'TUNNEL_KEY_IN_USE',
      message: expect.stringContaining('this process already runs a tunnel'),
    })
  })

  it('a configuration without a key, and an option that is none', async () => {
    const text = `[Interface]\nAddress = 10.7.0.9/32\n[Peer]\nPublicKey = ${newKeyPair().publicKey}\nAllowedIPs = 10.7.0.0/24\n`
    await expect(openTunnel({ text })).rejects.toMatchObject({ code: 'CONFIG_NO_PRIVATE_KEY' })
    await expect(openTunnel({ text }, { privateKey: 'nonsense' })).rejects.toMatchObject({ code: 'CONFIG_INVALID' })
    await expect(openTunnel({ text }, { congestion: 'reno' as 'bbr' })).rejects.toMatchObject({
      code: 'USAGE',
      message: 'congestion: bbr or cubic was expected, not reno',
    })
  })

  it('keys show in nothing that is printed', async () => {
    const pair = await open()
    const secret = Buffer.from(pair.runner.config.interface.privateKey as Uint8Array).toString('base64')
    const { inspect } = await import('node:util')
    for (const shown of [
      inspect(pair.runner, { depth: 9 }),
      JSON.stringify(pair.runner.config),
      inspect(pair.runner.config, { depth: 9 }),
    ]) {
      expect(shown).not.toContain(secret)
    }
  })
})

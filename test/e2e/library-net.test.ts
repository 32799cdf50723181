// A tunnel in place of node:net, dgram and dns: what a library that is handed one finds, over two real tunnels on loopback.
import { execFile } from 'node:child_process'
import { channel } from 'node:diagnostics_channel'
import type { LookupOptions } from 'node:dns'
import { on, once } from 'node:events'
import net from 'node:net'
import { text } from 'node:stream/consumers'
import { inspect, promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { CloseMessage, ConnectMessage, HandshakeMessage, TunnelSocket } from '../../src/index.js'
import { openTunnel } from '../../src/index.js'
import { newKeyPair, openPair, type Pair } from '../support/pair.js'

let pair: Pair
beforeEach(async () => {
  pair = await openPair()
})
afterEach(() => pair.close())

async function greet(port: number): Promise<void> {
  const server = pair.gateway.createServer(socket => socket.end('hello'))
  await once(server.listen(port), 'listening')
}

describe('connect()', () => {
  it.each([
    ['options', () => pair.runner.connect({ host: 'web1', port: 9 })],
    ['options and a listener', () => pair.runner.connect({ host: 'web1', port: 9 }, () => {})],
    ['port and host', () => pair.runner.connect(9, 'web1')],
    ['port and host and a listener', () => pair.runner.connect('9', 'web1', () => {})],
    ['its other name', () => pair.runner.createConnection(9, 'web1')],
    ['a socket made before', () => new pair.runner.Socket().connect(9, 'web1')],
    ['no `this`', () => pair.runner.connect.call(undefined, 9, 'web1')],
  ])('takes %s', async (_, connect) => {
    await greet(9)
    expect(await text(connect())).toBe('hello')
  })

  it('calls its listener when the connection stands', async () => {
    await greet(9)
    await new Promise<void>(resolve => pair.runner.connect(9, 'web1', resolve))
  })

  it("sets net's timeout of silence, which ends nothing by itself", async () => {
    const server = pair.gateway.createServer(() => {})
    await once(server.listen(9), 'listening')
    const socket = pair.runner.connect({ host: 'web1', port: 9, timeout: 100 })
    await once(socket, 'timeout')
    expect([socket.timeout, socket.destroyed]).toEqual([100, false])
    socket.destroy()
  })

  it('bounds the dial by connectTimeout: ETIMEDOUT', async () => {
    const socket = pair.runner.connect({ host: '10.7.0.77', port: 9, connectTimeout: 200 })
    expect((await once(socket, 'error'))[0].code).toBe('ETIMEDOUT')
  })

  it("dials what the caller's own lookup gives, through the tunnel", async () => {
    await greet(9)
    const asked: [string, LookupOptions][] = []
    const socket = pair.runner.connect({
      host: 'elsewhere',
      port: 9,
      lookup: (name, options, callback) => {
        asked.push([name, options])
        callback(null, [{ address: '10.7.0.1', family: 4 }])
      },
    })
    expect(await text(socket)).toBe('hello')
    expect(asked).toEqual([['elsewhere', { family: 0, hints: 0, all: true }]])
  })

  it('ends with its signal', async () => {
    const ending = new AbortController()
    const socket = pair.runner.connect({ host: '10.7.0.77', port: 9, signal: ending.signal })
    ending.abort()
    expect((await once(socket, 'error'))[0].name).toBe('AbortError')
  })

  it.each([
    [{ port: 9 }, 'ERR_MISSING_ARGS'],
    [{ path: '/run/socket' }, 'ERR_INVALID_ARG_VALUE'],
    [{ host: 'web1', port: 9, onread: { buffer: Buffer.alloc(1), callback: () => true } }, 'ERR_INVALID_ARG_VALUE'],
    [{ host: 'web1', port: 9, family: 5 }, 'ERR_INVALID_ARG_VALUE'],
    [{ host: 'web1', port: 9, lookup: 'dns' }, 'ERR_INVALID_ARG_TYPE'],
  ])('refuses %j', (options, code) => {
    expect(() => pair.runner.connect(options as never)).toThrow(expect.objectContaining({ code }))
  })

  it('refuses a port alone, and a path', () => {
    expect(() => pair.runner.connect(9, undefined as never)).toThrow(
      expect.objectContaining({ code: 'ERR_MISSING_ARGS' }),
    )
    expect(() => new pair.runner.Socket().connect('/run/socket')).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_ARG_VALUE' }),
    )
  })

  it('keeps to addresses that a block list leaves', async () => {
    const blockList = new net.BlockList()
    blockList.addSubnet('10.7.0.0', 24)
    const socket = pair.runner.connect({ host: '10.7.0.1', port: 9, blockList })
    expect((await once(socket, 'error'))[0].code).toBe('ERR_IP_BLOCKED')
  })
})

describe('tunnel.Socket', () => {
  it('is the class of every socket of the tunnel, and of no other', async () => {
    const { runner, gateway } = pair
    const server = gateway.createServer().listen(9)
    const accepted = once(server, 'connection')
    const dialled = runner.connect(9, 'web1')
    const [far] = (await accepted) as [TunnelSocket]
    expect(dialled).toBeInstanceOf(runner.Socket)
    expect(far).toBeInstanceOf(gateway.Socket)
    expect(far).not.toBeInstanceOf(runner.Socket)
    expect(new net.Socket()).not.toBeInstanceOf(runner.Socket)
  })

  it('can be extended', async () => {
    await greet(9)
    class Counted extends pair.runner.Socket {
      dials = 0
      override connect(...args: unknown[]): this {
        this.dials++
        return super.connect(...(args as [number, string]))
      }
    }
    const socket = new Counted().connect(9, 'web1')
    expect(await text(socket)).toBe('hello')
    expect([socket.dials, socket instanceof Counted, socket instanceof pair.runner.Socket]).toEqual([1, true, true])
    expect(new pair.runner.Socket()).not.toBeInstanceOf(Counted)
  })

  it('says what a log should have of it, and nothing of the tunnel', async () => {
    await greet(9)
    const socket = pair.runner.connect(9, 'web1')
    await once(socket, 'connect')
    const shown = inspect({ socket }, { depth: 9 })
    expect(shown).toContain("remoteAddress: '10.7.0.1'")
    expect(shown.length).toBeLessThan(400)
  })

  it('fails to connect in a tunnel that is closed: the cause is TUNNEL_CLOSED', async () => {
    const { Socket } = pair.runner
    await pair.runner.close()
    const [error] = await once(new Socket().connect(9, 'web1'), 'error')
    expect([error.code, error.cause.code]).toEqual(['ECONNABORTED', 'TUNNEL_CLOSED'])
  })
})

describe('what listens in a tunnel', () => {
  it('closes with it', async () => {
    const { gateway } = pair
    const server = gateway.createServer().listen(9)
    const datagrams = gateway.createSocket().bind(9)
    await Promise.all([once(server, 'listening'), once(datagrams, 'listening')])
    const closed = [once(server, 'close'), once(datagrams, 'close')]
    await gateway.close()
    await Promise.all(closed)
    expect(server.listening).toBe(false)
    await new Promise<void>(resolve => datagrams.close(resolve))
  })

  it('ends an iteration over its events', async () => {
    const server = pair.gateway.createServer().listen(9)
    const connections = on(server, 'connection', { close: ['close'] })
    await once(server, 'listening')
    const closed = pair.gateway.close()
    for await (const _ of connections) expect.unreachable()
    await closed
  })

  it('stops with its signal', async () => {
    const ending = new AbortController()
    const server = pair.gateway.createServer().listen({ port: 9, signal: ending.signal })
    const datagrams = pair.gateway.createSocket({ signal: ending.signal }).bind(9)
    await Promise.all([once(server, 'listening'), once(datagrams, 'listening')])
    const closed = [once(server, 'close'), once(datagrams, 'close')]
    ending.abort()
    await Promise.all(closed)
  })

  it('is disposed of', async () => {
    const server = pair.gateway.createServer().listen(9)
    const datagrams = pair.gateway.createSocket().bind(9)
    await server[Symbol.asyncDispose]()
    await datagrams[Symbol.asyncDispose]()
    await pair.runner[Symbol.asyncDispose]()
    expect([server.listening, pair.runner.closed]).toEqual([false, true])
    expect(() => datagrams.address()).toThrow(expect.objectContaining({ code: 'ERR_SOCKET_DGRAM_NOT_RUNNING' }))
  })

  it('has no path', () => {
    expect(() => pair.gateway.createServer().listen('/run/socket')).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_ARG_VALUE' }),
    )
  })
})

describe('createSocket()', () => {
  it("sends to what the caller's own lookup gives", async () => {
    const echo = pair.gateway
      .createSocket('udp4', (message, from) => echo.send(message, from.port, from.address))
      .bind(53)
    const client = pair.runner.createSocket({
      type: 'udp4',
      lookup: (_name, _options, callback) => callback(null, '10.7.0.1', 4),
      recvBufferSize: 70_000,
      reuseAddr: true,
    })
    client.send('ping', 53, 'elsewhere')
    const [message] = await once(client, 'message')
    expect([String(message), client.getRecvBufferSize()]).toEqual(['ping', 70_000])
  })
})

describe('lookup()', () => {
  it('is promisified as dns.lookup is', async () => {
    expect(await promisify(pair.runner.lookup)('web1')).toEqual({ address: '10.7.0.1', family: 4 })
    const { lookup } = pair.runner
    expect(await new Promise(resolve => lookup('web1', 6, (_error, ...found) => resolve(found)))).toEqual([
      'fd07::1',
      6,
    ])
  })

  it('serves node:net, as dns.lookup would', async () => {
    const [error] = await once(net.connect({ host: 'web9', port: 9, lookup: pair.runner.lookup }), 'error')
    expect([error.code, error.cause.code]).toEqual(['ENOTFOUND', 'UNKNOWN_HOST'])
  })
})

describe('a signal that was aborted before', () => {
  const signal = AbortSignal.abort(new Error('enough'))
  it.each([
    ['ready()', () => pair.runner.ready({ signal })],
    ['lookup()', () => pair.runner.lookup('web1', { signal })],
    ['ping()', () => pair.runner.ping('web1', { signal })],
    ['openTunnel()', () => openTunnel(pair.runner.config, { signal })],
    ['fetch()', () => pair.runner.fetch('http://web1/', { signal })],
  ])('ends %s with its reason', async (_, call) => {
    await expect(call()).rejects.toThrow('enough')
  })
})

describe('node:diagnostics_channel', () => {
  const ends: (() => void)[] = []
  afterEach(() => {
    for (const end of ends.splice(0)) end()
  })

  /** What each channel said, in order. */
  function listenTo(...names: string[]): [name: string, message: unknown][] {
    const heard: [string, unknown][] = []
    for (const name of names) {
      const listener = (message: unknown) => heard.push([name, message])
      channel(name).subscribe(listener)
      ends.push(() => channel(name).unsubscribe(listener))
    }
    return heard
  }

  it('tells of a dial and how it ends, by one message', async () => {
    await greet(9)
    const heard = listenTo('tunless:connect:start', 'tunless:connect:success', 'tunless:connect:error')
    const socket = pair.runner.connect(9, 'web1')
    await once(socket, 'connect')
    const refused = pair.runner.connect(10, 'web1')
    const [error] = await once(refused, 'error')
    expect(heard.map(([name]) => name.slice('tunless:connect:'.length))).toEqual(['start', 'success', 'start', 'error'])
    const messages = heard.map(([, message]) => message as ConnectMessage)
    expect(messages[1]).toBe(messages[0])
    expect(messages[0]?.socket).toBe(socket)
    expect([messages[0]?.host, messages[0]?.port]).toEqual(['web1', 9])
    expect(messages[3]?.socket).toBe(refused)
    expect(messages[3]?.error).toBe(error)
  })

  it('tells the end of a dial that was given up', async () => {
    const heard = listenTo('tunless:connect:error')
    const socket = pair.runner.connect(9, '10.7.0.77')
    socket.destroy()
    await once(socket, 'close')
    const [[, message]] = heard as [[string, ConnectMessage]]
    expect([heard.length, message.socket === socket, message.error]).toEqual([1, true, undefined])
  })

  it('tells of handshakes and of the end', async () => {
    const { runner } = pair
    const heard = listenTo('tunless:handshake', 'tunless:close')
    await runner.ready()
    await expect.poll(() => heard.some(([, message]) => (message as HandshakeMessage).tunnel === runner)).toBe(true)
    await runner.close()
    const own = heard.filter(([, message]) => (message as CloseMessage).tunnel === runner)
    expect(own.map(([name]) => name)).toEqual(['tunless:handshake', 'tunless:close'])
    expect((own[0] as [string, HandshakeMessage])[1].peer.name).toBe('web1')
    const secret = Buffer.from(runner.config.interface.privateKey as Uint8Array)
    for (const shown of [inspect(own, { depth: 9 }), JSON.stringify(own)]) {
      expect(shown).not.toContain(secret.toString('base64'))
      expect(shown).not.toContain([...secret.subarray(0, 8)].join(', '))
    }
  })
})

it('the library loads neither undici nor HTTP before they are asked for', async () => {
  const keys = newKeyPair()
  const conf = `[Interface]\nPrivateKey = ${keys.privateKey}\nAddress = 10.7.0.9/32\n`
  const script = `
    import { openTunnel } from ${JSON.stringify(new URL('../../dist/index.js', import.meta.url).href)}
    const loaded = () => ['_http_agent', '_http_client', 'https', 'http', 'http2', 'tls'].filter(name =>
      process.moduleLoadList.includes('NativeModule ' + name))
    const tunnel = await openTunnel({ text: ${JSON.stringify(conf)} })
    tunnel.connector()
    tunnel.fetch
    console.log(JSON.stringify(loaded()))
    tunnel.httpAgent()
    console.log(loaded().includes('http'), loaded().includes('https'))
    await tunnel.fetch('http://10.9.0.1/').catch(error => console.log(error.cause.cause.code))
    await tunnel.close()`
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script])
  expect(stdout).toBe('[]\ntrue false\nNO_ROUTE\n')
})

// A gateway over two tunnels on loopback: what peers ask of routed addresses is dialled by this host, and answered as the
// target answers. 10.9.0.x stand for addresses of loopback, which no packet from a tunnel may name.
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { DialSignal } from '../../src/proxy/departure.js'
import { createDialer } from '../../src/proxy/dialer.js'
import { createGateway, type Gateway } from '../../src/proxy/gateway/gateway.js'
import type { GatewayRecord } from '../../src/proxy/gateway/options.js'
import { createTargets, readRoute } from '../../src/proxy/gateway/targets.js'
import { openPair, type Pair } from '../support/pair.js'

const routes = ['10.9.0.1=127.0.0.1', 'fd09::1=::1', '10.9.0.66=127.0.0.66', '198.18.7.0/24']

let pair: Pair
let gateway: Gateway
let records: GatewayRecord[] = []
let asked: string[] = []
let broken: Error | undefined
const dialled: string[] = []

beforeAll(async () => {
  pair = await openPair({
    behind: '10.9.0.0/24, fd09::/64, 198.18.0.0/15',
    gateway: { stackLimits: { forwardIdle: 500 } },
  })
  const { gateway: tunnel } = pair
  gateway = createGateway({
    target: createTargets({
      routes: routes.map(readRoute),
      inside: () => tunnel.peers().flatMap(peer => peer.allowedIps),
    }),
    dial: (target, signal) => {
      dialled.push(`${target.host}:${target.port}`)
      // Nothing leaves this host in a test: what is not loopback is silent.
      return /^(127\.|::1$)/.test(target.host) ? dial(target, signal) : silence(signal)
    },
    timeout: 400,
    limits: { connectionsPerPeer: 20, flowsPerPeer: 3 },
    echo: {
      holds: 50,
      ask: async address => {
        asked.push(address)
        if (broken !== undefined) throw broken
        return address === '127.0.0.1' || address === '::1'
      },
    },
    onConnection: record => records.push(record),
  })
  tunnel.createForwarder({ prefixes: routes.map(route => route.split('=')[0] as string) }, gateway.handlers)
  await pair.runner.ready()
})

const dial = createDialer(target => connect(target))

function silence(signal: DialSignal): Promise<never> {
  return new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
}

beforeEach(() => {
  records = []
  asked = []
  broken = undefined
})

afterAll(async () => {
  gateway.close()
  await pair.close()
})

async function listen(serve: (socket: Socket) => void, host = '127.0.0.1'): Promise<{ server: Server; port: number }> {
  const server = createServer({ allowHalfOpen: true }, socket => {
    socket.on('error', () => {})
    serve(socket)
  }).listen(0, host)
  await once(server, 'listening')
  return { server, port: (server.address() as { port: number }).port }
}

const errorOf = async (socket: NodeJS.EventEmitter): Promise<NodeJS.ErrnoException> => (await once(socket, 'error'))[0]

describe.each([
  ['10.9.0.1', '127.0.0.1'],
  ['fd09::1', '::1'],
])('TCP to %s', (address, host) => {
  it('reaches the target, ends half by half, and is told of', async () => {
    const { server, port } = await listen(socket => {
      let heard = ''
      socket.on('data', chunk => {
        heard += chunk
      })
      socket.on('end', () => socket.end(`after the end: ${heard}`))
    }, host)
    const socket = pair.runner.connect({ host: address, port, allowHalfOpen: true })
    socket.end('hello')
    expect(await text(socket)).toBe('after the end: hello')
    await expect.poll(() => records.length).toBe(1)
    expect(records[0]).toMatchObject({
      protocol: 'tcp',
      peer: { publicKey: pair.runner.publicKey },
      client: { host: address.includes(':') ? 'fd07::2' : '10.7.0.2', port: expect.any(Number) },
      target: { host: address, port },
      result: 'done',
      sent: 5,
      received: 20,
    })
    expect(gateway.connections).toBe(0)
    server.close()
  })

  it('passes the end of the target on before that of the client', async () => {
    const { server, port } = await listen(socket => {
      socket.end('bye')
      socket.resume()
    }, host)
    const socket = pair.runner.connect({ host: address, port, allowHalfOpen: true })
    let heard = ''
    socket.on('data', chunk => {
      heard += chunk
    })
    await once(socket, 'end')
    expect([heard, socket.writable]).toEqual(['bye', true])
    socket.end('and this')
    await expect.poll(() => records).toMatchObject([{ result: 'done', sent: 8, received: 3 }])
    server.close()
  })

  it('is refused where the target refuses', async () => {
    const { server, port } = await listen(() => {}, host)
    server.close()
    await once(server, 'close')
    const socket = pair.runner.connect({ host: address, port })
    expect(await errorOf(socket)).toMatchObject({ code: 'ECONNREFUSED' })
    expect(records).toMatchObject([{ result: 'refused', sent: 0 }])
  })
})

describe('TCP', () => {
  it('carries megabytes both ways, unharmed', async () => {
    const { server, port } = await listen(socket => socket.pipe(socket))
    const socket = pair.runner.connect({ host: '10.9.0.1', port, allowHalfOpen: true })
    const bytes = Buffer.alloc(3_000_000, 'tunless gateway ')
    socket.end(bytes)
    const back: Buffer[] = []
    for await (const chunk of socket) back.push(chunk)
    expect(Buffer.concat(back).equals(bytes)).toBe(true)
    server.close()
  })

  it('of a target that resets is reset', async () => {
    const { server, port } = await listen(socket => {
      socket.on('error', () => {})
      socket.once('data', () => socket.resetAndDestroy())
    })
    const socket = pair.runner.connect({ host: '10.9.0.1', port })
    socket.write('x')
    expect(await errorOf(socket)).toMatchObject({ code: 'ECONNRESET' })
    await expect.poll(() => records).toMatchObject([{ result: 'cut' }])
    server.close()
  })

  it('of a client that resets resets the target', async () => {
    let code: string | undefined
    const { server, port } = await listen(socket => {
      socket.on('error', (error: NodeJS.ErrnoException) => {
        code = error.code
      })
      socket.resume()
    })
    const socket = pair.runner.connect({ host: '10.9.0.1', port })
    await once(socket, 'connect')
    socket.write('x')
    socket.resetAndDestroy()
    await expect.poll(() => code).toBe('ECONNRESET')
    await expect.poll(() => gateway.connections).toBe(0)
    server.close()
  })

  it('to what is silent gets silence, and holds its place no longer than a dial may last', async () => {
    const socket = pair.runner.connect({ host: '198.18.7.7', port: 80, connectTimeout: 1200 })
    const refused = await errorOf(socket)
    expect(refused.code).toBe('ETIMEDOUT')
    expect(dialled).toContain('198.18.7.7:80')
    expect(records).toMatchObject([{ result: 'timeout', target: { host: '198.18.7.7', port: 80 } }])
    expect(records[0]?.duration).toBeGreaterThan(350)
  })

  it('is not given to a peer that has as many connections as it may', async () => {
    const { server, port } = await listen(socket => socket.resume().on('end', () => socket.end()))
    const sockets = Array.from({ length: 20 }, () => pair.runner.connect({ host: '10.9.0.1', port }))
    await Promise.all(sockets.map(socket => once(socket, 'connect')))
    expect(gateway.connections).toBe(20)
    const more = pair.runner.connect({ host: '10.9.0.1', port })
    expect(await errorOf(more)).toMatchObject({ code: 'ECONNREFUSED' })
    expect(records).toMatchObject([{ result: 'denied', error: { message: expect.stringContaining('20 connections') } }])
    for (const socket of sockets) socket.destroy()
    await expect.poll(() => gateway.connections).toBe(0)
    server.close()
  })
})

describe('UDP', () => {
  it('reaches the target and comes back, over one socket a flow, until it was idle', async () => {
    const echo = createSocket('udp4').bind(0, '127.0.0.1')
    await once(echo, 'listening')
    const sources = new Set<number>()
    echo.on('message', (message, from) => {
      sources.add(from.port)
      echo.send(message, from.port, from.address)
    })
    const socket = pair.runner.createSocket('udp4')
    const { port } = echo.address()
    for (const word of ['one', 'two', 'three']) {
      socket.send(word, port, '10.9.0.1')
      const [message, from] = await once(socket, 'message')
      expect([String(message), from.address, from.port]).toEqual([word, '10.9.0.1', port])
    }
    expect([sources.size, gateway.flows]).toEqual([1, 1])
    await expect.poll(() => gateway.flows, { timeout: 5000 }).toBe(0)
    expect(records).toMatchObject([{ protocol: 'udp', result: 'done', sent: 11, received: 11 }])
    socket.close()
    echo.close()
  })

  it('is refused by ICMP where nobody listens', async () => {
    const free = createSocket('udp4').bind(0, '127.0.0.1')
    await once(free, 'listening')
    const { port } = free.address()
    free.close()
    await once(free, 'close')
    const socket = pair.runner.createSocket('udp4')
    socket.connect(port, '10.9.0.1')
    await once(socket, 'connect')
    socket.send('anyone?')
    expect(await errorOf(socket)).toMatchObject({ code: 'ECONNREFUSED' })
    await expect.poll(() => records).toMatchObject([{ protocol: 'udp', result: 'refused' }])
    socket.close()
  })

  it('has a bounded number of flows for each peer', async () => {
    const sink = createSocket('udp4').bind(0, '127.0.0.1')
    await once(sink, 'listening')
    const sockets = Array.from({ length: 5 }, () => pair.runner.createSocket('udp4'))
    for (const socket of sockets) socket.send('x', sink.address().port, '10.9.0.1')
    await expect.poll(() => records.filter(record => record.result === 'denied').length).toBe(2)
    expect(gateway.flows).toBe(3)
    for (const socket of sockets) socket.close()
    await expect.poll(() => gateway.flows, { timeout: 5000 }).toBe(0)
    sink.close()
  })
})

describe('a ping', () => {
  it.each(['10.9.0.1', 'fd09::1'])('of %s is answered where the target answers', async address => {
    const { rtt, ttl } = await pair.runner.ping(address)
    expect([rtt > 0, ttl]).toEqual([true, 64])
    expect(asked).toHaveLength(1)
  })

  it('is not answered where the target does not', async () => {
    await expect(pair.runner.ping('10.9.0.66', { timeout: 300 })).rejects.toMatchObject({ code: 'ETIMEDOUT' })
    expect(asked).toEqual(['127.0.0.66'])
  })

  it('asks once for all that come together', async () => {
    await new Promise(resolve => setTimeout(resolve, 100))
    await Promise.all(Array.from({ length: 10 }, () => pair.runner.ping('10.9.0.1')))
    expect(asked).toEqual(['127.0.0.1'])
  })
})

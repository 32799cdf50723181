// What only the tunnel's sockets have: names, routes, several addresses, the loop they hold, and how they use the stack.
import { AsyncLocalStorage } from 'node:async_hooks'
import { once } from 'node:events'
import { constants } from 'node:os'
import { beforeEach, describe, expect, it } from 'vitest'
import { TunnelServer } from '../../../src/node/server.js'
import { TunnelSocket } from '../../../src/node/socket.js'
import { createFakeNetwork, type FakeConnection, type FakeNetwork, fakeWindow } from '../../support/sockets.js'

const port = 22

let network: FakeNetwork

beforeEach(() => {
  network = createFakeNetwork()
})

async function listen(listener: (socket: TunnelSocket) => void = () => {}): Promise<TunnelServer> {
  const server = new TunnelServer(network.server, {}, listener).listen(port)
  await once(server, 'listening')
  return server
}

async function pair(): Promise<[TunnelSocket, TunnelSocket, FakeConnection]> {
  const server = await listen()
  const near = new TunnelSocket(network.client).connect(port, 'server')
  const [[far]] = await Promise.all([once(server, 'connection'), once(near, 'connect')])
  server.close()
  return [near, far as TunnelSocket, network.client.connections[0] as FakeConnection]
}

describe('a name', () => {
  it('is looked up in the tunnel, and told as net tells it', async () => {
    await listen()
    const socket = new TunnelSocket(network.client).connect(port, 'server')
    expect(await once(socket, 'lookup')).toEqual([null, '10.7.0.1', 4, 'server'])
    await once(socket, 'connect')
    expect(socket.remoteAddress).toBe('10.7.0.1')
  })

  it('that is an address is not looked up', async () => {
    await listen()
    const socket = new TunnelSocket(network.client).connect(port, 'fd07::1')
    socket.once('lookup', () => expect.unreachable())
    await once(socket, 'connect')
    expect([socket.remoteAddress, socket.remoteFamily, socket.localFamily]).toEqual(['fd07::1', 'IPv6', 'IPv6'])
  })

  it('that the tunnel does not know fails as getaddrinfo would', async () => {
    const socket = new TunnelSocket(network.client).connect(port, 'nowhere')
    const [error] = await once(socket, 'error')
    expect(error).toMatchObject({
      message: 'getaddrinfo ENOTFOUND nowhere',
      code: 'ENOTFOUND',
      syscall: 'getaddrinfo',
      hostname: 'nowhere',
      cause: { code: 'UNKNOWN_HOST' },
    })
    expect(error.errno).toBe(-3008)
  })

  it('is needed', () => {
    const socket = new TunnelSocket(network.client)
    expect(() => socket.connect({ port } as { host: string; port: number })).toThrow(
      expect.objectContaining({ code: 'ERR_MISSING_ARGS' }),
    )
    expect(() => socket.connect(0, 'server')).toThrow(expect.objectContaining({ code: 'ERR_SOCKET_BAD_PORT' }))
  })

  it('with several addresses is tried at each, in order', async () => {
    const server = new TunnelServer(network.server).listen({ port, host: '10.7.0.1' })
    await once(server, 'listening')
    const socket = new TunnelSocket(network.client)
    const attempts: unknown[] = []
    socket.on('connectionAttempt', (...attempt) => attempts.push(attempt))
    socket.on('connectionAttemptFailed', (address, _port, family, error) =>
      attempts.push([address, family, error.code]),
    )
    socket.connect(port, 'dual')
    await once(socket, 'connect')
    expect(attempts).toEqual([
      ['fd07::1', port, 6],
      ['fd07::1', 6, 'ECONNREFUSED'],
      ['10.7.0.1', port, 4],
    ])
  })

  it('with several addresses that all fail tells every error, and leads with what came from a host', async () => {
    const socket = new TunnelSocket(network.client).connect(port, 'away')
    const [error] = await once(socket, 'error')
    expect(error).toBeInstanceOf(AggregateError)
    expect(error.errors.map((one: Error) => one.message)).toEqual([
      `connect EHOSTUNREACH ${network.unreachable}:22`,
      'connect ENETUNREACH 10.9.0.1:22',
    ])
    expect(error).toMatchObject({ code: 'EHOSTUNREACH', address: network.unreachable, port })
  })

  it('is asked for one family only where one is given', async () => {
    await listen()
    const socket = new TunnelSocket(network.client).connect({ port, host: 'dual', family: 4 })
    await once(socket, 'connect')
    expect(socket.remoteAddress).toBe('10.7.0.1')
    const other = new TunnelSocket(network.client).connect({ port, host: 'server', family: 6 })
    expect((await once(other, 'error'))[0].code).toBe('ENOTFOUND')
  })
})

describe('a dial', () => {
  it('without a route fails at once, and says why', async () => {
    const socket = new TunnelSocket(network.client).connect(port, 'outside')
    const [error] = await once(socket, 'error')
    expect({ ...error, message: error.message }).toEqual({
      message: 'connect ENETUNREACH 10.9.0.1:22',
      code: 'ENETUNREACH',
      errno: -constants.errno.ENETUNREACH,
      syscall: 'connect',
      address: '10.9.0.1',
      port,
    })
    expect(error.cause).toMatchObject({ name: 'TunnelError', code: 'NO_ROUTE' })
  })

  it('that nobody answers ends with ETIMEDOUT in the time it was given', async () => {
    const socket = new TunnelSocket(network.client).connect({ host: network.silent, port, connectTimeout: 20 })
    expect((await once(socket, 'error'))[0]).toMatchObject({ code: 'ETIMEDOUT', syscall: 'connect', port })
    const { timeout } = network.client.dials[0] as { timeout: number }
    expect(timeout > 0 && timeout <= 20).toBe(true)
  })

  it('leaves from the address and port it was told', async () => {
    await listen()
    const socket = new TunnelSocket(network.client).connect({
      host: 'server',
      port,
      localAddress: '10.7.0.2',
      localPort: 4711,
    })
    await once(socket, 'connect')
    expect(socket.address()).toEqual({ address: '10.7.0.2', family: 'IPv4', port: 4711 })

    const wrong = new TunnelSocket(network.client).connect({ host: 'server', port, localAddress: '10.7.0.3' })
    expect((await once(wrong, 'error'))[0].code).toBe('EADDRNOTAVAIL')
    expect(() => wrong.connect({ host: 'server', port, localAddress: 'here' })).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_IP_ADDRESS' }),
    )
  })

  it('that was given up leaves no half-open connection', async () => {
    const socket = new TunnelSocket(network.client).connect(port, network.silent)
    await once(socket, 'connectionAttempt')
    socket.destroy()
    expect(await once(socket, 'close')).toEqual([false])
    expect(network.client.connections.map(({ over }) => over)).toEqual([true])
  })

  it('of a connected socket is EISCONN', async () => {
    const [near] = await pair()
    near.connect(port, 'server')
    expect((await once(near, 'error'))[0].code).toBe('EISCONN')
  })

  it('stays given up once its signal was aborted', async () => {
    const socket = new TunnelSocket(network.client, { signal: AbortSignal.abort() })
    socket.on('error', () => {})
    socket.connect(port, 'server')
    await new Promise(resolve => socket.once('close', resolve))
    socket.connect(port, 'server')
    expect(socket.connecting).toBe(false)
    expect(network.client.dials).toEqual([])
  })

  it('carries its options to the connection (N16)', async () => {
    await listen()
    const socket = new TunnelSocket(network.client, { noDelay: false, keepAlive: true, keepAliveInitialDelay: 5000 })
    socket.connect(port, 'server')
    await once(socket, 'connect')
    const [connection] = network.client.connections
    expect(connection?.noDelay).toBe(false)
    expect(connection?.keepAlive).toEqual({ on: true, idleMs: 5000 })
    socket.setKeepAlive(false)
    expect(connection?.keepAlive?.on).toBe(false)
  })
})

describe('the process', () => {
  it('is held from the dial to the close', async () => {
    const [near] = await pair()
    expect(network.client.refs).toBe(1)
    near.destroy()
    expect(network.client.refs).toBe(0)
  })

  it('is not held by a socket that was unrefed, and held again by ref', async () => {
    const socket = new TunnelSocket(network.client).unref()
    await listen()
    socket.connect(port, 'server')
    await once(socket, 'connect')
    expect(network.client.refs).toBe(0)
    socket.ref().ref()
    expect(network.client.refs).toBe(1)
    socket.unref().unref().ref().destroy()
    expect(network.client.refs).toBe(0)
  })

  it('is let go by a dial that failed', async () => {
    const socket = new TunnelSocket(network.client).connect(port, 'server')
    expect(network.client.refs).toBe(1)
    await once(socket, 'error')
    expect(network.client.refs).toBe(0)
  })
})

describe('the stack', () => {
  it('is read only while the reader asks', async () => {
    const [near, far, connection] = await pair()
    near.pause()
    far.write(Buffer.alloc(3 * fakeWindow))
    await until(() => connection.bytesReadable >= fakeWindow)
    expect(near.readableLength).toBeLessThanOrEqual(128 * 1024)
    expect(near.bytesRead).toBe(near.readableLength)
  })

  it('gives its slabs without a copy', async () => {
    const [near, far, connection] = await pair()
    const slabs: unknown[] = []
    const read = connection.read.bind(connection)
    connection.read = () => {
      const slab = read()
      if (slab) slabs.push(slab.buffer)
      return slab
    }
    far.write(Buffer.alloc(1000))
    const [chunk] = await once(near, 'data')
    expect(slabs).toContain(chunk.buffer)
  })

  it('gets many small writes in one go', async () => {
    const [near, far] = await pair()
    far.resume()
    let turns = 0
    network.client.changed = () => turns++
    near.cork()
    for (let i = 0; i < 100; i++) near.write('x')
    near.uncork()
    expect(turns).toBe(1)
  })

  it('takes a write in parts as its queue has room, and calls it back when the last byte is queued', async () => {
    const [near, far, connection] = await pair()
    let done = false
    near.write(Buffer.alloc(3 * fakeWindow), () => {
      done = true
    })
    expect(connection.written).toEqual([fakeWindow])
    expect(near.bytesWritten).toBe(3 * fakeWindow)
    expect(done).toBe(false)
    far.resume()
    await until(() => done)
    expect(connection.written.reduce((sum, count) => sum + count)).toBe(3 * fakeWindow)
  })

  it('is not unwound by what a listener throws', async () => {
    const [near, far] = await pair()
    const thrown = new Error('a listener failed')
    const caught = new Promise(resolve => {
      const others = process.rawListeners('uncaughtException') as NodeJS.UncaughtExceptionListener[]
      process.removeAllListeners('uncaughtException')
      process.once('uncaughtException', error => {
        for (const listener of others) process.on('uncaughtException', listener)
        resolve(error)
      })
    })
    let received = 0
    near.on('data', chunk => {
      received += chunk.length
      if (received === 1) throw thrown
    })
    far.write('a')
    expect(await caught).toBe(thrown)
    far.write('bc')
    await until(() => received === 3)
  })

  it('calls in the async context that the socket was connected in', async () => {
    const context = new AsyncLocalStorage<string>()
    await listen(socket => context.run('server', () => socket.pipe(socket)))
    const seen = await context.run('client', async () => {
      const socket = new TunnelSocket(network.client).connect(port, 'server')
      socket.write('x')
      return new Promise(resolve => socket.on('data', () => resolve(context.getStore())))
    })
    expect(seen).toBe('client')
  })

  it('says why a connection was lost in mid-transfer', async () => {
    const [near, , connection] = await pair()
    connection.fail('ETIMEDOUT')
    expect((await once(near, 'error'))[0]).toMatchObject({
      message: 'read ETIMEDOUT',
      code: 'ETIMEDOUT',
      syscall: 'read',
    })
  })
})

describe('setTimeout', () => {
  it('counts a send queue that drains as traffic', async () => {
    const [near, , connection] = await pair()
    let idle = 0
    near.on('timeout', () => idle++)
    near.setTimeout(1000)
    connection.bytesQueued = 5000
    near.handleIdle()
    connection.bytesQueued = 4000
    near.handleIdle()
    expect(idle).toBe(0)
    near.handleIdle()
    expect(idle).toBe(1)
  })
})

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise(resolve => setImmediate(resolve))
}

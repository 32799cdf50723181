// net.Server's behaviour, asserted of Node's own server and of the tunnel's by the same lines.
import { once } from 'node:events'
import { constants } from 'node:os'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  type AnyServer,
  type AnySocket,
  nodeRig,
  type SocketRig,
  stackRig,
  tunnelRig,
} from '../../support/socket-rigs.js'

describe.each([
  ['node:net', nodeRig],
  ['the tunnel', tunnelRig],
  ["the tunnel's own TCP", stackRig],
])('a server of %s', (_, makeRig) => {
  let rig: SocketRig
  const servers: AnyServer[] = []
  const sockets: AnySocket[] = []

  beforeEach(() => {
    rig = makeRig()
  })

  afterEach(async () => {
    for (const socket of sockets.splice(0)) socket.destroy()
    for (const server of servers.splice(0)) {
      if (server.listening) await new Promise(resolve => server.close(resolve))
    }
  })

  function create(options?: Parameters<SocketRig['server']>[0], listener?: (socket: AnySocket) => void): AnyServer {
    const server = rig.server(options, listener)
    server.on('connection', (socket: unknown) => sockets.push(socket as AnySocket))
    servers.push(server)
    return server
  }

  async function listening(options?: Parameters<SocketRig['server']>[0]): Promise<[AnyServer, number]> {
    const server = create(options)
    await new Promise<void>(resolve => server.listen({ port: 0, host: rig.host }, resolve))
    return [server, (server.address() as { port: number }).port]
  }

  function dial(port: number): AnySocket {
    const socket = rig.socket()
    sockets.push(socket)
    socket.connect({ host: rig.host, port })
    return socket
  }

  it('listens on a free port where none is named, and says which', async () => {
    const server = create()
    expect([server.listening, server.address()]).toEqual([false, null])
    const ready = once(server as never, 'listening')
    expect(server.listen({ port: 0, host: rig.host })).toBe(server)
    await ready
    expect(server.listening).toBe(true)
    expect(server.address()).toEqual({ address: rig.host, family: 'IPv4', port: expect.any(Number) })
    expect((server.address() as { port: number }).port).toBeGreaterThan(0)
  })

  it('hands each connection to its listener', async () => {
    const got = new Promise<AnySocket>(resolve => {
      const server = create({}, resolve)
      server.listen({ port: 0, host: rig.host }, () => dial((server.address() as { port: number }).port))
    })
    expect((await got).readyState).toBe('open')
  })

  it('on a port that is taken fails with the error of its system call', async () => {
    const [, port] = await listening()
    const second = create()
    second.listen({ port, host: rig.host })
    const [error] = await once(second as never, 'error')
    expect({ ...error, message: error.message }).toEqual({
      message: `listen EADDRINUSE: address already in use ${rig.host}:${port}`,
      code: 'EADDRINUSE',
      errno: -constants.errno.EADDRINUSE,
      syscall: 'listen',
      address: rig.host,
      port,
    })
    expect(second.listening).toBe(false)
  })

  it('on an address that is not its own fails with EADDRNOTAVAIL', async () => {
    const server = create()
    server.listen({ port: 80, host: '192.0.2.1' })
    expect((await once(server as never, 'error'))[0]).toMatchObject({ code: 'EADDRNOTAVAIL', syscall: 'listen' })
  })

  it('listens once only', async () => {
    const [server] = await listening()
    expect(() => server.listen({ port: 0 })).toThrow(expect.objectContaining({ code: 'ERR_SERVER_ALREADY_LISTEN' }))
  })

  it('may listen again once it is closed', async () => {
    const [server] = await listening()
    await new Promise(resolve => server.close(resolve))
    await new Promise<void>(resolve => server.listen({ port: 0, host: rig.host }, resolve))
    expect(server.listening).toBe(true)
  })

  it.each([-1, 65536, 'x'])('refuses port %s', port => {
    expect(() => create().listen({ port: port as number })).toThrow(
      expect.objectContaining({ code: 'ERR_SOCKET_BAD_PORT' }),
    )
  })

  it('closes when its last connection has closed', async () => {
    const [server, port] = await listening()
    const accepted = once(server as never, 'connection') as Promise<[AnySocket]>
    dial(port)
    const [socket] = await accepted
    let open = true
    const closed = new Promise<boolean>(resolve => server.close(() => resolve(open)))
    expect(server.listening).toBe(false)
    for (let i = 0; i < 20; i++) await new Promise(resolve => setImmediate(resolve))
    open = false
    socket.destroy()
    expect(await closed).toBe(false)
  })

  it('refuses who comes after it was closed', async () => {
    const [server, port] = await listening()
    await new Promise(resolve => server.close(resolve))
    expect((await once(dial(port), 'error'))[0].code).toBe('ECONNREFUSED')
  })

  it('that does not listen closes with an error', async () => {
    const server = create()
    const error = await new Promise(resolve => server.close(resolve))
    expect(error).toMatchObject({ code: 'ERR_SERVER_NOT_RUNNING' })
  })

  it('is closed by its signal', async () => {
    const abort = new AbortController()
    const server = create()
    await new Promise<void>(resolve => server.listen({ port: 0, host: rig.host, signal: abort.signal }, resolve))
    const closed = once(server as never, 'close')
    abort.abort()
    await closed
    expect(server.listening).toBe(false)
  })

  it('counts its connections, and drops those beyond maxConnections', async () => {
    const [server, port] = await listening()
    server.maxConnections = 1
    const first = once(server as never, 'connection')
    const near = dial(port)
    await first
    const drop = once(server as never, 'drop')
    const second = dial(port)
    second.on('error', () => {})
    second.resume()
    const [dropped] = await drop
    expect(dropped).toEqual({
      localAddress: rig.host,
      localPort: port,
      localFamily: 'IPv4',
      remoteAddress: expect.any(String),
      remotePort: expect.any(Number),
      remoteFamily: 'IPv4',
    })
    await once(second, 'close')
    expect(await count(server)).toBe(1)
    near.destroy()
    await once(sockets.find(socket => socket.localPort === port)!.resume(), 'close')
    expect(await count(server)).toBe(0)
  })

  it('pauses what it accepts where it is told to', async () => {
    const [server, port] = await listening({ pauseOnConnect: true })
    const accepted = once(server as never, 'connection') as Promise<[AnySocket]>
    const near = dial(port)
    near.write('early')
    const [socket] = await accepted
    expect(socket.isPaused()).toBe(true)
    for (let i = 0; i < 20; i++) await new Promise(resolve => setImmediate(resolve))
    expect(socket.bytesRead).toBe(0)
    const data = once(socket, 'data')
    socket.resume()
    expect(String((await data)[0])).toBe('early')
  })

  it('gives its sockets its own allowHalfOpen', async () => {
    const [server, port] = await listening({ allowHalfOpen: true })
    const accepted = once(server as never, 'connection') as Promise<[AnySocket]>
    dial(port)
    expect((await accepted)[0].allowHalfOpen).toBe(true)
  })

  it('can be unrefed and refed', async () => {
    const [server] = await listening()
    expect(server.unref()).toBe(server)
    expect(server.ref()).toBe(server)
  })
})

function count(server: AnyServer): Promise<number> {
  return new Promise(resolve => server.getConnections((_, connections) => resolve(connections)))
}

import { once } from 'node:events'
import { beforeEach, describe, expect, it } from 'vitest'
import { DatagramSocket } from '../../../src/node/datagram.js'
import { createFakeNetwork, type FakeNetwork } from '../../support/sockets.js'
import { createStackPair } from '../../support/stacks.js'

let network: FakeNetwork

beforeEach(() => {
  network = createFakeNetwork()
})

async function bound(port = 53): Promise<DatagramSocket> {
  const socket = new DatagramSocket(network.server).bind(port)
  await once(socket, 'listening')
  return socket
}

describe('a datagram', () => {
  it('arrives with who sent it, and can be answered', async () => {
    const server = await bound()
    const client = new DatagramSocket(network.client)
    server.on('message', (message, from) => server.send(`re: ${message}`, from.port, from.address))
    client.send('hello', 53, 'server')
    const [message, from] = await once(client, 'message')
    expect(message).toEqual(Buffer.from('re: hello'))
    expect(from).toEqual({ address: '10.7.0.1', family: 'IPv4', port: 53, size: 9 })
  })

  it.each(['10.7.0.1', 'fd07::1'])('crosses the own stack to %s and back', async host => {
    const pair = createStackPair()
    const server = new DatagramSocket(pair.server).bind(53)
    await once(server, 'listening')
    server.on('message', (message, from) => server.send(message, from.port, from.address))
    const client = new DatagramSocket(pair.client)
    client.send(Buffer.alloc(1300, 7), 53, host)
    const [message, from] = await once(client, 'message')
    expect(message.equals(Buffer.alloc(1300, 7))).toBe(true)
    expect(from).toMatchObject({ address: host, port: 53, size: 1300 })
    const connected = new DatagramSocket(pair.client).connect(54, host)
    connected.send('x')
    expect((await once(connected, 'error'))[0].code).toBe('ECONNREFUSED')
    pair.client.stop()
    pair.server.stop()
  })

  it.each([
    ['a part of a buffer', (to: DatagramSocket) => to.send(Buffer.from('-hello-'), 1, 5, 53, 'server')],
    ['an array', (to: DatagramSocket) => to.send(['he', Buffer.from('llo')], 53, 'server')],
    ['bytes', (to: DatagramSocket) => to.send(new TextEncoder().encode('hello'), 53, 'fd07::1')],
  ])('is made of %s', async (_, send) => {
    const server = await bound()
    send(new DatagramSocket(network.client))
    expect(String((await once(server, 'message'))[0])).toBe('hello')
  })

  it('goes to the one peer of a connected socket', async () => {
    const server = await bound()
    const client = new DatagramSocket(network.client).connect(53, 'server')
    await once(client, 'connect')
    client.send('hello')
    expect(String((await once(server, 'message'))[0])).toBe('hello')
    expect(() => client.send('hello', 53, 'server')).toThrow(
      expect.objectContaining({ code: 'ERR_SOCKET_DGRAM_IS_CONNECTED' }),
    )
  })

  it('to a closed port is an error of a connected socket', async () => {
    const client = new DatagramSocket(network.client).connect(54, 'server')
    client.send('hello')
    expect((await once(client, 'error'))[0]).toMatchObject({ code: 'ECONNREFUSED', syscall: 'recvmsg' })
  })

  it.each([
    ['too long', () => Buffer.alloc(65_508), 'server', { code: 'EMSGSIZE', syscall: 'send' }],
    ['without a route', () => 'x', 'outside', { code: 'ENETUNREACH', syscall: 'send', cause: { code: 'NO_ROUTE' } }],
    ['to nobody', () => 'x', 'nowhere', { code: 'ENOTFOUND' }],
  ])('that is %s is told to the callback, else as error', async (_, message, host, error) => {
    const client = new DatagramSocket(network.client)
    const told = await new Promise(resolve => client.send(message(), 53, host, resolve))
    expect(told).toMatchObject(error)
    client.send(message(), 53, host)
    expect((await once(client, 'error'))[0]).toMatchObject(error)
  })

  it('outside of its buffer throws', () => {
    const client = new DatagramSocket(network.client)
    expect(() => client.send('abc', 2, 2, 53, 'server')).toThrow(
      expect.objectContaining({ code: 'ERR_BUFFER_OUT_OF_BOUNDS' }),
    )
    expect(() => client.send('abc', 0, 'server')).toThrow(expect.objectContaining({ code: 'ERR_SOCKET_BAD_PORT' }))
  })
})

describe('a socket', () => {
  it('says where it is bound', async () => {
    const any = await bound()
    expect(any.address()).toEqual({ address: '::', family: 'IPv6', port: 53 })
    const one = new DatagramSocket(network.client).bind({ port: 0, address: '10.7.0.2' })
    await once(one, 'listening')
    expect(one.address()).toEqual({ address: '10.7.0.2', family: 'IPv4', port: expect.any(Number) })
    expect(() => new DatagramSocket(network.client).address()).toThrow(expect.objectContaining({ code: 'EBADF' }))
  })

  it('on a port that is taken fails', async () => {
    await bound()
    const second = new DatagramSocket(network.server).bind(53)
    expect((await once(second, 'error'))[0]).toMatchObject({ code: 'EADDRINUSE', syscall: 'bind', port: 53 })
  })

  it('is bound once only', async () => {
    const socket = await bound()
    expect(() => socket.bind(54)).toThrow(expect.objectContaining({ code: 'ERR_SOCKET_ALREADY_BOUND' }))
  })

  it('hears nothing once closed, and frees its port', async () => {
    const socket = await bound()
    socket.on('message', () => expect.unreachable())
    new DatagramSocket(network.client).send('late', 53, 'server')
    await new Promise<void>(resolve => socket.close(resolve))
    expect(() => socket.send('x', 53, 'server')).toThrow(
      expect.objectContaining({ code: 'ERR_SOCKET_DGRAM_NOT_RUNNING' }),
    )
    await bound()
  })

  it('holds the process while it is bound', async () => {
    const socket = await bound()
    expect(network.server.refs).toBe(1)
    socket.unref()
    expect(network.server.refs).toBe(0)
    socket.ref().close()
    expect(network.server.refs).toBe(0)
  })
})

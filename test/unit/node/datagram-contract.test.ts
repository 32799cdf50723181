// What a program may expect of a datagram socket, held against node:dgram on this host and against the tunnel's.
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { afterEach, describe, expect, it } from 'vitest'
import { DatagramSocket } from '../../../src/node/datagram.js'
import type { DatagramOptions } from '../../../src/node/datagram-arguments.js'
import { createStackPair } from '../../support/stacks.js'

interface Rig {
  readonly name: string
  /** A socket on each of two hosts, which may be the same, and where the second is. */
  near(options?: DatagramOptions): DatagramSocket
  far(options?: DatagramOptions): DatagramSocket
  readonly farHost: string
  readonly nearHost: string
  /** The most that a message holds. */
  close(): void
}

const opened = new Set<DatagramSocket>()

function kept(socket: DatagramSocket): DatagramSocket {
  opened.add(socket.once('close', () => opened.delete(socket)))
  return socket
}

function nodeRig(): Rig {
  const create = (options: DatagramOptions = {}) =>
    kept(createSocket({ type: 'udp4', ...options }) as unknown as DatagramSocket)
  return { name: 'node:dgram', near: create, far: create, nearHost: '127.0.0.1', farHost: '127.0.0.1', close() {} }
}

function tunnelRig(): Rig {
  const { client, server } = createStackPair()
  return {
    name: 'the tunnel',
    near: options => kept(new DatagramSocket(client, { type: 'udp4', ...options })),
    far: options => kept(new DatagramSocket(server, { type: 'udp4', ...options })),
    nearHost: '10.7.0.2',
    farHost: '10.7.0.1',
    close() {
      client.stop()
      server.stop()
    },
  }
}

const code = (expected: string) => expect.objectContaining({ code: expected })

describe.each([
  ['node:dgram', nodeRig],
  ['the tunnel', tunnelRig],
])('a datagram socket of %s', (_, createRig) => {
  let rig: Rig
  const start = () => {
    rig = createRig()
    return rig
  }
  afterEach(async () => {
    await new Promise(resolve => setImmediate(resolve))
    for (const socket of opened) socket.close()
    opened.clear()
    rig.close()
  })

  async function bound(socket: DatagramSocket, host: string, port = 0): Promise<DatagramSocket> {
    socket.bind(port, host)
    await once(socket, 'listening')
    return socket
  }

  const received = async (socket: DatagramSocket) => (await once(socket, 'message')) as [Buffer, { port: number }]

  describe('bind (H-udp)', () => {
    it.each([
      ['nothing', (socket: DatagramSocket, done: () => void) => socket.bind(done), '0.0.0.0'],
      ['a port', (socket: DatagramSocket, done: () => void) => socket.bind(0, done), '0.0.0.0'],
      ['port and address', (socket: DatagramSocket, done: () => void, host: string) => socket.bind(0, host, done), ''],
      [
        'options',
        (socket: DatagramSocket, done: () => void, host: string) => socket.bind({ port: 0, address: host }, done),
        '',
      ],
      [
        'options without an address',
        (socket: DatagramSocket, done: () => void) => socket.bind({ port: 0 }, done),
        '0.0.0.0',
      ],
    ] as const)('takes %s, and tells where it is', async (__, bind, address) => {
      const { near, nearHost } = start()
      const socket = near()
      await new Promise<void>(resolve => expect(bind(socket, resolve, nearHost)).toBe(socket))
      expect(socket.address()).toEqual({ address: address || nearHost, family: 'IPv4', port: expect.any(Number) })
      expect(socket.address().port).toBeGreaterThan(0)
    })

    it('happens once', async () => {
      const { near, nearHost } = start()
      const socket = await bound(near(), nearHost)
      expect(() => socket.bind(0)).toThrow(code('ERR_SOCKET_ALREADY_BOUND'))
    })

    it('fails on a port that is taken, and may be tried again', async () => {
      const { near, nearHost } = start()
      const first = await bound(near(), nearHost)
      const { port } = first.address()
      const second = near().bind(port, nearHost)
      const [error] = await once(second, 'error')
      expect(error).toMatchObject({ code: 'EADDRINUSE', syscall: 'bind', address: nearHost, port })
      await bound(second, nearHost)
    })

    it('fails on an address that is not there', async () => {
      const { near } = start()
      const [error] = await once(near().bind(0, '192.0.2.1'), 'error')
      expect(error).toMatchObject({ code: 'EADDRNOTAVAIL', syscall: 'bind' })
    })
  })

  describe('send (H-udp)', () => {
    type Send = (
      socket: DatagramSocket,
      port: number,
      host: string,
      done: (error: Error | null, n: number) => void,
    ) => void
    it.each([
      ['a string', (s, port, host, done) => s.send('hello', port, host, done), 'hello'],
      ['a buffer', (s, port, host, done) => s.send(Buffer.from('hello'), port, host, done), 'hello'],
      ['bytes', (s, port, host, done) => s.send(new Uint8Array([104, 105]), port, host, done), 'hi'],
      [
        'a view',
        (s, port, host, done) => s.send(new DataView(Uint8Array.of(120, 104, 105).buffer, 1), port, host, done),
        'hi',
      ],
      ['an array', (s, port, host, done) => s.send(['he', Buffer.from('llo')], port, host, done), 'hello'],
      ['an empty array', (s, port, host, done) => s.send([], port, host, done), ''],
      ['an empty string', (s, port, host, done) => s.send('', port, host, done), ''],
      ['a part', (s, port, host, done) => s.send(Buffer.from('-hello-'), 1, 5, port, host, done), 'hello'],
      ['a part of a string', (s, port, host, done) => s.send('-hello-', 1, 5, port, host, done), 'hello'],
      ['text of several bytes', (s, port, host, done) => s.send('héllo', port, host, done), 'héllo'],
    ] as [string, Send, string][])('takes %s, and says how many bytes', async (__, send, text) => {
      const { near, far, farHost } = start()
      const server = await bound(far(), farHost)
      const client = near()
      const arrived = received(server)
      const sent = await new Promise(resolve =>
        send(client, server.address().port, farHost, (error, bytes) => resolve([error, bytes])),
      )
      expect(sent).toEqual([null, Buffer.byteLength(text)])
      const [message, from] = await arrived
      expect(String(message)).toBe(text)
      expect(from).toEqual({
        address: rig.nearHost,
        family: 'IPv4',
        port: client.address().port,
        size: Buffer.byteLength(text),
      })
      expect(Buffer.isBuffer(message)).toBe(true)
    })

    it.each([9000, 65_507])('carries %i bytes', async length => {
      const { near, far, farHost } = start()
      const server = await bound(far(), farHost)
      const message = Buffer.alloc(length, 'some bytes')
      near().send(message, server.address().port, farHost)
      expect((await received(server))[0].equals(message)).toBe(true)
    })

    it('of more than a datagram holds is EMSGSIZE', async () => {
      const { near, farHost } = start()
      const error = await new Promise(resolve => near().send(Buffer.alloc(65_508), 53, farHost, resolve))
      expect(error).toMatchObject({ code: 'EMSGSIZE', syscall: 'send', address: farHost, port: 53 })
    })

    it('binds first, and says so', async () => {
      const { near, farHost } = start()
      const socket = near()
      const listening = once(socket, 'listening')
      socket.send('x', 9, farHost)
      await listening
      expect(socket.address().port).toBeGreaterThan(0)
    })

    it('is answered to where it came from', async () => {
      const { near, far, farHost } = start()
      const server = await bound(far(), farHost)
      server.on('message', (message, { port, address }) => server.send(`re: ${message}`, port, address))
      const client = near()
      client.send('hello', server.address().port, farHost)
      const [message, from] = await received(client)
      expect(String(message)).toBe('re: hello')
      expect(from).toMatchObject({ address: farHost, port: server.address().port })
    })

    it('of what is none throws', () => {
      const { near, farHost } = start()
      const socket = near()
      const send =
        (...args: unknown[]) =>
        () =>
          (socket.send as (...all: unknown[]) => void)(...args)
      expect(send(1, 53, farHost)).toThrow(code('ERR_INVALID_ARG_TYPE'))
      expect(send([1], 53, farHost)).toThrow(code('ERR_INVALID_ARG_TYPE'))
      expect(send('x', 0, farHost)).toThrow(code('ERR_SOCKET_BAD_PORT'))
      expect(send('x', 65_536, farHost)).toThrow(code('ERR_SOCKET_BAD_PORT'))
      expect(send('x')).toThrow(code('ERR_SOCKET_BAD_PORT'))
      expect(send('x', 53, 5)).toThrow(TypeError)
      expect(send('abc', 4, 0, 53, farHost)).toThrow(code('ERR_BUFFER_OUT_OF_BOUNDS'))
      expect(send('abc', 2, 2, 53, farHost)).toThrow(code('ERR_BUFFER_OUT_OF_BOUNDS'))
      expect(send(['abc'], 0, 2, 53, farHost)).toThrow(code('ERR_INVALID_ARG_TYPE'))
    })
  })

  describe('connect (H-udp)', () => {
    async function connected() {
      const { near, far, farHost } = start()
      const server = await bound(far(), farHost)
      const client = near()
      await new Promise<void>(resolve => client.connect(server.address().port, farHost, () => resolve()))
      return { server, client, port: server.address().port }
    }

    it('says whom with, binds, and is undone by disconnect', async () => {
      const { client, port } = await connected()
      expect(client.remoteAddress()).toEqual({ address: rig.farHost, family: 'IPv4', port })
      expect(client.address().port).toBeGreaterThan(0)
      expect(() => client.connect(port, rig.farHost)).toThrow(code('ERR_SOCKET_DGRAM_IS_CONNECTED'))
      client.disconnect()
      expect(() => client.remoteAddress()).toThrow(code('ERR_SOCKET_DGRAM_NOT_CONNECTED'))
      expect(() => client.disconnect()).toThrow(code('ERR_SOCKET_DGRAM_NOT_CONNECTED'))
      client.connect(port, rig.farHost)
      await once(client, 'connect')
    })

    it.each([
      ['all', (client: DatagramSocket, done: () => void) => client.send('hello', done)],
      ['a part', (client: DatagramSocket, done: () => void) => client.send('-hello-', 1, 5, done)],
      ['a list', (client: DatagramSocket, done: () => void) => client.send(['hel', 'lo'], done)],
    ])('lets %s be sent without a port', async (__, send) => {
      const { server, client } = await connected()
      const arrived = received(server)
      await new Promise<void>(resolve => send(client, resolve))
      expect(String((await arrived)[0])).toBe('hello')
    })

    it('lets nothing be sent to another, and hears no other', async () => {
      const { server, client } = await connected()
      expect(() => client.send('x', 0, 1, 53, rig.farHost)).toThrow(code('ERR_SOCKET_DGRAM_IS_CONNECTED'))
      const other = await bound(rig.far(), rig.farHost)
      const { port } = client.address()
      other.send('not this', port, rig.nearHost)
      await new Promise(resolve => setTimeout(resolve, 20))
      server.send('this', port, rig.nearHost)
      expect(String((await received(client))[0])).toBe('this')
    })

    it('to a port where nobody is makes an error of what is sent', async () => {
      const { server, client } = await connected()
      await new Promise<void>(resolve => server.close(() => resolve()))
      client.send('hello')
      const [error] = await once(client, 'error')
      expect(error).toMatchObject({ code: 'ECONNREFUSED', syscall: 'recvmsg' })
    })

    it('of a bad port throws', () => {
      const { near, farHost } = start()
      expect(() => near().connect(0, farHost)).toThrow(code('ERR_SOCKET_BAD_PORT'))
      expect(() => near().connect(70_000, farHost)).toThrow(code('ERR_SOCKET_BAD_PORT'))
    })
  })

  describe('close (H-udp)', () => {
    it('comes with an event, after which nothing is possible', async () => {
      const { near, nearHost } = start()
      const socket = await bound(near(), nearHost)
      const events: string[] = []
      socket.on('close', () => events.push('close'))
      await new Promise<void>(resolve => {
        expect(socket.close(resolve)).toBe(socket)
        events.push('after the call')
      })
      expect(events).toEqual(['after the call', 'close'])
      for (const act of [
        () => socket.send('x', 53, nearHost),
        () => socket.bind(0),
        () => socket.close(),
        () => socket.address(),
        () => socket.remoteAddress(),
      ]) {
        expect(act).toThrow(code('ERR_SOCKET_DGRAM_NOT_RUNNING'))
      }
      expect(socket.ref()).toBe(socket)
      expect(socket.unref()).toBe(socket)
    })

    it('comes by a signal, before or after', async () => {
      const { near, nearHost } = start()
      const controller = new AbortController()
      const socket = await bound(near({ signal: controller.signal }), nearHost)
      const closed = once(socket, 'close')
      controller.abort()
      await closed
      const late = near({ signal: AbortSignal.abort() })
      expect(() => late.bind()).toThrow(code('ERR_SOCKET_DGRAM_NOT_RUNNING'))
    })

    it('comes by asyncDispose, once', async () => {
      const { near, nearHost } = start()
      const socket = await bound(near(), nearHost)
      await socket[Symbol.asyncDispose]()
      await socket[Symbol.asyncDispose]()
      expect(() => socket.address()).toThrow(code('ERR_SOCKET_DGRAM_NOT_RUNNING'))
    })
  })

  describe('settings (H-udp)', () => {
    it('before it is bound are of no socket', () => {
      const { near } = start()
      const socket = near()
      expect(() => socket.address()).toThrow(code('EBADF'))
      expect(() => socket.setTTL(64)).toThrow(code('EBADF'))
      expect(() => socket.setBroadcast(true)).toThrow(code('EBADF'))
      expect(() => socket.getRecvBufferSize()).toThrow(code('ERR_SOCKET_BUFFER_SIZE'))
      expect(() => socket.remoteAddress()).toThrow(code('ERR_SOCKET_DGRAM_NOT_CONNECTED'))
    })

    it('are taken once it is', async () => {
      const { near, nearHost } = start()
      const socket = await bound(near(), nearHost)
      expect(socket.setTTL(5)).toBe(5)
      expect(() => socket.setTTL('5' as unknown as number)).toThrow(code('ERR_INVALID_ARG_TYPE'))
      expect(() => socket.setTTL(0)).toThrow(code('EINVAL'))
      socket.setBroadcast(true)
      expect(socket.setMulticastTTL(3)).toBe(3)
      expect(socket.setMulticastLoopback(true)).toBe(true)
      socket.setRecvBufferSize(20_000)
      socket.setSendBufferSize(20_000)
      expect(socket.getRecvBufferSize()).toBeGreaterThanOrEqual(20_000)
      expect(socket.getSendBufferSize()).toBeGreaterThanOrEqual(20_000)
      expect(() => socket.setRecvBufferSize(-1)).toThrow(code('ERR_SOCKET_BAD_BUFFER_SIZE'))
      expect([socket.getSendQueueSize(), socket.getSendQueueCount()]).toEqual([0, 0])
    })

    it('of a type that is none throw', () => {
      const { near } = start()
      expect(() => near({ type: 'tcp' as 'udp4' })).toThrow(code('ERR_SOCKET_BAD_TYPE'))
    })
  })
})

describe('a datagram socket of the tunnel', () => {
  it('has no groups to join', () => {
    const { client, server } = createStackPair()
    const socket = new DatagramSocket(client).bind()
    for (const act of [
      () => socket.addMembership('224.0.0.114'),
      () => socket.dropMembership('224.0.0.114'),
      () => socket.setMulticastInterface('10.7.0.2'),
    ]) {
      expect(act).toThrow(code('EOPNOTSUPP'))
    }
    client.stop()
    server.stop()
  })

  it('speaks both families, or the one it is told to (H-udp)', async () => {
    const { client, server } = createStackPair()
    const both = new DatagramSocket(server).bind(53)
    const one = new DatagramSocket(server, 'udp6').bind(54)
    const texts: string[] = []
    both.on('message', message => texts.push(String(message)))
    one.on('message', message => texts.push(String(message)))
    const from = new DatagramSocket(client)
    for (const [host, port] of [
      ['10.7.0.1', 53],
      ['fd07::1', 53],
      ['10.7.0.1', 54],
      ['fd07::1', 54],
    ] as const) {
      await new Promise(resolve => from.send(`${host} ${port}`, port, host, resolve))
    }
    while (texts.length < 3) await new Promise(resolve => setTimeout(resolve, 5))
    expect(texts.sort()).toEqual(['10.7.0.1 53', 'fd07::1 53', 'fd07::1 54'])
    expect(one.address()).toEqual({ address: '::', family: 'IPv6', port: 54 })
    client.stop()
    server.stop()
  })
})

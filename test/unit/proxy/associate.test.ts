// UDP ASSOCIATE over real sockets on loopback, and the credentials of SOCKS5.
import { createSocket, type Socket as UdpSocket } from 'node:dgram'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import net, { type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import type { ConnectionRecord } from '../../../src/proxy/client.js'
import { createCredentials } from '../../../src/proxy/credentials.js'
import type { ListenAt, LocalAddress } from '../../../src/proxy/listener.js'
import { type ProxyOptions, type ProxyServer, startProxy } from '../../../src/proxy/proxy.js'
import type { RelayDatagrams } from '../../../src/proxy/service.js'
import { formatDatagram, readDatagram } from '../../../src/proxy/socks5-address.js'
import {
  cleanUp,
  connectRequest,
  connectTo,
  greeting,
  later,
  loopbackDialer,
  readAll,
  readBytes,
  startTarget,
  turns,
  until,
} from '../../support/proxy.js'

afterEach(cleanUp)

/** UDP sockets that reach loopback whatever the host is called, but `nowhere`. */
function loopbackDatagrams() {
  const state = { opened: 0, closed: 0, asked: [] as string[] }
  const open = (): RelayDatagrams => {
    state.opened++
    const socket = createSocket('udp4')
    socket.once('close', () => state.closed++)
    return {
      send(message, port, host, callback) {
        state.asked.push(`${host}:${port}`)
        if (host === 'nowhere') callback(Object.assign(new Error('unknown'), { code: 'ENOTFOUND' }))
        else socket.send(message, port, '127.0.0.1', callback)
      },
      on: socket.on.bind(socket) as RelayDatagrams['on'],
      close: () => socket.close(),
    }
  }
  return Object.assign(open, { state })
}

async function start<At extends ListenAt = LocalAddress>(options: Partial<ProxyOptions<At>> = {}) {
  const records: ConnectionRecord[] = []
  const errors: unknown[] = []
  const openDatagrams = loopbackDatagrams()
  const proxy: ProxyServer<At> = await startProxy({
    at: { host: '127.0.0.1', port: 0 } as ListenAt as At,
    dial: loopbackDialer(),
    openDatagrams,
    onConnection: record => records.push(record),
    onError: error => errors.push(error),
    ...options,
  })
  later(() => proxy.close())
  return Object.assign(proxy, { records, errors, far: openDatagrams.state })
}

async function udp(): Promise<UdpSocket> {
  const socket = createSocket('udp4').bind(0, '127.0.0.1')
  await once(socket, 'listening')
  later(() => new Promise<void>(resolve => socket.close(() => resolve())))
  return socket
}

/** Answers each datagram with `>` and the same. */
async function startEcho(): Promise<number> {
  const socket = await udp()
  socket.on('message', (message, from) => socket.send(Buffer.concat([Buffer.from('>'), message]), from.port))
  return socket.address().port
}

/** The relay's port, or the reply code. */
async function associate(serverPort: number, source: number[] = [1, 0, 0, 0, 0, 0, 0]) {
  const control = await connectTo(serverPort)
  control.write(Uint8Array.of(...greeting, 5, 3, 0, ...source))
  const reply = await readBytes(control, 2 + 10)
  return { control, code: reply[3] as number, host: [...reply.subarray(6, 10)].join('.'), port: reply.readUInt16BE(10) }
}

function datagramTo(host: string, port: number, text: string, fragment = 0): Uint8Array {
  const name = Buffer.from(host)
  return Buffer.concat([
    Uint8Array.of(0, 0, fragment, 3, name.length),
    name,
    Uint8Array.of(port >> 8, port & 255),
    Buffer.from(text),
  ])
}

async function next(socket: UdpSocket) {
  const [message] = (await once(socket, 'message')) as [Buffer]
  const datagram = readDatagram(message)
  if (typeof datagram === 'string') throw new Error(datagram)
  return { ...datagram, text: Buffer.from(datagram.data).toString() }
}

describe('an association', () => {
  it('carries datagrams both ways, names left to whoever sends on', async () => {
    const echo = await startEcho()
    const proxy = await start()
    const { port, host, code } = await associate(proxy.address.port)
    expect([code, host]).toEqual([0, '127.0.0.1'])
    const client = await udp()
    client.send(datagramTo('dns.internal', echo, 'hello'), port)
    expect(await next(client)).toMatchObject({ target: { host: '127.0.0.1', port: echo }, text: '>hello' })
    client.send(
      Buffer.concat([Uint8Array.of(0, 0, 0, 1, 10, 7, 0, 1, echo >> 8, echo & 255), Buffer.from('again')]),
      port,
    )
    expect((await next(client)).text).toBe('>again')
    expect(proxy.far.asked).toEqual([`dns.internal:${echo}`, `10.7.0.1:${echo}`])
    expect(proxy.counters).toMatchObject({
      associations: 1,
      datagramsSent: 2,
      datagramsReceived: 2,
      datagramsRefused: 0,
    })
  })

  it('ends with its connection, and is told', async () => {
    const echo = await startEcho()
    const proxy = await start()
    const { port, control } = await associate(proxy.address.port)
    const client = await udp()
    client.send(datagramTo('a', echo, 'hello'), port)
    await next(client)
    control.end()
    await until(() => proxy.records.length === 1 && proxy.far.closed === 1)
    expect(proxy.records[0]).toMatchObject({ protocol: 'udp', way: 'socks5', result: 'done', sent: 5, received: 6 })
    expect(proxy.records[0]).not.toHaveProperty('target')
    await until(() => proxy.connections === 0)
    const taken = createSocket('udp4').bind(port, '127.0.0.1')
    await once(taken, 'listening')
    taken.close()
  })

  it('is for the client alone that first used it', async () => {
    const echo = await startEcho()
    const proxy = await start()
    const { port } = await associate(proxy.address.port)
    const [client, stranger] = [await udp(), await udp()]
    stranger.send('nonsense', port)
    await until(() => proxy.counters.datagramsRefused === 1)
    client.send(datagramTo('a', echo, 'mine'), port)
    await next(client)
    const heard: unknown[] = []
    stranger.on('message', message => heard.push(message))
    stranger.send(datagramTo('a', echo, 'stolen'), port)
    await until(() => proxy.counters.datagramsRefused === 2)
    expect(heard).toEqual([])
    expect(proxy.counters.datagramsSent).toBe(1)
  })

  it('is for the port that the client has named', async () => {
    const echo = await startEcho()
    const proxy = await start()
    const [client, stranger] = [await udp(), await udp()]
    const own = client.address().port
    const { port } = await associate(proxy.address.port, [1, 127, 0, 0, 1, own >> 8, own & 255])
    stranger.send(datagramTo('a', echo, 'first'), port)
    await until(() => proxy.counters.datagramsRefused === 1)
    client.send(datagramTo('a', echo, 'mine'), port)
    expect((await next(client)).text).toBe('>mine')
  })

  it('is not bound to a port of another host, which some name instead', async () => {
    const echo = await startEcho()
    const proxy = await start()
    const { port } = await associate(proxy.address.port, [1, 10, 7, 0, 1, 0, 53])
    const client = await udp()
    client.send(datagramTo('a', echo, 'mine'), port)
    expect((await next(client)).text).toBe('>mine')
  })

  it.each([
    ['a fragment', datagramTo('a', 7, 'x', 1)],
    ['the last fragment', datagramTo('a', 7, 'x', 0x81)],
    ['another reserved field', Uint8Array.of(0, 1, 0, 1, 1, 2, 3, 4, 0, 7)],
    ['no address', Uint8Array.of(0, 0, 0)],
    ['half an address', Uint8Array.of(0, 0, 0, 1, 10, 7)],
    ['an unknown type', Uint8Array.of(0, 0, 0, 2, 1, 2, 3, 4, 0, 7)],
    ['a name with a NUL', datagramTo('a\0', 7, 'x')],
    ['port 0', datagramTo('a', 0, 'x')],
  ])('drops %s', async (_, bytes) => {
    const proxy = await start()
    const { port } = await associate(proxy.address.port)
    const client = await udp()
    client.send(bytes, port)
    await until(() => proxy.counters.datagramsRefused === 1)
    expect(proxy.far.asked).toEqual([])
  })

  it('goes on after a datagram that could not be sent, and tells why', async () => {
    const echo = await startEcho()
    const proxy = await start()
    const { port } = await associate(proxy.address.port)
    const client = await udp()
    client.send(datagramTo('nowhere', 7, 'x'), port)
    await until(() => proxy.counters.datagramsDropped === 1)
    expect(proxy.errors).toMatchObject([{ code: 'ENOTFOUND' }])
    client.send(datagramTo('a', echo, 'x'), port)
    expect((await next(client)).text).toBe('>x')
  })

  it('ends when it was silent for long', async () => {
    const proxy = await start({ limits: { associationTimeout: 20 } })
    const { control } = await associate(proxy.address.port)
    expect((await readAll(control)).length).toBe(0)
    control.end()
    await until(() => proxy.connections === 0)
  })

  it('beyond the bound is refused, and its place is free again at the end', async () => {
    const proxy = await start({ limits: { maxAssociations: 1 } })
    const first = await associate(proxy.address.port)
    expect((await associate(proxy.address.port)).code).toBe(1)
    first.control.destroy()
    await until(() => proxy.records.length === 1)
    expect((await associate(proxy.address.port)).code).toBe(0)
  })

  it('is refused clearly where UDP cannot be carried', async () => {
    const proxy = await startProxy({ at: { host: '127.0.0.1', port: 0 }, dial: loopbackDialer() })
    later(() => proxy.close())
    expect((await associate(proxy.address.port)).code).toBe(7)
    expect(proxy.counters.refused).toBe(1)
  })

  it('is refused to a client of a unix socket, which has no address', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'tunless-proxy-'))
    later(() => rmSync(folder, { recursive: true, force: true }))
    const path = join(folder, 'proxy.sock')
    await start({ at: { path } })
    const client = net.connect(path)
    later(() => client.destroy())
    client.write(Uint8Array.of(...greeting, 5, 3, 0, 1, 0, 0, 0, 0, 0, 0))
    expect([...(await readBytes(client, 12))].slice(2, 4)).toEqual([5, 7])
  })

  it('ends with the proxy', async () => {
    const proxy = await start()
    const { control } = await associate(proxy.address.port)
    const closed = once(control.resume(), 'end')
    await proxy.close()
    await closed
    await until(() => proxy.records.length === 1)
  })
})

describe('a datagram', () => {
  it.each(['10.7.0.1', 'fd07::1'])('from %s is written as it is read', host => {
    const bytes = formatDatagram({ host, port: 53 }, Buffer.from('answer'))
    expect(readDatagram(bytes)).toMatchObject({ target: { host, port: 53 }, data: expect.any(Uint8Array) })
    expect(Buffer.from((readDatagram(bytes) as { data: Uint8Array }).data).toString()).toBe('answer')
  })
})

describe('credentials', () => {
  const credentials = createCredentials([
    ['ci', 'pässword'],
    ['other', 'x'],
  ])
  const password = (user: string, word: string) => {
    const [name, secret] = [Buffer.from(user), Buffer.from(word)]
    return Buffer.concat([Uint8Array.of(1, name.length), name, Uint8Array.of(secret.length), secret])
  }
  const offer = Uint8Array.of(5, 2, 0, 2)

  async function ask(port: number, ...parts: Uint8Array[]): Promise<{ client: Socket; reply: Buffer }> {
    const client = await connectTo(port)
    client.end(Buffer.concat(parts))
    return { client, reply: await readAll(client) }
  }

  it('that are right let a client in, also where it says all at once', async () => {
    const target = await startTarget(socket => socket.end('hello'))
    const proxy = await start({ credentials })
    const client = await connectTo(proxy.address.port)
    const request = connectRequest({ host: 'web1', port: target.port })
    client.write(Buffer.concat([offer, password('ci', 'pässword'), request]))
    const reply = await readAll(client)
    expect([...reply.subarray(0, 6)]).toEqual([5, 2, 1, 0, 5, 0])
    expect(reply.subarray(14).toString()).toBe('hello')
  })

  it.each([
    ['ci', 'x'],
    ['other', 'pässword'],
    ['nobody', 'x'],
    ['', ''],
    ['ci', ''],
    ['c', 'ipässword'],
  ])('%j, %j are refused, and the connection is closed', async (user, word) => {
    const dial = loopbackDialer()
    const proxy = await start({ credentials, dial })
    const { reply } = await ask(proxy.address.port, offer, password(user, word), connectRequest({ host: 'a', port: 1 }))
    expect([...reply]).toEqual([5, 2, 1, 1])
    expect(proxy.counters.unauthorized).toBe(1)
    expect(dial.targets).toEqual([])
    await until(() => proxy.connections === 0)
  })

  it('are required: who offers none is refused', async () => {
    const proxy = await start({ credentials })
    expect([...(await ask(proxy.address.port, greeting)).reply]).toEqual([5, 255])
    expect(proxy.counters.refused).toBe(1)
  })

  it('allow an address that other hosts can reach', async () => {
    const proxy = await start({ credentials, at: { host: '0.0.0.0', port: 0 } })
    expect(proxy.address.host).toBe('0.0.0.0')
  })

  it('take a bound time to be sent', async () => {
    const proxy = await start({ credentials, limits: { greetingTimeout: 20 } })
    const client = await connectTo(proxy.address.port)
    client.write(Buffer.concat([offer, Uint8Array.of(1, 255)]))
    await readAll(client)
    client.end()
    expect(proxy.counters.timedOut).toBe(1)
    await turns(1)
  })
})

import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import net from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { TunnelError } from '../../../src/errors.js'
import type { ConnectionRecord } from '../../../src/proxy/client.js'
import type { Dialer } from '../../../src/proxy/dialer.js'
import type { LocalAddress } from '../../../src/proxy/listener.js'
import { type ProxyOptions, type ProxyServer, startProxy } from '../../../src/proxy/proxy.js'
import {
  cleanUp,
  connectRequest,
  connectTo,
  ending,
  greeting,
  later,
  loopbackDialer,
  readAll,
  readBytes,
  socksConnect,
  startTarget,
  turns,
  until,
} from '../../support/proxy.js'

const MiB = 1024 * 1024

afterEach(cleanUp)

async function start(
  options: Partial<ProxyOptions<LocalAddress>> = {},
): Promise<ProxyServer<LocalAddress> & { records: ConnectionRecord[] }> {
  const records: ConnectionRecord[] = []
  const server = await startProxy({
    at: { host: '127.0.0.1', port: 0 },
    dial: loopbackDialer(),
    onConnection: record => records.push(record),
    ...options,
  })
  later(() => server.close())
  return Object.assign(server, { records })
}

/** A dial that never ends by itself, and what became of it. */
function hangingDialer() {
  const state = { dialled: 0, aborted: 0 }
  const dial: Dialer = (_, signal) =>
    new Promise((_, reject) => {
      state.dialled++
      signal.addEventListener('abort', () => {
        state.aborted++
        reject(signal.reason)
      })
    })
  return Object.assign(dial, { state })
}

describe('CONNECT', () => {
  it.each([
    ['IPv4', [1, 10, 7, 0, 1], '10.7.0.1'],
    ['IPv6', [4, 0xfd, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1], 'fd07::1'],
    ['a name', [3, 4, 0x77, 0x65, 0x62, 0x31], 'web1'],
  ])('by %s dials the target, and answers with the address that the connection has there', async (_, address, host) => {
    const target = await startTarget()
    const dial = loopbackDialer()
    const server = await start({ dial })
    const client = await connectTo(server.address.port)
    client.write(greeting)
    expect([...(await readBytes(client, 2))]).toEqual([5, 0])
    client.write(Uint8Array.of(5, 1, 0, ...address, target.port >> 8, target.port & 255))
    const reply = await readBytes(client, 10)
    const accepted = await target.accepted()
    const bound = accepted.remotePort as number
    expect([...reply]).toEqual([5, 0, 0, 1, 127, 0, 0, 1, bound >> 8, bound & 255])
    expect(dial.targets).toEqual([{ host, port: target.port }])
  })

  it('carries data both ways, and both ends', async () => {
    const target = await startTarget(socket => socket.pipe(socket))
    const server = await start()
    const client = await socksConnect(server.address.port, web1(target.port))
    const bytes = randomBytes(3 * MiB)
    client.end(bytes)
    expect((await readAll(client)).equals(bytes)).toBe(true)
    await until(() => server.records.length === 1)
    expect(server.records[0]).toMatchObject({
      client: { host: '127.0.0.1', port: expect.any(Number) },
      target: { host: 'web1', port: target.port },
      result: 'done',
      sent: bytes.length,
      received: bytes.length,
      duration: expect.any(Number),
    })
    expect(server.counters).toMatchObject({
      accepted: 1,
      connected: 1,
      failed: 0,
      sent: bytes.length,
      received: bytes.length,
    })
    expect(server.connections).toBe(0)
  })

  it('takes a client that says everything at once, and ends', async () => {
    const target = await startTarget(socket => {
      void readAll(socket).then(request => socket.end(`you said ${request}`))
    })
    const server = await start()
    const client = await connectTo(server.address.port)
    client.end(Buffer.concat([greeting, connectRequest(web1(target.port)), Buffer.from('early data')]))
    expect((await readAll(client)).subarray(12).toString()).toBe('you said early data')
  })

  it('takes a client that says it byte by byte', async () => {
    const target = await startTarget(socket => socket.end('hello'))
    const server = await start()
    const client = await connectTo(server.address.port)
    for (const byte of Buffer.concat([greeting, connectRequest(web1(target.port))])) {
      client.write(Uint8Array.of(byte))
      await turns(2)
    }
    expect((await readAll(client)).subarray(12).toString()).toBe('hello')
  })

  it('serves many clients at once', async () => {
    const target = await startTarget(socket => socket.pipe(socket))
    const server = await start()
    await Promise.all(
      Array.from({ length: 100 }, async (_, i) => {
        const client = await socksConnect(server.address.port, web1(target.port))
        client.end(`client ${i}`)
        expect((await readAll(client)).toString()).toBe(`client ${i}`)
      }),
    )
    await until(() => server.records.length === 100)
    expect(server.counters.connected).toBe(100)
  })
})

describe('half-close', () => {
  it('of the client reaches the target, whose data still comes', async () => {
    const answer = randomBytes(2 * MiB)
    const target = await startTarget()
    const server = await start()
    const client = await socksConnect(server.address.port, web1(target.port))
    const accepted = await target.accepted()
    client.end('request')
    expect((await readAll(accepted)).toString()).toBe('request')
    accepted.end(answer)
    expect((await readAll(client)).equals(answer)).toBe(true)
  })

  it('of the target reaches the client, whose data still goes', async () => {
    const upload = randomBytes(2 * MiB)
    const target = await startTarget()
    const server = await start()
    const client = await socksConnect(server.address.port, web1(target.port))
    const accepted = await target.accepted()
    accepted.end('enough')
    expect((await readAll(client)).toString()).toBe('enough')
    client.end(upload)
    expect((await readAll(accepted)).equals(upload)).toBe(true)
  })
})

describe('a reset', () => {
  it('of the client reaches the target', async () => {
    const target = await startTarget()
    const server = await start()
    const client = await socksConnect(server.address.port, web1(target.port))
    const end = ending(await target.accepted())
    client.resetAndDestroy()
    expect(await end).toBe('ECONNRESET')
    await until(() => server.records.length === 1)
    expect(server.records[0]).toMatchObject({ result: 'cut', error: { code: 'ECONNRESET' } })
  })

  it('of the target reaches the client', async () => {
    const target = await startTarget()
    const server = await start()
    const client = await socksConnect(server.address.port, web1(target.port))
    const end = ending(client)
    ;(await target.accepted()).resetAndDestroy()
    expect(await end).toBe('ECONNRESET')
  })

  it('reaches a side that was ended before', async () => {
    const target = await startTarget()
    const server = await start()
    const client = await socksConnect(server.address.port, web1(target.port))
    const accepted = await target.accepted()
    accepted.end()
    client.resume()
    await once(client, 'end')
    const end = ending(accepted)
    client.resetAndDestroy()
    expect(await end).toBe('ECONNRESET')
  })
})

describe('a slow reader', () => {
  it.each(['client', 'target'])('at the %s stops the writer, and loses nothing', async who => {
    const target = await startTarget()
    const server = await start()
    const client = await socksConnect(server.address.port, web1(target.port))
    const accepted = await target.accepted()
    const [reader, writer] = who === 'client' ? [client, accepted] : [accepted, client]
    reader.pause()
    const chunk = Buffer.alloc(64 * 1024, who)
    let written = 0
    while (written < 512 * MiB) {
      written += chunk.length
      if (writer.write(chunk)) continue
      if (!(await Promise.race([once(writer, 'drain').then(() => true), turns(300).then(() => false)]))) break
    }
    expect(written).toBeLessThan(64 * MiB)
    writer.end()
    let read = 0
    for await (const bytes of reader) read += bytes.length
    expect(read).toBe(written)
  })
})

describe('a dial that fails', () => {
  const failing =
    (error: unknown): Dialer =>
    () =>
      Promise.reject(error)
  const socketError = (code: string, cause?: unknown) => Object.assign(new Error(code, { cause }), { code })

  it.each([
    ['no handshake', socketError('ETIMEDOUT', new TunnelError('HANDSHAKE_TIMEOUT', '')), 1],
    ['something else', new Error('what?'), 1],
    ['the policy', socketError('EACCES'), 2],
    ['no AllowedIPs', socketError('ENETUNREACH', new TunnelError('NO_ROUTE', '')), 3],
    ['an unknown name', socketError('ENOTFOUND', new TunnelError('UNKNOWN_HOST', '')), 4],
    ['ICMP unreachable', socketError('EHOSTUNREACH'), 4],
    ['a refusal', socketError('ECONNREFUSED'), 5],
    ['silence', socketError('ETIMEDOUT'), 6],
  ])('for %s is told to the client', async (_, error, code) => {
    const errors: unknown[] = []
    const server = await start({ dial: failing(error), onError: one => errors.push(one) })
    await expect(socksConnect(server.address.port, web1(22))).rejects.toMatchObject({ reply: code })
    expect(errors).toEqual([error])
    expect(server.counters).toMatchObject({ connected: 0, failed: 1 })
    expect(server.records[0]).toMatchObject({ target: { host: 'web1', port: 22 }, error, sent: 0, received: 0 })
  })

  it('is told to the end, even to a client that goes on talking', async () => {
    const server = await start({ dial: failing(socketError('ECONNREFUSED')) })
    const client = await connectTo(server.address.port)
    client.write(Buffer.concat([greeting, connectRequest(web1(22)), Buffer.alloc(MiB)]))
    expect((await readBytes(client, 12))[3]).toBe(5)
    client.resume()
    await once(client, 'end')
    client.end()
  })

  it('for want of a listener at the target is told as refused', async () => {
    const server = await start()
    await expect(socksConnect(server.address.port, web1(1))).rejects.toMatchObject({ reply: 5 })
  })
})

describe('a client', () => {
  it.each([
    ['no method that is served', Uint8Array.of(5, 1, 2), [5, 0xff]],
    ['BIND', Buffer.concat([greeting, connectRequest(web1(22), 2)]), [5, 0, 5, 7, 0, 1, 0, 0, 0, 0, 0, 0]],
    ['an unknown address type', Uint8Array.of(...greeting, 5, 1, 0, 9), [5, 0, 5, 8, 0, 1, 0, 0, 0, 0, 0, 0]],
    [
      'a name with a NUL',
      Buffer.concat([greeting, connectRequest({ host: 'a\0', port: 22 })]),
      [5, 0, 5, 4, 0, 1, 0, 0, 0, 0, 0, 0],
    ],
    ['port 0', Buffer.concat([greeting, connectRequest(web1(0))]), [5, 0, 5, 5, 0, 1, 0, 0, 0, 0, 0, 0]],
  ])('that asks for %s is refused, told so, and closed', async (_, sent, reply) => {
    const dial = loopbackDialer()
    const server = await start({ dial })
    const client = await connectTo(server.address.port)
    client.write(sent)
    expect([...(await readAll(client))]).toEqual(reply)
    client.end()
    expect(server.counters).toMatchObject({ refused: 1, malformed: 0 })
    expect(dial.targets).toEqual([])
    await until(() => server.connections === 0)
  })

  it('that speaks something else is closed without a word, and counted', async () => {
    const server = await start()
    for (const garbage of [Buffer.from('\r\n\r\n'), Buffer.alloc(MiB, 0xee), Uint8Array.of(4, 1)]) {
      const client = await connectTo(server.address.port)
      client.write(garbage)
      client.resume()
      await new Promise(resolve => client.once('close', resolve).once('end', resolve))
      expect(client.bytesRead).toBe(0)
    }
    expect(server.counters.malformed).toBe(3)
  })

  it('that takes too long is closed, however it dawdles', async () => {
    const server = await start({ limits: { greetingTimeout: 20 } })
    const silent = await connectTo(server.address.port)
    const slow = await connectTo(server.address.port)
    slow.write(greeting)
    expect(await ending(silent)).toBe('end')
    expect(await ending(slow)).toBe('end')
    expect(server.counters.timedOut).toBe(2)
  })

  it('that does not read its refusal is closed all the same', async () => {
    const server = await start({ limits: { lingerTimeout: 20 } })
    const client = await connectTo(server.address.port)
    client.write(Uint8Array.of(5, 1, 2))
    await until(() => server.counters.refused === 1)
    await until(() => server.connections === 0)
  })

  it.each(['ends', 'is reset'])('that %s during the negotiation is forgotten', async how => {
    const server = await start()
    const client = await connectTo(server.address.port)
    client.write(greeting)
    await readBytes(client, 2)
    if (how === 'ends') client.end()
    else client.resetAndDestroy()
    await until(() => server.connections === 0)
    expect(server.counters.gone).toBe(1)
  })

  it.each(['ends', 'is reset'])('that %s during the dial gives it up', async how => {
    const dial = hangingDialer()
    const server = await start({ dial })
    const client = await connectTo(server.address.port)
    client.write(Buffer.concat([greeting, connectRequest(web1(22))]))
    await until(() => dial.state.dialled === 1)
    if (how === 'ends') client.end()
    else client.resetAndDestroy()
    await until(() => dial.state.aborted === 1)
    await until(() => server.connections === 0)
    expect(server.counters).toMatchObject({ gone: 1, failed: 0 })
    expect(server.records).toMatchObject([{ result: 'gone', target: { host: 'web1', port: 22 } }])
  })

  it('that has left when the dial succeeds costs the target nothing', async () => {
    const target = await startTarget()
    let arrived: (() => void) | undefined
    const inner = loopbackDialer()
    const server = await start({
      dial: async to => {
        const socket = await inner(to, new AbortController().signal)
        await new Promise<void>(resolve => {
          arrived = resolve
        })
        return socket
      },
    })
    const client = await connectTo(server.address.port)
    client.write(Buffer.concat([greeting, connectRequest(web1(target.port))]))
    const accepted = await target.accepted()
    client.resetAndDestroy()
    await until(() => server.connections === 0 && arrived !== undefined)
    arrived?.()
    await ending(accepted)
    expect(server.counters).toMatchObject({ gone: 1, connected: 0 })
  })

  it('too many is closed at once where all others have a request', async () => {
    const dial = hangingDialer()
    const server = await start({ limits: { maxConnections: 1 }, dial })
    const first = await connectTo(server.address.port)
    first.write(Buffer.concat([greeting, connectRequest(web1(7))]))
    await until(() => dial.state.dialled === 1)
    const second = await connectTo(server.address.port)
    await ending(second)
    expect(server.counters).toMatchObject({ accepted: 1, dropped: 1 })
    expect(first.destroyed).toBe(false)
  })

  it('without a request makes room for another, the slowest first', async () => {
    const target = await startTarget()
    const server = await start({ limits: { maxConnections: 2 } })
    const [first, second] = [await connectTo(server.address.port), await connectTo(server.address.port)]
    first.write(greeting)
    await once(first, 'readable')
    await until(() => server.connections === 2)
    const gone = [ending(first), ending(second)]
    const third = await socksConnect(server.address.port, web1(target.port))
    await gone[0]
    const fourth = await socksConnect(server.address.port, web1(target.port))
    await gone[1]
    await ending(await connectTo(server.address.port))
    expect([third.destroyed, fourth.destroyed, server.connections]).toEqual([false, false, 2])
    expect(server.counters).toMatchObject({ accepted: 4, dropped: 3 })
  })
})

describe('the server', () => {
  it('on a port that is taken says which, and what to do', async () => {
    const first = await start()
    const failed = startProxy({ at: first.address, dial: loopbackDialer() })
    await expect(failed).rejects.toMatchObject({
      name: 'TunnelError',
      code: 'LISTEN_FAILED',
      cause: { code: 'EADDRINUSE' },
    })
    await expect(failed).rejects.toThrow(
      `cannot listen on 127.0.0.1:${first.address.port}: the port is taken: stop the other program, or choose another port (0 takes a free one)`,
    )
  })

  it('stays on this host', async () => {
    for (const host of ['0.0.0.0', '::', '192.0.2.1', 'example.com', '127.0.0.1.example.com']) {
      const failed = startProxy({ at: { host, port: 0 }, dial: loopbackDialer() })
      await expect(failed).rejects.toMatchObject({ code: 'PROXY_NOT_LOOPBACK' })
    }
    expect((await start({ at: { host: 'localhost', port: 0 } })).address.host).toMatch(/^(127\.0\.0\.1|::1)$/)
  })

  it('cuts its clients and its dials when it closes', async () => {
    const target = await startTarget()
    const server = await start()
    const client = await socksConnect(server.address.port, web1(target.port))
    const far = ending(await target.accepted())
    const near = new Promise(resolve => client.resume().once('close', resolve).once('end', resolve))
    const dial = hangingDialer()
    const other = await start({ dial })
    const dialling = await connectTo(other.address.port)
    dialling.write(Buffer.concat([greeting, connectRequest(web1(22))]))
    await until(() => dial.state.dialled === 1)

    await Promise.all([server.close(), other.close()])
    expect(await far).toBe('ECONNRESET')
    await near
    await until(() => dial.state.aborted === 1)
    const late = net.connect(server.address.port, '127.0.0.1')
    expect((await once(late, 'error'))[0].code).toBe('ECONNREFUSED')
  })
})

function web1(port: number) {
  return { host: 'web1', port }
}

// HTTP on a proxy's port, over real sockets on loopback: what a client sends byte for byte, and what the server gets of it.
import http, { type IncomingMessage, type RequestListener } from 'node:http'
import net, { type Socket } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import type { ConnectionRecord } from '../../../src/proxy/client.js'
import { createCredentials } from '../../../src/proxy/credentials.js'
import { createDialer, type Dialer } from '../../../src/proxy/dialer.js'
import type { LocalAddress } from '../../../src/proxy/listener.js'
import { type ProxyOptions, startProxy } from '../../../src/proxy/proxy.js'
import { cleanUp, connectTo, ending, later, loopbackDialer, readAll, startTarget, until } from '../../support/proxy.js'

afterEach(cleanUp)

async function start(options: Partial<ProxyOptions<LocalAddress>> = {}) {
  const records: ConnectionRecord[] = []
  const errors: unknown[] = []
  const proxy = await startProxy({
    at: { host: '127.0.0.1', port: 0 },
    dial: loopbackDialer(),
    onConnection: record => records.push(record),
    onError: error => errors.push(error),
    ...options,
  })
  later(() => proxy.close())
  return Object.assign(proxy, { records, errors })
}

/** An HTTP server, with its connections counted. */
async function startServer(listener: RequestListener): Promise<{ port: number; sockets: Set<Socket> }> {
  const sockets = new Set<Socket>()
  const server = http.createServer(listener)
  server.on('connection', socket => sockets.add(socket))
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  later(() => {
    server.close()
    server.closeAllConnections()
  })
  return { port: (server.address() as net.AddressInfo).port, sockets }
}

/** A server that says just this to each head, whatever comes. */
async function startRaw(answer: string, then: (socket: Socket) => void = () => {}) {
  const heads: string[] = []
  const target = await startTarget(socket => {
    let text = ''
    socket.on('data', chunk => {
      text += chunk.toString('latin1')
      for (let end = text.indexOf('\r\n\r\n'); end >= 0; end = text.indexOf('\r\n\r\n')) {
        heads.push(text.slice(0, end))
        text = text.slice(end + 4)
        socket.write(answer)
        then(socket)
      }
    })
    socket.on('end', () => socket.end())
  })
  return Object.assign(target, { heads })
}

/** A client that says just what it is told, and keeps what it hears. */
async function talk(port: number, first = '') {
  const socket = await connectTo(port)
  let heard = ''
  let ended = false
  socket.on('data', chunk => {
    heard += chunk.toString('latin1')
  })
  socket.on('end', () => {
    ended = true
  })
  socket.write(first)
  return {
    socket,
    say: (text: string | Buffer) => socket.write(text),
    get heard() {
      return heard
    },
    get ended() {
      return ended || socket.destroyed
    },
    /** What is heard up to and with this; the rest stays. */
    async hear(pattern: RegExp): Promise<string> {
      await until(() => pattern.test(heard) || ended || socket.destroyed)
      const match = pattern.exec(heard)
      if (match === null) throw new Error(`heard ${JSON.stringify(heard)}`)
      const text = heard.slice(0, match.index + match[0].length)
      heard = heard.slice(text.length)
      return text
    },
  }
}

const get = (port: number, path = '/', more = '') =>
  `GET http://web1:${port}${path} HTTP/1.1\r\nHost: web1\r\n${more}\r\n`

async function bodyOf(message: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of message) chunks.push(chunk)
  return Buffer.concat(chunks).toString('latin1')
}

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

const failingDialer =
  (code: string): Dialer =>
  async () => {
    throw Object.assign(new Error(`connect ${code}`), { code })
  }

describe('a request', () => {
  it('goes on in origin-form, with the Host of its URL, and without what is of one hop', async () => {
    const server = await startRaw('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
    const proxy = await start()
    const client = await talk(
      proxy.address.port,
      `GET http://web1:${server.port}/a%20b?c=d HTTP/1.1\r\nhost: elsewhere\r\nX-One: 1\r\nX-One: 2\r\n` +
        'Connection: keep-alive, X-Mine, Content-Length, Host\r\nX-Mine: secret\r\nProxy-Connection: keep-alive\r\nTE: trailers\r\n' +
        'Keep-Alive: timeout=5\r\nUpgrade: h2c\r\nProxy-Authorization: Basic eA==\r\nCookie: a=b\r\n\r\n',
    )
    await client.hear(/ok$/)
    expect(server.heads).toEqual([
      `GET /a%20b?c=d HTTP/1.1\r\nHost: web1:${server.port}\r\nX-One: 1\r\nX-One: 2\r\nCookie: a=b\r\nVia: 1.1 tunless\r\nConnection: keep-alive`,
    ])
    expect(proxy.counters).toMatchObject({ requests: 1, failed: 0 })
  })

  it.each([
    ['http://web1:PORT', 'GET', '/'],
    ['http://web1:PORT?q', 'GET', '/?q'],
    ['HTTP://WEB1:PORT/#x', 'GET', '/'],
    ['http://web1:PORT', 'OPTIONS', '*'],
    ['http://[::1]:PORT//x', 'GET', '//x'],
  ])('for %s with %s asks for its path', async (url, method, path) => {
    const server = await startRaw('HTTP/1.1 204 No Content\r\n\r\n')
    const proxy = await start()
    const target = url.replace('PORT', String(server.port))
    const client = await talk(proxy.address.port, `${method} ${target} HTTP/1.1\r\nHost: x\r\n\r\n`)
    await client.hear(/204 No Content/)
    expect(server.heads[0]).toMatch(`${method} ${path} HTTP/1.1\r\n`)
  })

  it('may be of any method, with a body of a length or in chunks, and with trailers', async () => {
    const seen: unknown[] = []
    const server = await startServer(async (request, response) => {
      const body = await bodyOf(request)
      const { method, headers, trailers } = request
      seen.push([method, body, headers['transfer-encoding'] ?? headers['content-length'], trailers])
      response.end()
    })
    const proxy = await start()
    const line = (method: string) => `${method} http://web1:${server.port}/ HTTP/1.1\r\nHost: x\r\n`
    const client = await talk(proxy.address.port)
    client.say(`${line('PUT')}Content-Length: 5\r\n\r\nhello`)
    client.say(
      `${line('PATCH')}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\nX-Sum: 1\r\nAuthorization: x\r\n\r\n`,
    )
    client.say(`${line('POST')}\r\n${line('DELETE')}\r\n${line('PROPFIND')}Content-Length: 0\r\n\r\n`)
    await until(() => client.heard.split('200 OK').length === 6)
    expect(seen).toEqual([
      ['PUT', 'hello', '5', {}],
      ['PATCH', 'hello world', 'chunked', { 'x-sum': '1' }],
      ['POST', '', '0', {}],
      ['DELETE', '', '0', {}],
      ['PROPFIND', '', '0', {}],
    ])
  })

  it('is answered with the response as it is, and no header of that hop', async () => {
    const server = await startRaw(
      'HTTP/1.1 299 Quite Fine\r\nX-A: 1\r\nx-a: 2\r\nConnection: X-B\r\nX-B: 3\r\nKeep-Alive: timeout=1\r\nSet-Cookie: a\r\nSet-Cookie: b\r\nContent-Length: 4\r\n\r\nbody',
    )
    const proxy = await start()
    const client = await talk(proxy.address.port, get(server.port))
    expect(await client.hear(/body/)).toBe(
      'HTTP/1.1 299 Quite Fine\r\nX-A: 1\r\nx-a: 2\r\nSet-Cookie: a\r\nSet-Cookie: b\r\nContent-Length: 4\r\nVia: 1.1 tunless\r\nConnection: keep-alive\r\nKeep-Alive: timeout=60\r\n\r\nbody',
    )
  })

  it('gets a chunked response with its trailers, as it comes', async () => {
    let finish: (() => void) | undefined
    const server = await startRaw('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n', socket => {
      finish = () => socket.write('0\r\nX-Sum: 7\r\n\r\n')
    })
    const proxy = await start()
    const client = await talk(proxy.address.port, get(server.port))
    await client.hear(/5\r\nfirst\r\n/)
    finish?.()
    expect(await client.hear(/0\r\n.*\r\n\r\n/s)).toBe('0\r\nX-Sum: 7\r\n\r\n')
  })

  it.each([
    ['HEAD', 'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n', /Content-Length: 100\r\n/],
    ['GET', 'HTTP/1.1 304 Not Modified\r\nETag: "x"\r\n\r\n', /304/],
    ['GET', 'HTTP/1.1 204 No Content\r\n\r\n', /204/],
  ])('with %s may get a head alone: %j', async (method, answer, pattern) => {
    const server = await startRaw(answer)
    const proxy = await start()
    const request = get(server.port).replace('GET', method)
    const client = await talk(proxy.address.port, request)
    expect(await client.hear(/\r\n\r\n/)).toMatch(pattern)
    client.say(request)
    expect(await client.hear(/\r\n\r\n/)).toMatch(pattern)
    expect(server.heads).toHaveLength(2)
  })

  it('of HTTP/1.0 gets a body that ends with the connection', async () => {
    const server = await startRaw('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n')
    const proxy = await start()
    const client = await connectTo(proxy.address.port)
    client.write(`GET http://web1:${server.port}/ HTTP/1.0\r\n\r\n`)
    const text = (await readAll(client)).toString()
    expect(text).toMatch(/\r\n\r\nok$/)
    expect(text).not.toMatch(/chunked/i)
  })

  it('is answered although the client has ended, which has nothing more to say', async () => {
    const server = await startServer((_, response) => setImmediate(() => response.end('late')))
    const proxy = await start()
    const client = await connectTo(proxy.address.port)
    client.end(get(server.port))
    expect((await readAll(client)).toString()).toMatch(/late/)
  })

  it('passes interim responses on', async () => {
    const server = await startRaw(
      'HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n',
    )
    const proxy = await start()
    const client = await talk(proxy.address.port, get(server.port))
    expect(await client.hear(/200 OK/)).toBe(
      'HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\nHTTP/1.1 200 OK',
    )
  })

  it('is told as a record when it is over', async () => {
    const server = await startRaw('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
    const proxy = await start()
    const client = await talk(proxy.address.port, get(server.port, '/', 'Content-Length: 3\r\n').concat('abc'))
    await client.hear(/ok/)
    await until(() => proxy.records.length === 1)
    expect(proxy.records[0]).toMatchObject({
      protocol: 'tcp',
      way: 'http',
      client: { host: '127.0.0.1', port: client.socket.localPort },
      target: { host: 'web1', port: server.port },
      result: 'done',
      sent: 3,
      received: 2,
    })
  })

  it('takes one hop of OPTIONS and TRACE away', async () => {
    const server = await startRaw('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n')
    const proxy = await start()
    const client = await talk(proxy.address.port)
    const options = (hops: number) => get(server.port, '/', `Max-Forwards: ${hops}\r\n`).replace('GET', 'OPTIONS')
    client.say(options(2))
    await client.hear(/200 OK/)
    expect(server.heads[0]).toMatch('Max-Forwards: 1\r\n')
    client.say(options(0))
    await client.hear(/Max-Forwards ended here/)
    expect(server.heads).toHaveLength(1)
  })
})

describe('the connection to a server', () => {
  it('is kept for the next request of the same client, not of another', async () => {
    const server = await startServer((_, response) => response.end('ok'))
    const proxy = await start()
    const first = await talk(proxy.address.port, get(server.port))
    await first.hear(/ok/)
    first.say(get(server.port))
    await first.hear(/ok/)
    expect(server.sockets.size).toBe(1)
    const second = await talk(proxy.address.port, get(server.port))
    await second.hear(/ok/)
    expect(server.sockets.size).toBe(2)
  })

  it('ends with the client', async () => {
    const server = await startServer((_, response) => response.end('ok'))
    const proxy = await start()
    const client = await talk(proxy.address.port, get(server.port))
    await client.hear(/ok/)
    client.socket.destroy()
    await until(() => [...server.sockets].every(socket => socket.destroyed))
  })

  it('that the server has closed meanwhile is made anew', async () => {
    let count = 0
    const server = await startTarget(socket => {
      socket.on('data', () => {
        count++
        // The second request of a connection is cut: its sender cannot have known.
        if (socket.bytesRead > 200) socket.resetAndDestroy()
        else socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
      })
    })
    const proxy = await start()
    const client = await talk(proxy.address.port)
    const request = get(server.port, '/', `X: ${'x'.repeat(100)}\r\n`)
    for (let i = 0; i < 2; i++) {
      client.say(request)
      await client.hear(/ok/)
    }
    expect(count).toBe(3)
  })

  it('is a new one for what may not be sent twice', async () => {
    const server = await startServer((request, response) => request.resume().on('end', () => response.end('ok')))
    const proxy = await start()
    const client = await talk(proxy.address.port)
    for (const method of ['GET', 'POST', 'POST']) {
      client.say(get(server.port, '/', 'Content-Length: 0\r\n').replace('GET', method))
      await client.hear(/ok/)
    }
    expect(server.sockets.size).toBe(3)
  })
})

describe('Expect: 100-continue', () => {
  const expecting = (port: number) =>
    get(port, '/', 'Content-Length: 5\r\nExpect: 100-continue\r\n').replace('GET', 'PUT')

  it('is answered when the server does', async () => {
    let release: (() => void) | undefined
    const server = await startServer(async (request, response) => response.end(await bodyOf(request)))
    const proxy = await start()
    const held = await startTarget(socket => {
      release = () => {
        const far = net.connect(server.port, '127.0.0.1')
        socket.pipe(far).pipe(socket)
      }
    })
    const client = await talk(proxy.address.port, expecting(held.port))
    await until(() => release !== undefined)
    expect(client.heard).toBe('')
    release?.()
    expect(await client.hear(/\r\n\r\n/)).toBe('HTTP/1.1 100 Continue\r\n\r\n')
    client.say('hello')
    expect(await client.hear(/hello/)).toMatch('200 OK')
  })

  it('and no 100 closes the connection behind the answer: what follows could be either', async () => {
    const server = await startRaw('HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n')
    const proxy = await start()
    const client = await talk(proxy.address.port, expecting(server.port))
    expect(await client.hear(/\r\n\r\n/)).toMatch(/401 Unauthorized.*Connection: close/s)
    await until(() => client.ended)
  })
})

describe('a body', () => {
  it('passes at the pace of the server', async () => {
    const target = await startTarget(socket => socket.pause())
    const proxy = await start()
    const size = 64 * 1024 * 1024
    const client = await talk(
      proxy.address.port,
      get(target.port, '/', `Content-Length: ${size}\r\n`).replace('GET', 'POST'),
    )
    const chunk = Buffer.alloc(1024 * 1024)
    let taken = 0
    for (let i = 0; i < 64 && client.say(chunk); i++) taken += chunk.length
    await target.accepted()
    for (let quiet = 0, last = -1; quiet < 50; quiet++) {
      await new Promise(resolve => setImmediate(resolve))
      if (client.socket.bytesWritten - client.socket.writableLength !== last) quiet = 0
      last = client.socket.bytesWritten - client.socket.writableLength
    }
    expect(taken).toBeLessThan(size)
    expect(process.memoryUsage().external).toBeLessThan(1024 * 1024 * 1024)
  })

  it('that is answered before its end is read to its end, and the connection goes on', async () => {
    const server = await startTarget(socket =>
      socket.once('data', () => socket.end('HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig')),
    )
    const ok = await startRaw('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
    const proxy = await start()
    const client = await talk(proxy.address.port)
    client.say(get(server.port, '/', 'Content-Length: 5000000\r\n').replace('GET', 'POST'))
    client.say(Buffer.alloc(1000))
    await client.hear(/big/)
    client.say(Buffer.alloc(4_999_000))
    client.say(get(ok.port))
    await client.hear(/ok/)
  })

  it.each([
    ['of a length', 'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npart'],
    ['in chunks', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\npart\r\n'],
  ])('%s that breaks off does not pass for the whole', async (_, answer) => {
    const server = await startRaw(answer, socket => socket.end())
    const proxy = await start()
    const client = await connectTo(proxy.address.port)
    client.write(get(server.port))
    expect(await ending(client)).toBe('ECONNRESET')
    await until(() => proxy.records.length === 1)
    expect(proxy.records[0]).toMatchObject({ result: 'cut', received: 4 })
  })

  it('that ends with the connection is whole at a FIN, not at a RST', async () => {
    const whole = await startRaw('HTTP/1.1 200 OK\r\n\r\nall', socket => socket.end())
    const cut = await startRaw('HTTP/1.1 200 OK\r\n\r\npart', socket => setTimeout(() => socket.resetAndDestroy(), 20))
    const proxy = await start()
    const first = await talk(proxy.address.port, get(whole.port))
    await first.hear(/3\r\nall\r\n0\r\n\r\n/)
    const second = await connectTo(proxy.address.port)
    second.write(get(cut.port))
    expect(await ending(second)).toBe('ECONNRESET')
  })
})

describe('what the proxy answers by itself', () => {
  it.each([
    ['ECONNREFUSED', 502, 'web1:80 refused the connection', 'connection_refused'],
    ['EHOSTUNREACH', 502, 'web1:80 cannot be reached (EHOSTUNREACH)', 'destination_ip_unroutable'],
    ['NO_ROUTE', 502, 'connect NO_ROUTE', 'destination_ip_unroutable'],
    ['UNKNOWN_HOST', 502, 'connect UNKNOWN_HOST', 'dns_error'],
    ['ETIMEDOUT', 504, 'web1:80 did not answer', 'connection_timeout'],
    ['HANDSHAKE_TIMEOUT', 504, 'connect HANDSHAKE_TIMEOUT', 'destination_unavailable'],
    ['EACCES', 403, 'connect EACCES', 'connection_refused'],
  ])('for %s is %d with the reason', async (code, status, why, name) => {
    const proxy = await start({ dial: failingDialer(code) })
    const client = await talk(proxy.address.port, get(80))
    const said = await client.hear(/tunless: .*\n/)
    expect(said).toMatch(new RegExp(`^HTTP/1.1 ${status} `))
    expect(said).toContain(why)
    expect(said).toContain(`Proxy-Status: tunless; error=${name}\r\n`)
    const connect = await talk(proxy.address.port, 'CONNECT web1:80 HTTP/1.1\r\nHost: web1:80\r\n\r\n')
    const saidToo = await connect.hear(/tunless: .*\n/)
    expect(saidToo).toMatch(new RegExp(`^HTTP/1.1 ${status} `))
    expect(saidToo).toContain(why)
    expect(proxy.errors).toMatchObject([{ code }, { code }])
    expect(proxy.counters.failed).toBe(2)
  })

  it('leaves the connection open behind a 502, with the body read', async () => {
    const proxy = await start({ dial: failingDialer('ECONNREFUSED') })
    const client = await talk(proxy.address.port)
    for (let i = 0; i < 2; i++) {
      client.say(get(80, '/', 'Content-Length: 100000\r\n').replace('GET', 'POST') + 'x'.repeat(100_000))
      await client.hear(/tunless: 502 .*\n/)
    }
  })

  it.each([
    ['GET https://web1/ HTTP/1.1', 501, 'ask for CONNECT host:port'],
    ['GET ftp://web1/ HTTP/1.1', 501, 'ask for CONNECT host:port'],
    ['GET /path HTTP/1.1', 400, 'this is a proxy'],
    ['OPTIONS * HTTP/1.1', 400, 'this is a proxy'],
    ['GET http:/// HTTP/1.1', 400, 'no host'],
    ['GET http://web1:0/ HTTP/1.1', 400, 'a port that is none'],
    ['GET http://web1:70000/ HTTP/1.1', 400, 'a port that is none'],
    ['GET http://user:word@web1/ HTTP/1.1', 400, 'send Authorization'],
    ['CONNECT web1 HTTP/1.1', 400, 'host:port'],
    ['CONNECT web1:0 HTTP/1.1', 400, 'host:port'],
    ['CONNECT fd07::1:443 HTTP/1.1', 400, 'host:port'],
    ['FROBNICATE http://web1/ HTTP/1.1', 501, 'no such method'],
  ])('to %s is %d', async (line, status, why) => {
    const dial = loopbackDialer()
    const proxy = await start({ dial })
    const client = await talk(proxy.address.port, `${line}\r\nHost: web1\r\n\r\n`)
    const said = await client.hear(/tunless: .*\n/)
    expect(said).toMatch(new RegExp(`^HTTP/1.1 ${status} `))
    expect(said).toContain(why)
    expect(dial.targets).toEqual([])
  })

  it('is a 502 where the server speaks no HTTP, or nothing', async () => {
    const proxy = await start()
    for (const answer of [
      'SSH-2.0-OpenSSH\r\n\r\n',
      '',
      'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n',
    ]) {
      const server = await startRaw(answer, socket => socket.end())
      const client = await talk(proxy.address.port, get(server.port))
      expect(await client.hear(/tunless: .*\n/)).toMatch(/502 Bad Gateway: the connection ended before an answer came/)
    }
  })
})

describe('a request that could be read in two ways', () => {
  it.each([
    ['both lengths', 'Content-Length: 4\r\nTransfer-Encoding: chunked\r\n', 400],
    ['two lengths', 'Content-Length: 4\r\nContent-Length: 5\r\n', 400],
    ['a length that is none', 'Content-Length: +4\r\n', 400],
    ['another coding', 'Transfer-Encoding: gzip, chunked\r\n', 501],
    ['a coding behind chunked', 'Transfer-Encoding: chunked, identity\r\n', 400],
    ['a space before the colon', 'Content-Length : 4\r\n', 400],
    ['a folded header', 'X: 1\r\n Content-Length: 4\r\n', 400],
    ['two hosts', 'Host: web2\r\nContent-Length: 5\r\n', 400],
  ])('by %s is refused', async (_, headers, status) => {
    const dial = loopbackDialer()
    const proxy = await start({ dial })
    const client = await talk(
      proxy.address.port,
      `POST http://web1:80/ HTTP/1.1\r\nHost: web1\r\n${headers}\r\n0\r\n\r\nGET http://web1:80/smuggled HTTP/1.1\r\nHost: x\r\n\r\n`,
    )
    expect(await client.hear(/\r\n\r\n/)).toMatch(new RegExp(`^HTTP/1.1 ${status} `))
    await new Promise(resolve => setImmediate(resolve))
    expect(dial.targets.filter((_, index) => index > 0)).toEqual([])
  })

  it.each(['1\r\naXX\r\n', 'nonsense\r\n', '0\r\nContent-Length: 4\r\n\r\n'])(
    'by its chunks, %j, is refused, and the server gets no end',
    async chunks => {
      let received = ''
      const server = await startTarget(socket => {
        socket.on('data', chunk => {
          received += chunk
        })
        socket.on('end', () => socket.end())
      })
      const proxy = await start()
      const head = get(server.port, '/', 'Transfer-Encoding: chunked\r\n').replace('GET', 'POST')
      const client = await talk(proxy.address.port, head)
      const far = await server.accepted()
      client.say('3\r\nabc\r\n')
      await until(() => received.includes('abc'))
      client.say(chunks)
      expect(await client.hear(/\n$/)).toMatch(/^HTTP\/1.1 400 /)
      await until(() => far.destroyed)
      expect(received).not.toMatch(/\r\n0\r\n/)
    },
  )

  it('without Host is refused', async () => {
    const proxy = await start()
    const client = await talk(proxy.address.port, 'GET http://web1/ HTTP/1.1\r\n\r\n')
    expect(await client.hear(/\r\n/)).toMatch('400 Bad Request')
  })
})

describe('CONNECT', () => {
  it('joins the client with any port, half-close for half-close', async () => {
    const target = await startTarget(socket => {
      let text = ''
      socket.on('data', chunk => {
        text += chunk
      })
      socket.on('end', () => socket.end(`got ${text}`))
    })
    const proxy = await start()
    const client = await connectTo(proxy.address.port)
    // What comes with the head, before the answer, is the first data.
    client.end(`CONNECT web1:${target.port} HTTP/1.1\r\nHost: web1\r\n\r\nearly`)
    const text = (await readAll(client)).toString()
    expect(text).toMatch(/^(HTTP\/1.1 200 Connection established\r\n\r\ngot early)?$/)
    const patient = await talk(proxy.address.port, `CONNECT web1:${target.port} HTTP/1.1\r\n\r\nearly`)
    await patient.hear(/200 Connection established\r\n\r\n/)
    patient.socket.end(' late')
    await patient.hear(/got early late/)
    expect(proxy.counters.connected).toBeGreaterThan(0)
  })

  it('relays a reset', async () => {
    const target = await startTarget()
    const proxy = await start()
    const client = await talk(proxy.address.port, `CONNECT web1:${target.port} HTTP/1.1\r\n\r\n`)
    await client.hear(/established/)
    const ended = ending(client.socket)
    ;(await target.accepted()).resetAndDestroy()
    expect(await ended).toBe('ECONNRESET')
  })

  it('behind a request that is not answered yet is cut', async () => {
    const dial = hangingDialer()
    const proxy = await start({ dial })
    const client = await connectTo(proxy.address.port)
    client.write(`${get(80)}CONNECT web1:22 HTTP/1.1\r\n\r\n`)
    expect(await ending(client)).toBe('end')
    expect(proxy.counters.malformed).toBe(1)
  })
})

describe('credentials', () => {
  const credentials = createCredentials([
    ['ci', 'pässword:1'],
    ['other', 'x'],
  ])
  const basic = (pair: string) => `Proxy-Authorization: Basic ${Buffer.from(pair).toString('base64')}\r\n`

  it('are asked for once, on a connection that stays: as git wants it', async () => {
    const target = await startTarget(socket => socket.pipe(socket))
    const proxy = await start({ credentials })
    const connect = `CONNECT web1:${target.port} HTTP/1.1\r\nHost: web1\r\n`
    const client = await talk(proxy.address.port, `${connect}\r\n`)
    const said = await client.hear(/\n$/)
    expect(said).toMatch(/^HTTP\/1.1 407 Proxy Authentication Required\r\n/)
    expect(said).toContain('Proxy-Authenticate: Basic realm="tunless", charset="UTF-8"\r\n')
    expect(said).toContain('Connection: keep-alive\r\n')
    client.say(`${connect}${basic('ci:wrong')}\r\n`)
    await client.hear(/407 [\s\S]*\n$/)
    client.say(`${connect}${basic('ci:pässword:1')}\r\n`)
    await client.hear(/200 Connection established\r\n\r\n/)
    client.say('hello')
    await client.hear(/hello/)
    expect(proxy.counters).toMatchObject({ unauthorized: 2, connected: 1 })
  })

  it('are asked of every request, and do not reach the server', async () => {
    const server = await startRaw('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
    const proxy = await start({ credentials })
    const client = await talk(proxy.address.port)
    client.say(`${get(server.port, '/', 'Content-Length: 3\r\n')}abc`)
    await client.hear(/407 [\s\S]*tunless: .*\n/)
    client.say(get(server.port, '/', basic('other:x')))
    await client.hear(/ok/)
    client.say(get(server.port))
    await client.hear(/407 [\s\S]*tunless: .*\n/)
    expect(server.heads).toHaveLength(1)
    expect(server.heads[0]).not.toMatch(/proxy-authorization/i)
  })

  it.each(['Basic', 'Basic !', 'Basic Y2k=', 'Bearer Y2k6cA==', 'Basic Y2k6eA==', 'Basic OnA='])(
    'are not %j',
    async value => {
      const dial = loopbackDialer()
      const proxy = await start({ credentials, dial })
      const client = await talk(proxy.address.port, get(80, '/', `Proxy-Authorization: ${value}\r\n`))
      await client.hear(/407/)
      expect(dial.targets).toEqual([])
    },
  )

  it('that are missing end a connection whose next bytes are not another request', async () => {
    const proxy = await start({ credentials })
    for (const first of [
      'CONNECT a:1 HTTP/1.1\r\n\r\nearly',
      'CONNECT a:1 HTTP/1.0\r\n\r\n',
      'CONNECT a:1 HTTP/1.1\r\nConnection: close\r\n\r\n',
    ]) {
      const client = await talk(proxy.address.port, first)
      expect(await client.hear(/\n$/)).toMatch('Connection: close\r\n')
      await until(() => client.ended)
    }
  })
})

describe('a client', () => {
  it('with a head beyond the bound is told so, and closed', async () => {
    const proxy = await start({ limits: { headerBytes: 2000 } })
    const client = await talk(proxy.address.port, get(80, '/', `X: ${'x'.repeat(3000)}\r\n`))
    expect(await client.hear(/tunless: .*\n/)).toMatch(/431 .*longer than 2000 bytes/s)
    await until(() => client.ended)
    expect(proxy.counters.malformed).toBe(1)
  })

  it.each([
    ['its first byte', ''],
    ['the rest of its first line', 'GET http'],
    ['the rest of its head', 'GET http://web1/ HTTP/1.1\r\nHost'],
  ])('that takes too long for %s is closed', async (_, first) => {
    const proxy = await start({ limits: { greetingTimeout: 20 } })
    const client = await talk(proxy.address.port, first)
    await until(() => client.ended)
    expect(proxy.counters.timedOut).toBe(1)
  })

  it('of hundreds that dawdle keeps none of them, nor the one that does not from its answer', async () => {
    const server = await startRaw('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
    const proxy = await start({ limits: { greetingTimeout: 300 } })
    const firsts = ['', '\x05', '\x05\x01\x00\x05', 'G', `GET http://web1:${server.port}/ HTTP/1.1\r\n`]
    const slow = await Promise.all(Array.from({ length: 300 }, (_, i) => talk(proxy.address.port, firsts[i % 5])))
    const quick = await talk(proxy.address.port, get(server.port))
    await quick.hear(/ok/)
    await until(() => slow.every(client => client.ended))
    expect(proxy.counters.timedOut).toBe(300)
    await until(() => proxy.connections === 1)
  })

  it('that takes too long for its next request is closed', async () => {
    const server = await startRaw('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
    const proxy = await start({ limits: { greetingTimeout: 50, idleTimeout: 50 } })
    const client = await talk(proxy.address.port, get(server.port))
    await client.hear(/ok/)
    client.say('GET ')
    await until(() => client.ended && proxy.connections === 0)
  })

  it('that pauses in its body is closed, one whose server pauses is not', async () => {
    const server = await startServer(request => request.resume())
    const proxy = await start({ limits: { stallTimeout: 30 } })
    const client = await talk(proxy.address.port, `${get(server.port, '/', 'Content-Length: 9\r\n')}abc`)
    const patient = await talk(proxy.address.port, `${get(server.port, '/', 'Content-Length: 3\r\n')}abc`)
    await until(() => client.ended)
    expect(proxy.counters.timedOut).toBe(1)
    await new Promise(resolve => setTimeout(resolve, 60))
    expect(patient.ended).toBe(false)
  })

  it('that leaves gives its dial, or its request, up', async () => {
    const dial = hangingDialer()
    const proxy = await start({ dial })
    const client = await talk(proxy.address.port, get(80))
    await until(() => dial.state.dialled === 1)
    client.socket.resetAndDestroy()
    await until(() => dial.state.aborted === 1)
    await until(() => proxy.records.length === 1)
    expect(proxy.records[0]).toMatchObject({ result: 'gone' })

    const server = await startServer(() => {})
    const other = await start()
    const second = await talk(other.address.port, get(server.port))
    await until(() => server.sockets.size === 1)
    second.socket.resetAndDestroy()
    await until(() => [...server.sockets].every(socket => socket.destroyed))
    expect(other.counters.gone).toBe(1)
  })

  it('that sends many requests at once has them served in order, and not without bound', async () => {
    let running = 0
    let most = 0
    const server = await startServer((request, response) => {
      most = Math.max(most, ++running)
      setImmediate(() => {
        running--
        response.end(`<${request.url}>`)
      })
    })
    const proxy = await start({ limits: { maxPipelined: 5 } })
    const client = await talk(proxy.address.port, [1, 2, 3, 4, 5].map(n => get(server.port, `/${n}`)).join(''))
    const said = await client.hear(/<\/5>/)
    expect(said.match(/<.*?>/g)).toEqual(['</1>', '</2>', '</3>', '</4>', '</5>'])
    expect(most).toBe(1)
    const greedy = await talk(proxy.address.port, get(server.port).repeat(20))
    await until(() => greedy.ended)
    expect(proxy.counters.refused).toBe(1)
  })

  it('that sends nonsense behind a request is told, and closed', async () => {
    const server = await startRaw('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
    const proxy = await start()
    const client = await talk(proxy.address.port, get(server.port))
    await client.hear(/ok/)
    client.say('\x16\x03\x01\x02\x00')
    await client.hear(/400 Bad Request/)
    await until(() => client.ended)
  })

  it('whose body is nonsense from its first byte, in one write with the head, is told, and closed', async () => {
    const dial = hangingDialer()
    const proxy = await start({ dial })
    const head = 'POST http://web1/ HTTP/1.1\r\nHost: web1\r\nTransfer-Encoding: chunked\r\n\r\n'
    const client = await talk(proxy.address.port, `${head}${'f'.repeat(100)}\r\n`)
    await client.hear(/400 Bad Request/)
    await until(() => client.ended)
    expect(dial.state.dialled).toBe(0)
  })

  it('does not bring the proxy down, whatever it sends', async () => {
    const server = await startRaw('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
    const proxy = await start()
    let seed = 1
    const random = (below: number) => {
      seed = (seed * 48271) % 0x7fffffff
      return seed % below
    }
    const base = Buffer.from(
      `${get(server.port)}POST http://web1:${server.port}/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\nCONNECT web1:${server.port} HTTP/1.1\r\n\r\n`,
    )
    for (let i = 0; i < 150; i++) {
      const bytes = Buffer.from(base)
      for (let n = random(6) + 1; n > 0; n--) bytes[random(bytes.length)] = random(256)
      const client = await connectTo(proxy.address.port)
      client.resume().end(bytes.subarray(0, random(bytes.length) + 1))
      if (random(3) === 0) client.destroy()
    }
    const client = await talk(proxy.address.port, get(server.port))
    await client.hear(/ok/)
  })
})

it('a dialer of the tunnel and one of the host do alike', async () => {
  const server = await startServer((_, response) => response.end('ok'))
  const dial = createDialer(({ allowHalfOpen }) => net.connect({ port: server.port, host: '127.0.0.1', allowHalfOpen }))
  const proxy = await start({ dial })
  const client = await talk(proxy.address.port, get(1))
  await client.hear(/ok/)
})

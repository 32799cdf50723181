// fetch, undici's own classes and Node's agents through a tunnel between two of our own, in clear and over TLS.
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import http from 'node:http'
import https from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import type { TLSSocket } from 'node:tls'
import * as undici from 'undici'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { openPair, type Pair } from '../support/pair.js'

/** A certificate for `web1`, made for this run. */
let tls: { key: Buffer; cert: Buffer }
const folder = mkdtempSync(join(tmpdir(), 'tunless-tls-'))

beforeAll(() => {
  const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')]
  const made = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-keyout', key, '-out', cert, '-days', '2']
  const named = ['-subj', '/CN=web1', '-addext', 'subjectAltName=DNS:web1,IP:10.7.0.1']
  execFileSync('openssl', ['req', '-x509', '-nodes', ...made, ...named], { stdio: 'ignore' })
  tls = { key: readFileSync(key), cert: readFileSync(cert) }
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

let pair: Pair
let dials: number

beforeEach(async () => {
  pair = await openPair()
  dials = 0
  const clear = http.createServer(answer)
  const secure = https.createServer({ ...tls }, answer)
  for (const [port, server] of [
    [80, clear],
    [443, secure],
  ] as const) {
    pair.gateway
      .createServer({ allowHalfOpen: true }, socket => {
        dials++
        server.emit('connection', socket)
      })
      .listen(port)
  }
})
afterEach(() => pair.close())

async function answer(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
  const secure = request.socket as TLSSocket
  if (request.url === '/slow') response.write('so far')
  else if (request.url === '/moved') response.writeHead(307, { location: '/here' }).end()
  else if (request.url === '/tls') response.end(`${secure.servername} ${secure.isSessionReused()}`)
  else response.end(`${request.method} ${request.url} ${request.headers['x-of'] ?? 'nobody'}: ${await text(request)}`)
}

describe('fetch', () => {
  it('asks a server in the tunnel by its name', async () => {
    const response = await pair.runner.fetch('http://web1/health', { headers: { 'x-of': 'runner' } })
    expect([response.status, await response.text()]).toEqual([200, 'GET /health runner: '])
  })

  it('keeps its connections', async () => {
    for (let i = 0; i < 6; i++) await (await pair.runner.fetch('http://web1/')).text()
    // undici may begin a second one before it knows that the first is free again.
    expect(dials).toBeLessThanOrEqual(2)
  })

  it('needs no `this`', async () => {
    const { fetch } = pair.runner
    expect((await fetch('http://10.7.0.1/')).status).toBe(200)
  })

  it('follows redirects', async () => {
    const response = await pair.runner.fetch('http://web1/moved', { method: 'POST', body: 'again' })
    expect([response.redirected, response.url, await response.text()]).toEqual([
      true,
      'http://web1/here',
      'POST /here nobody: again',
    ])
  })

  it('streams bodies both ways', async () => {
    const body = Readable.toWeb(Readable.from(['a', 'b', 'c'])) as ReadableStream
    const sent = await pair.runner.fetch('http://web1/', { method: 'PUT', body, duplex: 'half' } as RequestInit)
    expect(await sent.text()).toBe('PUT / nobody: abc')
    const stream = (await pair.runner.fetch('http://web1/slow')).body?.getReader()
    expect(Buffer.from((await stream?.read())?.value ?? []).toString()).toBe('so far')
    await stream?.cancel()
  })

  it("takes the runtime's Request and FormData, which are not undici's", async () => {
    const request = new Request('http://web1/r', { method: 'POST', body: 'body', headers: { 'x-of': 'request' } })
    expect(await (await pair.runner.fetch(request)).text()).toBe('POST /r request: body')
    const form = new FormData()
    form.append('name', 'value')
    form.append('file', new Blob(['content']), 'file.txt')
    const sent = await (await pair.runner.fetch('http://web1/f', { method: 'POST', body: form })).text()
    expect(sent).toContain('name="name"\r\n\r\nvalue')
    expect(sent).toContain('filename="file.txt"')
  })

  it.each([
    ['http://web1:81/', 'ECONNREFUSED', undefined],
    ['http://web9/', 'ENOTFOUND', 'UNKNOWN_HOST'],
    ['http://192.0.2.1/', 'ENETUNREACH', 'NO_ROUTE'],
  ])("says why %s failed: the cause is the socket's error", async (url, code, ours) => {
    const failed = await pair.runner.fetch(url).catch(error => error)
    expect(failed).toBeInstanceOf(TypeError)
    expect([failed.message, failed.cause.code, failed.cause.cause?.code]).toEqual(['fetch failed', code, ours])
  })

  it('ends with its signal', async () => {
    const ending = new AbortController()
    const response = await pair.runner.fetch('http://web1/slow', { signal: ending.signal })
    ending.abort(new Error('enough'))
    await expect(response.text()).rejects.toThrow('enough')
    await expect(pair.runner.fetch('http://web1/', { signal: ending.signal })).rejects.toThrow('enough')
  })

  it('ends with the tunnel: TUNNEL_CLOSED, under way and afterwards', async () => {
    const { runner } = pair
    const body = (await runner.fetch('http://web1/slow')).text()
    const waiting = runner.fetch('http://10.7.0.77/')
    const ends = [body, waiting].map(each => each.catch((error: Error) => error.cause))
    await runner.close()
    expect(await Promise.all(ends)).toMatchObject([{}, { code: 'TUNNEL_CLOSED' }])
    await expect(runner.fetch('http://web1/')).rejects.toMatchObject({
      message: 'fetch failed',
      cause: { code: 'TUNNEL_CLOSED' },
    })
  })

  it('takes no dispatcher, which could lead elsewhere', async () => {
    const init = { dispatcher: new undici.Agent() } as unknown as RequestInit
    await expect(pair.runner.fetch('http://web1/', init)).rejects.toMatchObject({ code: 'USAGE' })
  })
})

describe("undici's own classes over connector()", () => {
  it('go through the tunnel', async () => {
    const pool = new undici.Pool('http://web1', { connect: pair.runner.connector(), connections: 1 })
    const { statusCode, body } = await pool.request({ method: 'GET', path: '/pool' })
    expect([statusCode, await body.text()]).toEqual([200, 'GET /pool nobody: '])
    await pool.close()
  })

  it('verify the server by its name, send that as SNI, and resume the session', async () => {
    const connect = pair.runner.connector({ ca: tls.cert })
    for (const isReused of [false, true]) {
      const client = new undici.Client('https://web1', { connect })
      const { body } = await client.request({ method: 'GET', path: '/tls' })
      expect(await body.text()).toBe(`web1 ${isReused}`)
      await client.close()
    }
  })

  it('send no address as SNI, and verify it all the same', async () => {
    const dispatcher = new undici.Agent({ connect: pair.runner.connector({ ca: tls.cert }) })
    const response = await undici.fetch('https://10.7.0.1/tls', { dispatcher })
    expect(await response.text()).toBe('false false')
    await dispatcher.close()
  })

  it('refuse a certificate that nobody vouches for', async () => {
    await expect(pair.runner.fetch('https://web1/')).rejects.toMatchObject({
      cause: { code: 'DEPTH_ZERO_SELF_SIGNED_CERT' },
    })
  })

  it('speak HTTP/2 where both want it', async () => {
    const server = (await import('node:http2')).createSecureServer({ ...tls }, (_, response) => response.end('h2'))
    pair.gateway.createServer({ allowHalfOpen: true }, socket => server.emit('connection', socket)).listen(8443)
    const connect = pair.runner.connector({ ca: tls.cert, allowH2: true })
    const dispatcher = new undici.Agent({ connect, allowH2: true })
    const response = await undici.fetch('https://web1:8443/', { dispatcher })
    expect(await response.text()).toBe('h2')
    await dispatcher.destroy()
  })

  it('are told when nobody answers in time', async () => {
    const client = new undici.Client('http://10.7.0.77', { connect: pair.runner.connector({ timeout: 200 }) })
    await expect(client.request({ method: 'GET', path: '/' })).rejects.toMatchObject({ code: 'ETIMEDOUT' })
    await client.destroy()
  })

  it('are told when the handshake of TLS does not come to an end', async () => {
    pair.gateway.createServer(() => {}).listen(8443)
    const connect = pair.runner.connector({ timeout: 500 })
    const client = new undici.Client('https://web1:8443', { connect })
    await expect(client.request({ method: 'GET', path: '/' })).rejects.toMatchObject({ code: 'ETIMEDOUT' })
    await client.destroy()
  })
})

async function get(url: string, options: https.RequestOptions): Promise<string> {
  const request = (url.startsWith('https') ? https : http).get(url, options)
  const [response] = (await once(request, 'response')) as [http.IncomingMessage]
  return text(response)
}

describe("Node's agents", () => {
  it('keep their connections, and know them by their ends', async () => {
    const agent = pair.runner.httpAgent({ maxSockets: 1 })
    for (let i = 0; i < 3; i++) expect(await get('http://web1/x', { agent })).toBe('GET /x nobody: ')
    expect(dials).toBe(1)
    const [[socket]] = Object.values(agent.freeSockets) as [[import('node:net').Socket]]
    expect([socket.remoteAddress, socket.remotePort]).toEqual(['10.7.0.1', 80])
    agent.destroy()
  })

  it('verify by name over TLS, and resume the session', async () => {
    const agent = pair.runner.httpsAgent({ ca: tls.cert, keepAlive: false })
    expect(await get('https://web1/tls', { agent })).toBe('web1 false')
    expect(await get('https://web1/tls', { agent })).toBe('web1 true')
    expect(dials).toBe(2)
  })

  it('know the ends of a connection below TLS too', async () => {
    const agent = pair.runner.httpsAgent({ ca: tls.cert })
    await get('https://web1/tls', { agent })
    const [[socket]] = Object.values(agent.freeSockets) as [[import('node:net').Socket]]
    expect([socket.remoteAddress, socket.remotePort, socket.localAddress]).toEqual(['10.7.0.1', 443, '10.7.0.2'])
    agent.destroy()
  })

  it.each(['http', 'https'] as const)("say by the request's 'error' why a dial failed: %s", async scheme => {
    const { runner } = pair
    const agent = scheme === 'http' ? runner.httpAgent() : runner.httpsAgent()
    await expect(get(`${scheme}://web1:81/`, { agent })).rejects.toMatchObject({ code: 'ECONNREFUSED' })
    await expect(get(`${scheme}://web9/`, { agent })).rejects.toMatchObject({ cause: { code: 'UNKNOWN_HOST' } })
  })

  it.each(['http', 'https'] as const)(
    'end with the tunnel, and so do the requests that wait for a connection: %s',
    async scheme => {
      const { runner } = pair
      const options = { ca: tls.cert, maxSockets: 1 }
      const agent = scheme === 'http' ? runner.httpAgent(options) : runner.httpsAgent(options)
      const requests = [0, 1].map(() => get(`${scheme}://web1/slow`, { agent }).catch(error => error))
      await expect.poll(() => dials).toBe(1)
      await runner.close()
      const [, waited] = await Promise.all(requests)
      expect(waited.code).toBe('TUNNEL_CLOSED')
      expect(Object.keys(agent.sockets)).toEqual([])
      await expect(get(`${scheme}://web1/`, { agent })).rejects.toMatchObject({ code: 'TUNNEL_CLOSED' })
    },
  )
})

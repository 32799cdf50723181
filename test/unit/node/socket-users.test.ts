// Node's own protocols over the tunnel's sockets: http with an agent, and TLS on both sides (by pre-shared key, so that no
// certificate has to be kept here).
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import http from 'node:http'
import { text } from 'node:stream/consumers'
import tls from 'node:tls'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { TunnelServer } from '../../../src/node/server.js'
import { TunnelSocket } from '../../../src/node/socket.js'
import { createFakeNetwork, type FakeNetwork } from '../../support/sockets.js'

let network: FakeNetwork
let server: TunnelServer

beforeEach(() => {
  network = createFakeNetwork()
  server = new TunnelServer(network.server).listen(80)
})

afterEach(() => {
  server.close()
})

describe('http', () => {
  it('serves and asks through an agent that keeps the connection', async () => {
    const web = http.createServer((request, response) => {
      const hash = createHash('sha256')
      request.on('data', chunk => hash.update(chunk))
      request.on('end', () => response.end(`${request.method} ${request.socket.remoteAddress} ${hash.digest('hex')}`))
    })
    server.on('connection', socket => web.emit('connection', socket))
    let dials = 0
    class TunnelAgent extends http.Agent {
      override createConnection(options: { host: string; port: number }): never {
        dials++
        return new TunnelSocket(network.client).connect(options) as never
      }
    }
    const agent = new TunnelAgent({ keepAlive: true, maxSockets: 1 })
    const body = randomBytes(300_000)
    for (let i = 0; i < 3; i++) {
      const request = http.request({ agent, host: 'server', port: 80, method: 'POST' })
      request.end(body)
      const [response] = (await once(request, 'response')) as [http.IncomingMessage]
      expect(await text(response)).toBe(`POST 10.7.0.2 ${createHash('sha256').update(body).digest('hex')}`)
    }
    expect(dials).toBe(1)
    agent.destroy()
    web.closeAllConnections()
  })

  it('tells of a server that is not there', async () => {
    const createConnection = () => new TunnelSocket(network.client).connect(81, 'server') as never
    const request = http.request({ createConnection }).end()
    expect((await once(request, 'error'))[0].code).toBe('ECONNREFUSED')
  })

  it('times out an idle request', async () => {
    const createConnection = () => new TunnelSocket(network.client).connect(80, 'server') as never
    const request = http.request({ createConnection }).setTimeout(10).end()
    await once(request, 'timeout')
    request.on('error', () => {})
    request.destroy()
  })
})

describe('tls', () => {
  // Over any stream but its own, Node's TLS ends its side with the stream: what is still to be said after the client's end
  // needs half-open, as over any Duplex.
  beforeEach(() => {
    server.close()
    server = new TunnelServer(network.server, { allowHalfOpen: true }).listen(80)
  })

  const psk = randomBytes(32)
  const common = { ciphers: 'PSK-AES128-GCM-SHA256', maxVersion: 'TLSv1.2' as const }

  it.each(['before', 'after'])('wraps a socket %s it is connected', async when => {
    const secure = tls.createServer({ ...common, pskCallback: () => psk }, socket => socket.pipe(socket))
    server.on('connection', socket => secure.emit('connection', socket))
    const raw = new TunnelSocket(network.client).connect(80, 'server')
    if (when === 'after') await once(raw, 'connect')
    const socket = tls.connect({
      ...common,
      socket: raw,
      pskCallback: () => ({ psk, identity: 'test' }),
      checkServerIdentity: () => undefined,
    })
    await once(socket, 'secureConnect')
    const bytes = randomBytes(500_000)
    socket.end(bytes)
    const chunks: Buffer[] = []
    for await (const chunk of socket) chunks.push(chunk)
    expect(Buffer.concat(chunks).equals(bytes)).toBe(true)
  })

  it('hears that the connection below was lost', async () => {
    const secure = tls.createServer({ ...common, pskCallback: () => psk }, socket => socket.on('error', () => {}))
    server.on('connection', socket => secure.emit('connection', socket))
    const raw = new TunnelSocket(network.client).connect(80, 'server')
    const socket = tls.connect({
      ...common,
      socket: raw,
      pskCallback: () => ({ psk, identity: 'test' }),
      checkServerIdentity: () => undefined,
    })
    await once(socket, 'secureConnect')
    const error = once(socket, 'error')
    network.client.connections[0]?.fail('ECONNRESET')
    expect((await error)[0].code).toBe('ECONNRESET')
  })
})

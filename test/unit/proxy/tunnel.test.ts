// The ways in over the tunnel's own sockets: what a client at the SOCKS port is told of what happens in the tunnel.
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { TunnelServer } from '../../../src/node/server.js'
import { TunnelSocket } from '../../../src/node/socket.js'
import { createDialer } from '../../../src/proxy/dialer.js'
import type { LocalAddress } from '../../../src/proxy/listener.js'
import { type ProxyServer, startProxy } from '../../../src/proxy/proxy.js'
import {
  cleanUp,
  connectTo,
  ending,
  greeting,
  later,
  readAll,
  readBytes,
  socksConnect,
  until,
} from '../../support/proxy.js'
import { createFakeNetwork, type FakeNetwork } from '../../support/sockets.js'

let network: FakeNetwork
let tunnelServer: TunnelServer
let socks: ProxyServer<LocalAddress>
const accepted: TunnelSocket[] = []

beforeEach(async () => {
  network = createFakeNetwork()
  accepted.length = 0
  tunnelServer = new TunnelServer(network.server, { allowHalfOpen: true }, socket => {
    socket.on('error', () => {})
    accepted.push(socket)
  }).listen(22)
  const dial = createDialer(options =>
    new TunnelSocket(network.client, options).connect({ ...options, connectTimeout: 20 }),
  )
  socks = await startProxy({ at: { host: '127.0.0.1', port: 0 }, dial })
  later(() => socks.close())
})

afterEach(cleanUp)

const connect = (host: string, port = 22) => socksConnect(socks.address.port, { host, port })

describe('a SOCKS client', () => {
  it('hears where its connection leaves the tunnel, over IPv6 too', async () => {
    const client = await connectTo(socks.address.port)
    client.write(greeting)
    client.write(Uint8Array.of(5, 1, 0, 4, 0xfd, 7, ...new Uint8Array(13), 1, 0, 22))
    const reply = await readBytes(client, 2 + 22)
    const { localAddress, localPort } = network.client.connections[0]!
    expect([...reply.subarray(2)]).toEqual([5, 0, 0, 4, ...localAddress, localPort >> 8, localPort & 255])
  })

  it.each([
    ['a name that is unknown', 'nowhere', 22, 4],
    ['an address without a route', 'outside', 22, 3],
    ['an address that cannot be reached', '10.7.0.99', 22, 4],
    ['a port without a listener', 'server', 23, 5],
    ['a target that is silent', '10.7.0.98', 22, 6],
  ])('that asks for %s hears why not', async (_, host, port, reply) => {
    await expect(connect(host, port)).rejects.toMatchObject({ reply })
    expect(network.client.refs).toBe(0)
  })

  it('has its data relayed both ways, and its half-close', async () => {
    const [up, down] = [randomBytes(3_000_000), randomBytes(3_000_000)]
    const client = await connect('server')
    client.end(up)
    await until(() => accepted.length === 1)
    const [far] = accepted as [TunnelSocket]
    const got: Buffer[] = []
    for await (const chunk of far.iterator({ destroyOnReturn: false })) got.push(chunk)
    expect(Buffer.concat(got).equals(up)).toBe(true)
    far.end(down)
    expect((await readAll(client)).equals(down)).toBe(true)
    await until(() => network.client.refs === 0)
  })

  it('that is reset resets the connection in the tunnel', async () => {
    const client = await connect('server')
    await until(() => accepted.length === 1)
    const error = once(accepted[0]!, 'close')
    client.resetAndDestroy()
    await error.catch(() => {})
    expect(accepted[0]?.errored).toMatchObject({ code: 'ECONNRESET' })
  })

  it('is reset when the connection in the tunnel is', async () => {
    const client = await connect('server')
    await until(() => accepted.length === 1)
    const end = ending(client)
    accepted[0]?.resetAndDestroy()
    expect(await end).toBe('ECONNRESET')
  })

  it('that leaves while its target is silent leaves nothing in the tunnel', async () => {
    tunnelServer.close()
    const client = await connectTo(socks.address.port)
    client.write(Uint8Array.of(...greeting, 5, 1, 0, 1, 10, 7, 0, 98, 0, 22))
    await until(() => network.client.connections.length === 1)
    client.destroy()
    await until(() => network.client.connections[0]?.over === true)
    expect(network.client.refs).toBe(0)
  })
})

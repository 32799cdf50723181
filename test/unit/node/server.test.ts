// What only the tunnel's servers have: every own address, names, and the process they hold.
import { once } from 'node:events'
import { beforeEach, describe, expect, it } from 'vitest'
import { TunnelServer } from '../../../src/node/server.js'
import { TunnelSocket } from '../../../src/node/socket.js'
import { createFakeNetwork, type FakeNetwork } from '../../support/sockets.js'

let network: FakeNetwork

beforeEach(() => {
  network = createFakeNetwork()
})

describe('listen', () => {
  it.each([
    ['a port', [80]],
    ['a port and a listener', [80, () => {}]],
    ['options', [{ port: 80 }]],
    ['text', ['80']],
    ['port, host, backlog and listener', [80, '::', 5, () => {}]],
  ])('takes %s, and means every own address', async (_, args) => {
    const server = (new TunnelServer(network.server).listen as (...args: unknown[]) => TunnelServer).apply(
      new TunnelServer(network.server),
      args,
    )
    await once(server, 'listening')
    expect(server.address()).toEqual({ address: '::', family: 'IPv6', port: 80 })
    for (const host of ['10.7.0.1', 'fd07::1']) {
      const socket = new TunnelSocket(network.client).connect(80, host)
      await once(socket, 'connect')
      socket.destroy()
    }
  })

  it('takes nothing, and a free port', async () => {
    const server = await new Promise<TunnelServer>(resolve => {
      const one = new TunnelServer(network.server).listen(() => resolve(one))
    })
    expect(server.address()?.port).toBeGreaterThan(0)
  })

  it('takes a name of an own address', async () => {
    const server = new TunnelServer(network.server).listen(80, 'server')
    await once(server, 'listening')
    expect(server.address()).toEqual({ address: '10.7.0.1', family: 'IPv4', port: 80 })
  })

  it('of an unknown name fails as getaddrinfo would', async () => {
    const server = new TunnelServer(network.server).listen(80, 'nowhere')
    expect((await once(server, 'error'))[0]).toMatchObject({ code: 'ENOTFOUND', hostname: 'nowhere' })
  })
})

it('holds the process while it listens', async () => {
  const server = new TunnelServer(network.server).listen(80)
  expect(network.server.refs).toBe(1)
  server.unref()
  expect(network.server.refs).toBe(0)
  server.ref()
  server.close()
  expect(network.server.refs).toBe(0)
})

it('can be disposed of', async () => {
  const server = new TunnelServer(network.server).listen(80)
  await server[Symbol.asyncDispose]()
  expect(server.listening).toBe(false)
  await server[Symbol.asyncDispose]()
})

it('passes options on to the connections it accepts', async () => {
  const server = new TunnelServer(network.server, { keepAlive: true, keepAliveInitialDelay: 1000, noDelay: false })
  server.listen(80)
  new TunnelSocket(network.client).connect(80, 'server')
  await once(server, 'connection')
  expect(network.server.connections[0]).toMatchObject({ noDelay: false, keepAlive: { on: true, idleMs: 1000 } })
})

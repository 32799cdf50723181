// -R over the tunnel's own sockets: a peer dials the tunnel, and speaks with what listens on this host.
import type net from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { TunnelServer } from '../../../src/node/server.js'
import { TunnelSocket } from '../../../src/node/socket.js'
import { type ReverseOptions, startReverse } from '../../../src/proxy/reverse.js'
import { cleanUp, ending, later, loopbackDialer, readAll, startTarget, until } from '../../support/proxy.js'
import { createFakeNetwork, type FakeNetwork } from '../../support/sockets.js'

let network: FakeNetwork
beforeEach(() => {
  network = createFakeNetwork()
})
afterEach(cleanUp)

async function start(port: number, options: Partial<ReverseOptions> = {}) {
  const errors: unknown[] = []
  const reverse = await startReverse({
    at: { port: 80 },
    target: { host: '127.0.0.1', port },
    dial: loopbackDialer(),
    createServer: (serverOptions, accept) => new TunnelServer(network.server, serverOptions, accept),
    onError: error => errors.push(error),
    ...options,
  })
  later(() => reverse.close())
  return Object.assign(reverse, { errors })
}

function dial(port = 80): TunnelSocket {
  const socket = new TunnelSocket(network.client, { allowHalfOpen: true }).connect({ host: '10.7.0.1', port })
  socket.on('error', () => {})
  later(() => socket.destroy())
  return socket
}

const asNet = (socket: TunnelSocket) => socket as unknown as net.Socket

describe('a reverse forward', () => {
  it('leads a peer to this side, half-close for half-close', async () => {
    const target = await startTarget(socket => {
      let text = ''
      socket.on('data', chunk => {
        text += chunk
      })
      socket.on('end', () => socket.end(`got ${text}`))
    })
    const reverse = await start(target.port)
    expect(reverse.address).toEqual({ host: '::', port: 80 })
    const peer = dial()
    peer.end('hello')
    expect((await readAll(asNet(peer))).toString()).toBe('got hello')
    await until(() => reverse.connections === 0)
  })

  it('resets a peer whose target refuses, and tells why', async () => {
    const reverse = await start(1)
    expect(await ending(asNet(dial()))).toBe('ECONNRESET')
    expect(reverse.errors).toMatchObject([{ code: 'ECONNREFUSED' }])
  })

  it('takes so many peers and no more', async () => {
    const target = await startTarget()
    const reverse = await start(target.port, { limits: { maxConnections: 1 } })
    dial()
    await until(() => reverse.connections === 1)
    await ending(asNet(dial()))
    expect(reverse.connections).toBe(1)
  })

  it('cuts its peers when it closes', async () => {
    const target = await startTarget()
    const reverse = await start(target.port)
    const ended = ending(asNet(dial()))
    await target.accepted()
    await reverse.close()
    await ended
  })

  it.each([
    ['a port that is taken', { port: 80 }, 'the port is taken there'],
    ['an address of another host', { host: '10.7.0.9', port: 81 }, '10.7.0.9 is none of its addresses'],
    ['an unknown name', { host: 'nowhere', port: 81 }, 'nowhere is none of its addresses'],
  ])('on %s fails with a remedy', async (_, at, why) => {
    await start(1)
    const failed = start(1, { at })
    await expect(failed).rejects.toMatchObject({ code: 'LISTEN_FAILED' })
    await expect(failed).rejects.toThrow(why)
  })
})

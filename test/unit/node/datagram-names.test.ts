// A datagram socket and names that only DNS knows, whose answers come when the test says so.
import { once } from 'node:events'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { parseAddress } from '../../../src/core/base/address.js'
import { TunnelError } from '../../../src/errors.js'
import { DatagramSocket } from '../../../src/node/datagram.js'
import type { NameListener } from '../../../src/node/stack-port.js'
import { createStackPair, type StackHost } from '../../support/stacks.js'

let client: StackHost
let server: StackHost
let far: DatagramSocket
let near: DatagramSocket
let asked: { name: string; family: number; listener: NameListener; over: boolean }[]

beforeEach(async () => {
  ;({ client, server } = createStackPair())
  asked = []
  const { lookup } = client
  client.lookup = name => (name.includes('.corp') ? undefined : lookup(name))
  client.resolve = (name, { family }, listener) => {
    const one = { name, family, listener, over: false }
    asked.push(one)
    return () => {
      one.over = true
    }
  }
  far = new DatagramSocket(server).bind(5353)
  near = new DatagramSocket(client)
  await once(far, 'listening')
})
afterEach(() => {
  far.close()
  client.stop()
  server.stop()
})

function answer(at: number, ...texts: string[]): void {
  const { listener } = asked[at]!
  const addresses = texts.map(text => parseAddress(text)!)
  for (const family of [6, 4] as const) {
    listener.handleAddresses(
      family,
      addresses.filter(({ length }) => length === (family === 4 ? 4 : 16)),
    )
  }
  listener.handleEnd(undefined)
}

const next = async () => String((await once(far, 'message'))[0])

describe('a message to a name of DNS', () => {
  it('leaves once the name is known, in the order in which it was sent', async () => {
    const sent = ['one', 'two'].map(
      text => new Promise(resolve => near.send(text, 5353, 'db.corp', (...words) => resolve(words))),
    )
    expect(asked.map(({ name, family }) => [name, family])).toEqual([
      ['db.corp', 0],
      ['db.corp', 0],
    ])
    answer(0, '10.7.0.1')
    expect(await next()).toBe('one')
    answer(1, '10.7.0.1')
    expect(await next()).toBe('two')
    expect(await Promise.all(sent)).toEqual([
      [null, 3],
      [null, 3],
    ])
    near.close()
  })

  it('takes the address of its family', async () => {
    const socket = new DatagramSocket(client, 'udp4')
    socket.send('four', 5353, 'db.corp')
    expect(asked[0]?.family).toBe(4)
    answer(0, '10.7.0.1')
    expect(await next()).toBe('four')
    near.send('six', 5353, 'db.corp')
    answer(1, '10.7.0.1', 'fd07::1')
    const [message, from] = await once(far, 'message')
    expect([String(message), from.family]).toEqual(['six', 'IPv6'])
    socket.close()
    near.close()
  })

  it('that nobody knows fails as dgram fails', async () => {
    const failed = new Promise(resolve => near.send('x', 5353, 'db.corp', resolve))
    asked[0]?.listener.handleEnd(new TunnelError('UNKNOWN_HOST', 'no'))
    expect(await failed).toMatchObject({ code: 'ENOTFOUND', syscall: 'getaddrinfo', hostname: 'db.corp' })
    near.send('x', 5353, 'db.corp')
    const error = once(near, 'error')
    asked[1]?.listener.handleEnd(new TunnelError('DNS_UNAVAILABLE', 'silent'))
    expect((await error)[0]).toMatchObject({ code: 'EAI_AGAIN', cause: { code: 'DNS_UNAVAILABLE' } })
    near.close()
  })

  it('does not wait beside too many others', async () => {
    const socket = new DatagramSocket(client, { lookupQueue: 2 })
    for (let i = 0; i < 2; i++) socket.send('x', 5353, 'db.corp', () => {})
    expect(await new Promise(resolve => socket.send('x', 5353, 'db.corp', resolve))).toMatchObject({ code: 'ENOBUFS' })
    expect(asked).toHaveLength(2)
    socket.close()
    near.close()
  })

  it('is forgotten when the socket is closed', async () => {
    near.send('x', 5353, 'db.corp', () => expect.unreachable())
    near.close()
    expect(asked[0]?.over).toBe(true)
    await once(near, 'close')
  })
})

describe('connect to a name of DNS', () => {
  it('waits for it, and tells when it is there or is not', async () => {
    near.connect(5353, 'db.corp')
    expect(() => near.connect(5353, 'db.corp')).toThrow(
      expect.objectContaining({ code: 'ERR_SOCKET_DGRAM_IS_CONNECTED' }),
    )
    answer(0, '10.7.0.1')
    await once(near, 'connect')
    expect(near.remoteAddress()).toMatchObject({ address: '10.7.0.1', port: 5353 })
    near.disconnect()
    const failed = new Promise(resolve => near.connect(5353, 'none.corp', resolve))
    asked[1]?.listener.handleEnd(new TunnelError('UNKNOWN_HOST', 'no'))
    expect(await failed).toMatchObject({ code: 'ENOTFOUND' })
    near.close()
  })

  it('is for far hosts: a socket is bound to no name of DNS', async () => {
    const [error] = await once(near.bind(0, 'db.corp'), 'error')
    expect(error).toMatchObject({ code: 'ENOTFOUND' })
    expect(asked).toEqual([])
    near.close()
  })
})

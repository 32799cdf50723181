// Happy eyeballs (RFC 8305) of a dial, with answers of DNS and of hosts as a test wants them, on timers that it turns itself.
import { once } from 'node:events'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { formatAddress, parseAddress } from '../../../src/core/base/address.js'
import { TunnelError } from '../../../src/errors.js'
import { TunnelServer } from '../../../src/node/server.js'
import { TunnelSocket } from '../../../src/node/socket.js'
import type { NameListener } from '../../../src/node/stack-port.js'
import { createFakeNetwork, type FakeNetwork } from '../../support/sockets.js'

const port = 22
let network: FakeNetwork
/** The lookup that waits, and whether it was given up. */
let asked: { name: string; options: { family: number; timeout?: number }; listener: NameListener; over: boolean }[]

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
  network = createFakeNetwork()
  for (let i = 94; i < 99; i++) network.silences.add(`10.7.0.${i}`).add(`fd07::${i}`)
  asked = []
  const { client } = network
  const lookup = client.lookup.bind(client)
  client.lookup = name => (name === 'dns' ? undefined : lookup(name))
  client.resolve = (name, options, listener) => {
    const one = { name, options, listener, over: false }
    asked.push(one)
    return () => {
      one.over = true
    }
  }
})
afterEach(() => {
  vi.useRealTimers()
})

const turns = async (count = 3) => {
  for (let i = 0; i < count; i++) await new Promise(resolve => setImmediate(resolve))
}
const pass = async (ms: number) => {
  vi.advanceTimersByTime(ms)
  await turns()
}
const addresses = (...texts: string[]) => texts.map(text => parseAddress(text)!)
const dialled = () => network.client.dials.map(({ address }) => formatAddress(address))
const states = () => network.client.connections.map(({ over }) => over)

async function dial(options: { connectTimeout?: number; family?: 4 | 6 } = {}): Promise<TunnelSocket> {
  const socket = new TunnelSocket(network.client).connect({ host: 'dns', port, ...options })
  await turns()
  return socket
}

async function listen(host?: string): Promise<void> {
  const server = new TunnelServer(network.server).listen({ port, ...(host !== undefined && { host }) })
  await once(server, 'listening')
}

const listener = () => asked[0]!.listener

describe('a name that DNS is asked for', () => {
  it('is dialled at its IPv6 address as soon as that is known', async () => {
    await listen()
    const socket = await dial()
    expect(asked).toMatchObject([{ name: 'dns', options: { family: 0 } }])
    const connected = once(socket, 'connect')
    listener().handleAddresses(6, addresses('fd07::1'))
    await connected
    expect(socket.remoteAddress).toBe('fd07::1')
  })

  it('waits 50 ms for IPv6 when IPv4 comes first, and no longer (RFC 8305, 3)', async () => {
    await listen()
    const socket = await dial()
    listener().handleAddresses(4, addresses('10.7.0.1'))
    await pass(49)
    expect(dialled()).toEqual([])
    const connected = once(socket, 'connect')
    await pass(1)
    await connected
    expect(dialled()).toEqual(['10.7.0.1'])
  })

  it('that has IPv6 within the 50 ms is dialled there first', async () => {
    await dial()
    listener().handleAddresses(4, addresses('10.7.0.98'))
    await pass(30)
    listener().handleAddresses(6, addresses('fd07::98'))
    await turns()
    expect(dialled()).toEqual(['fd07::98'])
    await pass(250)
    expect(dialled()).toEqual(['fd07::98', '10.7.0.98'])
  })

  it('that has no IPv6 is dialled without a wait', async () => {
    await dial()
    listener().handleAddresses(6, [])
    listener().handleAddresses(4, addresses('10.7.0.1'))
    await turns()
    expect(dialled()).toEqual(['10.7.0.1'])
  })

  it('gets its IPv6 address into a race that has begun', async () => {
    await dial()
    listener().handleAddresses(4, addresses('10.7.0.97', '10.7.0.98'))
    await pass(50)
    listener().handleAddresses(6, addresses('fd07::98'))
    listener().handleEnd(undefined)
    await pass(249)
    expect(dialled()).toEqual(['10.7.0.97'])
    await pass(1)
    expect(dialled()).toEqual(['10.7.0.97', 'fd07::98'])
    await pass(250)
    expect(dialled()).toEqual(['10.7.0.97', 'fd07::98', '10.7.0.98'])
  })

  it('is told as net tells it, an event an address', async () => {
    const socket = await dial()
    const told: unknown[] = []
    socket.on('lookup', (...words) => told.push(words))
    listener().handleAddresses(6, addresses('fd07::98'))
    listener().handleAddresses(4, addresses('10.7.0.97', '10.7.0.98'))
    expect(told).toEqual([
      [null, 'fd07::98', 6, 'dns'],
      [null, '10.7.0.97', 4, 'dns'],
      [null, '10.7.0.98', 4, 'dns'],
    ])
  })

  it.each([
    ['ENOTFOUND', 'UNKNOWN_HOST', -3008],
    ['EAI_AGAIN', 'DNS_UNAVAILABLE', -3001],
    ['EAI_AGAIN', 'HANDSHAKE_TIMEOUT', -3001],
  ] as const)('fails with %s where the tunnel says %s', async (code, cause, errno) => {
    const socket = await dial()
    const failed = once(socket, 'error')
    listener().handleEnd(new TunnelError(cause, 'why'))
    const [error] = await failed
    expect({ ...error, message: error.message }).toEqual({
      message: `getaddrinfo ${code} dns`,
      code,
      errno,
      syscall: 'getaddrinfo',
      hostname: 'dns',
    })
    expect(error.cause).toMatchObject({ code: cause })
  })

  it('is asked for in the family, and the time, of the dial', async () => {
    await dial({ family: 4, connectTimeout: 3000 })
    expect(asked).toMatchObject([{ options: { family: 4, timeout: 3000 } }])
  })

  it('is asked for in the only family that the tunnel has', async () => {
    Object.assign(network.client.stack, { ownAddresses: addresses('10.7.0.2') })
    await dial()
    expect(asked).toMatchObject([{ options: { family: 4 } }])
  })

  it('is asked for no more once the socket is gone, or connected', async () => {
    const socket = await dial()
    socket.destroy()
    await turns()
    expect(asked[0]?.over).toBe(true)
    await listen()
    const other = await dial()
    const connected = once(other, 'connect')
    asked[1]?.listener.handleAddresses(6, addresses('fd07::1'))
    await connected
    expect(asked[1]?.over).toBe(true)
  })
})

describe('several addresses', () => {
  it('are tried 250 ms after one another, the families in turn, and all go on (RFC 8305, 4 and 5)', async () => {
    await dial()
    listener().handleAddresses(6, addresses('fd07::97', 'fd07::98'))
    listener().handleAddresses(4, addresses('10.7.0.97', '10.7.0.98'))
    listener().handleEnd(undefined)
    await pass(249)
    expect(dialled()).toEqual(['fd07::97'])
    await pass(1)
    await pass(250)
    await pass(250)
    expect(dialled()).toEqual(['fd07::97', '10.7.0.97', 'fd07::98', '10.7.0.98'])
    expect(states()).toEqual([false, false, false, false])
  })

  it('end with the first that answers: the others are reset', async () => {
    await listen('10.7.0.1')
    const socket = await dial()
    listener().handleAddresses(6, addresses('fd07::98'))
    listener().handleAddresses(4, addresses('10.7.0.1', '10.7.0.97'))
    listener().handleEnd(undefined)
    const connected = once(socket, 'connect')
    await pass(250)
    await connected
    expect([socket.remoteAddress, socket.remoteFamily]).toEqual(['10.7.0.1', 'IPv4'])
    await pass(1000)
    expect(dialled()).toEqual(['fd07::98', '10.7.0.1'])
    expect(states()).toEqual([true, false])
  })

  it('are gone on with at once where one fails', async () => {
    await listen('10.7.0.1')
    const socket = await dial()
    const connected = once(socket, 'connect')
    listener().handleAddresses(6, addresses('fd07::1'))
    listener().handleAddresses(4, addresses('10.7.0.1'))
    listener().handleEnd(undefined)
    await connected
    expect(dialled()).toEqual(['fd07::1', '10.7.0.1'])
  })

  it('that all fail tell every error', async () => {
    const socket = await dial()
    const failed = once(socket, 'error')
    listener().handleAddresses(6, addresses('fd07::1'))
    await turns()
    expect(socket.connecting).toBe(true)
    listener().handleAddresses(4, addresses('10.9.0.1', network.unreachable))
    listener().handleEnd(undefined)
    const [error] = await failed
    expect(error).toBeInstanceOf(AggregateError)
    expect(error.errors.map((one: Error) => one.message)).toEqual([
      'connect ECONNREFUSED fd07::1:22',
      'connect ENETUNREACH 10.9.0.1:22',
      `connect EHOSTUNREACH ${network.unreachable}:22`,
    ])
    expect(error.code).toBe('ECONNREFUSED')
  })

  it('all get their turn in a short time, and no longer than it', async () => {
    const failed = once(await dial({ connectTimeout: 400 }), 'error')
    listener().handleAddresses(6, [])
    listener().handleAddresses(4, addresses('10.7.0.94', '10.7.0.95', '10.7.0.96', '10.7.0.97'))
    listener().handleEnd(undefined)
    await turns()
    for (let i = 0; i < 3; i++) await pass(100)
    expect(dialled()).toHaveLength(4)
    const timeouts = network.client.dials.map(({ timeout }) => Math.round(timeout ?? 0))
    expect(timeouts).toEqual([400, 300, 200, 100])
    await pass(100)
    expect((await failed)[0]).toMatchObject({ code: 'ETIMEDOUT', errors: { length: 4 } })
  })

  it('leave nothing behind when the socket is destroyed, even by a listener of an attempt', async () => {
    const socket = await dial()
    socket.once('connectionAttempt', () => socket.once('connectionAttempt', () => socket.destroy()))
    listener().handleAddresses(6, addresses('fd07::98'))
    listener().handleAddresses(4, addresses('10.7.0.98'))
    listener().handleEnd(undefined)
    await pass(250)
    await pass(250)
    expect(dialled()).toEqual(['fd07::98'])
    expect(states()).toEqual([true])
    expect(vi.getTimerCount()).toBe(0)
  })
})

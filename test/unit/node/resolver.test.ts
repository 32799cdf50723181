// The resolver's sockets over two real stacks: whom they hear, and that none is left.
import { AsyncLocalStorage } from 'node:async_hooks'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { formatAddress, parseAddress } from '../../../src/core/base/address.js'
import type { DnsLimits, LookupFailure } from '../../../src/core/resolver/resolver.js'
import { dnsFlag, serialiseDns } from '../../../src/core/wire/dns.js'
import { DatagramSocket } from '../../../src/node/datagram.js'
import type { RemoteInfo } from '../../../src/node/datagram-settings.js'
import { TunnelResolver } from '../../../src/node/resolver.js'
import { TunnelServer } from '../../../src/node/server.js'
import type { TunnelSocket } from '../../../src/node/socket.js'
import { addressRecord, readQuery, replyTo } from '../../support/dns.js'
import { settingsOf } from '../../support/dns-world.js'
import { createStackPair, type StackHost } from '../../support/stacks.js'

let client: StackHost
let server: StackHost
let sockets: DatagramSocket[]
/** UDP sockets of the client that are open. */
let open: number

beforeEach(() => {
  ;({ client, server } = createStackPair())
  sockets = []
  open = 0
  const bind = client.stack.bindUdp.bind(client.stack)
  client.stack.bindUdp = (options, events) => {
    const socket = bind(options, events)
    const close = socket.close.bind(socket)
    open++
    socket.close = () => {
      open--
      close()
    }
    return socket
  }
})
afterEach(() => {
  for (const socket of sockets) socket.close()
  client.stop()
  server.stop()
})

function resolver(limits: Partial<DnsLimits> = {}): TunnelResolver {
  return new TunnelResolver({
    settings: settingsOf({ servers: ['10.7.0.1'] }),
    limits: { tryTimeout: 300, rounds: 1, ...limits },
    stackPort: client,
    explain: (_name, _family, failure: LookupFailure) =>
      new Error(failure.kind === 'failed' ? failure.failures.map(({ reason }) => reason).join() : failure.kind),
  })
}

/** Addresses found, or the message of the error. */
function resolve(from: TunnelResolver, name = 'web1.corp'): Promise<string[] | string> {
  return new Promise(done => {
    const found: string[] = []
    from.resolve(
      name,
      { family: 4 },
      {
        handleAddresses: (_family, addresses) => found.push(...addresses.map(formatAddress)),
        handleEnd: error => done(error?.message ?? found),
      },
    )
  })
}

function bind(port: number, handle: (socket: DatagramSocket, query: Buffer, from: RemoteInfo) => void): DatagramSocket {
  const socket = new DatagramSocket(server, 'udp4')
  sockets.push(socket)
  socket.on('message', (query, from) => handle(socket, query, from))
  return socket.bind(port)
}

const answer = (query: Uint8Array, address = '10.7.0.3', flags?: number) => {
  const message = readQuery(query)
  const reply = replyTo(message, { answers: [addressRecord('web1.corp', address)] })
  return serialiseDns(flags === undefined ? reply : { ...reply, flags })
}

describe('a query over UDP', () => {
  it('hears its server and port alone, and its socket is gone with the answer', async () => {
    const other = bind(5300, () => {})
    bind(53, (socket, query, from) => {
      other.send(answer(query, '10.9.9.9'), from.port, from.address)
      setTimeout(() => socket.send(answer(query), from.port, from.address), 30)
    })
    const names = resolver()
    expect(await resolve(names)).toEqual(['10.7.0.3'])
    expect(names.counters).toMatchObject({ mismatched: 0, answers: 1 })
    expect(open).toBe(0)
  })

  it('leaves from a port of its own each time', async () => {
    const ports = new Set<number>()
    bind(53, (socket, query, from) => {
      ports.add(from.port)
      socket.send(serialiseDns(replyTo(readQuery(query), {}, 3)), from.port, from.address)
    })
    const names = resolver()
    for (let i = 0; i < 20; i++) expect(await resolve(names, `web${i}.corp`)).toBe('unknown')
    expect(ports.size).toBeGreaterThan(15)
  })

  it('to a closed port fails at once', async () => {
    expect(await resolve(resolver({ tryTimeout: 60_000 }))).toBe('ECONNREFUSED')
    expect(open).toBe(0)
  })

  it('that nobody answers leaves no socket', async () => {
    bind(53, () => {})
    expect(await resolve(resolver())).toBe('silent')
    expect(open).toBe(0)
  })
})

describe('a query over TCP', () => {
  const truncate = () =>
    bind(53, (socket, query, from) =>
      socket.send(answer(query, '10.9.9.9', dnsFlag.response | dnsFlag.truncated), from.port, from.address),
    )
  const serve = (handle: (socket: TunnelSocket, query: Buffer) => void) => {
    truncate()
    new TunnelServer(server, {}, socket => {
      socket.on('error', () => {}).once('data', chunk => handle(socket, chunk.subarray(2)))
    }).listen(53)
  }
  const frame = (bytes: Uint8Array) => Buffer.concat([Buffer.from([bytes.length >> 8, bytes.length & 0xff]), bytes])

  it('takes an answer in pieces, and no second one', async () => {
    serve((socket, query) => {
      const whole = Buffer.concat([frame(answer(query)), frame(answer(query, '10.9.9.9'))])
      for (let at = 0; at < whole.length; at++) setTimeout(() => socket.write(whole.subarray(at, at + 1)), at)
    })
    expect(await resolve(resolver())).toEqual(['10.7.0.3'])
  })

  it.each([
    ['that is closed without an answer', (socket: TunnelSocket) => socket.end(), 'ECONNRESET'],
    ['that is reset', (socket: TunnelSocket) => socket.resetAndDestroy(), 'ECONNRESET'],
    ['with half an answer', (socket: TunnelSocket) => socket.end(Buffer.from([0, 9, 1])), 'ECONNRESET'],
    ['with an empty one', (socket: TunnelSocket) => socket.end(Buffer.from([0, 0])), 'answers something else'],
    ['with noise', (socket: TunnelSocket) => socket.end(Buffer.alloc(90_000, 0x31)), 'answers something else'],
  ])('%s is a failure of the server', async (_, handle, reason) => {
    serve(handle)
    expect(await resolve(resolver())).toBe(reason)
    expect(open).toBe(0)
  })

  it('that stays silent is given up in its time', async () => {
    serve(() => {})
    const began = performance.now()
    expect(await resolve(resolver({ tcpTimeout: 100 }))).toBe('silent')
    expect(performance.now() - began).toBeLessThan(5000)
  })

  it('to a closed port fails', async () => {
    truncate()
    expect(await resolve(resolver())).toBe('ECONNREFUSED')
  })
})

describe('who asks', () => {
  const listener = (told: (word: string) => void) => ({
    handleAddresses: () => told('addresses'),
    handleEnd: () => told('end'),
  })
  const answerAll = () => bind(53, (socket, query, from) => socket.send(answer(query), from.port, from.address))

  it('is told in its own async context, and never before the call returns', async () => {
    answerAll()
    const names = resolver()
    const storage = new AsyncLocalStorage<string>()
    for (const round of ['asked', 'kept']) {
      const told: unknown[] = []
      await storage.run(round, () => {
        return new Promise<void>(done => {
          names.resolve(
            'web1.corp',
            { family: 4 },
            listener(word => {
              told.push([word, storage.getStore()])
              if (word === 'end') done()
            }),
          )
          told.push('returned')
        })
      })
      expect(told).toEqual(['returned', ['addresses', round], ['end', round]])
    }
  })

  it('is told nothing once it gave up, even of what is known', async () => {
    answerAll()
    const names = resolver()
    await resolve(names)
    const told: string[] = []
    names.resolve(
      'web1.corp',
      { family: 4 },
      listener(word => told.push(word)),
    )()
    const cancel = names.resolve(
      'web2.corp',
      { family: 4 },
      listener(word => told.push(word)),
    )
    cancel()
    cancel()
    await new Promise(resolve => setTimeout(resolve, 50))
    expect(told).toEqual([])
    expect(open).toBe(0)
  })

  it('is told that it is closed, now and from then on', async () => {
    bind(53, () => {})
    const names = resolver({ tryTimeout: 60_000 })
    const waiting = resolve(names)
    await new Promise(resolve => setTimeout(resolve, 20))
    names.close(new Error('closed'))
    expect(await waiting).toBe('closed')
    expect(await resolve(names)).toBe('closed')
    expect(open).toBe(0)
  })

  it('gets other servers after a change', async () => {
    const names = resolver()
    expect(await resolve(names)).toBe('ECONNREFUSED')
    names.setSettings({ servers: [parseAddress('fd07::1')!], search: [], routes: [] })
    const socket = new DatagramSocket(server, 'udp6')
    sockets.push(socket)
    socket.on('message', (query, from) => socket.send(answer(query), from.port, from.address))
    socket.bind(53)
    expect(await resolve(names)).toEqual(['10.7.0.3'])
  })
})

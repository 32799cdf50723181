import { describe, expect, test } from 'vitest'
import type { SocketCode } from '../../../../src/core/netstack/stack.js'
import {
  createPair,
  createRandom,
  type LinkOptions,
  type Pair,
  type PairOptions,
} from '../../../support/netstack-pair.js'
import { StreamOwner } from '../../../support/tcp-endpoints.js'

interface Transfer {
  pair: Pair
  client: StreamOwner
  server: StreamOwner
  /** Virtual ms that it took. */
  took: number
}

/** The client sends `bytes`, the server `back` or as many, over one connection; then both close. */
function transfer(bytes: number, options: PairOptions, back = bytes): Transfer {
  const pair = createPair(options)
  const server = new StreamOwner(2, 1, back, () => pair.now)
  pair.b.stack.listen({ port: 80 }, connection => server.start(connection))
  const client = new StreamOwner(1, 2, bytes, () => pair.now)
  const started = pair.now
  client.start(pair.a.stack.connect({ address: pair.b.address, port: 80 }, client, pair.now))
  pair.run(() => client.isClosed && server.isClosed, started + 3_600_000)
  return { pair, client, server, took: pair.now - started }
}

/** Everything arrived, in order, once; and then nothing is left but TIME-WAIT, and after a minute not even that. */
function expectClean({ pair, client, server }: Transfer, bytes: number): void {
  for (const owner of [client, server]) {
    expect(owner.error).toBeUndefined()
    expect(owner.wrong).toBe(-1)
    expect(owner.read).toBe(bytes)
    expect(owner.ended).toBe(true)
    expect(owner.isClosed).toBe(true)
  }
  expectNothingLeft(pair)
}

function expectNothingLeft(pair: Pair): void {
  pair.advance(200_000)
  expect(pair.inFlight).toBe(0)
  for (const side of [pair.a, pair.b]) {
    expect(side.stack.stats()).toMatchObject({ connections: 0, timeWait: 0, orphans: 0, reassemblySlots: 0 })
    expect(side.memory.inUse).toBe(0)
    expect(side.stack.nextDeadline()).toBe(Infinity)
    expect(side.stack.wantsFlush).toBe(false)
  }
}

const paths: [string, LinkOptions][] = [
  ['a perfect link', {}],
  ['100 ms', { delay: 50 }],
  ['1 % loss', { delay: 20, loss: 0.01 }],
  ['5 % loss', { delay: 20, loss: 0.05 }],
  ['jitter that reorders hundreds', { delay: 20, jitter: 40 }],
  ['duplicates', { delay: 20, duplicate: 0.1 }],
  ['corruption', { delay: 20, corrupt: 0.01 }],
  ['a slow link with a short queue', { delay: 20, rate: 1250, queue: 64 * 1420 }],
  ['everything at once', { delay: 20, jitter: 10, loss: 0.03, duplicate: 0.03, corrupt: 0.005 }],
]

describe('a megabyte each way', () => {
  for (const [name, link] of paths) {
    for (const family of [4, 6] as const) {
      test(`over ${name}, IPv${family} (H-ipv6)`, () => {
        for (let seed = 1; seed <= 3; seed++) {
          expectClean(transfer(1_000_000, { seed, family, forward: link, back: link }), 1_000_000)
        }
      })
    }
  }

  test('in packets of every MTU from 576 to 1500', () => {
    const link = { delay: 5, loss: 0.01 }
    for (const mtu of [576, 577, 1279, 1280, 1420, 1499, 1500]) {
      expectClean(transfer(300_000, { mtu, forward: link, back: link }), 300_000)
    }
  })

  test('with so few slots that sending must be pushed back', () => {
    const limits = { reassemblyShare: 0.25 }
    const options = { slots: 24, a: { limits }, b: { limits }, forward: { delay: 5 }, back: { delay: 5 } }
    expectClean(transfer(300_000, options), 300_000)
  })

  test('across the wrap of the sequence numbers (N1) (S-sequence-wrap)', () => {
    const nearWrap = { keyedHash: () => 0xffffffff - 100_000 }
    const link = { delay: 10, loss: 0.01, jitter: 3 }
    expectClean(transfer(500_000, { a: nearWrap, b: nearWrap, forward: link, back: link }), 500_000)
  })
})

test('the same seed gives the same run', () => {
  const link = { delay: 20, jitter: 10, loss: 0.03 }
  const runs = [1, 2].map(() => transfer(200_000, { seed: 7, forward: link, back: link }))
  expect(runs[0]?.took).toBe(runs[1]?.took)
  expect(runs[0]?.pair.a.sent).toBe(runs[1]?.pair.a.sent)
})

describe('speed', () => {
  test('of a long clean path is bounded by the round trips of slow start', () => {
    const { took } = transfer(10_000_000, { slots: 32768, forward: { delay: 50 }, back: { delay: 50 } })
    // 10 segments doubling each 100 ms: 10 MB in ten round trips, and a few of handshake and close.
    expect(took).toBeLessThan(1500)
  })

  test('of a short queue wastes little', () => {
    const link = { delay: 10, rate: 2500, queue: 50_000 }
    const { pair, took } = transfer(5_000_000, { slots: 32768, forward: link, back: link }, 0)
    expect(5_000_000 / took).toBeGreaterThan(2500 * 0.85)
    expect(pair.a.stack.counters.tcpRetransmits).toBeLessThan(0.05 * pair.a.sent)
  })
})

test('a reader that stops closes the window; when it goes on, everything arrives', () => {
  const pair = createPair({ forward: { delay: 10 }, back: { delay: 10 } })
  const total = 3_000_000
  const server = new StreamOwner(2, 1, 0, () => pair.now)
  server.reading = false
  pair.b.stack.listen({ port: 80 }, connection => server.start(connection))
  const client = new StreamOwner(1, 2, total, () => pair.now)
  client.start(pair.a.stack.connect({ address: pair.b.address, port: 80 }, client, pair.now))
  pair.advance(120_000)
  expect(server.connection?.bytesReadable).toBeLessThan(512 * 1024)
  expect(pair.b.memory.inUse).toBe(0)
  server.reading = true
  server.drain()
  pair.run(() => server.ended, pair.now + 60_000)
  expect(server.read).toBe(total)
  expect(server.wrong).toBe(-1)
})

test('a zero window whose update is lost is reopened by a probe (N4) (S-zero-window)', () => {
  const pair = createPair({ forward: { delay: 10 }, back: { delay: 10 } })
  const server = new StreamOwner(2, 1, 0, () => pair.now)
  server.reading = false
  pair.b.stack.listen({ port: 80 }, connection => server.start(connection))
  const client = new StreamOwner(1, 2, 1_000_000, () => pair.now)
  client.start(pair.a.stack.connect({ address: pair.b.address, port: 80 }, client, pair.now))
  pair.advance(120_000)
  pair.setLink('back', { loss: 1 })
  server.reading = true
  server.drain()
  pair.advance(50)
  pair.setLink('back', { delay: 10 })
  pair.run(() => server.ended, pair.now + 130_000)
  expect(server.read).toBe(1_000_000)
})

test('a blackout of a minute is survived; a path that comes back is used at once (N17) (S-blackout)', () => {
  const pair = createPair({ forward: { delay: 10, rate: 200 }, back: { delay: 10 } })
  const server = new StreamOwner(2, 1, 0, () => pair.now)
  pair.b.stack.listen({ port: 80 }, connection => server.start(connection))
  const client = new StreamOwner(1, 2, 1_000_000, () => pair.now)
  client.start(pair.a.stack.connect({ address: pair.b.address, port: 80 }, client, pair.now))
  pair.advance(500)
  pair.setLink('forward', { loss: 1 })
  pair.advance(60_000)
  const before = server.read
  pair.setLink('forward', { delay: 10 })
  pair.setPath(true)
  pair.advance(200)
  expect(server.read).toBeGreaterThan(before)
  pair.run(() => server.ended, pair.now + 60_000)
  expect(server.read).toBe(1_000_000)
})

test('half-closes: each side sends a megabyte after the other has ended (N6) (S-half-close)', () => {
  for (const first of ['client', 'server'] as const) {
    const pair = createPair({ forward: { delay: 10, loss: 0.01 }, back: { delay: 10, loss: 0.01 } })
    const server = new StreamOwner(2, 1, first === 'server' ? 0 : 1_000_000, () => pair.now)
    const client = new StreamOwner(1, 2, first === 'client' ? 0 : 1_000_000, () => pair.now)
    const late = first === 'server' ? client : server
    pair.b.stack.listen({ port: 80 }, connection => {
      server.connection = connection
      return late === server ? server : server.start(connection)
    })
    client.connection = pair.a.stack.connect({ address: pair.b.address, port: 80 }, client, pair.now)
    const early = first === 'server' ? server : client
    if (early === client) client.start(client.connection)
    pair.run(() => late.ended, pair.now + 60_000)
    expect(early.isClosed).toBe(false)
    late.pump()
    pair.run(() => client.isClosed && server.isClosed, pair.now + 600_000)
    expect(early.read).toBe(1_000_000)
    expect(early.wrong).toBe(-1)
    expectNothingLeft(pair)
  }
})

test('three hundred connections at once, over a bad path, all end well', () => {
  const link = { delay: 20, jitter: 5, loss: 0.02 }
  const pair = createPair({ slots: 32768, forward: link, back: link })
  const owners: StreamOwner[] = []
  pair.b.stack.listen({ port: 80 }, connection => {
    const owner = new StreamOwner(2, 1, 5000, () => pair.now)
    owners.push(owner)
    return owner.start(connection)
  })
  for (let i = 0; i < 300; i++) {
    const owner = new StreamOwner(1, 2, 5000, () => pair.now)
    owners.push(owner)
    owner.start(pair.a.stack.connect({ address: pair.b.address, port: 80 }, owner, pair.now))
  }
  pair.run(() => owners.length === 600 && owners.every(owner => owner.isClosed), pair.now + 600_000)
  expect(owners.map(owner => owner.read).filter(read => read !== 5000)).toEqual([])
  expect(owners.every(owner => owner.error === undefined && owner.wrong < 0)).toBe(true)
  expectNothingLeft(pair)
})

test('two flows share a narrow link', () => {
  const pair = createPair({ forward: { delay: 20, rate: 1250, queue: 60_000 }, back: { delay: 20 } })
  const servers: StreamOwner[] = []
  pair.b.stack.listen({ port: 80 }, connection => {
    const owner = new StreamOwner(2, 1, 0, () => pair.now)
    servers.push(owner)
    return owner.start(connection)
  })
  for (let i = 0; i < 2; i++) {
    const owner = new StreamOwner(1, 2, 50_000_000, () => pair.now)
    owner.start(pair.a.stack.connect({ address: pair.b.address, port: 80 }, owner, pair.now))
  }
  pair.advance(20_000)
  const [x, y] = servers.map(server => server.read) as [number, number]
  expect((x + y) ** 2 / (2 * (x * x + y * y))).toBeGreaterThan(0.85)
  expect((x + y) / 20_000).toBeGreaterThan(1250 * 0.75)
})

test('chaos: whatever happens, every byte is right, or there is an error, and nothing is left', () => {
  for (let seed = 1; seed <= 60; seed++) {
    const random = createRandom(seed)
    const link = (): LinkOptions => ({
      delay: random() * 50,
      jitter: random() < 0.5 ? random() * 50 : 0,
      loss: random() * 0.2,
      duplicate: random() * 0.1,
      corrupt: random() * 0.02,
    })
    const pair = createPair({ seed, family: seed % 2 === 0 ? 4 : 6, forward: link(), back: link() })
    const size = () => Math.floor(random() * 100_000)
    const [up, down] = [size(), size()]
    let server: StreamOwner | undefined
    pair.b.stack.listen({ port: 80 }, connection => {
      server = new StreamOwner(2, 1, down, () => pair.now)
      return server.start(connection)
    })
    const client = new StreamOwner(1, 2, up, () => pair.now)
    client.start(pair.a.stack.connect({ address: pair.b.address, port: 80 }, client, pair.now))
    for (let act = 0; act < 4; act++) {
      pair.advance(random() * 3000)
      const what = random()
      const connection = random() < 0.5 ? client.connection : server?.connection
      if (what < 0.1) connection?.reset(pair.now)
      else if (what < 0.2) connection?.destroy(pair.now)
      else if (what < 0.4) {
        pair.setLink('forward', { loss: 1 })
        pair.advance(random() * 60_000)
        pair.setLink('forward', link())
        pair.setPath(true)
      } else if (what < 0.5) for (const owner of [client, server]) if (owner) owner.reading = !owner.reading
    }
    for (const owner of [client, server]) {
      if (owner === undefined) continue
      owner.reading = true
      owner.drain()
    }
    pair.run(() => client.isClosed && server?.isClosed !== false, pair.now + 3_600_000)
    pair.advance(600_000)
    expect(client.isClosed, `seed ${seed}`).toBe(true)
    expect(client.wrong, `seed ${seed}`).toBe(-1)
    expect(server?.wrong ?? -1, `seed ${seed}`).toBe(-1)
    const known: (SocketCode | undefined)[] = [undefined, 'ECONNRESET', 'ETIMEDOUT', 'ECONNREFUSED']
    expect(known).toContain(client.error)
    expectNothingLeft(pair)
  }
})

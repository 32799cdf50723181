// Hosts, sockets and promises of the simulation, as a user of `tunless/testing` meets them.
import { describe, expect, it } from 'vitest'
import { createNetwork, createTransfer, type SimulatedSocket } from '../../../src/testing/index.js'

const bytes = (...values: number[]) => Uint8Array.from(values)

describe('sockets of simulated hosts', () => {
  it('carry bytes both ways, end each direction by itself and say when they are closed', async () => {
    const network = createNetwork({ path: { delay: 10 }, crypto: 'plain' })
    const { a, b, clock } = network
    const server = b.listen(0, async socket => {
      expect(await socket.readAll()).toEqual(bytes(1, 2, 3))
      await clock.sleep(1000)
      await socket.write(bytes(4))
      await socket.write(bytes(5, 6))
      socket.end()
    })
    await network.run(async () => {
      const socket = await a.connect(b.address6, server.port)
      expect(clock.now).toBeGreaterThanOrEqual(40) // a round trip of WireGuard, and one of TCP
      await socket.write(bytes(1, 2, 3))
      socket.end()
      await expect(socket.write(bytes(9))).rejects.toMatchObject({ code: 'EPIPE' })
      expect(await socket.readAll()).toEqual(bytes(4, 5, 6))
      expect(socket.bytesRead).toBe(3)
      expect(await socket.closed).toBeUndefined()
    })
    expect(clock.now).toBeGreaterThan(1040)
    expect(clock.now).toBeLessThan(1200)
  })

  it('let a writer wait until the reader reads', async () => {
    const network = createNetwork({ path: { delay: 1 }, crypto: 'plain' })
    const { a, b, clock } = network
    const accepted = new Promise<SimulatedSocket>(resolve => b.listen(7, resolve))
    await network.run(async () => {
      const socket = await a.connect(b.address, 7)
      let written = 0
      const writing = socket.write(new Uint8Array(4_000_000)).then(() => {
        written = clock.now
      })
      await clock.sleep(5000)
      expect(written).toBe(0)
      const other = await accepted
      for (let read = 0; read < 4_000_000; ) read += (await other.read())?.length ?? 0
      await writing
      expect(written).toBeGreaterThan(5000)
      socket.reset()
      await expect(other.read()).rejects.toMatchObject({ code: 'ECONNRESET' })
      await expect(other.write(bytes(1))).rejects.toMatchObject({ code: 'ECONNRESET' })
      expect(await other.closed).toBe('ECONNRESET')
      expect(await socket.closed).toBeUndefined()
    })
  })

  it('are refused where nobody listens', async () => {
    const network = createNetwork({ crypto: 'plain' })
    const { a, b } = network
    await expect(network.run(a.connect(b.address, 81))).rejects.toMatchObject({ code: 'ECONNREFUSED' })
    const server = b.listen(81, socket => socket.destroy())
    await network.run(a.connect(b.address, 81))
    server.close()
    await expect(network.run(a.connect(b.address, 81))).rejects.toMatchObject({ code: 'ECONNREFUSED' })
  })

  it('answer a ping after the round trip', async () => {
    const network = createNetwork({ path: { delay: 15 }, back: { delay: 20 }, crypto: 'plain' })
    await network.run(network.a.ping(network.b.address))
    expect(await network.run(network.a.ping(network.b.address))).toMatchObject({ rtt: 35 })
  })
})

describe('a network', () => {
  it('protects its datagrams unless it is told not to', () => {
    const contains = (crypto: 'real' | 'plain') => {
      const { a, b, clock, there } = createNetwork({ crypto, path: { delay: 1 } })
      let seen = false
      const send = there.send
      there.send = (buffer, offset, length, receive) => {
        const text = String.fromCharCode(...buffer.subarray(offset, offset + length))
        seen ||= text.includes('attack at dawn')
        send(buffer, offset, length, receive)
      }
      b.listen(1, socket => void socket.readAll())
      const done = a.connect(b.address, 1).then(s => s.write(Uint8Array.from('attack at dawn', c => c.charCodeAt(0))))
      return clock.run(done).then(() => {
        clock.runUntil(clock.now + 100)
        return seen
      })
    }
    return Promise.all([contains('real'), contains('plain')]).then(seen => expect(seen).toEqual([false, true]))
  })

  it('lets the flows of all its pairs share one path', () => {
    const network = createNetwork({ path: { delay: 10, rate: 20, queue: 8 }, crypto: 'plain' })
    const { clock } = network
    const other = network.pair()
    const flows = [network, other].map(({ a, b }) => createTransfer(clock, { from: a, to: b, there: Infinity }))
    clock.runUntil(5000)
    const received = flows.map(flow => flow.acceptor.received)
    for (const bytes of received) expect(bytes).toBeGreaterThan(500_000)
    expect((received[0] as number) + (received[1] as number)).toBeLessThan((20e6 / 8) * 5)
    expect(network.there.counters.overflowed).toBeGreaterThan(0)
    expect(network.there.counters.longestQueue).toBe(8)
  })

  it('can have an event loop that takes its time', async () => {
    const network = createNetwork({ path: { delay: 10 }, crypto: 'plain', turn: 2, timerTick: 5 })
    await network.run(network.a.ping(network.b.address))
    // Its own turn, the other host's, its own again.
    expect(await network.run(network.a.ping(network.b.address))).toMatchObject({ rtt: 24 })
  })

  it('has transfers that see each byte', () => {
    const { a, b, clock } = createNetwork({ path: { delay: 1, corrupt: 0.01, jitter: 3 }, crypto: 'plain' })
    const transfer = createTransfer(clock, { from: a, to: b, there: 300_000, back: 200_000, v6: true })
    expect(clock.runWhile(() => !transfer.done, 60_000)).toBe(true)
    const whole = { ended: true, closed: true, error: undefined, wrongAt: undefined }
    expect(transfer.acceptor).toMatchObject({ received: 300_000, ...whole })
    expect(transfer.dialer).toMatchObject({ received: 200_000, ...whole })
  })

  it('has transfers that notice a byte which is not the one that was sent', () => {
    const { a, b, clock } = createNetwork({ path: { delay: 1 }, crypto: 'plain' })
    const transfer = createTransfer(clock, { from: a, to: b, there: 100_000 })
    clock.runWhile(() => transfer.acceptor.connection === undefined, 1000)
    const connection = transfer.acceptor.connection as { read(): Uint8Array | undefined | null }
    const read = connection.read.bind(connection)
    let count = transfer.acceptor.received
    connection.read = () => {
      const slab = read()
      if (slab && count < 70_000 && count + slab.length >= 70_000)
        slab[70_000 - count] = (slab[70_000 - count] ?? 0) ^ 1
      count += slab?.length ?? 0
      return slab
    }
    clock.runWhile(() => !transfer.done, 10_000)
    expect(transfer.acceptor.wrongAt).toBe(70_000)
  })
})

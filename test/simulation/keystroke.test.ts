// What stands in a tunnel's way is its own bulk traffic: how long a keystroke's echo takes beside an upload.
import { describe, expect, it } from 'vitest'
import { createNetwork, createTransfer, type PathOptions } from '../../src/testing/index.js'

/** Between two keystrokes, ms: in step with nothing. */
const typing = 23
/** Until an upload has found the path's rate, ms. */
const settling = 4000
/** An event loop's turn comes 0.2 ms after what woke it, and its timers have a tick of 1 ms. */
const loop = { turn: 0.2, timerTick: 1 }

interface Typing {
  uploads: number
  seconds: number
  seed?: number
  there?: PathOptions
  back?: PathOptions
}

/** The 99th percentile of the echoes, ms, and Mbit/s of payload beside them. */
async function type(
  path: PathOptions,
  { uploads, seconds, seed = 1, there = {}, back = {} }: Typing,
): Promise<{ p99: number; goodput: number }> {
  const memory = { memoryBytes: 64 * 1024 * 1024 }
  const network = createNetwork({ seed, crypto: 'plain', path, there, back, host: memory, ...loop })
  const { clock, a, b } = network
  b.listen(7, async socket => {
    for (let bytes = await socket.read(); bytes !== null; bytes = await socket.read()) await socket.write(bytes)
  })
  const shell = await network.run(() => a.connect(b.address, 7))
  const bulk = Array.from({ length: uploads }, () =>
    createTransfer(clock, { from: a, to: b, there: Infinity, check: false }),
  )
  const sent: number[] = []
  const took: number[] = []
  const hear = async () => {
    for (let bytes = await shell.read(); bytes !== null; bytes = await shell.read()) {
      for (let i = 0; i < bytes.length; i++) took.push(clock.now - (sent[took.length] as number))
    }
  }
  void hear()
  const from = clock.now + settling
  clock.runUntil(from)
  const received = () => bulk.reduce((sum, { acceptor }) => sum + acceptor.received, 0)
  const before = received()
  const press = () => {
    sent.push(clock.now)
    void shell.write(Uint8Array.of(107))
    if (clock.now < from + seconds * 1000) clock.schedule(clock.now + typing, press)
  }
  press()
  await network.run(
    () =>
      new Promise<void>(resolve => {
        clock.schedule(from + seconds * 1000 + 2000, () => {
          resolve()
          clock.wake()
        })
      }),
  )
  took.sort((x, y) => x - y)
  expect(took.length).toBe(sent.length)
  return {
    p99: took[Math.floor(took.length * 0.99)] as number,
    goodput: ((received() - before) * 8) / (seconds + 2) / 1e6,
  }
}

describe("a keystroke's echo beside an upload", () => {
  it.each([1, 2, 3])('takes up to 20 ms more on 100 Mbit/s at 50 ms, which is full (seed %d)', async seed => {
    const path = { delay: 25, rate: 100, queue: 512 }
    const idle = await type(path, { uploads: 0, seconds: 5, seed })
    const one = await type(path, { uploads: 1, seconds: 20, seed })
    expect(one.goodput).toBeGreaterThan(85)
    expect(one.p99 - idle.p99).toBeLessThan(20)
  })

  // A relay, a far end and this process on two cores: measured were turns up to 10 ms late, and ACKs in bunches.
  it.each([
    { back: { gather: 3 } },
    { there: { gather: 2 }, back: { gather: 2 } },
    { back: { stall: 10, stallEvery: 300 } },
    { there: { stall: 6, stallEvery: 200 }, back: { stall: 6, stallEvery: 200 } },
    { back: { gather: 4, stall: 15, stallEvery: 1000 } },
    { there: { stall: 15, stallEvery: 500 }, back: { stall: 15, stallEvery: 500 } },
  ])('takes up to 20 ms more there where datagrams come in bunches: %j', async bunches => {
    const path = { delay: 25, rate: 100, queue: 512 }
    const idle = await type(path, { uploads: 0, seconds: 5, ...bunches })
    const one = await type(path, { uploads: 1, seconds: 20, ...bunches })
    expect(one.goodput).toBeGreaterThan(85)
    expect(one.p99 - idle.p99).toBeLessThan(20)
  })

  it.each([1, 4])('takes up to 5 ms more on 1 Gbit/s without delay, which %d uploads fill', async uploads => {
    const path = { delay: 0.05, rate: 1000, queue: 1000 }
    const idle = await type(path, { uploads: 0, seconds: 3 })
    const busy = await type(path, { uploads, seconds: 3 })
    expect(busy.goodput).toBeGreaterThan(850)
    expect(busy.p99 - idle.p99).toBeLessThan(5)
  })
})

// Two whole hosts, real cryptography, a seeded lossy path: whatever the path does, every byte arrives once and in order, and
// nothing is left behind.
import { describe, expect, it } from 'vitest'
import { selectCrypto } from '../../src/node/crypto/select.js'
import { createNetwork, createSeededRandom, createTransfer, type PathOptions } from '../../src/testing/index.js'

const crypto = selectCrypto()
const MB = 1_000_000
const soak = process.env.TUNLESS_SOAK === '1'

/** A path drawn from the seed: 0 to 5 % loss, reordering, duplicates, 1 to 60 ms. */
function drawPath(seed: number): PathOptions {
  const random = createSeededRandom(seed * 7919)
  const delay = 1 + random.next() * 30
  return {
    delay,
    loss: random.next() * 0.05,
    jitter: random.next() < 0.5 ? random.next() * delay : 0,
    duplicate: random.next() < 0.5 ? random.next() * 0.02 : 0,
    rate: random.next() < 0.5 ? 20 + random.next() * 200 : 0,
    queue: 64 + random.integer(512),
  }
}

function run(seed: number, bytes: number) {
  const path = drawPath(seed)
  const { a, b, clock } = createNetwork({ seed, path, crypto })
  const transfer = createTransfer(clock, { from: a, to: b, there: bytes, back: bytes, v6: seed % 2 === 1 })
  const hours = 3_600_000
  const finished = clock.runWhile(() => !transfer.done, 10 * hours)
  const at = clock.now
  const whole = {
    connection: expect.anything(),
    received: bytes,
    ended: true,
    closed: true,
    error: undefined,
    wrongAt: undefined,
  }
  expect(transfer.dialer, `seed ${seed}, ${JSON.stringify(path)}`).toEqual(whole)
  expect(transfer.acceptor, `seed ${seed}, ${JSON.stringify(path)}`).toEqual(whole)
  expect(finished).toBe(true)
  clock.runUntil(at + 600_000) // TIME-WAIT and the last keepalives
  expect([a.host.memory.inUse, b.host.memory.inUse], `slots left, seed ${seed}`).toEqual([0, 0])
  return at
}

describe('a transfer both ways over a lossy path', () => {
  const seeds = soak ? 20 : 200
  const bytes = soak ? 50 * MB : 4 * MB
  const group = soak ? 2 : 20
  for (let first = 0; first < seeds; first += group) {
    it(`arrives whole: ${bytes / MB} MB each way, seeds ${first} to ${first + group - 1}`, () => {
      for (let seed = first; seed < first + group; seed++) run(seed, bytes)
    })
  }

  it('is the same run, to the millisecond, for the same seed', () => {
    expect(run(5, 200_000)).toBe(run(5, 200_000))
  })
})

// No benchmark times what is wrong: each primitive is broken in turn, and the run has to end before it has timed anything.
import { PassThrough } from 'node:stream'
import { describe, expect, it, vi } from 'vitest'
import { type AeadCandidate, aeadTasks, backendCandidate } from '../../../../src/app/bench/aead.js'
import type { Contender } from '../../../../src/app/bench/contenders.js'
import { checkContender } from '../../../../src/app/bench/load.js'
import { cryptoTasks, microTasks } from '../../../../src/app/bench/micro.js'
import { Recording } from '../../../../src/app/bench/report.js'
import { chunk, patternHash } from '../../../../src/app/bench/services.js'
import { checkTasks, type Task, timeTasks } from '../../../../src/app/bench/tasks.js'
import type { Crypto } from '../../../../src/core/crypto/crypto.js'
import { selectCrypto } from '../../../../src/node/crypto/select.js'

const node = selectCrypto('node')
const simd = selectCrypto('simd')

/** What a run of these tasks says, with whether anything was timed. */
async function attempt(tasks: readonly Task[]): Promise<{ error: unknown; timed: boolean }> {
  const run = vi.fn()
  const spied = tasks.map(task => ({ ...task, run }))
  const error = await timeTasks(spied, new Recording('quick', [])).catch((failure: unknown) => failure)
  return { error, timed: run.mock.calls.length > 0 }
}

function flip(bytes: Uint8Array): Uint8Array {
  const flipped = Uint8Array.from(bytes)
  flipped[0] = (flipped[0] as number) ^ 1
  return flipped
}

describe('a broken primitive is named, and nothing is timed', () => {
  const broken: [id: string, part: Partial<Crypto>][] = [
    ['micro/x25519/node', { dh: (key, publicKey) => flip(node.dh(key, publicKey) ?? new Uint8Array(32)) }],
    ['micro/x25519/node', { dh: (key, publicKey) => node.dh(key, publicKey) ?? new Uint8Array(32) }],
    ['micro/blake2s-64/node', { hash: (...parts) => flip(node.hash(...parts)) }],
    ['micro/mac-116/node', { macKey: key => node.macKey(flip(key)) }],
    ['micro/handshake/node', { hmac: (key, ...parts) => flip(node.hmac(key, ...parts)) }],
    ['micro/handshake/node', { open: () => undefined }],
  ]
  it.each(broken)('%s', async (id, part) => {
    const { error, timed } = await attempt(cryptoTasks([{ ...node, ...part }]))
    expect(error).toMatchObject({ code: 'BENCH_WRONG_RESULT', message: expect.stringContaining(`${id} is wrong: `) })
    expect(timed).toBe(false)
  })

  const transport = (change: (memoryOf: Crypto) => Partial<ReturnType<Crypto['transportKey']>>): Crypto => ({
    ...simd,
    name: 'broken',
    transportKey: key => {
      const right = simd.transportKey(key)
      return {
        seal: (...call) => right.seal(...call),
        open: (...call) => right.open(...call),
        wipe() {},
        ...change(simd),
      }
    },
  })
  const key = simd.transportKey(new Uint8Array(32).fill(7))

  it.each([
    ['seals nothing', transport(() => ({ seal() {} }))],
    ['takes everything for genuine', transport(() => ({ open: () => true }))],
    ['uses another key', transport(() => ({ seal: (...call) => key.seal(...call) }))],
    ['ignores the RFC', { ...simd, name: 'broken', seal: () => new Uint8Array(16) }],
  ])('an AEAD that %s', async (_what, crypto) => {
    const { error, timed } = await attempt(aeadTasks([backendCandidate(simd), backendCandidate(crypto)]))
    expect(error).toMatchObject({
      code: 'BENCH_WRONG_RESULT',
      message: expect.stringMatching(/^aead\/seal-64\/broken is/),
    })
    expect(timed).toBe(false)
  })

  it('one that is right in every vector, and wrong at the size that would be timed', async () => {
    const right = backendCandidate(simd)
    const wrong: AeadCandidate = {
      ...right,
      name: 'broken',
      prepare(secret, size, count) {
        const places = right.prepare(secret, size, count)
        return size < 16384 ? places : { ...places, content: index => flip(places.content(index)) }
      },
    }
    const { error } = await attempt(aeadTasks([wrong]))
    expect(error).toMatchObject({ message: expect.stringMatching(/^aead\/seal-16384\/broken is wrong: /) })
  })

  it('a checksum', async () => {
    const wrong: Crypto = {
      ...simd,
      createMemory: (bytes, slotSize) => {
        const memory = simd.createMemory(bytes, slotSize)
        const found = (part: unknown) => (typeof part === 'function' ? part.bind(memory) : part)
        return new Proxy(memory, {
          get: (target, name) => (name === 'onesSum' ? () => 0xffff : found(Reflect.get(target, name, target))),
        })
      },
    }
    const { error } = await attempt(microTasks([wrong]).filter(({ id }) => id.startsWith('micro/checksum')))
    expect(error).toMatchObject({ message: expect.stringMatching(/^micro\/checksum-1400\/simd is wrong: /) })
  })
})

it('every task of the suites is right with every backend', () => {
  const all = [node, selectCrypto('noble'), simd]
  const tasks = [...microTasks(all), ...aeadTasks(all.map(backendCandidate))]
  expect(checkTasks(tasks)).toBeGreaterThan(1000)
  for (const { run } of tasks) run()
  expect(new Set(tasks.map(({ id }) => id)).size).toBe(tasks.length)
})

it('a task is timed anew in each round, and its figure is the median of what one operation took', async () => {
  let calls = 0
  // As if each call took a little longer than the one before.
  const task: Task = { id: 'a/task/x', operations: 10, check() {}, run: () => 1 + calls++ / 1e9 }
  const recording = new Recording('quick', [])
  const values = (await timeTasks([task], recording)).get('a/task/x') ?? []
  expect(values).toHaveLength(5)
  expect([...new Set(values)].sort((a, b) => a - b)).toEqual(values)
  const { value, low, high } = recording.results[0]!
  expect([low, value, high].map(us => Math.round(us))).toEqual([100, 100, 100])
})

describe('a contender', () => {
  /** Carries everything, changed by `change` on its way. */
  function contender(change: (hash: string) => string, from: Buffer): Contender {
    return {
      name: 'fake',
      async connect() {
        const stream = new PassThrough()
        for (let i = 0; i < 32; i++) stream.write(from)
        return stream.resume() as never
      },
      farHash: async count => change(patternHash(count)),
      farUsage: async () => ({ at: 0, cpu: 0, rss: 0, bytes: 0 }),
      usage: async () => ({ at: 0, cpu: 0, rss: 0, bytes: 0 }),
      async stop() {},
    }
  }

  it('is right if all arrives as it was sent', async () => {
    expect(await checkContender(contender(hash => hash, chunk))).toBe(2)
  })

  it('is wrong if something else arrives at either end', async () => {
    await expect(checkContender(contender(() => 'other', chunk))).rejects.toThrow('what arrived is not what was sent')
    const other = contender(hash => hash, Buffer.from(flip(chunk)))
    await expect(checkContender(other)).rejects.toThrow('what was downloaded is not what was sent')
  })
})

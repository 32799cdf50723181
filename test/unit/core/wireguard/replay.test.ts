import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ReplayWindow } from '../../../../src/core/wireguard/replay.js'

/** The facts of the kernel's selftest/counter.c, there with its window of 8128 counters. */
const limit = 8128n + 1n
const reject = 2n ** 64n - 2n ** 13n - 1n

function accept(window: ReplayWindow, counter: bigint): boolean {
  const [hi, lo] = [Number(counter >> 32n), Number(counter & 0xffff_ffffn)]
  const may = window.mayAccept(hi, lo)
  expect(window.accept(hi, lo)).toBe(may)
  return may
}

function expectRun(steps: [counter: bigint, accepted: boolean][]): void {
  const window = new ReplayWindow()
  steps.forEach(([counter, accepted], i) => {
    expect(accept(window, counter), `step ${i}, counter ${counter}`).toBe(accepted)
  })
}

const range = (from: bigint, to: bigint): bigint[] => {
  const step = from <= to ? 1n : -1n
  return Array.from({ length: Number((to - from) * step) + 1 }, (_, i) => from + BigInt(i) * step)
}

describe('the replay window', () => {
  it('takes each counter once, in or out of order, as the kernel does (W14)', () => {
    expectRun([
      [0n, true],
      [1n, true],
      [1n, false],
      [9n, true],
      [8n, true],
      [7n, true],
      [7n, false],
      [limit, true],
      [limit - 1n, true],
      [limit - 1n, false],
      [limit - 2n, true],
      [2n, true],
      [2n, false],
      [limit + 16n, true],
      [3n, false],
      [limit + 16n, false],
      [limit * 4n, true],
      [limit * 4n - (limit - 1n), true],
      [10n, false],
      [limit * 4n - limit, false],
      [limit * 4n - (limit + 1n), false],
      [limit * 4n - (limit - 2n), true],
      [limit * 4n + 1n - limit, false],
      [0n, false],
      [reject, false],
      [reject - 1n, true],
      [reject, false],
      [reject - 1n, false],
      [reject - 2n, true],
      [reject + 1n, false],
      [reject + 2n, false],
      [reject - 2n, false],
      [reject - 3n, true],
      [0n, false],
    ])
  })

  it('takes 8128 behind the greatest, and not 8129 (W14)', () => {
    for (const greatest of [8129n, 2n ** 32n, 2n ** 32n + 8000n, 2n ** 53n, 2n ** 53n + 1n, reject - 1n]) {
      expectRun([
        [greatest, true],
        [greatest - 8128n, true],
        [greatest - 8129n, false],
        [greatest - 8127n, true],
      ])
    }
  })

  it.each<[string, bigint[]]>([
    ['forwards from 1', range(1n, limit)],
    ['forwards from 0', range(0n, limit - 1n)],
    ['backwards', range(limit - 1n, 0n)],
  ])('takes a whole window of counters %s (W14)', (_text, counters) => {
    expectRun(counters.map(counter => [counter, true]))
  })

  it('forgets what a wild jump leaves behind, and keeps what is still near (W14)', () => {
    expectRun([...range(limit - 1n, 1n).map((c): [bigint, boolean] => [c, true]), [limit, true], [0n, false]])
    expectRun([...range(limit - 1n, 1n).map((c): [bigint, boolean] => [c, true]), [limit + 1n, true], [0n, false]])
    expectRun([
      [5n, true],
      [2n ** 63n, true],
      [5n, false],
      [2n ** 63n - 1n, true],
      [2n ** 63n, false],
    ])
  })

  it('costs no more for a wild jump than for the window itself (W14)', () => {
    const window = new ReplayWindow()
    for (let i = 0n; i < 10_000n; i++) expect(accept(window, i * 2n ** 48n)).toBe(true)
  })

  it('is not moved by asking (W14)', () => {
    const window = new ReplayWindow()
    expect(window.mayAccept(1000, 0)).toBe(true)
    expect(window.accept(0, 0)).toBe(true)
  })

  it('agrees with a plain set of counters (W14)', () => {
    const start = fc.constantFrom(0n, 2n ** 32n - 5000n, 2n ** 53n - 5000n, 2n ** 60n, reject - 9000n)
    const steps = fc.array(fc.oneof(fc.bigInt(-9000n, 200n), fc.bigInt(-200n, 20_000n)), { maxLength: 200 })
    fc.assert(
      fc.property(start, steps, (first, moves) => {
        const window = new ReplayWindow()
        const taken = new Set<bigint>()
        let greatest = -1n
        let counter = first
        for (const move of moves) {
          counter = (greatest < 0n ? first : greatest) + move
          if (counter < 0n || counter >= 2n ** 64n) continue
          const fresh = !taken.has(counter) && counter < reject && (greatest < 0n || greatest - counter <= 8128n)
          expect(accept(window, counter), `${counter}`).toBe(fresh)
          if (!fresh) continue
          taken.add(counter)
          if (counter > greatest) greatest = counter
        }
      }),
    )
  })
})

// The finds of the fuzzer, and a short run of it: that it works, not that nothing is left to find.
import { describe, expect, it } from 'vitest'
import { createSeededRandom } from '../../src/testing/random.js'
import { readCorpus } from '../fuzz/corpus.js'
import { createDeviceFuzz } from '../fuzz/devices.js'
import { fuzzParser } from '../fuzz/fuzz.js'
import { parsers } from '../fuzz/parsers.js'
import { createStackFuzz } from '../fuzz/stacks.js'

const finds = readCorpus()

describe('what the fuzzer found', () => {
  it.each(finds.filter(({ target }) => parsers.some(parser => parser.name === target)))(
    'stays mended: $target, $found',
    ({ target, input }) => {
      parsers.find(parser => parser.name === target)!.run(Uint8Array.from(Buffer.from(input, 'hex')))
    },
  )

  it.each(finds.filter(({ target }) => target === 'devices' || target === 'stacks'))(
    'stays mended: $target, $found',
    ({ target, input }) => {
      const fuzz = (target === 'devices' ? createDeviceFuzz : createStackFuzz)(Number(input))
      for (let i = 0; i < 2000; i++) fuzz.step()
      fuzz.sizes()
    },
  )
})

describe('the fuzzer', () => {
  it.each(parsers)('runs the $name parser', parser => {
    const { failure, outcomes } = fuzzParser(parser, createSeededRandom(1), executions => executions >= 2000)
    expect(failure).toBeUndefined()
    expect(outcomes).toBeGreaterThan(1)
  })

  it('notices a parser that throws, and says with what', () => {
    const run = (input: Uint8Array) => {
      if (input[0] === 7) throw new Error('seven')
      return ''
    }
    const target = { name: 'bad', seeds: [Uint8Array.of(3, 3)], run }
    const { failure } = fuzzParser(target, createSeededRandom(1), executions => executions >= 100_000)
    expect(failure).toMatchObject({ target: 'bad', input: expect.stringMatching(/^07/) })
  })

  it.each([
    ['devices', createDeviceFuzz],
    ['stacks', createStackFuzz],
  ] as const)('takes %s through many states, the same for the same seed', (_name, create) => {
    const runs = [1, 1].map(seed => {
      const fuzz = create(seed)
      const outcomes = Array.from({ length: 1000 }, () => fuzz.step())
      return { outcomes, sizes: fuzz.sizes() }
    })
    expect(runs[0]).toEqual(runs[1])
    expect(new Set(runs[0]!.outcomes).size).toBeGreaterThan(30)
  })
})

import { describe, expect, it } from 'vitest'
import { describeMachine, isWanted, median, Recording, type Suite } from '../../../../src/app/bench/report.js'
import { measure } from '../../../../src/app/bench/run.js'
import { formatReport } from '../../../../src/app/bench/table.js'

const suite: Suite = {
  name: 'a',
  async run(recorder) {
    recorder.checked(7)
    recorder.add('a/seal/simd', [3, 1.00004, 2], 'us', 'lower')
    recorder.add('a/seal/node', [6, 6, 6], 'us', 'lower')
    recorder.add('a/up/tunless', [812.34], 'Mbit/s', 'higher')
    recorder.skip('a/up/other', 'it is not on PATH')
  },
}

describe('a report', () => {
  it('has a median with its rounds, how much was compared, and on what it was measured', async () => {
    const report = await measure([suite], 'quick', [])
    expect(JSON.parse(JSON.stringify(report))).toEqual({
      schema: 1,
      tunless: expect.stringMatching(/^\d+\.\d+\.\d+/),
      node: process.versions.node,
      platform: process.platform,
      arch: process.arch,
      cpu: expect.any(String),
      cores: expect.any(Number),
      load: expect.any(Number),
      backend: expect.stringMatching(/^(simd|node|noble)$/),
      effort: 'quick',
      checked: 7,
      results: [
        { id: 'a/seal/simd', value: 2, unit: 'us', better: 'lower', low: 1, high: 3 },
        { id: 'a/seal/node', value: 6, unit: 'us', better: 'lower', low: 6, high: 6 },
        { id: 'a/up/tunless', value: 812.3, unit: 'Mbit/s', better: 'higher', low: 812.3, high: 812.3 },
      ],
      skipped: [{ id: 'a/up/other', reason: 'it is not on PATH' }],
    })
  })

  it('has what was asked for alone', async () => {
    const { results, skipped } = await measure([suite], 'quick', ['a/seal/node'])
    expect(results.map(({ id }) => id)).toEqual(['a/seal/node'])
    expect(skipped).toEqual([])
  })

  it.each([['b'], ['ab'], ['a/nothing']])('refuses --only %s, which is no figure', async word => {
    await expect(measure([suite], 'quick', [word])).rejects.toMatchObject({ code: 'USAGE' })
  })

  it('is a table for people: who is measured in columns, and how many times as long the others take', () => {
    const recording = new Recording('quick', [])
    void suite.run(recording)
    const machine = { ...describeMachine(), cpu: 'a processor', cores: 2, load: 1.5, backend: 'simd', node: '20.19.0' }
    const text = formatReport({ ...machine, ...recording, checked: 7 })
    expect(text.split('\n').slice(1)).toEqual([
      '7 results are as in the vectors; load 1.5: the machine is busy, so look at ratios',
      '',
      'a             tunless  simd         node',
      'seal  us               2.00  6.00 (3.0x)',
      'up    Mbit/s      812',
      '',
      'a/up/other: skipped, it is not on PATH',
      '',
    ])
  })
})

it('an id is asked for by itself, by its beginning, or by what begins with it; in whole parts', () => {
  expect(isWanted('aead/seal-64/simd', [])).toBe(true)
  expect(isWanted('aead/seal-64/simd', ['floor', 'aead'])).toBe(true)
  expect(isWanted('aead', ['aead/seal-64/simd'])).toBe(true)
  expect(isWanted('aead/seal-640/simd', ['aead/seal-64'])).toBe(false)
  expect(isWanted('aead2', ['aead'])).toBe(false)
})

it('a median is the middle one, or halfway between the two', () => {
  expect(median([3, 1, 2])).toBe(2)
  expect(median([4, 1, 2, 3])).toBe(2.5)
  expect(median([])).toBeNaN()
})

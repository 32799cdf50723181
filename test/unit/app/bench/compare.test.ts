import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { compare, readBase } from '../../../../src/app/bench/compare.js'
import type { Report, Result } from '../../../../src/app/bench/report.js'
import { formatComparison } from '../../../../src/app/bench/table.js'
import { TunnelError } from '../../../../src/errors.js'

type Figures = Record<string, [value: number, better: Result['better']]>

function report(figures: Figures, rest: Partial<Report> = {}): Report {
  const results = Object.entries(figures).map(([id, [value, better]]) => ({
    ...{ id, value, better, low: value, high: value },
    unit: better === 'lower' ? ('us' as const) : ('Mbit/s' as const),
  }))
  const machine = { platform: 'linux', arch: 'x64', cpu: 'a processor', cores: 2, load: 0, backend: 'simd' }
  return {
    schema: 1,
    tunless: '1.0.0',
    node: '20.19.0',
    ...machine,
    effort: 'quick',
    checked: 1,
    results,
    skipped: [],
    ...rest,
  }
}

const verdicts = (base: Report, now: Report, tolerance: number) =>
  Object.fromEntries(compare(base, now, tolerance).changes.map(({ id, verdict }) => [id, verdict]))

describe('a comparison', () => {
  it('finds worse what is beyond the tolerance: larger where lower is better, smaller where higher is', () => {
    const base = report({ 'a/time/x': [100, 'lower'], 'a/rate/x': [100, 'higher'] })
    const slower = report({ 'a/time/x': [126, 'lower'], 'a/rate/x': [79, 'higher'] })
    const faster = report({ 'a/time/x': [79, 'lower'], 'a/rate/x': [126, 'higher'] })
    expect(verdicts(base, slower, 25)).toEqual({ 'a/time/x': 'worse', 'a/rate/x': 'worse' })
    expect(compare(base, slower, 25).ok).toBe(false)
    expect(verdicts(base, faster, 25)).toEqual({ 'a/time/x': 'better', 'a/rate/x': 'better' })
    expect(compare(base, faster, 25).ok).toBe(true)
  })

  it('takes a factor for the tolerance, so that what is at it is the same either way', () => {
    const base = report({ 'a/time/x': [100, 'lower'], 'a/rate/x': [100, 'higher'] })
    expect(verdicts(base, report({ 'a/time/x': [125, 'lower'], 'a/rate/x': [80, 'higher'] }), 25)).toEqual({
      'a/time/x': 'same',
      'a/rate/x': 'same',
    })
    expect(verdicts(base, report({ 'a/time/x': [199, 'lower'], 'a/rate/x': [50.1, 'higher'] }), 100)).toEqual({
      'a/time/x': 'same',
      'a/rate/x': 'same',
    })
    expect(verdicts(base, report({ 'a/time/x': [100.1, 'lower'], 'a/rate/x': [100, 'higher'] }), 0)).toEqual({
      'a/time/x': 'worse',
      'a/rate/x': 'same',
    })
  })

  it('tells the change in percent of the base', () => {
    const [change] = compare(report({ 'a/b/x': [40, 'lower'] }), report({ 'a/b/x': [50, 'lower'] }), 10).changes
    expect(change).toEqual({ id: 'a/b/x', unit: 'us', base: 40, now: 50, change: 25, verdict: 'worse' })
  })

  it('fails where a figure is gone, unless it could not be measured here or was not asked for', () => {
    const base = report({ 'a/b/x': [1, 'lower'], 'a/c/x': [1, 'lower'] })
    const now = report({ 'a/b/x': [1, 'lower'] })
    expect(compare(base, now, 25)).toMatchObject({ ok: false, missing: ['a/c/x'] })
    const skipped = [{ id: 'a/c', reason: 'not here' }]
    expect(compare(base, report({ 'a/b/x': [1, 'lower'] }, { skipped }), 25)).toMatchObject({ ok: true, missing: [] })
    expect(compare(base, now, 25, ['a/b'])).toMatchObject({ ok: true, missing: [] })
  })

  it('leaves out what the base does not have', () => {
    const now = report({ 'a/b/x': [1, 'lower'], 'a/new/x': [1, 'lower'] })
    expect(compare(report({ 'a/b/x': [1, 'lower'] }), now, 25)).toMatchObject({ ok: true, changes: [{ id: 'a/b/x' }] })
  })

  it('refuses a base of another effort, whose figures are of shorter or longer runs', () => {
    const base = report({}, { effort: 'full' })
    expect(() => compare(base, report({}), 25)).toThrow(expect.objectContaining({ code: 'USAGE' }))
  })

  it('is told in one line for each change, and one for all', () => {
    const base = report({ 'a/b/x': [10, 'lower'], 'a/c/x': [10, 'lower'], 'a/d/x': [10, 'higher'] })
    const now = report({ 'a/b/x': [15, 'lower'], 'a/c/x': [10, 'lower'] })
    expect(formatComparison(compare(base, now, 25))).toBe(
      'worse: a/b/x 10.0 -> 15.0 us (+50 %)\nmissing: a/d/x\ncompared 2 figures, tolerance 25 %: 1 worse, 0 better, 1 missing\n',
    )
  })
})

describe('the base of a comparison', () => {
  const folder = mkdtempSync(join(tmpdir(), 'tunless-test-bench-'))
  afterAll(() => rmSync(folder, { recursive: true }))
  const file = (text: string) => {
    const path = join(folder, 'base.json')
    writeFileSync(path, text)
    return path
  }

  it('is a report as it was written', () => {
    const written = report({ 'a/b/x': [1, 'lower'] })
    expect(readBase(file(JSON.stringify(written)))).toEqual(written)
  })

  it.each([
    '',
    'null',
    '[]',
    '{"results":[]}',
    '{"schema":2,"results":[]}',
    '{"schema":1}',
    '{"schema":1,"results":[{"id":"a"}]}',
    '{"schema":1,"results":[null]}',
  ])('is not %j', text => {
    const path = file(text)
    expect(() => readBase(path)).toThrow(TunnelError)
    expect(() => readBase(path)).toThrow(`${path} is no report of this version`)
  })

  it('is not a file that is not there', () => {
    expect(() => readBase(join(folder, 'no.json'))).toThrow(expect.objectContaining({ code: 'USAGE' }))
  })
})

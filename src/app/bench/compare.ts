// A run beside an earlier one, `--compare BASE.json`: what became worse by more than the tolerance, and what is gone.
import { readFileSync } from 'node:fs'
import { TunnelError } from '../../errors.js'
import { isWanted, type Report, type Result, schema } from './report.js'

/** Percent. Machines that others use, too, vary by as much. */
export const defaultTolerance = 25

export interface Change {
  readonly id: string
  readonly unit: Result['unit']
  readonly base: number
  readonly now: number
  /** Percent of the base, of the figure itself: positive where it is larger now. */
  readonly change: number
  readonly verdict: 'worse' | 'better' | 'same'
}

export interface Comparison {
  /** Percent. */
  readonly tolerance: number
  readonly changes: readonly Change[]
  /** Ids that the base has and this run neither has nor could not measure. */
  readonly missing: readonly string[]
  /** Nothing is worse, and nothing missing. */
  readonly ok: boolean
}

/** Reads what `--json` printed. Throws USAGE if it is none of it. */
export function readBase(path: string): Report {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException
    throw new TunnelError('USAGE', `cannot read ${path} (${code ?? message}): name a file that bench --json wrote`, {
      cause,
    })
  }
  const base = parse(text)
  if (base?.schema !== schema || !Array.isArray(base.results) || !base.results.every(isResult)) {
    throw new TunnelError('USAGE', `${path} is no report of this version: write one anew with bench --json`)
  }
  return base as Report
}

function parse(text: string): Partial<Report> | undefined {
  try {
    return JSON.parse(text) ?? undefined
  } catch {
    return undefined
  }
}

function isResult(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false
  const { id, value: figure, better } = value as Partial<Result>
  return typeof id === 'string' && typeof figure === 'number' && (better === 'lower' || better === 'higher')
}

/**
 * A figure is worse if it is beyond base × (1 + tolerance) where lower is better, and below base / (1 + tolerance) where higher
 * is: twice as slow is the same in both. Throws USAGE for a base of another effort.
 */
export function compare(base: Report, report: Report, tolerance: number, only: readonly string[] = []): Comparison {
  if (base.effort !== report.effort) {
    throw new TunnelError(
      'USAGE',
      `the base is of a ${base.effort} run and this is a ${report.effort} one: compare like with like`,
    )
  }
  const now = new Map(report.results.map(result => [result.id, result]))
  const wanted = base.results.filter(({ id }) => isWanted(id, only))
  const changes = wanted.flatMap(before => {
    const result = now.get(before.id)
    return result === undefined ? [] : [changeOf(before, result, tolerance)]
  })
  const isSkipped = (id: string) => report.skipped.some(skipped => isWanted(id, [skipped.id]))
  const missing = wanted.map(({ id }) => id).filter(id => !now.has(id) && !isSkipped(id))
  return {
    tolerance,
    changes,
    missing,
    ok: missing.length === 0 && changes.every(({ verdict }) => verdict !== 'worse'),
  }
}

function changeOf(before: Result, { id, unit, value, better }: Result, tolerance: number): Change {
  const factor = better === 'lower' ? value / before.value : before.value / value
  const bound = 1 + tolerance / 100
  return {
    id,
    unit,
    base: before.value,
    now: value,
    change: Math.round((value / before.value - 1) * 1000) / 10,
    verdict: factor > bound ? 'worse' : factor < 1 / bound ? 'better' : 'same',
  }
}

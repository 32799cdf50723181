// One run: the suites that are asked for, the table or the JSON, and the comparison with an earlier one.
import { TunnelError } from '../../errors.js'
import { createLog } from '../log.js'
import { print } from '../print.js'
import { type Comparison, compare, defaultTolerance, readBase } from './compare.js'
import { describeMachine, type Effort, isWanted, Recording, type Report, type Suite } from './report.js'
import { formatComparison, formatReport } from './table.js'

export interface BenchOptions {
  readonly effort: Effort
  /** Ids, or beginnings of them; everything without any. */
  readonly only?: readonly string[]
  /** Print JSON instead of a table. */
  readonly json?: boolean
  /** A file that `json` wrote earlier. */
  readonly compare?: string
  /** Percent. */
  readonly tolerance?: number
}

/** False if something is worse than in the base. Rejects with BENCH_WRONG_RESULT, or with USAGE before anything was measured. */
export async function runBench(suites: readonly Suite[], options: BenchOptions): Promise<boolean> {
  const { effort, only = [], json = false, tolerance = defaultTolerance } = options
  const base = options.compare === undefined ? undefined : readBase(options.compare)
  const progress = createProgress()
  const report = await measure(suites, effort, only, progress.show).finally(progress.clear)
  const comparison: Comparison | undefined = base && compare(base, report, tolerance, only)
  if (json) print(`${JSON.stringify(comparison === undefined ? report : { ...report, comparison }, undefined, 2)}\n`)
  else print(formatReport(report))
  if (comparison === undefined) return true
  if (json) {
    const said = formatComparison(comparison).trimEnd()
    createLog('normal').info(said)
  } else print(`\n${formatComparison(comparison)}`)
  return comparison.ok
}

/** Runs the suites one after the other. Rejects with USAGE where `only` names nothing that there is. */
export async function measure(
  suites: readonly Suite[],
  effort: Effort,
  only: readonly string[],
  say?: (what: string) => void,
): Promise<Report> {
  const chosen = suites.filter(({ name }) => isWanted(name, only))
  const unknown = only.find(word => !suites.some(({ name }) => isWanted(name, [word])))
  if (unknown !== undefined) {
    const names = suites.map(({ name }) => name).join(', ')
    throw new TunnelError('USAGE', `--only ${unknown}: there is no such benchmark; begin with one of ${names}`)
  }
  const machine = describeMachine()
  const recording = new Recording(effort, only, say)
  for (const suite of chosen) await suite.run(recording)
  const { results, skipped, comparisons } = recording
  if (results.length === 0 && skipped.length === 0) {
    throw new TunnelError(
      'USAGE',
      `--only ${only.join(',')}: no figure has such an id; --json shows those that there are`,
    )
  }
  return { ...machine, effort, checked: comparisons, results, skipped }
}

/** What is being measured, on a line of its own where somebody watches. */
function createProgress(): { show: (what: string) => void; clear: () => void } {
  const { stderr } = process
  if (!stderr.isTTY) return { show() {}, clear() {} }
  return {
    show: what => void stderr.write(`\r\x1b[2K${what}`),
    clear: () => void stderr.write('\r\x1b[2K'),
  }
}

// A report for people: a table for each suite, one line for each thing measured and one column for each that does it.
import type { Comparison } from './compare.js'
import type { Report, Result } from './report.js'

/** Who is shown first, and whom the others are compared with. */
const order = ['tunless', 'simd', 'node', 'noble', 'floor', 'pump']

export function formatReport(report: Report): string {
  const { tunless, node, platform, arch, cpu, cores, load, backend, checked } = report
  const lines = [
    `tunless ${tunless}, Node ${node}, ${platform} ${arch}, ${cores} x ${cpu}, crypto ${backend}`,
    `${checked} results are as in the vectors; load ${load.toFixed(1)}${load > cores / 2 ? ': the machine is busy, so look at ratios' : ''}`,
  ]
  for (const [suite, results] of groupBy(report.results, ({ id }) => id.split('/')[0] as string)) {
    lines.push('', ...formatSuite(suite, results))
  }
  for (const { id, reason } of report.skipped) lines.push('', `${id}: skipped, ${reason}`)
  return `${lines.join('\n')}\n`
}

function formatSuite(suite: string, results: readonly Result[]): string[] {
  const figures = results.filter(({ unit }) => unit !== 'x')
  const who = [...new Set(figures.map(({ id }) => lastPart(id)))].sort((a, b) => rank(a) - rank(b))
  const rows = [[suite, '', ...who]]
  for (const [what, row] of groupBy(figures, ({ id }) => id.split('/').slice(1, -1).join(' '))) {
    const first = row.find(({ id }) => lastPart(id) === who.find(name => row.some(each => lastPart(each.id) === name)))
    const cells = who.map(name => {
      const figure = row.find(({ id }) => lastPart(id) === name)
      if (figure === undefined) return ''
      const isRatio = figure !== first && figure.unit === 'us'
      return `${formatFigure(figure.value)}${isRatio ? ` (${(figure.value / (first as Result).value).toFixed(1)}x)` : ''}`
    })
    rows.push([what, (row[0] as Result).unit, ...cells])
  }
  const widths = (rows[0] as string[]).map((_, i) => Math.max(...rows.map(row => (row[i] as string).length)))
  return rows.map(row =>
    row
      .map((cell, i) => (i < 2 ? cell.padEnd(widths[i] as number) : cell.padStart(widths[i] as number)))
      .join('  ')
      .trimEnd(),
  )
}

export function formatComparison({ changes, missing, tolerance }: Comparison): string {
  const beyond = changes.filter(({ verdict }) => verdict !== 'same')
  const lines = beyond.map(
    ({ id, unit, base, now, change, verdict }) =>
      `${verdict}: ${id} ${formatFigure(base)} -> ${formatFigure(now)} ${unit} (${change > 0 ? '+' : ''}${change} %)`,
  )
  for (const id of missing) lines.push(`missing: ${id}`)
  const count = (verdict: string) => changes.filter(change => change.verdict === verdict).length
  lines.push(
    `compared ${changes.length} figures, tolerance ${tolerance} %: ${count('worse')} worse, ${count('better')} better, ${missing.length} missing`,
  )
  return `${lines.join('\n')}\n`
}

/** Three digits that mean something. */
function formatFigure(value: number): string {
  if (value === 0 || !Number.isFinite(value)) return String(value)
  const digits = Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value))))
  return value.toFixed(Math.min(digits, 4))
}

function rank(name: string): number {
  const at = order.indexOf(name)
  return at < 0 ? order.length : at
}

function lastPart(id: string): string {
  return id.slice(id.lastIndexOf('/') + 1)
}

function groupBy<T>(values: readonly T[], key: (value: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>()
  for (const value of values) {
    const group = groups.get(key(value))
    if (group === undefined) groups.set(key(value), [value])
    else group.push(value)
  }
  return groups
}

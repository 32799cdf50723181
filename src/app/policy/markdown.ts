// A difference of two policies as Markdown, for a comment on a merge request: what comes from the files stands in code, so that
// nothing in them is markup or calls anybody.
import type { PolicyChange, PolicyDiff } from '../../core/policy/diff.js'
import { plain } from './messages.js'

/** Rows of one table: GitHub takes comments of 65,536 characters. */
const mostRows = 200
const mostPorts = 20

export function formatDiff({ gains, losses, notes }: PolicyDiff, before: string, after: string): string {
  const sections = [
    `### Access: ${code(before)} to ${code(after)}`,
    sumOf(gains, losses, notes),
    ...tableOf('Gains', 'may now reach', gains),
    ...tableOf('Losses', 'may no longer reach', losses),
    ...(notes.length === 0
      ? []
      : [
          '#### Not compared',
          shown(
            notes.map(note => `- ${sentence(note)}`),
            'notes',
          ),
        ]),
  ]
  return `${sections.join('\n\n')}\n`
}

function sumOf(gains: readonly PolicyChange[], losses: readonly PolicyChange[], notes: readonly string[]): string {
  const both = gains.length + losses.length
  if (both === 0)
    return notes.length === 0 ? 'Nobody gains or loses access.' : 'Nobody is known to gain or lose access.'
  const parts = [gains.length > 0 && `${gains.length} gained`, losses.length > 0 && `${losses.length} lost`]
  return `Access: ${parts.filter(part => part !== false).join(', ')}.`
}

function tableOf(title: string, verb: string, changes: readonly PolicyChange[]): string[] {
  if (changes.length === 0) return []
  const rows = changes.map(({ source, destination, ports }) => {
    const more = ports.length > mostPorts ? ` and ${ports.length - mostPorts} more` : ''
    const listed = `${ports.slice(0, mostPorts).map(code).join(', ')}${more}`
    return `| ${code(source)} | ${code(destination)} | ${listed} |`
  })
  const head = `| Who | ${verb} | on |\n| --- | --- | --- |\n`
  return [`#### ${title}`, `${head}${shown(rows, 'rows')}`]
}

function shown(lines: readonly string[], what: string): string {
  if (lines.length <= mostRows) return lines.join('\n')
  const left = lines.length - mostRows
  return `${lines.slice(0, mostRows).join('\n')}\n\n${left} more ${what} are left out: \`tunless policy diff --json\` has all of them.`
}

/** A code span (CommonMark, 6.1) that can stand in a cell of a table, where a bar is escaped even in code. */
function code(text: string): string {
  const content = plain(text).replaceAll('|', '\\|')
  const fence = '`'.repeat(1 + Math.max(0, ...(content.match(/`+/g) ?? []).map(run => run.length)))
  const space = content.startsWith('`') || content.endsWith('`') || content === '' ? ' ' : ''
  return `${fence}${space}${content}${space}${fence}`
}

/** Words of ours with parts of the files in them. */
function sentence(text: string): string {
  return plain(text).replace(/[\\`*_{}[\]()<>#+!|~@]/g, '\\$&')
}

// What `run` tells at its end: on stderr for the job's log, and as Markdown for the page of a GitHub job.
import { appendFileSync } from 'node:fs'
import { type Dialer, dialFailure, formatTarget, type Target } from '../proxy/dialer.js'
import { formatSize } from './show-format.js'

/** Targets that are named; the rest is counted. */
const named = 100

/** How often each target was seen. */
export class TargetCount {
  readonly #times = new Map<string, number>()
  /** All of them. */
  total = 0

  /** True for a target that was not seen before, as far as they are remembered. */
  add(target: Target): boolean {
    this.total++
    const text = formatTarget(target)
    const times = this.#times.get(text)
    const isNew = times === undefined && this.#times.size < named
    if (isNew || times !== undefined) this.#times.set(text, (times ?? 0) + 1)
    return isNew
  }

  get isEmpty(): boolean {
    return this.total === 0
  }

  /** `web1:22, db:5432 (3 times) and 2 others`. */
  describe(format: (target: string) => string = text => text): string {
    const times = [...this.#times]
    const words = times.map(([text, count]) => `${format(text)}${count === 1 ? '' : ` (${count} times)`}`)
    const others = this.total - times.reduce((sum, [, count]) => sum + count, 0)
    return `${words.join(', ')}${others === 0 ? '' : ` and ${others} others`}`
  }
}

/** Passes dials on and counts those that were not let through: by AllowedIPs, or by a rule. */
export function countDenied(dial: Dialer, denied: TargetCount): Dialer {
  return async (target, signal) => {
    try {
      return await dial(target, signal)
    } catch (error) {
      const failure = dialFailure(error)
      if (failure === 'no-route' || failure === 'denied') denied.add(target)
      throw error
    }
  }
}

/** What the tunnel had carried at one moment. */
export interface TunnelTotals {
  readonly sent: number
  readonly received: number
  readonly retransmits: number
  readonly handshakes: number
  /** The peer that was heard last. */
  readonly peer: string | undefined
  /** ms. */
  readonly rtt: number | undefined
}

interface StatusPeer {
  readonly name?: unknown
  readonly publicKey?: unknown
  readonly endpoint?: unknown
  readonly rtt?: unknown
  readonly lastHandshake?: string | Date
  readonly rxBytes?: unknown
  readonly txBytes?: unknown
}

/** Reads what the control socket tells; another version may tell less. */
export function totalsOf({ peers, retransmits, handshakes }: Record<string, unknown>): TunnelTotals {
  const list = (Array.isArray(peers) ? peers : []) as StatusPeer[]
  const sum = (field: 'rxBytes' | 'txBytes') => list.reduce((total, peer) => total + (Number(peer[field]) || 0), 0)
  const heard = (peer: StatusPeer) => (peer.lastHandshake === undefined ? 0 : new Date(peer.lastHandshake).getTime())
  const [last] = list.filter(peer => heard(peer) > 0).sort((a, b) => heard(b) - heard(a))
  const label = last && (last.name ?? `${String(last.publicKey).slice(0, 8)}…`)
  return {
    sent: sum('txBytes'),
    received: sum('rxBytes'),
    retransmits: Number(retransmits) || 0,
    handshakes: Number(handshakes) || 0,
    peer: last && `${label}${last.endpoint === undefined ? '' : ` at ${last.endpoint}`}`,
    rtt: typeof last?.rtt === 'number' ? last.rtt : undefined,
  }
}

export interface RunReport {
  /** The command's name, without its arguments: they may hold secrets. */
  readonly command: string
  readonly code: number
  /** Of the command, ms. */
  readonly duration: number
  readonly before: TunnelTotals
  readonly after: TunnelTotals
  /** The process that runs the tunnel, if it is another one: what it carried may be others', too. */
  readonly sharedWith: number | undefined
  readonly denied: TargetCount
  readonly direct: TargetCount
}

/** Lines for a log. */
export function summaryLines(report: RunReport): string[] {
  const { command, code, duration, denied, direct } = report
  const words = facts(report).map(([what, value, unit]) =>
    unit === undefined ? `${value} ${what}` : `${what} ${value}`,
  )
  return [
    `${command}: exit code ${code} after ${seconds(duration)}; ${words.join(', ')}`,
    ...(denied.isEmpty ? [] : [`not let through: ${denied.describe()}`]),
    ...(direct.isEmpty ? [] : [`by the host's network: ${direct.describe()}`]),
  ]
}

/** A table in Markdown. */
export function summaryMarkdown(report: RunReport): string {
  const { command, code, duration, after, sharedWith, denied, direct } = report
  const rows = [
    ['command', `${quoted(command)}, exit code ${code}, ${seconds(duration)}`],
    ...(after.peer === undefined ? [] : [['peer', plain(after.peer)]]),
    ...(sharedWith === undefined ? [] : [['tunnel', `of process ${sharedWith}, others' traffic included`]]),
    ...facts(report).map(([what, value]) => [what, `${value}`]),
    ['not let through', denied.isEmpty ? 'nothing' : denied.describe(quoted)],
    ...(direct.isEmpty ? [] : [["by the host's network", direct.describe(quoted)]]),
  ]
  return `### tunless\n\n| | |\n| --- | --- |\n${rows.map(row => `| ${row.join(' | ')} |`).join('\n')}\n\n`
}

/** A count, or with a third word a value that stands behind its name. */
type Fact = readonly [what: string, value: string | number, isValue?: true]

function facts({ before, after, denied }: RunReport): Fact[] {
  const counted = (count: number, one: string): Fact => [count === 1 ? one : `${one}s`, count]
  return [
    ['sent', formatSize(after.sent - before.sent), true],
    ['received', formatSize(after.received - before.received), true],
    ...(after.rtt === undefined ? [] : [['round trip', `${after.rtt.toFixed(1)} ms`, true] as const]),
    counted(after.retransmits - before.retransmits, 'retransmit'),
    counted(after.handshakes - before.handshakes, 'handshake'),
    counted(denied.total, 'denied dial'),
  ]
}

function seconds(duration: number): string {
  return `${(duration / 1000).toFixed(1)} s`
}

/** Names come from clients: nothing in them may become markup. */
function plain(text: string): string {
  return text.replace(/[^\w.:@…\-[\] ]/g, '?')
}

function quoted(text: string): string {
  return `\`${plain(text)}\``
}

/** Adds the table where GitHub shows it on the job's page; returns why that failed. */
export function writeJobSummary(report: RunReport, path: string | undefined): string | undefined {
  if (!path) return undefined
  try {
    appendFileSync(path, summaryMarkdown(report))
    return undefined
  } catch (error) {
    return `no job summary: cannot write ${path} (${(error as NodeJS.ErrnoException).code})`
  }
}

// What `tunless check` finds, and how it is shown: a line each for a person, one JSON object for a program.
import { errorCodes, TunnelError } from '../../errors.js'

export type Status = 'ok' | 'warning' | 'failed' | 'skipped'

/** Documented in docs/observing.md. */
export interface Finding {
  /** What was looked at: `configuration`, `endpoint`, `udp`, `handshake`, `path-mtu`, `dns`, `name`, `target`. */
  readonly check: string
  /** Of what, where there are several: a peer, a server, `HOST:PORT`. */
  readonly subject?: string
  readonly status: Status
  /** What was seen, and the likely cause of what is wrong. */
  readonly detail: string
  /** What to do; there where something is wrong. */
  readonly remedy?: string
  /** An error's code. */
  readonly code?: string
  /** What was measured: ms of a round trip or a dial, bytes of a path MTU. */
  readonly value?: number
}

/** What went wrong as a finding: with the remedy of its code, unless there is a better one. */
export function failure(check: string, error: unknown, more: { subject?: string; remedy?: string } = {}): Finding {
  const { message } = error as Error
  const code = (error as { code?: unknown }).code
  const known = error instanceof TunnelError ? errorCodes[error.code].remedy : undefined
  const remedy = more.remedy ?? known
  return {
    check,
    ...(more.subject !== undefined && { subject: more.subject }),
    status: 'failed',
    detail: message,
    ...(remedy !== undefined && { remedy }),
    ...(typeof code === 'string' && { code }),
  }
}

/** 0: nothing failed. */
export function exitCodeFor(findings: readonly Finding[]): 0 | 1 | 2 {
  const failed = findings.filter(finding => finding.status === 'failed')
  if (failed.some(finding => finding.check === 'configuration')) return 2
  return failed.length > 0 ? 1 : 0
}

export function formatJson(findings: readonly Finding[]): string {
  const exitCode = exitCodeFor(findings)
  return `${JSON.stringify({ ok: exitCode === 0, exitCode, findings }, undefined, 2)}\n`
}

const colours: Readonly<Record<Status, string>> = { ok: '32', warning: '33', failed: '31', skipped: '2' }
const wordWidth = 9
const checkWidth = 15

export function formatFinding({ check, subject, status, detail, remedy, code }: Finding, isColoured: boolean): string {
  const word = status.padEnd(wordWidth)
  const shown = isColoured ? `\x1b[${colours[status]}m${word}\x1b[0m` : word
  const told = subject === undefined || detail.includes(subject) ? detail : `${subject}: ${detail}`
  const tail = code === undefined ? '' : ` (${code})`
  const lines = [`${shown}${check.padEnd(checkWidth)}${told}${tail}`]
  if (remedy !== undefined && status !== 'ok') lines.push(`${' '.repeat(wordWidth + checkWidth)}${remedy}`)
  return `${lines.join('\n')}\n`
}

export function formatSum(findings: readonly Finding[]): string {
  const count = (status: Status) => findings.filter(finding => finding.status === status).length
  const parts = [`${count('ok')} ok`]
  if (count('warning') > 0) parts.push(`${count('warning')} to be looked at`)
  if (count('failed') > 0) parts.push(`${count('failed')} failed`)
  if (count('skipped') > 0) parts.push(`${count('skipped')} skipped`)
  return `${parts.join(', ')}\n`
}

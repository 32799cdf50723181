// What `tunless policy` says of a file, one line each, as compilers do: `file:line:col: error: …`.
import type { Diagnostic } from '../../core/policy/diagnostics.js'

/** A diagnostic with its file. A configuration's own peers have no place. */
export interface Message {
  readonly file: string
  readonly line?: number
  readonly column?: number
  readonly severity: 'error' | 'warning'
  readonly code: string
  readonly message: string
}

export function messagesOf(file: string, diagnostics: readonly Diagnostic[]): Message[] {
  return diagnostics.map(({ severity, line, column, code, message }) => ({
    file,
    line,
    column,
    severity,
    code,
    message,
  }))
}

export function formatMessage({ severity, message, ...place }: Message): string {
  return `${formatPlace(place)}: ${severity}: ${plain(message)}`
}

/** `file:line:col`, as far as it is known. */
export function formatPlace({ file, line, column }: Pick<Message, 'file' | 'line' | 'column'>): string {
  return plain([file, line, column].filter(part => part !== undefined).join(':'))
}

/** On stderr, so that stdout carries nothing but data. */
export function tell(messages: readonly Message[]): void {
  if (messages.length > 0) process.stderr.write(`${messages.map(formatMessage).join('\n')}\n`)
}

export function hasError(messages: readonly Message[]): boolean {
  return messages.some(({ severity }) => severity === 'error')
}

/**
 * Of a file that others wrote: on one line, with nothing in it that a terminal obeys, that turns the writing around, or that GitHub's
 * runner takes for one of its older commands, which it looks for anywhere in a line.
 */
export function plain(text: string): string {
  return text
    .replace(/[\p{Cc}\u2028-\u202e\u2066-\u2069]/gu, '?')
    .replace(/\p{Cs}/gu, '\ufffd')
    .replaceAll('##[', '## [')
}

/** `1 error`, `no errors`, `2 errors`. */
export function countOf(count: number, what: string): string {
  return `${count === 0 ? 'no' : count} ${what}${count === 1 ? '' : 's'}`
}

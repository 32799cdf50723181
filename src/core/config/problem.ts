// How the reader of a configuration speaks: one error type, one form, and nothing shown that might be a key.
import { TunnelError } from '../../errors.js'

/** The reason why a value cannot be used, `thing: remedy`; the caller puts file and line in front. */
export class Problem {
  readonly text: string

  constructor(thing: string, remedy: string) {
    this.text = `${thing}: ${remedy}`
  }
}

export function invalid(source: string, line: number, problem: Problem): TunnelError {
  return new TunnelError('CONFIG_INVALID', `${source}:${line}: ${problem.text}`)
}

const longestShown = 60

/** `text` in quotes for a message: cut, without control characters, and without any run that could be (part of) a key. */
export function shown(text: string): string {
  const masked = text.replace(/[A-Za-z0-9+/]{16,}={0,2}/g, '(hidden)')
  const cut = masked.length > longestShown ? `${masked.slice(0, longestShown)}…` : masked
  return `'${cut.replace(/[^\x20-\x7e\u00a0-\uffff]/g, '?')}'`
}

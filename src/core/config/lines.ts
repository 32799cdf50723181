// Cuts the text of a configuration into lines that say something: `[Section]`, `Key = value`, and comments that are written
// like a key (`# Name = web1`), so that wg-quick still loads the file. Comments end a line anywhere, as in wg(8).
import { invalid, Problem, shown } from './problem.js'

export type Line =
  | { readonly kind: 'section'; readonly line: number; readonly name: string }
  | {
      readonly kind: 'entry'
      readonly line: number
      readonly key: string
      readonly value: string
      /** Written as a comment: what cannot be used is then a remark of a person, not an error. */
      readonly comment: boolean
      /** A comment that stands over the next section's header, after a blank line: nobody can tell whose it is. */
      readonly aboveHeader: boolean
    }

/** Characters of a configuration; 10,000 peers take about 2 million. */
export const longestConfig = 16 * 1024 * 1024

const commentEntry = /^#+\s*([A-Za-z]+)\s*=\s*([^#]*)/
const control = /[^\t\x20-\x7e\u00a0-\ufffc\ufffe\uffff]/

/** Throws CONFIG_INVALID for what is neither section, `Key = value` nor comment. */
export function readLines(text: string, source: string): Line[] {
  if (text.length > longestConfig) {
    throw invalid(
      source,
      1,
      new Problem('the text is too long for a configuration', `at most ${longestConfig} characters`),
    )
  }
  const rows = text.replace(/^\ufeff/, '').split('\n')
  const lines: Line[] = []
  let afterBlank = true
  let remarks: { line: number; key: string; value: string }[] = []

  const flushRemarks = (beforeHeader: boolean) => {
    for (const remark of remarks) {
      lines.push({ kind: 'entry', ...remark, comment: true, aboveHeader: beforeHeader && afterBlank })
    }
    remarks = []
  }

  for (const [index, row] of rows.entries()) {
    const line = index + 1
    const whole = row.replace(/\r$/, '').trim()
    if (whole.startsWith('#')) {
      const match = commentEntry.exec(whole)
      if (match !== null && !control.test(whole)) {
        remarks.push({ line, key: match[1] as string, value: (match[2] as string).trim() })
      }
      continue
    }
    const content = whole.replace(/#.*$/s, '').trim()
    flushRemarks(content.startsWith('['))
    afterBlank = content === ''
    if (content !== '') lines.push(readLine(content, source, line))
  }
  flushRemarks(false)
  return lines
}

function readLine(content: string, source: string, line: number): Line {
  if (control.test(content)) {
    const remedy = 'save the file as plain UTF-8 text, each key on a line of its own'
    throw invalid(source, line, new Problem('a character that no key or value can have', remedy))
  }
  if (content.startsWith('[')) {
    const name = content.slice(1, -1).trim()
    if (!content.endsWith(']') || /[[\]]/.test(name)) {
      const remedy = 'write [Interface] or [Peer], alone on the line'
      throw invalid(source, line, new Problem('the line is not a section header', remedy))
    }
    return { kind: 'section', line, name }
  }
  const equals = content.indexOf('=')
  const key = content.slice(0, Math.max(0, equals)).trim()
  const value = content.slice(equals + 1).trim()
  // Without a value the line may be a key that lost its name: base64 ends in '='. Then it is not shown.
  if (key === '' || !/^[A-Za-z][A-Za-z0-9_. -]*$/.test(key) || (value === '' && key.length > 24)) {
    throw invalid(
      source,
      line,
      new Problem("the line is not 'Key = value'", "put the key's name and '=' before the value"),
    )
  }
  return { kind: 'entry', line, key, value, comment: false, aboveHeader: false }
}

/** A key's name as a message may show it: of a line without a value only a known name is safe to show. */
export function shownKey(key: string, value: string): string {
  return value === '' ? 'an unknown key without a value' : `unknown key ${shown(key)}`
}

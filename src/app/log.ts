// Diagnostics on stderr, so that stdout carries nothing but data: `tunless: …`, one line each, or a JSON object a line.

/** `quiet`: errors alone. `verbose`: every event. */
export type LogLevel = 'quiet' | 'normal' | 'verbose'

export type LogFormat = 'text' | 'json'

export interface Log {
  error(message: string): void
  warn(message: string): void
  info(message: string): void
  debug(message: string): void
  /** What is waited for, on a terminal alone: a line that the next one replaces; none takes it away. */
  status?(text?: string): void
}

export type Write = (text: string) => void

let format: LogFormat = 'text'

/** Of every log of this process, from now on. */
export function setLogFormat(chosen: LogFormat): void {
  format = chosen
}

export function createLog(level: LogLevel, write?: Write): Log {
  const say = (name: string, message: string) => (write ?? writeAbove)(formatLine(name, message))
  const silent = () => {}
  return {
    error: message => say('error', message),
    warn: level === 'quiet' ? silent : message => say('warning', message),
    info: level === 'quiet' ? silent : message => say('info', message),
    debug: level === 'verbose' ? message => say('debug', message) : silent,
    status: level === 'quiet' || write !== undefined ? silent : showStatus,
  }
}

/** In JSON, the error's code at the end of a message is a field of its own. Documented in docs/observing.md. */
function formatLine(level: string, message: string): string {
  if (format === 'text') {
    const prefix = level === 'warning' ? 'warning: ' : ''
    return `tunless: ${`${prefix}${message}`.replaceAll('\n', '\ntunless: ')}\n`
  }
  const [, text = message, code] = /^(.*) \(([A-Z][A-Z_]+)\)$/s.exec(message) ?? []
  return `${JSON.stringify({ time: new Date().toISOString(), level, message: text, ...(code && { code }) })}\n`
}

/** Of the terminal's last line, if something stands there. */
let shown = ''
const clearLine = '\r\x1b[K'

function writeAbove(text: string): void {
  process.stderr.write(shown === '' ? text : `${clearLine}${text}${shown}`)
}

function showStatus(text = ''): void {
  const { isTTY, columns } = process.stderr
  if (!isTTY || format === 'json' || process.env.TERM === 'dumb') return
  const line = text === '' ? '' : `tunless: ${text}`.slice(0, (columns || 80) - 1)
  if (line === shown) return
  shown = line
  process.stderr.write(`${clearLine}${line}`)
}

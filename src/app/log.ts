// Diagnostics: `tunless: …` on stderr, one line each, so that stdout carries nothing but data.

/** `quiet`: errors alone. `verbose`: every event. */
export type LogLevel = 'quiet' | 'normal' | 'verbose'

export interface Log {
  error(message: string): void
  warn(message: string): void
  info(message: string): void
  debug(message: string): void
}

export type Write = (text: string) => void

export function createLog(level: LogLevel, write: Write = text => void process.stderr.write(text)): Log {
  const say = (message: string) => write(`tunless: ${message.replaceAll('\n', '\ntunless: ')}\n`)
  const silent = () => {}
  return {
    error: say,
    warn: level === 'quiet' ? silent : message => say(`warning: ${message}`),
    info: level === 'quiet' ? silent : say,
    debug: level === 'verbose' ? say : silent,
  }
}

// A progress bar for a person: one line that redraws itself, and nothing at all where the output is no terminal.
import type { WriteStream } from 'node:tty'

const width = 30
/** ms between two drawings. */
const interval = 50

export interface Progress {
  show(done: number): void
  /** Removes the bar from the line. */
  clear(): void
}

export function createProgress(output: Pick<WriteStream, 'write' | 'isTTY'>, total: number): Progress {
  if (!output.isTTY) return { show() {}, clear() {} }
  let drawn = Number.NEGATIVE_INFINITY
  return {
    show(done) {
      const now = performance.now()
      if (now - drawn < interval && done < total) return
      drawn = now
      const filled = Math.round((width * done) / total)
      output.write(`\r  [${'#'.repeat(filled)}${' '.repeat(width - filled)}] ${Math.floor((100 * done) / total)} %`)
    },
    clear() {
      output.write(`\r${' '.repeat(width + 12)}\r`)
    },
  }
}

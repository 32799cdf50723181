// Files that show what others must not see: made for their owner alone, and refused where others could read them.
import { closeSync, constants, fstatSync, openSync, writeSync } from 'node:fs'
import { TunnelError } from '../errors.js'

/** Opens a file for writing, mode 0600 if it is new. Throws TRACE_FILE_REFUSED where it is not private, or cannot be opened. */
export function openPrivateFile(path: string, how: 'append' | 'replace'): number {
  const { O_WRONLY, O_CREAT, O_APPEND } = constants
  let file: number | undefined
  try {
    // Truncated only once it is known to be private and ours.
    file = openSync(path, O_WRONLY | O_CREAT | (how === 'append' ? O_APPEND : 0), 0o600)
    const stats = fstatSync(file)
    if (process.platform !== 'win32') {
      if ((stats.mode & 0o077) !== 0) {
        const mode = (stats.mode & 0o777).toString(8)
        throw refused(`${path} can be read or written by others (mode ${mode}): chmod 600 ${path}, or name a new file`)
      }
      if (stats.uid !== process.getuid?.()) throw refused(`${path} belongs to another user: name a new file`)
    }
    return file
  } catch (cause) {
    if (file !== undefined) closeSync(file)
    if (cause instanceof TunnelError) throw cause
    throw refused(`cannot write ${path}: ${(cause as Error).message}`, cause)
  }
}

/** Writes all of it before it returns. */
export function writeWhole(file: number, text: string): void {
  const bytes = Buffer.from(text)
  for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at)
}

function refused(message: string, cause?: unknown): TunnelError {
  return new TunnelError('TRACE_FILE_REFUSED', message, { cause })
}

// The file of --pid-file: there as long as the process has its key.
import { readFileSync, rmSync } from 'node:fs'
import { replaceFile } from './ready-file.js'

/** Throws READY_FILE_FAILED. */
export function writePidFile(path: string): void {
  replaceFile(path, `${process.pid}\n`)
}

/** Removes the file at the end, unless another process has written it since. Never throws. */
export function removePidFile(path: string): void {
  try {
    if (readFileSync(path, 'utf8').trim() === String(process.pid)) rmSync(path)
  } catch {
    // It is gone.
  }
}

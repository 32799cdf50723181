// One folder for what the tests of a run share: the packed tarball, its installations, generated files. vitest calls
// `setup` once in its main process, before any worker; the workers find the folder in their environment.
import { chmodSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isAlive } from './process.js'

const variable = 'TUNLESS_TEST_FOLDER'

export default function setup(): () => void {
  sweep()
  const folder = mkdtempSync(join(tmpdir(), `tunless-test-${process.pid}-`))
  chmodSync(folder, 0o755) // the runtime tests enter it as another user
  process.env[variable] = folder
  return () => rmSync(folder, { recursive: true, force: true })
}

/** Removes what killed runs of this user left. */
function sweep(): void {
  for (const name of readdirSync(tmpdir())) {
    const pid = /^tunless-test-(\d+)-/.exec(name)?.[1]
    if (pid === undefined || isAlive(Number(pid))) continue
    const folder = join(tmpdir(), name)
    if (statSync(folder).uid === process.getuid?.()) rmSync(folder, { recursive: true, force: true })
  }
}

/** The folder of this run. It is removed when the run ends. */
export function runFolder(): string {
  const folder = process.env[variable]
  if (folder === undefined) throw new Error(`${variable} is not set: run the tests with vitest from the project's root`)
  return folder
}

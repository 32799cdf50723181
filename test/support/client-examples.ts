// The examples of examples/clients as their user has them: beside the packages that their lockfile names, and the packed tarball.
import { cpSync, readFileSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { must } from './process.js'
import { runFolder } from './run-folder.js'
import { installed, projectRoot } from './tarball.js'

export const clientExamples = join(projectRoot, 'examples', 'clients')

/** A copy of the folder, installed. */
export async function installClientExamples(): Promise<string> {
  const folder = join(runFolder(), 'clients')
  cpSync(clientExamples, folder, { recursive: true, filter: path => !path.includes('node_modules') })
  const quiet = ['--prefix', folder, '--prefer-offline', '--no-audit', '--no-fund', '--loglevel=error']
  // What they have native is optional.
  await must('npm', ['ci', ...quiet, '--ignore-scripts', '--omit=optional'], { cwd: folder, timeout: 170_000 })
  symlinkSync(join(await installed(), 'node_modules', 'tunless'), join(folder, 'node_modules', 'tunless'))
  return folder
}

/** What an example says of itself that it prints. */
export function promised(name: string): string {
  const text = readFileSync(join(clientExamples, `${name}.js`), 'utf8')
  const [, lines] = /^\/\/ prints.*\n((?:\/\/ {3}.*\n)+)/m.exec(text) ?? []
  if (lines === undefined) throw new Error(`${name}.js does not say what it prints`)
  return lines.replaceAll('//   ', '')
}

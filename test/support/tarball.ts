// The package as a user gets it: packed once a run, and installed with what else a consumer needs in an empty folder.
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { must, until } from './process.js'
import { runFolder } from './run-folder.js'

export const projectRoot = join(import.meta.dirname, '..', '..')

const installTimeout = 170_000

/** Path of the packed tarball. */
export function packed(): Promise<string> {
  return once('tarball', async folder => {
    if (!existsSync(join(projectRoot, 'dist', 'index.js'))) throw new Error('there is no dist/: npm run build makes it')
    await npm(projectRoot, ['pack', '--ignore-scripts', '--pack-destination', folder])
    return join(folder, readdirSync(folder)[0] as string)
  })
}

/** A folder with the tarball installed, and nothing but what it asks for and the given packages. */
export function installed(packages: string[] = []): Promise<string> {
  const name = ['installed', ...packages].join('+').replace(/[^\w+.-]/g, '_')
  return once(name, async folder => {
    writeFileSync(join(folder, 'package.json'), '{ "private": true }\n')
    await npm(folder, ['install', '--omit=dev', '--prefer-offline', await packed(), ...packages])
    return folder
  })
}

/** A folder with the given packages and without ours. */
export function installedAlone(packages: string[]): Promise<string> {
  const name = ['alone', ...packages].join('+').replace(/[^\w+.-]/g, '_')
  return once(name, async folder => {
    writeFileSync(join(folder, 'package.json'), '{ "private": true }\n')
    await npm(folder, ['install', '--prefer-offline', ...packages])
    return folder
  })
}

/** The command of an installation, run by the node of the tests unless another is given. */
export async function command(node = process.execPath): Promise<string[]> {
  return [node, join(await installed(), 'node_modules', 'tunless', 'dist', 'bin.cjs')]
}

async function npm(folder: string, args: string[]): Promise<string> {
  return must('npm', ['--prefix', folder, '--no-audit', '--no-fund', '--loglevel=error', ...args], {
    cwd: folder,
    timeout: installTimeout,
  })
}

/** Makes a folder once a run, whichever of the workers comes first. */
async function once(name: string, make: (folder: string) => Promise<string>): Promise<string> {
  const folder = join(runFolder(), name)
  const outcome = `${folder}.json`
  try {
    mkdirSync(folder)
  } catch {
    return otherWorkers(outcome)
  }
  const result = await make(folder).then(
    path => ({ path }),
    (error: Error) => ({ error: error.message }),
  )
  writeFileSync(`${outcome}.part`, JSON.stringify(result))
  renameSync(`${outcome}.part`, outcome)
  return unwrap(result)
}

async function otherWorkers(outcome: string): Promise<string> {
  await until(outcome, () => existsSync(outcome), installTimeout)
  return unwrap(JSON.parse(readFileSync(outcome, 'utf8')))
}

function unwrap(result: { path?: string; error?: string }): string {
  if (result.path === undefined) throw new Error(result.error)
  return result.path
}

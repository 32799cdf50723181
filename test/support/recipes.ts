// What the recipes' tests share: the files of examples/, what scripts/install-recipes.sh has installed, and the project whose jobs
// they are.
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe } from 'vitest'
import { describeInterop } from './interop.js'
import { must, type Result, run } from './process.js'
import { runFolder } from './run-folder.js'
import { packed, projectRoot } from './tarball.js'

const folder = '/var/lib/tunless-interop/recipes'
export const judges = join(folder, 'judges', 'bin')
export const actionlint = join(folder, 'bin', 'actionlint')
export const musl = join(folder, 'musl')

/** Why recipes can be neither judged nor run here; undefined if they can. */
export const recipesUnavailable =
  existsSync(join(judges, 'python')) && existsSync(musl)
    ? undefined
    : 'has no judges of recipes: scripts/install-recipes.sh installs them'

const required = process.env.TUNLESS_REQUIRE_INTEROP === '1'

/** A suite that asks the judges: skipped where they are not, unless TUNLESS_REQUIRE_INTEROP=1 makes that a failure. */
export function describeJudged(name: string, suite: () => void): void {
  describe.skipIf(recipesUnavailable !== undefined && !required)(name, () => {
    beforeAll(() => {
      if (recipesUnavailable !== undefined)
        throw new Error(`recipes are to be run, but this host ${recipesUnavailable}`)
    })
    suite()
  })
}

/** A suite that runs recipes: it needs what an interop suite does besides. */
export function describeRecipes(name: string, suite: () => void): void {
  describeJudged(name, () => describeInterop('in namespaces', suite))
}

export function recipe(...path: string[]): string {
  return join(projectRoot, 'examples', ...path)
}

export function readRecipe(...path: string[]): string {
  return readFileSync(recipe(...path), 'utf8')
}

/** Runs a judge of `judges`. */
export function judge(program: string, args: string[]): Promise<Result> {
  return run(join(judges, program), args)
}

const toJson = `
import json, sys
from ruamel.yaml import YAML
json.dump(list(YAML(typ='safe', pure=True).load_all(open(sys.argv[1]))), sys.stdout)`

/** The documents of a YAML file. */
export async function readYaml(...path: string[]): Promise<unknown[]> {
  return JSON.parse(await must(join(judges, 'python'), ['-c', toJson, recipe(...path)]))
}

/**
 * A project with tunless among its devDependencies, as a checkout has it: a lock file, no node_modules; besides `.npm`, the cache
 * that CI systems keep, from which `npm ci` works without a network. `npm run build` makes dist/.
 */
export async function createProject(): Promise<string> {
  const project = mkdtempSync(join(runFolder(), 'project-'))
  const manifest = {
    name: 'site',
    version: '1.0.0',
    private: true,
    scripts: {
      build: 'mkdir -p dist && echo "built by npm" > dist/index.html',
      migrate:
        "node -e \"net.connect(5432, process.env.PGHOST).on('data', data => console.log('server says ' + data)).end()\"",
    },
  }
  writeFileSync(join(project, 'package.json'), JSON.stringify(manifest, undefined, 2))
  mkdirSync(join(project, 'vendor'))
  cpSync(await packed(), join(project, 'vendor', 'tunless.tgz'))
  const cache = join(project, '.npm')
  const quiet = [
    '--no-audit',
    '--no-fund',
    '--loglevel=error',
    '--cache',
    cache,
    '--omit-lockfile-registry-resolved=false',
  ]
  await must('npm', ['install', '--save-dev', '--ignore-scripts', ...quiet, './vendor/tunless.tgz'], {
    cwd: project,
    timeout: 170_000,
  })
  rmSync(join(project, 'node_modules'), { recursive: true })
  cpSync(recipe('scripts'), join(project, 'scripts'), { recursive: true })
  return project
}

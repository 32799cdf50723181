// Bundles the command: a start waited longer for some 250 small modules and Node's loader of ES modules than for everything
// else. So `tunless` runs one CommonJS file with its dependencies in it, as readable as before; the library stays as tsc made it.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { build } from 'esbuild'

/** The first two take their time anyway, and start processes from files beside their own; no command calls tunnel.fetch. */
const apart = ['../app/bench.js', '../app/demo.js', 'undici']

/** Writes the bundle of src/cli/main.ts into dist/cli/, where tsc put that too, and its licences. `root` is the project's. */
export async function bundleCommand(root) {
  const folder = join(root, 'dist', 'cli')
  const { metafile } = await build({
    absWorkingDir: root,
    entryPoints: ['src/cli/main.ts'],
    outfile: join(folder, 'main.cjs'),
    bundle: true,
    external: apart,
    platform: 'node',
    // jsonc-parser's main is UMD, whose parts esbuild cannot see.
    mainFields: ['module', 'main'],
    target: 'node20',
    format: 'cjs',
    define: { 'import.meta.url': 'importMetaUrl' },
    banner: { js: "'use strict'\nconst importMetaUrl = require('node:url').pathToFileURL(__filename).href" },
    legalComments: 'none',
    metafile: true,
  })
  writeFileSync(join(folder, 'LICENSES.txt'), licencesOf(packagesIn(root, metafile)))
}

/** The folders of the packages that became part of the bundle. */
function packagesIn(root, { inputs }) {
  const folders = Object.keys(inputs).flatMap(path => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path) ?? [])
  return [...new Set(folders)].sort().map(folder => join(root, folder))
}

/** They ask that their texts go with every copy. */
function licencesOf(folders) {
  const texts = folders.map(folder => {
    const { name, version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
    const file = readdirSync(folder).find(each => /^licen[cs]e/i.test(each))
    if (file === undefined) throw new Error(`${name} has no licence to pass on`)
    return `${name} ${version}\n\n${readFileSync(join(folder, file), 'utf8').trim()}\n`
  })
  return `main.cjs contains these packages.\n\n${texts.join(`\n${'-'.repeat(80)}\n\n`)}`
}

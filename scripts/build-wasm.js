// Compiles src/node/crypto/simd/assembly/ and writes the module as base64 into src/node/crypto/simd/generated/module.ts, which git
// ignores: no file is looked up at run time, so bundlers and workers need nothing of their own. Does nothing where that file
// is newer than its sources.
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const folder = join(root, 'src', 'node', 'crypto', 'simd')
const assembly = join(folder, 'assembly')
const target = join(folder, 'generated', 'module.ts')

// The memory is the packet memory, so the module brings neither data nor a run-time library.
const options = ['-O3', '--converge', '--noAssert', '--runtime', 'stub', '--use', 'abort=', '--enable', 'simd']
const memory = ['--importMemory', '--noExportMemory']

/** Rejects with the compiler's complaints. */
export async function buildWasm() {
  if (isFresh()) return
  const { default: asc } = await import('assemblyscript/asc')
  let wasm
  const { error, stderr } = await asc.main(['index.ts', '--outFile', 'module.wasm', ...options, ...memory], {
    readFile(name) {
      try {
        return readFileSync(join(assembly, name), 'utf8')
      } catch {
        return null // asc asks for a name in several places
      }
    },
    writeFile(_name, bytes) {
      wasm = bytes
    },
    listFiles: () => [],
  })
  if (error !== null) throw new Error(`asc: ${error.message}\n${stderr.toString()}`)
  mkdirSync(dirname(target), { recursive: true })
  writeFileSync(
    target,
    `// Made by scripts/build-wasm.js from ../assembly/.\nexport const wasm: string = '${Buffer.from(wasm).toString('base64')}'\n`,
  )
}

/** By this name vitest calls it before the tests. */
export { buildWasm as setup }

function isFresh() {
  const made = statSync(target, { throwIfNoEntry: false })?.mtimeMs ?? 0
  const sources = readdirSync(assembly).map(name => join(assembly, name))
  return [fileURLToPath(import.meta.url), join(root, 'package-lock.json'), ...sources].every(
    path => statSync(path).mtimeMs < made,
  )
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await buildWasm()

// Builds dist/ from src/: the WebAssembly module first, which becomes part of src/, then everything.
import { execFileSync } from 'node:child_process'
import { chmodSync, copyFileSync, cpSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { buildWasm } from './build-wasm.js'
import { bundleCommand } from './bundle-command.js'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const require = createRequire(import.meta.url)
const tsc = join(dirname(require.resolve('typescript/package.json')), 'bin', 'tsc')

await buildWasm()
rmSync(join(root, 'dist'), { recursive: true, force: true })
execFileSync(process.execPath, [tsc, '-p', 'tsconfig.build.json'], { cwd: root, stdio: 'inherit' })
await bundleCommand(root)
copyFileSync(join(root, 'src', 'bin.cjs'), join(root, 'dist', 'bin.cjs'))
chmodSync(join(root, 'dist', 'bin.cjs'), 0o755)
// Their modes come with them: run puts the folder on PATH.
cpSync(join(root, 'src', 'wrappers'), join(root, 'dist', 'wrappers'), { recursive: true })

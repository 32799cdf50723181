// Bundles the fuzzer, which is TypeScript, and runs it with its arguments.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const folder = mkdtempSync(join(tmpdir(), 'tunless-fuzz-'))
try {
  const outfile = join(folder, 'fuzz.mjs')
  await build({
    entryPoints: [fileURLToPath(new URL('main.ts', import.meta.url))],
    bundle: true,
    platform: 'node',
    format: 'esm',
    // jsonc-parser's main is UMD, whose modules a bundler cannot see.
    mainFields: ['module', 'main'],
    // What is bundled of CommonJS asks for `require`.
    banner: { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url)" },
    sourcemap: 'inline',
    outfile,
    logLevel: 'warning',
  })
  const args = ['--expose-gc', '--enable-source-maps', outfile, ...process.argv.slice(2)]
  process.exitCode = spawnSync(process.execPath, args, { stdio: 'inherit' }).status ?? 1
} finally {
  rmSync(folder, { recursive: true, force: true })
}

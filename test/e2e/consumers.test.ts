// Who may use the packed tarball, each in a folder with nothing but what it asks for.
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { must, run } from '../support/process.js'
import { installed, projectRoot } from '../support/tarball.js'

const answer = { code: 0, stdout: 'through the tunnel\n', stderr: '' }
const installing = { timeout: 180_000 }

/** The program in a folder beside node_modules. */
function place(folder: string, ...files: string[]): string {
  const target = join(folder, 'consumer')
  mkdirSync(target, { recursive: true })
  for (const file of files) copyFileSync(join(projectRoot, 'test', 'consumers', file), join(target, file))
  return target
}

describe('a consumer of the tarball', () => {
  it('imports it as ESM', installing, async () => {
    const folder = place(await installed(), 'esm.mjs', 'roundtrip.mjs')
    expect(await run(process.execPath, [join(folder, 'esm.mjs')])).toMatchObject(answer)
  })

  it('requires it, without a warning', installing, async () => {
    const folder = place(await installed(), 'require.cjs', 'roundtrip.mjs')
    expect(await run(process.execPath, [join(folder, 'require.cjs')])).toMatchObject(answer)
  })

  it('gets the next backend where WebAssembly is forbidden, and hears so', installing, async () => {
    const folder = place(await installed(), 'backend.mjs')
    const program = join(folder, 'backend.mjs')
    expect(await run(process.execPath, [program])).toMatchObject({ code: 0, stdout: 'simd simd\n' })
    expect(await run(process.execPath, ['--jitless', program])).toMatchObject({
      code: 0,
      stdout: 'node CRYPTO_UNAVAILABLE\n',
    })
  })

  it('bundles it with esbuild, and runs the bundle elsewhere', installing, async () => {
    const root = await installed(['esbuild@0.28'])
    const folder = place(root, 'esm.mjs', 'roundtrip.mjs')
    const alone = join(root, '..', 'bundle')
    mkdirSync(alone, { recursive: true })
    const bundle = join(alone, 'bundle.mjs')
    const args = ['--bundle', '--platform=node', '--format=esm', '--target=node20', `--outfile=${bundle}`]
    await must(join(root, 'node_modules', '.bin', 'esbuild'), [join(folder, 'esm.mjs'), ...args])
    expect(await run(process.execPath, [bundle])).toMatchObject(answer)
  })

  describe.each(['5.9', '7'])('compiles against it with TypeScript %s', version => {
    it.each(['nodenext', 'bundler'])('under %s', installing, async resolution => {
      const root = await installed([`typescript@${version}`, '@types/node@20'])
      const files = resolution === 'nodenext' ? ['typed.ts', 'typed.cts'] : ['typed.ts']
      const folder = place(root, ...files)
      const config = join(folder, `tsconfig.${resolution}.json`)
      writeFileSync(config, JSON.stringify({ compilerOptions: compilerOptions(resolution), files }))
      const result = await run(join(root, 'node_modules', '.bin', 'tsc'), ['-p', config], { timeout: 120_000 })
      expect(result).toMatchObject({ code: 0, stdout: '' })
    })
  })
})

function compilerOptions(resolution: string) {
  return {
    target: 'ES2023',
    module: resolution === 'nodenext' ? 'nodenext' : 'esnext',
    moduleResolution: resolution,
    types: ['node'],
    strict: true,
    exactOptionalPropertyTypes: true,
    skipLibCheck: false,
    noEmit: true,
  }
}

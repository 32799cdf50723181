// Runs the tests that use vectors/ and fails where a file names no source, is not what its script makes, or holds a value
// that no test looked at.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const vitest = join(dirname(createRequire(import.meta.url).resolve('vitest/package.json')), 'vitest.mjs')
/** What describes and is not compared with anything. */
const descriptive = new Set(['source', 'section', 'name', 'step', 'comment'])

execFileSync(process.execPath, [join(root, 'scripts', 'make-vectors.js')], { cwd: root, stdio: 'inherit' })
const report = mkdtempSync(join(tmpdir(), 'tunless-vectors-'))
try {
  execFileSync(
    process.execPath,
    [vitest, 'run', '--project', 'unit', 'test/unit/core/crypto', 'test/unit/core/wireguard'],
    {
      cwd: root,
      env: { ...process.env, TUNLESS_VECTORS_REPORT: report },
      stdio: ['ignore', 'ignore', 'inherit'],
    },
  )
  const seen = {}
  for (const file of readdirSync(report)) {
    const [name] = file.split('.')
    seen[name] ??= new Set()
    for (const path of JSON.parse(readFileSync(join(report, file), 'utf8'))) seen[name].add(path)
  }
  const problems = []
  let values = 0
  const files = readdirSync(join(root, 'vectors')).filter(name => name.endsWith('.json'))
  for (const file of files) {
    const content = JSON.parse(readFileSync(join(root, 'vectors', file), 'utf8'))
    if (!/RFC|draft|https:/.test(content.source ?? '')) problems.push(`${file} does not say where it comes from`)
    const read = seen[file.replace('.json', '')] ?? new Set()
    for (const path of leavesOf(content, '')) {
      values++
      if (!read.has(path)) problems.push(`${file}: no test looks at ${path}`)
    }
  }
  for (const problem of problems) console.error(problem)
  console.log(`${files.length} files, ${values} values, ${problems.length} problems`)
  process.exitCode = problems.length === 0 ? 0 : 1
} finally {
  rmSync(report, { recursive: true, force: true })
}

function leavesOf(value, path) {
  if (typeof value !== 'object' || value === null) return [path]
  return Object.entries(value).flatMap(([key, inner]) =>
    descriptive.has(key) ? [] : leavesOf(inner, `${path}/${key}`),
  )
}

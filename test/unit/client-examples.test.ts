// docs/clients.md shows the files of examples/clients as they are, and all of them.
import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { promised } from '../support/client-examples.js'

const root = join(import.meta.dirname, '../..')
const examples = join(root, 'examples/clients')
const names = readdirSync(examples)
  .filter(name => name.endsWith('.js'))
  .map(name => name.replace(/\.js$/, ''))

it('docs/clients.md shows each client example as it is', () => {
  execFileSync(process.execPath, [join(root, 'scripts/docs-clients.js')], { stdio: 'pipe' })
})

it.each(names)('%s says what it prints, and the interop tests run it', name => {
  expect(promised(name)).toMatch(/\S/)
  expect(readFileSync(join(root, 'test/interop/clients.test.ts'), 'utf8')).toContain(`'${name}'`)
})

it('the lockfile of the client examples names no registry and follows their package.json', () => {
  const lock = JSON.parse(readFileSync(join(examples, 'package-lock.json'), 'utf8'))
  const manifest = JSON.parse(readFileSync(join(examples, 'package.json'), 'utf8'))
  expect(lock.packages[''].dependencies).toEqual(manifest.dependencies)
  expect(Object.values<{ resolved?: string }>(lock.packages).filter(({ resolved }) => resolved)).toEqual([])
})

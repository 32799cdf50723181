import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { errorCodes } from '../../../src/errors.js'

const root = join(import.meta.dirname, '../../..')

it('docs/errors.md is what its generator makes of the table of codes', () => {
  const made = execFileSync(process.execPath, [join(root, 'scripts/docs-errors.js')], { encoding: 'utf8' })
  expect(readFileSync(join(root, 'docs/errors.md'), 'utf8')).toBe(made)
})

it.each(Object.keys(errorCodes))('%s is provoked by a test', code => {
  const tests = (readdirSync(join(root, 'test'), { recursive: true }) as string[]).filter(path =>
    path.endsWith('.test.ts'),
  )
  // Its name as an expectation, which the table of exit codes is not.
  const provoking = tests.filter(
    path => !path.endsWith('exit-codes.test.ts') && readFileSync(join(root, 'test', path), 'utf8').includes(code),
  )
  expect(provoking).not.toEqual([])
})

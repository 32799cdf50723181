import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'

const root = fileURLToPath(new URL('../../../../', import.meta.url))
const tests = readdirSync(join(root, 'test'), { recursive: true, encoding: 'utf8' })
  .filter(name => name.endsWith('.test.ts'))
  .map(name => readFileSync(join(root, 'test', name), 'utf8'))
  .join('\n')

describe('vectors/', () => {
  it.each(readdirSync(join(root, 'vectors')).filter(name => name.endsWith('.json')))(
    '%s has a source and is run',
    name => {
      expect(JSON.parse(readFileSync(join(root, 'vectors', name), 'utf8')).source).toMatch(/RFC|draft|https:/)
      // That each of its values is looked at is shown by scripts/check-vectors.js.
      expect(new RegExp(`loadVectors<[^(]*>\\(\\s*'${name.replace('.json', '')}'`).test(tests)).toBe(true)
    },
  )
})

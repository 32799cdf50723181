import { readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { expect, it } from 'vitest'

const root = join(import.meta.dirname, '../../../src')

/** Every file that is loaded with `entry`: what it imports statically, not types and not `import()`. */
function loadedWith(entry: string): string[] {
  const seen = new Set<string>()
  const visit = (file: string) => {
    if (seen.has(file)) return
    seen.add(file)
    const source = readFileSync(file, 'utf8')
    for (const [, path] of source.matchAll(/^(?:import|export)(?! type) [^';]*? from '(\.[^']+)'$/gm)) {
      visit(join(dirname(file), (path as string).replace(/\.js$/, '.ts')))
    }
  }
  visit(join(root, entry))
  return [...seen].map(file => relative(root, file))
}

it('the command line loads no tunnel before a command runs', () => {
  const rooms = new Set(loadedWith('cli/main.ts').map(file => file.split('/')[0]))
  expect([...rooms].sort()).toEqual(['app', 'cli', 'errors.ts'])
})

it.each(['app/keys.ts', 'app/init.ts'])('%s loads no stack and no tunnel', entry => {
  const loaded = loadedWith(entry)
  expect(loaded.filter(file => /^(core\/(netstack|wireguard|host)|node\/(?!crypto)|proxy)/.test(file))).toEqual([])
  expect(loaded).toContain('core/base/base64.ts')
})

// Plays each file of test/scenarios; its first line is the test's name.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { playScenario } from '../../../support/scenario.js'

const folder = join(import.meta.dirname, '../../../scenarios')

for (const file of readdirSync(folder).sort()) {
  if (!file.endsWith('.txt')) continue
  const text = readFileSync(join(folder, file), 'utf8')
  const [title] = text.split('\n', 1) as [string]
  test(title, () => {
    expect(title, `${file} has no tag`).toMatch(/\((S-[a-z0-9-]+|N\d+|B\d|H-[a-z0-9]+)\)$/)
    playScenario(text)
  })
}

// Every line of docs/conformance/ has a test, every tag names a line, and the pages are up to date.
import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, it, onTestFinished } from 'vitest'

const script = join(import.meta.dirname, '../../scripts/conformance.js')

async function conformance(...args: string[]): Promise<{ code: number; stderr: string }> {
  try {
    return { code: 0, stderr: (await promisify(execFile)(process.execPath, [script, ...args])).stderr }
  } catch (error) {
    const { code, stderr } = error as { code: number; stderr: string }
    return { code, stderr }
  }
}

/** A project with one list, of the lines Q1 and Z-flood, and one file of tests. */
function project(source: string): string {
  const root = mkdtempSync(join(tmpdir(), 'tunless-conformance-'))
  onTestFinished(() => rmSync(root, { recursive: true, force: true }))
  mkdirSync(join(root, 'docs/conformance'), { recursive: true })
  mkdirSync(join(root, 'test/unit'), { recursive: true })
  const list = {
    title: 'Questions',
    intro: 'All of them.',
    prefixes: ['Q', 'Z-'],
    lines: [
      { id: 'Q1', statement: 'Is asked | answered.', source: 'RFC 1' },
      { id: 'Z-flood', statement: 'Stands.', source: 'RFC 2' },
    ],
  }
  writeFileSync(join(root, 'docs/conformance/questions.json'), JSON.stringify(list))
  writeFileSync(join(root, 'test/unit/one.test.ts'), source)
  return root
}

const both = "it('asks (Q1)', () => {})\ntest.each([[')']]).skip(\n  \"it's there: %s (Z-flood)\",\n  () => {},\n)\n"

describe('the lists of what holds', () => {
  it('are each shown by tests, line by line, on pages that are up to date', async () => {
    expect(await conformance('--check')).toEqual({ code: 0, stderr: '' })
  })
})

describe('conformance.js', () => {
  it('writes a page that is then up to date, and not after a change', async () => {
    const root = project(both)
    expect((await conformance('--check', '--root', root)).stderr).toBe(
      'questions.md is not up to date: run `node scripts/conformance.js`\n',
    )
    expect((await conformance('--root', root)).code).toBe(0)
    expect((await conformance('--check', '--root', root)).code).toBe(0)
    const page = readFileSync(join(root, 'docs/conformance/questions.md'), 'utf8')
    expect(page).toContain('| Q1 | Is asked \\| answered. | RFC 1 | [unit/one: asks](../../test/unit/one.test.ts) |')
    expect(page).toContain("| Z-flood | Stands. | RFC 2 | [unit/one: it's there: %s](../../test/unit/one.test.ts) |")
    writeFileSync(join(root, 'test/unit/one.test.ts'), both.replace('asks', 'wonders'))
    expect((await conformance('--check', '--root', root)).code).toBe(1)
  })

  it('wants a case that is accepted and one that is refused in each line of a table, and shows them', async () => {
    const root = project(both)
    const path = join(root, 'docs/conformance/questions.json')
    const list = JSON.parse(readFileSync(path, 'utf8'))
    const [first, second] = list.lines
    const write = (more: object) =>
      writeFileSync(path, JSON.stringify({ ...list, tables: ['Q'], lines: [{ ...first, ...more }, second] }))
    const lacks = 'questions.json: Q1 lacks a case that is accepted, or one that is refused\n'
    for (const more of [{}, { accepted: { ask: [1] } }, { accepted: { ask: [1] }, refused: [] }]) {
      write(more)
      expect((await conformance('--root', root)).stderr).toBe(lacks)
    }
    write({ accepted: { ask: ['a|b'], flow: 'x > y' }, refused: [{ ask: [2], error: 'no' }, { ask: [3] }] })
    expect(await conformance('--root', root)).toEqual({ code: 0, stderr: '' })
    const page = readFileSync(join(root, 'docs/conformance/questions.md'), 'utf8')
    expect(page).toContain('| | What holds | Source | Accepted | Refused | Shown by |\n| --- | --- |')
    expect(page).toContain('| ask `["a\\|b"]`, **x \\> y** | ask `[2]`, **error no**<br>ask `[3]` |')
    expect(page).toContain('| Z-flood | Stands. | RFC 2 |  |  | [unit/one')
  })

  it('knows a scenario by its first line', async () => {
    const root = project("it('asks (Q1)', () => {})\n")
    writeFileSync(join(root, 'test/unit/flood.txt'), '# A flood comes (Z-flood)\n> SYN\n')
    expect((await conformance('--root', root)).code).toBe(0)
    const page = readFileSync(join(root, 'docs/conformance/questions.md'), 'utf8')
    expect(page).toContain('[unit/flood: A flood comes](../../test/unit/flood.txt)')
  })

  it.each([
    ['a line that no test shows', "it('asks (Q1)', () => {})", 'questions: no test shows Z-flood'],
    [
      'a tag that names no line',
      `${both}it('guesses (Q7)', () => {})`,
      'test/unit/one.test.ts: "guesses" has the tag Q7, which no list has',
    ],
    [
      'a tag that is in no title',
      `${both}const more = '(Q1)'`,
      'test/unit/one.test.ts: 1 of its tags are in no title of a test',
    ],
  ])('fails for %s', async (_what, source, message) => {
    const root = project(source)
    await conformance('--root', root)
    expect(await conformance('--check', '--root', root)).toEqual({ code: 1, stderr: `${message}\n` })
  })
})

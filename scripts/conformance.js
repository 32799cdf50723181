// Writes docs/conformance/NAME.md from each docs/conformance/NAME.json: line by line, what is promised and the tests that show
// it, found by the tags in their titles, `(W14)` for instance. With --check it writes nothing, and fails where a line has no
// test, a tag names no line, or a page is not up to date. --root DIR takes another project than this one.
//
// A list: { "title", "intro", "prefixes": ["W", "X"], "lines": [{ "id": "W1", "statement", "source" }] }. A tag is a prefix and
// a number, or, for a prefix that ends in a hyphen, a word. A title may have several. A scenario, a file *.txt, has its tags in
// its first line.
//
// A list may have "tables", beginnings of ids: each such line must have "accepted", a case, and "refused", one or more. Cases
// are data that a test of their own runs; here they are shown.
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const args = process.argv.slice(2)
const root = args.includes('--root')
  ? args[args.indexOf('--root') + 1]
  : dirname(dirname(fileURLToPath(import.meta.url)))
const folder = join(root, 'docs', 'conformance')

const problems = []
const lists = readLists()
const tag = tagPattern(lists.flatMap(list => list.prefixes))
const tests = readTests()
const known = new Set(lists.flatMap(list => list.lines.map(line => line.id)))
for (const { file, title, ids } of tests)
  for (const id of ids) if (!known.has(id)) problems.push(`${file}: "${title}" has the tag ${id}, which no list has`)

for (const list of lists) {
  for (const { id } of list.lines)
    if (!tests.some(({ ids }) => ids.includes(id))) problems.push(`${list.name}: no test shows ${id}`)
  const path = join(folder, `${list.name}.md`)
  const page = pageOf(list)
  if (!args.includes('--check')) writeFileSync(path, page)
  else if (!existsSync(path) || readFileSync(path, 'utf8') !== page)
    problems.push(`${list.name}.md is not up to date: run \`node scripts/conformance.js\``)
}
for (const problem of problems) console.error(problem)
console.log(`${known.size} lines, ${tests.length} tests that show them, ${problems.length} problems`)
process.exitCode = problems.length === 0 ? 0 : 1

function readLists() {
  const names = readdirSync(folder).filter(name => name.endsWith('.json'))
  const all = names.toSorted().map(file => {
    const list = JSON.parse(readFileSync(join(folder, file), 'utf8'))
    return { ...list, name: file.replace(/\.json$/, '') }
  })
  const seen = new Set()
  for (const { name, prefixes, lines, tables = [] } of all) {
    for (const { id, statement, source, accepted, refused } of lines) {
      if (seen.has(id)) problems.push(`${name}.json: ${id} stands twice`)
      if (!statement || !source) problems.push(`${name}.json: ${id} lacks its statement or its source`)
      if (!tagPattern(prefixes).test(`(${id})`)) problems.push(`${name}.json: ${id} has none of the list's prefixes`)
      if (tables.some(start => id.startsWith(start)) && (accepted === undefined || !(refused?.length > 0)))
        problems.push(`${name}.json: ${id} lacks a case that is accepted, or one that is refused`)
      seen.add(id)
    }
  }
  return all
}

/** Matches tags in their parentheses; the first group is the id. */
function tagPattern(prefixes) {
  const ids = prefixes.map(prefix => (prefix.endsWith('-') ? `${prefix}[a-z0-9][a-z0-9.-]*` : `${prefix}[0-9]+`))
  return new RegExp(`\\((${ids.join('|') || '(?!)'})\\)`)
}

function idsIn(text) {
  return Array.from(text.matchAll(new RegExp(tag, 'g')), match => match[1])
}

function withoutTags(text) {
  return text.replace(new RegExp(`\\s*${tag.source}`, 'g'), '').trim()
}

/** Every test with a tag, in the order of their files. A tag anywhere else is a problem: it would show nothing. */
function readTests() {
  const files = readdirSync(join(root, 'test'), { recursive: true, encoding: 'utf8' })
  return files.toSorted().flatMap(name => {
    const file = join('test', name).replaceAll('\\', '/')
    if (!/\.(test\.ts|txt)$/.test(name)) return []
    const text = readFileSync(join(root, file), 'utf8')
    const titles = name.endsWith('.txt') ? [(text.split('\n', 1)[0] ?? '').replace(/^[#/\s]+/, '')] : titlesIn(text)
    const found = titles.map(title => ({ file, title, ids: idsIn(title) })).filter(({ ids }) => ids.length > 0)
    const [inTitles, inAll] = [found.flatMap(({ ids }) => ids).length, idsIn(text).length]
    if (inTitles < inAll) problems.push(`${file}: ${inAll - inTitles} of its tags are in no title of a test`)
    return found.map(test => ({ ...test, title: withoutTags(test.title) }))
  })
}

/** The titles of it(), test() and describe(), with .each(…) and the like, as they stand in the source. */
function titlesIn(text) {
  const titles = []
  for (const { index, 0: start } of text.matchAll(/(?<![\w.$'"`])(?:it|test|describe)(?=[.(<])/g)) {
    let at = index + start.length
    for (;;) {
      at += /^(?:\.\w+)*(?:<[^(]*>(?=\())?/.exec(text.slice(at, at + 80))[0].length
      if (text[at] !== '(') break
      const title = /^\(\s*(?:'((?:[^'\\\n]|\\.)*)'|"((?:[^"\\\n]|\\.)*)"|`((?:[^`\\]|\\.)*)`)\s*,/.exec(text.slice(at))
      if (title !== null) {
        titles.push((title[1] ?? title[2] ?? title[3]).replaceAll(/\\(['"`])/g, '$1'))
        break
      }
      at = closing(text, at) + 1
      if (at === 0 || (text[at] !== '(' && text[at] !== '.')) break
    }
  }
  return titles
}

/** Where the parenthesis at `start` closes, strings and comments aside; -1 if nowhere. */
function closing(text, start) {
  const token = /\/\/.*|\/\*[\s\S]*?\*\/|'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"|`(?:[^`\\]|\\[\s\S])*`|[()]/g
  token.lastIndex = start
  let depth = 0
  for (let match = token.exec(text); match !== null; match = token.exec(text)) {
    if (match[0] === '(') depth++
    else if (match[0] === ')' && --depth === 0) return match.index
  }
  return -1
}

function pageOf({ name, title, intro, lines, tables }) {
  const columns = ['', 'What holds', 'Source', ...(tables === undefined ? [] : ['Accepted', 'Refused']), 'Shown by']
  const rows = lines.map(({ id, statement, source, accepted, refused }) => {
    const shown = tests
      .filter(({ ids }) => ids.includes(id))
      .map(test => `[${cell(`${nameOf(test.file)}: ${test.title}`)}](../../${test.file})`)
    const cases =
      tables === undefined
        ? []
        : [accepted === undefined ? '' : caseText(accepted), (refused ?? []).map(caseText).join('<br>')]
    return [id, cell(statement), cell(source), ...cases, shown.join('<br>')]
  })
  return `<!-- Made by scripts/conformance.js from ${name}.json and the titles of the tests; run it after a change of either. -->

# ${title}

${intro}

|${columns.map(column => ` ${column}${column && ' '}|`).join('')}
|${columns.map(() => ' --- |').join('')}
${rows.map(row => `| ${row.join(' | ')} |`).join('\n')}
`
}

/** A case on one line: its parts as they would stand in a file, then the flow or the error. */
function caseText({ flow, error, ...parts }) {
  const shown = Object.entries(parts).map(
    ([part, value]) => `${part} \`${JSON.stringify(value).replaceAll('|', '\\|')}\``,
  )
  const what = flow ?? (error === undefined ? undefined : `error ${error}`)
  return [...shown, ...(what === undefined ? [] : [`**${cell(what)}**`])].join(', ')
}

/** A file as a reader looks for it. */
function nameOf(file) {
  return file.replace(/^test\//, '').replace(/\.(test\.ts|txt)$/, '')
}

/** Text as a cell of a table: nothing in it is markup. */
function cell(text) {
  return text.replaceAll(/[\\|[\]<>*_`]/g, '\\$&')
}

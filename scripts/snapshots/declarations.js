// The declarations that tsc writes to dist/, by file and name, and what of them a reader of given names gets to see: the names'
// own declarations and all that these mention, without comments. It relies on tsc's layout: a statement begins in column 0.
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

const named = /^(?:export )?(?:declare )?(?:abstract )?(?:class|interface|function|const|type) ([A-Za-z_$][\w$]*)/

/** Everything that `names` of the file mean; all of its exports without names. Sorted, one text. */
export function describeDeclarations(file, names) {
  const files = new Map()
  const found = new Map()
  const exported = new Set()
  const module = load(files, file)
  for (const name of names ?? [...module.exports.keys()].sort()) {
    const origin = resolve(files, file, name)
    if (origin === undefined) throw new Error(`${file} declares no ${name}`)
    exported.add(keyOf(origin))
    collect(files, origin, found)
  }
  const texts = [...found].map(([key, { text }]) => (exported.has(key) ? text : `// not exported\n${text}`))
  return `${texts.sort((a, b) => (plain(a) < plain(b) ? -1 : 1)).join('\n\n')}\n`
}

const plain = text => text.replace('// not exported\n', '').replace(/^(?:declare |abstract )*\w+ /, '')
const keyOf = ({ file, name }) => `${file} ${name}`

function collect(files, origin, found) {
  const key = keyOf(origin)
  if (found.has(key)) return
  const { file, name } = origin
  const text = load(files, file).declared.get(name)
  found.set(key, { text })
  for (const [word] of publicTypes(text).matchAll(/[A-Za-z_$][\w$]*/g)) {
    if (word === name) continue
    const next = resolve(files, file, word)
    if (next !== undefined) collect(files, next, found)
  }
}

/** Without literals, whose words are no types, and without what takes the makers of an object, not its users. */
function publicTypes(text) {
  const types = text.replace(/'[^']*'|"[^"]*"/g, '').replace(/^ +(?:protected |constructor\().*$/gm, '')
  // A table of functions is there for its keys.
  return text.startsWith('const ') ? types.replace(/typeof \w+/g, '') : types
}

/** Where `name`, as the file knows it, is declared; undefined where that is not in dist/. */
function resolve(files, file, name) {
  const { declared, imported, exports, stars } = load(files, file)
  if (declared.has(name)) return { file, name }
  const from = imported.get(name) ?? (exports.get(name)?.file === undefined ? undefined : exports.get(name))
  if (from !== undefined) return resolve(files, from.file, from.name)
  for (const star of stars) {
    const origin = load(files, star).exports.has(name) ? resolve(files, star, name) : undefined
    if (origin !== undefined) return origin
  }
  return undefined
}

/** Names declared in a file, imported into it, and exported from it. */
function load(files, file) {
  const known = files.get(file)
  if (known !== undefined) return known
  const module = { declared: new Map(), imported: new Map(), exports: new Map(), stars: [] }
  files.set(file, module)
  for (const statement of statementsOf(readFileSync(file, 'utf8'))) {
    const [, everything] = /^export (?:type )?\* from '(\.[^']+)'/.exec(statement) ?? []
    if (everything !== undefined) module.stars.push(declarationsOf(file, everything))
    const [, keyword, list, specifier] = /^(import|export) (?:type )?\{(.*)\} from '([^']+)'/s.exec(statement) ?? []
    if (keyword !== undefined) {
      const path = specifier.startsWith('.') ? declarationsOf(file, specifier) : undefined
      const target = path !== undefined && existsSync(path) ? path : undefined
      for (const one of list.split(',').map(part => part.trim().replace(/^type /, ''))) {
        if (one === '') continue
        const [name, alias = name] = one.split(' as ')
        if (keyword === 'export') module.exports.set(alias, { file: target, name })
        else if (target !== undefined) module.imported.set(alias, { file: target, name })
      }
      continue
    }
    const [, name] = named.exec(statement) ?? []
    if (name === undefined) continue
    if (statement.startsWith('export ')) module.exports.set(name, {})
    const text = statement.replace(/^export /, '').replace(/^declare /, '')
    const before = module.declared.get(name)
    module.declared.set(name, before === undefined ? text : `${before}\n${text}`)
  }
  return module
}

const declarationsOf = (file, specifier) => join(dirname(file), specifier.replace(/\.js$/, '.d.ts'))

function statementsOf(text) {
  const lines = text
    .replace(/\/\*[\s\S]*?\*\//g, '')
    .split('\n')
    .map(line => line.replace(/\/\/# sourceMappingURL.*$/, '').trimEnd())
    .filter(line => line !== '' && !/^\s*(?:#private;|(?:private (?!constructor)|protected ).*;)$/.test(line))
  const statements = []
  for (const line of lines) {
    if (/^[a-z]/.test(line)) statements.push(line)
    else if (statements.length > 0) statements.push(`${statements.pop()}\n${line}`)
  }
  return statements
}

// Keeps the code of docs/clients.md that of examples/clients/, file by file; fails where it differs, with --write it puts it there.
// A block stands behind a comment that names its file.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'

const page = new URL('../docs/clients.md', import.meta.url)
const examples = new URL('../examples/clients/', import.meta.url)

const text = readFileSync(page, 'utf8')
const shown = new Set()
const made = text.replace(/(<!-- examples\/clients\/(\S+) -->\n)(?:```js\n[\s\S]*?\n```\n)?/g, (_, marker, name) => {
  shown.add(name)
  return `${marker}\`\`\`js\n${readFileSync(new URL(name, examples), 'utf8')}\`\`\`\n`
})
const missing = readdirSync(examples).filter(name => name.endsWith('.js') && !shown.has(name))

if (process.argv.includes('--write')) writeFileSync(page, made)
else if (made !== text) fail('docs/clients.md is not as the examples are: run `node scripts/docs-clients.js --write`')
if (missing.length > 0) fail(`docs/clients.md does not show ${missing.join(', ')}`)

function fail(message) {
  console.error(message)
  process.exitCode = 1
}

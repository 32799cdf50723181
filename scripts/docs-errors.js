// Prints docs/errors.md, made from the table of codes in src/errors.ts; with --write it puts it there.
import { readFileSync, writeFileSync } from 'node:fs'
import { transformSync } from 'esbuild'

const root = new URL('../', import.meta.url)
const source = readFileSync(new URL('src/errors.ts', root), 'utf8')
const { code } = transformSync(source, { loader: 'ts', format: 'esm' })
const { errorCodes } = await import(`data:text/javascript,${encodeURIComponent(code)}`)

const rows = Object.entries(errorCodes)
  .toSorted(([a], [b]) => (a < b ? -1 : 1))
  .map(([name, { means, remedy }]) => `| \`${name}\` | ${means} | ${remedy} |`)

const page = `<!-- Made by scripts/docs-errors.js from src/errors.ts; run \`node scripts/docs-errors.js --write\` after a change there. -->

# Errors

What goes wrong with the tunnel itself is a \`TunnelError\`. Its \`code\` is one of these and does not change; its message names the
cause and the next thing to try, its \`cause\` is the error underneath. The command prints the code in parentheses after the message.

Sockets speak Node's own codes instead: \`ECONNREFUSED\`, \`ECONNRESET\`, \`ETIMEDOUT\`, \`EHOSTUNREACH\`, \`ENETUNREACH\`. What the tunnel
knows beyond that is the error's \`cause\`, a \`TunnelError\` again.

| Code | Means | What to do |
| --- | --- | --- |
${rows.join('\n')}
`

if (process.argv.includes('--write')) writeFileSync(new URL('docs/errors.md', root), page)
else process.stdout.write(page)

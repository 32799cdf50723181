// Runs the commands of README.md's `console` blocks and compares what they print with what it shows, figures aside; with --write it
// puts there what they print. Each block has a folder of its own with the pair of `tunless init` and a running gateway, unless it makes
// them itself. The block in JavaScript is the file that its first line names. Needs dist/ and curl. With --install=TARBALL that is what
// the one block with `npm i` installs and runs, in an empty folder and with npm's own npx; the others are left out.
import { readFileSync, writeFileSync } from 'node:fs'
import { openWorld, withoutFigures } from './transcripts/world.js'

const readme = new URL('../README.md', import.meta.url)
const tarball = process.argv.find(word => word.startsWith('--install='))?.slice('--install='.length)

const text = readFileSync(readme, 'utf8')
const files = [...text.matchAll(/^```js\n\/\/ (\S+)\n(.*?)^```$/gms)].map(([, name, code]) => ({ name, text: code }))
const blocks = [...text.matchAll(/^```console\n(.*?)^```$/gms)]

let now = text
for (const [whole, shown] of blocks) {
  if (tarball !== undefined && !shown.includes('$ npm i ')) continue
  const commands = shown.split('\n').flatMap(line => (line.startsWith('$ ') ? [line.slice(2)] : []))
  let printed = await transcript(commands)
  // Where a machine stands still for a while, waits are told that README has not.
  if (!isSame(printed, shown)) printed = await transcript(commands)
  if (isSame(printed, shown)) continue
  if (!process.argv.includes('--write')) {
    console.error(`README.md shows\n\n${shown}\nand now it is\n\n${printed}`)
    process.exitCode = 1
  }
  now = now.replace(whole, () => `\`\`\`console\n${printed}\`\`\``)
}
if (process.argv.includes('--write') && now !== text) writeFileSync(readme, now)

async function transcript(commands) {
  const world = await openWorld({ tarball, files })
  let printed = ''
  try {
    if (!commands.some(command => command.includes('tunless init'))) await world.prepare()
    for (const command of commands) {
      printed += `$ ${command}\n`
      // What npm says is npm's.
      if (!command.startsWith('npm i ')) printed += (await world.run(command)).printed
      else if (tarball !== undefined) await world.install()
    }
    return printed
  } finally {
    await world.close()
  }
}

function isSame(printed, shown) {
  return withoutFigures(printed) === withoutFigures(shown)
}

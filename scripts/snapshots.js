// Compares test/snapshots/ with what dist/ has now: help, what `run` says, exit codes, error codes, JSON, metrics and the public
// types. With --write it renews them, but only where the Unreleased section of CHANGELOG.md says something that it did not say when
// they were written.
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import { makeSnapshots, runs } from './snapshots/make.js'

// --in=FOLDER: the changelog and the snapshots of another folder, without those of `run`, for the test of this script.
const [, elsewhere] = /--in=(.*)/.exec(process.argv.join(' ')) ?? []
const root = elsewhere === undefined ? new URL('../', import.meta.url) : pathToFileURL(`${elsewhere}/`)
const folder = new URL('test/snapshots/', root)
const seal = new URL('SEAL', folder)

const stored = Object.fromEntries(
  readdirSync(folder)
    .filter(name => name.endsWith('.txt'))
    .map(name => [name, readFileSync(new URL(name, folder), 'utf8')]),
)
const made = { ...(await makeSnapshots()), 'run.txt': await runTexts() }
const sealed = readSeal()
const unreleased = digest(
  /^## Unreleased$(.*?)(?=^## |$(?![\s\S]))/ms.exec(readFileSync(new URL('CHANGELOG.md', root), 'utf8'))?.[1] ?? '',
)

const changed = [...new Set([...Object.keys(made), ...Object.keys(stored)])].filter(name => made[name] !== stored[name])
const isForged = sealed.snapshots !== '' && sealed.snapshots !== digest(textOf(stored))

if (!process.argv.includes('--write')) {
  for (const name of changed)
    console.error(`test/snapshots/${name} is not what it is now:\n${difference(stored[name], made[name])}`)
  if (isForged) console.error('test/snapshots/ was changed by hand, or merged.')
  if (changed.length > 0 || isForged) {
    console.error('Say it in the Unreleased section of CHANGELOG.md, then: npm run snapshots')
    process.exitCode = 1
  }
} else if (changed.length > 0 && unreleased === sealed.unreleased) {
  console.error(
    `${changed.join(', ')}: changed, but the Unreleased section of CHANGELOG.md is as it was. Add a line there first.`,
  )
  process.exitCode = 1
} else if (changed.length > 0 || isForged) {
  for (const name of changed) {
    if (made[name] === undefined) rmSync(new URL(name, folder))
    else writeFileSync(new URL(name, folder), made[name])
  }
  writeFileSync(seal, `unreleased ${unreleased}\nsnapshots ${digest(textOf(made))}\n`)
  console.log(`renewed: ${changed.join(', ')}`)
}

async function runTexts() {
  const before = stored['run.txt']
  if (elsewhere !== undefined) return before
  const now = await runs()
  // Where a machine stands still for a while, waits are told that are not elsewhere.
  return now === before ? now : runs()
}

/** Digests of when the snapshots were written: of the changelog's section, and of themselves, so that none is edited by hand. */
function readSeal() {
  try {
    const entries = readFileSync(seal, 'utf8')
      .trim()
      .split('\n')
      .map(line => line.split(' '))
    return Object.fromEntries(entries)
  } catch {
    return { unreleased: '', snapshots: '' }
  }
}

function textOf(snapshots) {
  return Object.entries(snapshots)
    .sort()
    .map(([name, text]) => `${name}\n${text}`)
    .join('')
}

function digest(text) {
  return createHash('sha256').update(text).digest('hex')
}

/** Lines that one of them has, or has more often. */
function difference(before = '', after = '') {
  const [old, now] = [before, after].map(text => text.split('\n'))
  const without = (lines, others) => {
    const rest = [...others]
    return lines.filter(line => {
      const at = rest.indexOf(line)
      if (at >= 0) rest.splice(at, 1)
      return at < 0
    })
  }
  const lines = [...without(old, now).map(line => `- ${line}`), ...without(now, old).map(line => `+ ${line}`)]
  return lines.slice(0, 60).join('\n')
}

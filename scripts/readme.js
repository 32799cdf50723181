// Runs the commands of README.md's `console` blocks and compares what they print with what it shows, figures aside; with --write it
// puts there what they print. Each block has a folder of its own with the pair of `tunless init` and a running gateway, unless it makes
// them itself. The block in JavaScript is the file that its first line names. Needs dist/ and curl. With --install=TARBALL that is what
// the one block with `npm i` installs and runs, in an empty folder and with npm's own npx; the others are left out.
import { execFile } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const readme = join(root, 'README.md')
const timeout = 60_000

/** Ports as README has them; free ones take their place while it is run. */
const shownPorts = ['51820', '9100', '1080', '8080']
const tarball = process.argv.find(word => word.startsWith('--install='))?.slice('--install='.length)
const prepare = [
  'npx tunless init --endpoint 127.0.0.1:51820 --dir .',
  'npx tunless up -c gateway.conf --metrics 9100 -R 80:127.0.0.1:9100 --detach',
]

const text = readFileSync(readme, 'utf8')
const programs = [...text.matchAll(/^```js\n\/\/ (\S+)\n(.*?)^```$/gms)].map(([, name, code]) => ({ name, code }))
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
  const folder = mkdtempSync(join(tmpdir(), 'tunless-readme-'))
  const world = await makeWorld(folder)
  let printed = ''
  try {
    if (!commands.some(command => command.includes('tunless init')))
      for (const command of prepare) await run(command, world)
    for (const command of commands) {
      printed += `$ ${command}\n`
      if (!command.startsWith('npm i ')) printed += await run(command, world)
      else if (tarball !== undefined) await install(world)
    }
    return printed
  } finally {
    for (const name of ['runner', 'gateway']) await run(`npx tunless down -q -c ${name}.conf`, world)
    rmSync(folder, { recursive: true, force: true })
  }
}

/** What npm says is npm's, unless it fails. */
async function install({ folder, env }) {
  const args = ['i', '--no-audit', '--no-fund', '--prefer-offline', tarball]
  await new Promise((resolve, reject) => {
    execFile('npm', args, { cwd: folder, env, timeout: 3 * timeout }, error => (error ? reject(error) : resolve()))
  })
}

async function makeWorld(base) {
  const folder = join(base, 'work')
  const ports = new Map()
  for (const shown of shownPorts) ports.set(shown, String(await freePort(new Set(ports.values()))))
  const { XDG_RUNTIME_DIR: _, GITHUB_STEP_SUMMARY: __, ...inherited } = process.env
  const env = Object.fromEntries(Object.entries(inherited).filter(([name]) => !/^TUNLESS_|_proxy$/i.test(name)))
  const world = { folder, ports, env: { ...env, TMPDIR: base } }
  mkdirSync(folder)
  if (tarball !== undefined) return { ...world, env: { ...world.env, npm_config_loglevel: 'error' } }

  const bin = join(base, 'bin')
  mkdirSync(bin)
  const shim = `#!/bin/sh\nshift\nexec "${process.execPath}" "${join(root, 'dist', 'bin.cjs')}" "$@"\n`
  writeFileSync(join(bin, 'npx'), shim, { mode: 0o755 })
  mkdirSync(join(folder, 'node_modules'))
  symlinkSync(root, join(folder, 'node_modules', 'tunless'))
  for (const { name, code } of programs) writeFileSync(join(folder, name), code)
  return { ...world, env: { ...world.env, HOME: base, PATH: `${bin}:${env.PATH}` } }
}

/** What it prints, on both streams, with the ports that README has. */
async function run(command, { folder, ports, env }) {
  const real = replaceWords(command, ports)
  const printed = await new Promise(resolve => {
    execFile('sh', ['-c', `${real} 2>&1`], { cwd: folder, env, timeout }, (_error, stdout) => resolve(stdout))
  })
  return replaceWords(printed, new Map([...ports].map(([shown, free]) => [free, shown])))
}

function replaceWords(text, words) {
  return text.replace(/\b\d+\b/g, word => words.get(word) ?? word)
}

/** Free for TCP and for UDP, and below those that the system gives to others meanwhile. */
async function freePort(taken) {
  for (;;) {
    const port = randomInt(10_000, 30_000)
    if (taken.has(String(port))) continue
    const server = createServer().listen(port, '127.0.0.1')
    const socket = createSocket('udp4').bind(port, '127.0.0.1')
    try {
      await Promise.all([once(server, 'listening'), once(socket, 'listening')])
      return port
    } catch {
      // Somebody has it.
    } finally {
      for (const one of [server, socket]) one.on('error', () => {}).close()
    }
  }
}

function isSame(printed, shown) {
  return withoutFigures(printed) === withoutFigures(shown)
}

/** Times, sizes, processes and ports that the system chooses vary from run to run. */
function withoutFigures(text) {
  return text
    .replace(
      /\d+(\.\d+)? (ms|s|B|KiB|MiB|retransmits?)\b/g,
      (_all, _fraction, unit) => `N ${unit.replace(/^[KM]iB$/, 'B').replace(/s$/, '')}`,
    )
    .replace(/(process|leave by port) \d+/g, '$1 N')
}

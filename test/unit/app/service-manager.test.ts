import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { findServiceManager } from '../../../src/app/service-manager.js'

/** A systemd-notify that notes what it is told, and what of the environment it sees. */
function fakeNotify(script = 'for a do echo "$a"; done >> "$OUT"; env | grep -c TUNLESS_ >> "$OUT"; true') {
  const folder = mkdtempSync(join(tmpdir(), 'tunless-test-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  const program = join(folder, 'systemd-notify')
  writeFileSync(program, `#!/bin/sh\n${script}\n`)
  chmodSync(program, 0o755)
  const out = join(folder, 'out')
  const warnings: string[] = []
  const log = { error: () => {}, warn: (text: string) => warnings.push(text), info: () => {}, debug: () => {} }
  const env = {
    PATH: `${folder}:${process.env.PATH}`,
    OUT: out,
    TUNLESS_CONFIG: 'secret',
    TUNLESS_PRIVATE_KEY: 'secret',
  }
  return { env, log, warnings, told: () => (existsSync(out) ? readFileSync(out, 'utf8').trim().split('\n') : []) }
}

describe('systemd', () => {
  it('hears what sd_notify(3) has for it, by a program that sees no secret', async () => {
    const { env, log, told, warnings } = fakeNotify()
    const manager = findServiceManager({ ...env, NOTIFY_SOCKET: '/run/n' }, log)
    await manager.ready('peer gateway\nat 192.0.2.1')
    await manager.reloading()
    await manager.stopping()
    expect(told()).toEqual([
      'READY=1',
      `MAINPID=${process.pid}`,
      'STATUS=peer gateway at 192.0.2.1',
      '0',
      'RELOADING=1',
      expect.stringMatching(/^MONOTONIC_USEC=\d+$/),
      '0',
      'STOPPING=1',
      '0',
    ])
    expect(warnings).toEqual([])
  })

  it('is not looked for without NOTIFY_SOCKET', async () => {
    const { env, log, told } = fakeNotify()
    await findServiceManager(env, log).ready('x')
    expect(told()).toEqual([])
  })

  it('that cannot be told is no reason to end', async () => {
    const { env, log, warnings } = fakeNotify('echo no such socket >&2; exit 1')
    await findServiceManager({ ...env, NOTIFY_SOCKET: '/run/n' }, log).ready('x')
    await findServiceManager({ NOTIFY_SOCKET: '/run/n', PATH: '/nowhere' }, log).stopping()
    expect(warnings).toEqual([
      'systemd does not hear of it: no such socket',
      'systemd does not hear of it: there is no systemd-notify on PATH',
    ])
  })
})

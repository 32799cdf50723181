// Help, what run says, exit codes, error codes, JSON, metrics and public types do not change in silence: test/snapshots/ has them as texts.
import { spawnSync } from 'node:child_process'
import { cpSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { projectRoot } from '../support/tarball.js'
import { scratch } from './cli-support.js'

function snapshots(...args: string[]) {
  const script = join(projectRoot, 'scripts', 'snapshots.js')
  const { status, stdout, stderr } = spawnSync(process.execPath, [script, ...args], { encoding: 'utf8' })
  return { status, stdout, stderr }
}

function edit(path: string, change: (text: string) => string): void {
  const before = readFileSync(path, 'utf8')
  writeFileSync(path, change(before))
  expect(readFileSync(path, 'utf8')).not.toBe(before)
}

it('the snapshots are what the build has', { timeout: 180_000 }, () => {
  expect(snapshots()).toEqual({ status: 0, stdout: '', stderr: '' })
})

it('a difference is shown, and written down only once the changelog says something new', { timeout: 180_000 }, () => {
  const folder = scratch()
  const help = join(folder, 'test', 'snapshots', 'help.txt')
  const changelog = join(folder, 'CHANGELOG.md')
  cpSync(join(projectRoot, 'test', 'snapshots'), join(folder, 'test', 'snapshots'), { recursive: true })
  cpSync(join(projectRoot, 'CHANGELOG.md'), changelog)
  const say = (line: string) => edit(changelog, text => text.replace('### Added\n', `### Added\n\n- ${line}`))
  const lose = () => edit(help, text => text.replace(/^.*--max-clients.*\n/m, ''))

  lose()
  expect(snapshots(`--in=${folder}`)).toMatchObject({
    status: 1,
    stderr: expect.stringMatching(/^\+ .*--max-clients.*by hand.*CHANGELOG\.md, then: npm run snapshots/ms),
  })
  say('The first change.')
  expect(snapshots('--write', `--in=${folder}`)).toMatchObject({ status: 0, stdout: 'renewed: help.txt\n' })
  expect(snapshots(`--in=${folder}`)).toMatchObject({ status: 0 })

  lose()
  const lost = readFileSync(help, 'utf8')
  expect(snapshots('--write', `--in=${folder}`)).toMatchObject({
    status: 1,
    stderr: expect.stringMatching(/^help\.txt: changed, but the Unreleased section/),
  })
  expect(readFileSync(help, 'utf8')).toBe(lost)
  say('The second.')
  expect(snapshots('--write', `--in=${folder}`).status).toBe(0)
})

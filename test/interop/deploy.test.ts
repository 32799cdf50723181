// The tools of a deploy job, unchanged, over `tunless nc` as ssh's ProxyCommand: ssh, scp, sftp, rsync, git.
import { createHash, randomBytes } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { describeInterop, mebibyte } from '../support/interop.js'
import { createLink, type Link, startUp, type Up } from '../support/link.js'
import { createNetwork, type Network } from '../support/netns.js'
import { startSshd } from '../support/sshd.js'

const tree = { files: 5000, bytes: 200e6 }

describeInterop('through nc as ProxyCommand', () => {
  let network: Network
  let link: Link
  let config: string
  beforeAll(async () => {
    network = await createNetwork()
    link = await createLink(network, { family: 4, psk: true, initiator: 'near' })
    config = await startSshd(network, link)
  })
  afterAll(() => network?.close())

  it('ssh, alone on its conf, gives both streams and the exit code of the command', async () => {
    const result = await network.near.run('ssh', ['-F', config, 'far', 'echo out; echo err >&2; exit 42'])
    expect(result).toMatchObject({ code: 42, stdout: 'out\n' })
    expect(result.stderr).toBe('err\n')
  })

  describe('beside a running up', () => {
    let up: Up
    beforeAll(async () => {
      up = await startUp(network, link, [])
    })
    afterAll(() => up?.program.stop())

    it('ssh gives the exit code of the command', async () => {
      expect((await network.near.run('ssh', ['-F', config, 'far', 'exit 7'])).code).toBe(7)
    })

    it('scp and sftp copy a file each way', async () => {
      const original = randomFile('original', 8 * mebibyte)
      const there = join(network.folder, 'scp-there')
      const back = join(network.folder, 'scp-back')
      await network.near.must('scp', ['-q', '-F', config, original, `far:${there}`])
      await network.near.must('scp', ['-q', '-F', config, `far:${there}`, back])
      expect(sha256(back)).toBe(sha256(original))

      const put = join(network.folder, 'sftp-there')
      const got = join(network.folder, 'sftp-back')
      const input = `put ${original} ${put}\nget ${put} ${got}\n`
      await network.near.must('sftp', ['-q', '-b', '-', '-F', config, 'far'], { input })
      expect(sha256(got)).toBe(sha256(original))
    })

    it(`rsync copies ${tree.files} files, and nothing the second time`, { timeout: 300_000 }, async () => {
      const from = join(network.folder, 'tree')
      mkdirSync(from)
      for (let i = 0; i < tree.files; i++) {
        const folder = join(from, String(i % 50))
        mkdirSync(folder, { recursive: true })
        writeFileSync(join(folder, `${i}.bin`), randomBytes(tree.bytes / tree.files))
      }
      const to = join(network.folder, 'tree-there')
      const args = ['-a', '--stats', '-e', `ssh -F ${config}`, `${from}/`, `far:${to}/`]
      const first = await network.near.must('rsync', args, { timeout: 250_000 })
      expect(transferred(first)).toBe(tree.files)
      await network.near.must('diff', ['-r', from, to])
      expect(transferred(await network.near.must('rsync', args))).toBe(0)
    })

    it('git clones and pushes', async () => {
      const there = join(network.folder, 'there.git')
      const work = join(network.folder, 'work')
      const env = {
        ...process.env,
        GIT_SSH_COMMAND: `ssh -F ${config}`,
        GIT_CONFIG_GLOBAL: '/dev/null',
        GIT_AUTHOR_NAME: 'Test',
        GIT_AUTHOR_EMAIL: 'test@example.com',
        GIT_COMMITTER_NAME: 'Test',
        GIT_COMMITTER_EMAIL: 'test@example.com',
      }
      const git = (...args: string[]) => network.near.must('git', args, { env })
      await git('init', '-q', '--bare', '-b', 'main', there)
      await git('clone', '-q', `far:${there}`, work)
      randomFile('work/asset', 4 * mebibyte)
      await git('-C', work, 'add', '.')
      await git('-C', work, 'commit', '-q', '-m', 'An asset')
      await git('-C', work, 'push', '-q', 'origin', 'HEAD:main')
      const again = join(network.folder, 'again')
      await git('clone', '-q', `far:${there}`, again)
      expect(sha256(join(again, 'asset'))).toBe(sha256(join(work, 'asset')))
    })
  })

  function randomFile(name: string, length: number): string {
    const file = join(network.folder, name)
    writeFileSync(file, randomBytes(length))
    return file
  }
})

function sha256(file: string): string {
  return createHash('sha256').update(readFileSync(file)).digest('hex')
}

function transferred(stats: string): number {
  return Number(/regular files transferred: ([\d,.]+)/.exec(stats)?.[1]?.replace(/\D/g, ''))
}

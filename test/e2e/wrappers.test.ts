// The wrappers that `run` puts on PATH, with the real ssh, scp, sftp and sshd: whatever the user has configured wins, and every
// first hop goes through the tunnel.
import { execFileSync, spawnSync } from 'node:child_process'
import { accessSync, constants, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { type Finished, type Gateway, once, openGateway, run, scratch, start } from './cli-support.js'

const source = join(import.meta.dirname, '../../src/wrappers')
const sshd = '/usr/sbin/sshd'
const me = userInfo().username
const programs = ['ssh', 'scp', 'sftp']

function has(program: string): boolean {
  return spawnSync(program, ['--help'], { stdio: 'ignore' }).error === undefined
}

/** Whether this process may have mounts of its own, and so a home directory. */
const hasMounts = spawnSync('unshare', ['-m', 'true'], { stdio: 'ignore' }).status === 0

describe('each wrapper', () => {
  const shells = [['sh'], ['busybox', 'sh'], ['dash']].filter(([shell]) => has(shell as string))

  it.each(programs)('%s is shell for every shell that is here, and executable', program => {
    const file = join(source, program)
    for (const [shell, ...args] of shells) execFileSync(shell as string, [...args, '-n', file])
    accessSync(file, constants.X_OK)
    expect(readFileSync(file, 'utf8')).toMatch(/^#!\/bin\/sh\n/)
  })

  it.each(programs)('%s says where it belongs, outside of run', program => {
    const { status, stderr } = spawnSync(join(source, program), ['host'], { env: { PATH: '/usr/bin:/bin' } })
    expect(status).toBe(255)
    expect(`${stderr}`).toMatch(/^tunless: this \w+ belongs to `tunless run`, whose environment is gone/)
  })

  it.each(programs)('%s says that there is none to start', program => {
    const env = { PATH: source, TUNLESS_WRAPPERS: source, TUNLESS_JOIN: '/x' }
    const { status, stderr } = spawnSync('/bin/sh', [join(source, program), 'host'], { env })
    expect(status).toBe(127)
    expect(`${stderr}`).toBe(`tunless: ${program} is not installed: there is none on PATH\n`)
  })
})

describe('the ssh wrapper hands to ssh', () => {
  /** The words that ssh gets. `said` is what `ssh -G` answers. */
  function words(args: readonly string[], said = ''): string[] {
    const folder = scratch()
    const fake = join(folder, 'ssh')
    const script = `case " $* " in *" -G "*) printf '%s\\n' "$SAID"; exit;; esac; for a do printf '%s\\n' "$a"; done`
    writeFileSync(fake, `#!/bin/sh\n${script}\n`, { mode: 0o755 })
    const env = { PATH: `${source}:${folder}:/usr/bin:/bin`, TUNLESS_WRAPPERS: source, TUNLESS_JOIN: '/x', SAID: said }
    return execFileSync('ssh', args, { env, encoding: 'utf8' }).trimEnd().split('\n')
  }

  const ours = ['-F', join(source, 'ssh_config')]
  const proxy = ['-o', 'ProxyCommand="$TUNLESS_NODE" "$TUNLESS_COMMAND" nc -- %h %p']

  it.each<[string[], string[]]>([
    [['web1'], [...ours, 'web1']],
    [
      ['-p', '22', 'web1', 'a', '-F', 'b'],
      [...ours, '-p', '22', 'web1', 'a', '-F', 'b'],
    ],
    [
      ['-J', 'hop', 'web1', 'true'],
      [...ours, '-J', 'hop', 'web1', 'true'],
    ],
    [
      ['-vJhop', 'web1'],
      [...ours, '-J', 'hop', '-v', 'web1'],
    ],
    [
      ['-o', '-F', 'web1'],
      [...ours, '-o', '-F', 'web1'],
    ],
    [
      ['-oUser=F', 'web1'],
      [...ours, '-oUser=F', 'web1'],
    ],
    [
      ['web1', '-J', 'hop', '--', '-F', 'x'],
      [...ours, '-J', 'hop', 'web1', '--', '-F', 'x'],
    ],
    [
      ['-l', 'a b', '-i', "it's", 'web1', 'echo "$HOME"'],
      [...ours, '-l', 'a b', '-i', "it's", 'web1', 'echo "$HOME"'],
    ],
    [['-V'], [...ours, '-V']],
    [
      [...ours, 'web1'],
      [...ours, 'web1'],
    ],
  ])('%j our configuration', (given, expected) => {
    expect(words(given)).toEqual(expected)
  })

  it.each<[string[], string, string[]]>([
    [['-F', 'own', 'web1'], 'port 22', [...proxy, '-F', 'own', 'web1']],
    [['-vFown', 'web1'], '', [...proxy, '-vFown', 'web1']],
    [['web1', '-F', 'own', 'true'], '', [...proxy, 'web1', '-F', 'own', 'true']],
    [['-F', 'none', 'web1'], '', [...proxy, '-F', 'none', 'web1']],
    [['-F', 'own', 'web1'], 'port 22\nproxycommand nc %h %p', ['-F', 'own', 'web1']],
    [['-F', 'own', 'web1'], 'proxyjump none', [...proxy, '-F', 'own', 'web1']],
  ])('%j, the user’s own configuration that says %j', (given, said, expected) => {
    expect(words(given, said)).toEqual(expected)
  })

  it.each<[string[], string, string]>([
    [['-F', 'own', '-J', 'a@hop:2222', 'web1'], '', "-W '[%h]:%p' -- 'ssh://a@hop:2222'"],
    [['-F', 'own', 'web1'], 'port 22\nproxyjump hop\nuser x', "-W '[%h]:%p' -- 'ssh://hop'"],
    [['-F', 'own', '-J', 'a,b,ssh://c:22', 'web1'], '', "-J 'a,b' -W '[%h]:%p' -- 'ssh://c:22'"],
  ])('%j with %j: its jump host as ssh itself would, by the wrapper', (given, said, end) => {
    const got = words(given, said)
    expect(got.slice(-3)).toEqual(['-F', 'own', 'web1'])
    expect(got[1]).toMatch(/^ProxyCommand=/)
    expect(got[1]?.replace(/ +/g, ' ')).toBe(`ProxyCommand='${source}/ssh' -F 'own' ${end}`)
  })

  it.each([...'\'"`$\\;&<>|(){} \n'])(
    'no host with %j in it, which an ssh before 9.6 would give to a shell (CVE-2023-51385)',
    sign => {
      for (const given of [[`a${sign}b`], ['-F', 'own', '-p', '22', `me@a${sign}b`], ['--', `ssh://a${sign}b:22`]]) {
        expect(() => words(given)).toThrow(/the host has a character that a shell would not take as it is/)
      }
    },
  )

  it('a user with a domain of Windows', () => {
    expect(words(['CORP\\me@web1'])).toEqual([...ours, 'CORP\\me@web1'])
  })

  it('a path that needs quotes', () => {
    const got = words(['-F', "it's 100%/own", '-J', 'hop', 'web1'])
    expect(got[1]).toContain(`-F 'it'\\''s 100%%/own'`)
  })
})

describe.skipIf(!existsSync(sshd) || !has('ssh-keygen'))('below run', () => {
  let keys: string
  beforeAll(() => {
    // Where Debian's sshd separates privileges.
    if (process.getuid?.() === 0) mkdirSync('/run/sshd', { recursive: true, mode: 0o755 })
  })

  /** An sshd that is reached through the gateway's port 22, and by nobody else's name. */
  async function openSsh(): Promise<{ gateway: Gateway; port: number; own: string }> {
    const gateway = await openGateway()
    keys = join(gateway.directory, 'keys')
    mkdirSync(keys, { mode: 0o700 })
    for (const name of ['host', 'user'])
      execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', join(keys, name)])
    const port = await freePort()
    writeFileSync(
      join(keys, 'sshd_config'),
      `Port ${port}\nListenAddress 127.0.0.1\nHostKey ${keys}/host\nAuthorizedKeysFile ${keys}/user.pub\nPidFile none\nUsePAM no\nStrictModes no\nPasswordAuthentication no\nSubsystem sftp internal-sftp\n`,
    )
    const { spawn } = await import('node:child_process')
    const server = spawn(sshd, ['-D', '-e', '-f', join(keys, 'sshd_config')])
    onTestFinished(() => void server.kill())
    let said = ''
    while (!/Server listening/.test(said)) said += (await once(server.stderr, 'data'))[0]
    const forward = gateway.tunnel.createServer({ allowHalfOpen: true }, near => {
      const far = connect({ host: '127.0.0.1', port, allowHalfOpen: true })
      near.on('error', () => far.destroy()).pipe(far)
      far.on('error', () => near.destroy()).pipe(near)
    })
    forward.listen(22)
    await once(forward, 'listening')
    const own = join(keys, 'config')
    writeFileSync(
      own,
      `Host gw hop\n  HostName gateway\nHost far\n  HostName 127.0.0.1\n  Port ${port}\n  ProxyJump hop\nHost mine\n  ProxyCommand echo mine; false\nHost *\n  User ${me}\n  IdentityFile ${keys}/user\n  StrictHostKeyChecking no\n  UserKnownHostsFile /dev/null\n  BatchMode yes\n  LogLevel ERROR\n`,
      { mode: 0o600 },
    )
    return { gateway, port, own }
  }

  async function freePort(): Promise<number> {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as { port: number }
    await new Promise(resolve => server.close(resolve))
    return port
  }

  function inRun({ conf, directory }: Gateway, script: string, env?: NodeJS.ProcessEnv): Promise<Finished> {
    return run(['run', '-q', '-c', conf, 'sh', '-ec', script], directory, env)
  }

  it('ssh, scp and sftp reach what only the tunnel does, with a configuration of the user’s own and its jump host', async () => {
    const { gateway, own } = await openSsh()
    const file = join(gateway.directory, 'file')
    const script = `
      ssh -F ${own} gw echo direct
      ssh -F ${own} far echo by its jump host
      ssh -F ${own} -J hop far echo by -J
      echo content > ${file}
      scp -q -F ${own} ${file} gw:${file}.there
      echo "get ${file}.there ${file}.back" | sftp -q -b - -F ${own} far >/dev/null
      cat ${file}.back
      ssh -F ${own} gw exit 7`
    const { code, stdout, stderr } = await inRun(gateway, script)
    expect({ stdout, stderr }).toEqual({ stdout: 'direct\nby its jump host\nby -J\ncontent\n', stderr: '' })
    expect(code).toBe(7)
  })

  it('a ProxyCommand of the user’s wins', async () => {
    const { gateway, own } = await openSsh()
    const mine = await inRun(gateway, `ssh -v -F ${own} mine true`)
    expect(mine.code).toBe(255)
    // What the command itself says, ssh does not wait for.
    expect(mine.stderr).toMatch(/Executing proxy command: exec echo mine/)
    const given = await inRun(gateway, `ssh -v -o 'ProxyCommand=echo given; false' -o BatchMode=yes gateway true`)
    expect(given.stderr).toMatch(/Executing proxy command: exec echo given/)
  })

  it('an unknown host fails with the tunnel’s own words, and reaches nothing else', async () => {
    const { gateway, own } = await openSsh()
    const { code, stderr } = await inRun(gateway, `ssh -F ${own} localhost true`)
    expect(code).toBe(255)
    expect(stderr).toMatch(/^tunless: unknown host "localhost"/m)
  })

  it.skipIf(!hasMounts)(
    'what stands in the user’s ~/.ssh/config wins, and its jump hosts go through the tunnel',
    async () => {
      const { gateway, port, own } = await openSsh()
      const { homedir } = userInfo()
      const script = `
      ssh gw echo direct
      ssh far echo by ProxyJump
      ssh -J hop -p ${port} 127.0.0.1 echo by -J
      ssh -v mine true || echo its ProxyCommand`
      const home = `mount -t tmpfs none ${homedir} && mkdir -m 700 ${homedir}/.ssh && cp ${own} ${homedir}/.ssh/config`
      const words = ['unshare', '-m', 'sh', '-c', `${home} && exec sh -ec '${script}'`]
      const { stdout, stderr } = await run(['run', '-q', '-c', gateway.conf, ...words], gateway.directory)
      expect(stdout).toBe('direct\nby ProxyJump\nby -J\nits ProxyCommand\n')
      expect(stderr).toMatch(/Executing proxy command: exec echo mine/)
    },
  )

  it('a connection that is open when run is ended ends with it', async () => {
    const { gateway, own } = await openSsh()
    const { conf, directory } = gateway
    const running = start(['run', '-q', '-c', conf, 'ssh', '-F', own, 'gw', 'echo ready; sleep 60'], directory)
    await once(running.process.stdout, 'data')
    running.process.kill('SIGTERM')
    expect((await running.finished).code).toBeGreaterThan(0)
    await expect.poll(() => gateway.connections.size).toBe(0)
  })
})

// An OpenSSH server on the far host with keys of its own, and the client configuration that reaches it through `tunless nc`.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { farInside, type Link } from './link.js'
import type { Network } from './netns.js'
import { must } from './process.js'
import { command } from './tarball.js'

/** Starts sshd; returns the path of an ssh_config in which it is the host `far`. */
export async function startSshd(network: Network, link: Link): Promise<string> {
  const folder = join(network.folder, 'ssh')
  mkdirSync(folder, { mode: 0o700 })
  mkdirSync('/run/sshd', { recursive: true, mode: 0o755 }) // where Debian's sshd separates privileges
  const file = (name: string) => join(folder, name)
  for (const key of ['host', 'user'])
    await must('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', key, '-f', file(key)])
  writeFileSync(file('known_hosts'), `${farInside[4]} ${readFileSync(file('host.pub'), 'utf8')}`)
  writeConfig(file('sshd_config'), {
    ListenAddress: farInside[4],
    HostKey: file('host'),
    AuthorizedKeysFile: file('user.pub'),
    PidFile: 'none',
    UsePAM: 'no',
    StrictModes: 'no',
    PasswordAuthentication: 'no',
    Subsystem: 'sftp /usr/lib/openssh/sftp-server',
    MaxStartups: '100',
  })
  writeConfig(file('ssh_config'), {
    Host: 'far',
    HostName: farInside[4],
    User: 'root',
    IdentityFile: file('user'),
    IdentitiesOnly: 'yes',
    UserKnownHostsFile: file('known_hosts'),
    StrictHostKeyChecking: 'yes',
    BatchMode: 'yes',
    ProxyCommand: `${(await command()).join(' ')} nc -q -c ${link.conf} %h %p`,
  })
  const sshd = network.far.start('/usr/sbin/sshd', ['-D', '-e', '-f', file('sshd_config')])
  await sshd.prints(/Server listening/)
  return file('ssh_config')
}

function writeConfig(file: string, settings: Record<string, string>): void {
  const lines = Object.entries(settings).map(([key, value]) => `${key} ${value}`)
  writeFileSync(file, `${lines.join('\n')}\n`)
}

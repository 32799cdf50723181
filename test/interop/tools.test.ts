// The tools of a deploy job, unchanged and each with the real server, under `tunless run` as users come to it: the proxies of its
// environment, its wrappers for ssh, and -L for what knows no proxy.
import { createHash, randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  createPayload,
  describeInterop,
  download,
  mebibyte,
  type Payload,
  programFile,
  startServices,
  upload,
} from '../support/interop.js'
import { createLink, farInside, type Link } from '../support/link.js'
import { createNetwork, type Network } from '../support/netns.js'
import { type Program, type RunOptions, until } from '../support/process.js'
import { startSshd } from '../support/sshd.js'
import { command } from '../support/tarball.js'
import { makeImage, ports, startToolServers } from '../support/tool-servers.js'

const far = farInside[4]
const services = `http://${far}:8000`
/** Local ports, of -L. */
const near = { postgres: 15432, redis: 16379, mysql: 13306, dns: 15353 } as const
const python = '/usr/bin/python3'

describeInterop('under run', () => {
  let network: Network
  let payload: Payload
  let web: string
  let env: NodeJS.ProcessEnv
  let running: Program
  let sshConfig: string

  beforeAll(async () => {
    network = await createNetwork()
    const link = await createLink(network, { family: 4, psk: true, initiator: 'near' })
    payload = createPayload(network, 100 * mebibyte)
    const [servers, config] = await Promise.all([
      startToolServers(network),
      startSshd(network, link),
      startServices(network.far, payload),
    ])
    web = servers.web
    sshConfig = join(network.folder, 'plain_ssh_config')
    const plain = readFileSync(config, 'utf8').replace(/^ProxyCommand.*\n/m, '')
    writeFileSync(sshConfig, `${plain}Host inner\n${plain.replace(/^Host .*\n/, '')}HostKeyAlias ${far}\n`)
    env = await enterRun(link)
  })
  afterAll(() => network?.close())

  /** Starts `run` with a command that stays, and returns the environment that it has. */
  async function enterRun(link: Link): Promise<NodeJS.ProcessEnv> {
    const [node, ...rest] = (await command()) as [string, ...string[]]
    const file = join(network.folder, 'environment')
    const home = join(network.folder, 'home')
    mkdirSync(home)
    const forwards = [
      `${near.postgres}:${far}:${ports.postgres}`,
      `${near.redis}:${far}:${ports.redis}`,
      `${near.mysql}:${far}:${ports.mysql}`,
      `${near.dns}:${far}:${ports.dns}/udp`,
    ]
    const args = ['run', '-c', link.conf, '--wait', `${far}:8000`, ...forwards.flatMap(forward => ['-L', forward])]
    const words = ['sh', '-c', 'env -0 > "$0.part"; mv "$0.part" "$0"; exec sleep 1000', file]
    running = network.near.start(node, [...rest, ...args, ...words], { env: { ...process.env, HOME: home } })
    await until(
      'the command of run',
      () => {
        if (running.child.exitCode !== null) throw new Error(running.stderr)
        return existsSync(file)
      },
      30_000,
    )
    const entries = readFileSync(file, 'utf8').split('\0').filter(Boolean)
    return Object.fromEntries(entries.map(entry => entry.split(/=(.*)/s, 2)))
  }

  const must = (program: string, args: string[], options: RunOptions = {}) =>
    network.near.must(program, args, { timeout: 120_000, ...options, env: { ...env, ...options.env } })

  describe('curl', () => {
    it.each([
      ['socks5h', () => ['-x', env.TUNLESS_SOCKS as string]],
      ['an HTTP proxy', () => ['-x', env.HTTP_PROXY as string]],
      ['CONNECT', () => ['-p', '-x', env.HTTP_PROXY as string]],
    ])('by %s brings 100 MiB, and posts them', async (_, curl) => {
      const transfer = { from: network.near, url: services, payload, curl: curl() }
      await download(transfer)
      await upload({ ...transfer, curl: [...transfer.curl, '-X', 'POST'] })
    })

    it('finds the proxy by itself', async () => {
      expect(await must('curl', ['-sS', '--fail', `${services}/hello`])).toBe('hello\n')
    })
  })

  it('wget finds the proxy by itself', async () => {
    expect(await must('wget', ['-q', '-O', '-', `${services}/hello`])).toBe('hello\n')
  })

  it('a query goes by UDP ASSOCIATE of PySocks, and by dig through -L …/udp', async () => {
    const program = `
import os, socks, urllib.parse
proxy = urllib.parse.urlsplit(os.environ['TUNLESS_SOCKS'])
udp = socks.socksocket(socks.socket.AF_INET, socks.socket.SOCK_DGRAM)
udp.set_proxy(socks.SOCKS5, proxy.hostname, proxy.port, True, proxy.username, proxy.password)
udp.settimeout(20)
udp.sendto(b'\\0\\7\\1\\0\\0\\1\\0\\0\\0\\0\\0\\0\\4web1\\4corp\\4test\\0\\0\\1\\0\\1', ('${far}', ${ports.dns}))
answer, sender = udp.recvfrom(512)
print(sender[0], '.'.join(str(byte) for byte in answer[-4:]))`
    expect(await must(python, ['-c', program])).toBe(`${far} 10.7.0.80\n`)
    const dig = ['@127.0.0.1', '-p', String(near.dns), '+short', '+tries=5', 'web1.corp.test']
    expect(await must('dig', dig)).toBe('10.7.0.80\n')
  })

  it('clients that others wrote get what they ask both proxies for', async () => {
    const judged: unknown = JSON.parse(await must(process.execPath, [programFile('judges.mjs'), far, '8000']))
    expect(judged).toEqual({
      'undici by the environment': 'hello\n',
      'undici by CONNECT': 'hello\n',
      'undici by whole URLs': 1e6,
      'undici by SOCKS5': 'hello\n',
      'socks CONNECT': true,
      'socks UDP ASSOCIATE': [far, '10.7.0.80'],
      'socks BIND': expect.stringContaining('CommandNotSupported'),
      'no credentials': 'HTTP/1.1 407 Proxy Authentication Required',
    })
  })

  it("Python's requests and httpx find the proxy by themselves", async () => {
    const program = `
import httpx, requests
print(requests.get('${services}/hello').text + httpx.get('${services}/hello').text)`
    expect(await must(python, ['-c', program])).toBe('hello\nhello\n\n')
  })

  describe('packages', () => {
    it('npm publishes one and installs it', async () => {
      const registry = `http://${far}:${ports.npm}/`
      const folder = newFolder('npm-own')
      const user = newFolder('npm-other')
      writeFileSync(join(folder, 'package.json'), '{ "name": "deploytool", "version": "1.0.0", "main": "index.js" }\n')
      writeFileSync(join(folder, 'index.js'), 'module.exports = 42\n')
      writeFileSync(join(user, 'package.json'), '{ "private": true }\n')
      const npmrc = join(folder, 'npmrc')
      writeFileSync(npmrc, `registry=${registry}\n//${far}:${ports.npm}/:_authToken=test\nupdate-notifier=false\n`)
      const own = { npm_config_userconfig: npmrc, npm_config_cache: join(folder, '.cache') }
      await must('npm', ['publish', '--loglevel=error'], { cwd: folder, env: own })
      const install = ['install', '--no-audit', '--no-fund', '--loglevel=error', 'deploytool']
      await must('npm', install, { cwd: user, env: own })
      expect(readFileSync(join(user, 'node_modules', 'deploytool', 'index.js'), 'utf8')).toContain('42')
    })

    it('pip installs one', async () => {
      const target = newFolder('pip')
      const index = ['--index-url', `http://${far}:${ports.web}/simple/`, '--trusted-host', far]
      const quiet = ['-q', '--disable-pip-version-check', '--no-cache-dir', '--root-user-action=ignore']
      await must(python, ['-m', 'pip', 'install', ...quiet, ...index, '--target', target, 'deploytool'])
      expect(readFileSync(join(target, 'deploytool.py'), 'utf8')).toBe('answer = 42\n')
    })

    it('skopeo pushes an image to a registry and pulls it again', async () => {
      const [image, back] = [newFolder('image'), join(network.folder, 'image-back')]
      makeImage(image, randomBytes(8 * mebibyte))
      const there = `docker://${far}:${ports.images}/app:1`
      const policy = ['--insecure-policy', 'copy', '-q']
      await must('skopeo', [...policy, '--dest-tls-verify=false', `oci:${image}:latest`, there])
      await must('skopeo', [...policy, '--src-tls-verify=false', there, `oci:${back}:latest`])
      await must('diff', ['-r', join(image, 'blobs'), join(back, 'blobs')])
    })
  })

  describe('databases behind -L', () => {
    it('psql', async () => {
      const at = [`postgres://deploy:secret@127.0.0.1:${near.postgres}/postgres`, '-At']
      const sql = 'CREATE TABLE t AS SELECT generate_series(1, 100000) n; SELECT sum(n) FROM t'
      expect(await must('psql', [...at, '-q', '-c', sql])).toBe('5000050000\n')
      const copied = await must('bash', ['-c', 'psql "$@" -c "COPY t TO STDOUT" | wc -l', 'bash', ...at])
      expect(Number(copied)).toBe(100_000)
    })

    it('redis-cli', async () => {
      const redis = (...args: string[]) =>
        must('redis-cli', ['-u', `redis://default:secret@127.0.0.1:${near.redis}`, ...args])
      await redis('set', 'k', 'v'.repeat(100_000))
      expect(await redis('strlen', 'k')).toBe('100000\n')
      expect((await redis('get', 'k')).length).toBe(100_001)
    })

    it('mysql', async () => {
      const at = ['--no-defaults', '-h', '127.0.0.1', '-P', String(near.mysql), '-u', 'deploy', '-psecret', '-N', '-B']
      expect(await must('mysql', [...at, '-e', "SELECT length(repeat('x', 1000000))"])).toBe('1000000\n')
    })
  })

  describe('by the wrappers', () => {
    const ssh = (...args: string[]) => must('ssh', ['-F', sshConfig, ...args])

    it('ssh goes, and -J through a host of the tunnel to one behind it', async () => {
      expect(await ssh('far', 'echo $SSH_CONNECTION')).toMatch(/^10\.7\.0\.2 /)
      // The hop dials itself, so that the second connection is seen to come from there.
      expect(await ssh('-J', 'far', 'inner', 'echo $SSH_CONNECTION')).toMatch(new RegExp(`^${far} `))
    })

    it('rsync copies a tree', async () => {
      const from = newFolder('tree')
      for (let i = 0; i < 50; i++) writeFileSync(join(from, `${i}.bin`), randomBytes(20_000))
      const there = join(network.folder, 'tree-there')
      await must('rsync', ['-a', '-e', `ssh -F ${sshConfig}`, `${from}/`, `far:${there}/`])
      await must('diff', ['-r', from, there])
    })

    it('git clones and pushes, over ssh and over http', async () => {
      const author = { GIT_AUTHOR_NAME: 'Test', GIT_AUTHOR_EMAIL: 'test@example.com' }
      const committer = { GIT_COMMITTER_NAME: 'Test', GIT_COMMITTER_EMAIL: 'test@example.com' }
      const own = { ...author, ...committer, GIT_CONFIG_GLOBAL: '/dev/null', GIT_SSH_COMMAND: `ssh -F ${sshConfig}` }
      const git = (...args: string[]) => must('git', args, { env: own })
      for (const url of [`http://${far}:${ports.web}/git/app.git`, `far:${web}/git/app.git`]) {
        const work = newFolder(`work-${url.slice(0, 3)}`)
        await git('clone', '-q', url, work)
        writeFileSync(join(work, createHash('sha256').update(url).digest('hex')), randomBytes(3 * mebibyte))
        await git('-C', work, 'add', '.')
        await git('-C', work, 'commit', '-q', '-m', 'An asset')
        await git('-C', work, 'push', '-q', 'origin', 'HEAD:main')
      }
      const again = join(network.folder, 'again')
      await git('clone', '-q', `far:${web}/git/app.git`, again)
      expect(await git('-C', again, 'rev-list', '--count', 'HEAD')).toBe('2\n')
    })

    it('ansible runs a playbook on a host of the tunnel', async () => {
      const folder = newFolder('ansible')
      const there = join(folder, 'deployed')
      const tasks = `[{ copy: { content: "by ansible\\n", dest: ${there} } }]`
      writeFileSync(join(folder, 'play.yml'), `- { hosts: far, gather_facts: false, tasks: ${tasks} }\n`)
      const common = [
        '-i',
        'far,',
        '--ssh-common-args',
        `-F ${sshConfig}`,
        '-e',
        `ansible_python_interpreter=${python}`,
      ]
      const own = { ANSIBLE_LOCAL_TEMP: folder, ANSIBLE_REMOTE_TEMP: folder, ANSIBLE_NOCOLOR: '1' }
      const played = await must('ansible-playbook', [...common, join(folder, 'play.yml')], { env: own })
      expect(played).toMatch(/far\s*: ok=1\s+changed=1\s+unreachable=0\s+failed=0/)
      expect(readFileSync(there, 'utf8')).toBe('by ansible\n')
    })
  })

  it('the summary counts it all', async () => {
    const { code, stderr } = await running.stop('SIGTERM')
    expect(code).toBe(143)
    expect(stderr).toMatch(/exit code 143 after .*; sent [\d.]+ MiB, received [\d.]+ MiB, .* 0 denied dials/)
  })

  function newFolder(name: string): string {
    const path = join(network.folder, name)
    mkdirSync(path)
    return path
  }
})

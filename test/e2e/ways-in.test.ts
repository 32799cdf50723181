// -D, -L and -R between two real tunnels on loopback, used by the programs that people use: curl, wget and git.
import { execFileSync, spawnSync } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import http, { type RequestListener } from 'node:http'
import net from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import tls from 'node:tls'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import type { Log } from '../../src/app/log.js'
import type { ListenerReport } from '../../src/app/ready-file.js'
import { openWaysIn, type WayIn, type WaysInOptions } from '../../src/app/ways-in.js'
import { createDialer } from '../../src/proxy/dialer.js'
import { gitBackend } from '../interop/programs/git-backend.mjs'
import { openPair, type Pair } from '../support/pair.js'
import { type Result, run } from '../support/process.js'
import { connectTo, readBytes } from '../support/proxy.js'

const has = (program: string, ...args: string[]) => spawnSync(program, args).status === 0
const hasCurl = has('curl', '--version')
const hasWget = has('wget', '--version')
const hasGit = has('git', '--version')
const hasOpenssl = has('openssl', 'version')

let folder: string
let pair: Pair
/** Paths of files of so many MB. */
const uploads = new Map<number, string>()
const sums: string[] = []

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tunless-ways-'))
  pair = await openPair()
  serve(80, (request, response) => {
    const hash = createHash('sha256')
    request.on('data', chunk => hash.update(chunk))
    request.on('end', () => {
      sums.push(hash.digest('hex'))
      response.end(`${request.method} ${request.url} ${request.headers.host}\n`)
    })
  })
  const bytes = randomBytes(1e6)
  for (const size of [10, 100]) {
    const path = join(folder, `upload-${size}`)
    writeFileSync(path, Buffer.concat(Array.from({ length: size }, () => bytes)))
    uploads.set(size, path)
  }
})

afterAll(async () => {
  await pair?.close()
  rmSync(folder, { recursive: true, force: true })
})

/** A web server on the gateway. */
function serve(port: number, listener: RequestListener, context?: tls.SecureContextOptions): void {
  const server = http.createServer(listener)
  pair.gateway
    .createServer({ allowHalfOpen: true }, socket => {
      socket.on('error', () => {})
      const secured = context && new tls.TLSSocket(socket, { isServer: true, ...context })
      secured?.on('error', () => {})
      server.emit('connection', secured ?? socket)
    })
    .listen(port)
}

const said: string[] = []
const log: Log = {
  error: text => said.push(text),
  warn: text => said.push(text),
  info: text => said.push(text),
  debug: () => {},
}

async function open(options: Partial<WaysInOptions>): Promise<ListenerReport[]> {
  const ways: WayIn[] = []
  onTestFinished(async () => void (await Promise.all(ways.map(way => way.close()))))
  const dial = createDialer(target => pair.runner.connect({ ...target, connectTimeout: 5000 }))
  const none = { timeout: 5000, proxies: [], forwards: [], reverses: [] }
  await openWaysIn({ ...none, ...options }, { dial, tunnel: pair.runner }, log, ways)
  return ways.map(way => way.report)
}

async function openProxy(users?: string): Promise<number> {
  const authFile = join(folder, 'users')
  if (users !== undefined) writeFileSync(authFile, users, { mode: 0o600 })
  const at = { host: '127.0.0.1', port: 0 }
  const [report] = await open({ proxies: [at], ...(users !== undefined && { authFile }) })
  return (report as { port: number }).port
}

/** Without the proxies of whoever runs the tests. */
function tool(program: string, args: string[], env: NodeJS.ProcessEnv = {}): Promise<Result> {
  const plain = Object.entries(process.env).filter(([name]) => !/_proxy$/i.test(name))
  return run(program, args, { env: { ...Object.fromEntries(plain), ...env } })
}

describe.runIf(hasCurl)('curl', () => {
  const curl = (...args: string[]) => tool('curl', ['-sS', ...args])

  it.each([
    ['socks5h', 10, 'socks5h', []],
    ['an HTTP proxy', 100, 'http', []],
    ['CONNECT', 10, 'http', ['-p']],
  ])('reaches a name of the tunnel by %s, and sends %d MB', async (_, size, scheme, more) => {
    const upload = uploads.get(size) as string
    const proxy = `${scheme}://127.0.0.1:${await openProxy()}`
    const got = await curl('-x', proxy, ...more, 'http://web1/a?b')
    expect(got).toMatchObject({ code: 0, stdout: 'GET /a?b web1\n' })
    const sum = createHash('sha256').update(readFileSync(upload)).digest('hex')
    const sent = await curl('-x', proxy, ...more, '--data-binary', `@${upload}`, 'http://10.7.0.1/post')
    expect(sent).toMatchObject({ code: 0, stdout: 'POST /post 10.7.0.1\n' })
    expect(sums.at(-1)).toBe(sum)
  })

  it('hears the reason, in a body or a reply of SOCKS', async () => {
    const port = await openProxy()
    const unknown = await curl('-x', `http://127.0.0.1:${port}`, '-w', '%{http_code}', 'http://nowhere/')
    expect(unknown.stdout).toMatch(/^tunless: 502 Bad Gateway: unknown host "nowhere".*502$/s)
    const outside = await curl('-x', `http://127.0.0.1:${port}`, '-p', 'http://192.0.2.1/')
    expect([outside.code, outside.stderr]).toEqual([56, expect.stringContaining('response 502')])
    const refused = await curl('-x', `socks5h://127.0.0.1:${port}`, 'http://web1:81/')
    expect([refused.code, refused.stderr]).toEqual([97, expect.stringMatching(/\(5\)|Connection refused/i)])
    const whole = await curl('-x', `http://127.0.0.1:${port}`, '-w', '%{http_code}', 'http://web1:81/')
    expect(whole.stdout).toMatch(/web1:81 refused the connection.*502$/s)
  })

  it('needs the password where there is one', async () => {
    const port = await openProxy('ci:pass word\n')
    const at = `127.0.0.1:${port}`
    for (const [scheme, ...more] of [['socks5h'], ['http'], ['http', '-p'], ['http', '-p', '--proxy-anyauth']]) {
      const user = [...more, '-x', `${scheme}://${at}`, '--proxy-user', 'ci:pass word']
      expect(await curl(...user, 'http://web1/')).toMatchObject({ code: 0, stdout: 'GET / web1\n' })
    }
    expect((await curl('-x', `socks5h://ci:wrong@${at}`, 'http://web1/')).code).toBe(97)
    expect((await curl('-x', `http://${at}`, '-o', '/dev/null', '-w', '%{http_code}', 'http://web1/')).stdout).toBe(
      '407',
    )
  })

  it('comes in by unix sockets', async () => {
    const [proxy, forward] = [join(folder, 'proxy.sock'), join(folder, 'web.sock')]
    await open({
      proxies: [{ path: proxy }],
      forwards: [{ at: { path: forward }, target: { host: 'web1', port: 80 } }],
    })
    expect(statSync(proxy).mode & 0o777).toBe(0o600)
    expect((await curl('--unix-socket', forward, 'http://any/')).stdout).toBe('GET / any\n')
    const socket = net.connect(proxy)
    onTestFinished(() => void socket.destroy())
    socket.write('GET http://web1/x HTTP/1.1\r\nHost: web1\r\nConnection: close\r\n\r\n')
    let text = ''
    for await (const chunk of socket) text += chunk
    expect(text).toMatch(/GET \/x web1\n$/)
  })
})

it.runIf(hasWget)('wget reaches a name of the tunnel by an HTTP proxy', async () => {
  const proxy = `http://127.0.0.1:${await openProxy()}`
  const result = await tool('wget', ['-q', '-O', '-', 'http://web1/w'], { http_proxy: proxy })
  expect(result).toMatchObject({ code: 0, stdout: 'GET /w web1\n' })
})

describe.runIf(hasGit)('git', () => {
  let root: string
  const git = (args: string[], env: NodeJS.ProcessEnv = {}) =>
    tool('git', args, {
      GIT_CONFIG_GLOBAL: '/dev/null',
      GIT_CONFIG_SYSTEM: '/dev/null',
      GIT_TERMINAL_PROMPT: '0',
      GIT_AUTHOR_NAME: 'Test',
      GIT_AUTHOR_EMAIL: 'test@example.com',
      GIT_COMMITTER_NAME: 'Test',
      GIT_COMMITTER_EMAIL: 'test@example.com',
      ...env,
    })

  beforeAll(async () => {
    root = join(folder, 'git')
    mkdirSync(root)
    await git(['init', '-q', '--bare', '-b', 'main', join(root, 'app.git')])
    await git(['-C', join(root, 'app.git'), 'config', 'http.receivepack', 'true'])
    const backend = gitBackend(root)
    serve(8080, backend)
    if (!hasOpenssl) return
    const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')]
    const request = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '1', '-subj', '/CN=web1']
    execFileSync('openssl', [...request, '-keyout', key, '-out', cert], { stdio: 'ignore' })
    serve(8443, backend, { key: readFileSync(key), cert: readFileSync(cert) })
  })

  async function cloneAndPush(url: string, config: string[]): Promise<void> {
    const work = mkdtempSync(join(folder, 'work-'))
    const cloned = await git([...config, 'clone', '-q', url, work])
    expect([cloned.code, cloned.stderr.replace(/^warning: .*\n/gm, '')]).toEqual([0, ''])
    writeFileSync(join(work, `file-${sums.length}-${Math.random()}`), randomBytes(3_000_000))
    for (const args of [
      ['add', '.'],
      ['commit', '-q', '-m', 'more'],
      ['push', '-q', 'origin', 'HEAD:main'],
    ]) {
      const result = await git([...config, '-C', work, ...args])
      expect([result.code, result.stderr]).toEqual([0, ''])
    }
  }

  it('clones and pushes over http by an HTTP proxy', async () => {
    const port = await openProxy()
    await cloneAndPush('http://web1:8080/app.git', ['-c', `http.proxy=http://127.0.0.1:${port}`])
  })

  it.runIf(hasOpenssl)('over https asks CONNECT without credentials first, and again with them', async () => {
    const port = await openProxy('ci:secret\n')
    const proxy = `http.proxy=http://ci:secret@127.0.0.1:${port}`
    const config = ['-c', proxy, '-c', 'http.proxyAuthMethod=anyauth', '-c', 'http.sslVerify=false']
    await cloneAndPush('https://web1:8443/app.git', config)
  })

  it('clones by socks5h', async () => {
    const port = await openProxy()
    await cloneAndPush('http://web1:8080/app.git', ['-c', `http.proxy=socks5h://127.0.0.1:${port}`])
  })
})

describe('UDP', () => {
  beforeAll(() => {
    const echo = pair.gateway.createSocket()
    echo.on('message', (message, from) => echo.send(`>${message}`, from.port, from.address))
    echo.bind(53)
  })

  it('leads a local port to one of the tunnel', async () => {
    const [report] = await open({
      forwards: [{ at: { host: '127.0.0.1', port: 0 }, target: { host: 'web1', port: 53 }, protocol: 'udp' }],
    })
    expect(report).toMatchObject({ type: 'forward', protocol: 'udp', target: { host: 'web1', port: 53 } })
    const client = createSocket('udp4')
    client.send('query', (report as { port: number }).port, '127.0.0.1')
    const [answer] = await once(client, 'message')
    expect(String(answer)).toBe('>query')
    client.close()
  })

  it('goes by UDP ASSOCIATE to a name of the tunnel', async () => {
    const control = await connectTo(await openProxy())
    onTestFinished(() => void control.destroy())
    control.write(Uint8Array.of(5, 1, 0, 5, 3, 0, 1, 0, 0, 0, 0, 0, 0))
    const relay = (await readBytes(control, 12)).readUInt16BE(10)
    const client = createSocket('udp4')
    client.send(
      Buffer.concat([Uint8Array.of(0, 0, 0, 3, 4), Buffer.from('web1'), Uint8Array.of(0, 53), Buffer.from('hi')]),
      relay,
    )
    const [answer] = (await once(client, 'message')) as [Buffer]
    expect(answer.subarray(-3).toString()).toBe('>hi')
    client.close()
  })
})

describe('-R', () => {
  it('leads a port of the tunnel to this host, to a port or a unix socket', async () => {
    const path = join(folder, 'app.sock')
    const local = http.createServer((_, response) => response.end('local\n'))
    const other = http.createServer((_, response) => response.end('by path\n'))
    await Promise.all([once(local.listen(0, '127.0.0.1'), 'listening'), once(other.listen(path), 'listening')])
    onTestFinished(() => {
      for (const server of [local, other]) {
        server.close()
        server.closeAllConnections()
      }
    })
    const { port } = local.address() as net.AddressInfo
    const reports = await open({
      reverses: [
        { at: { port: 3000 }, target: { host: '127.0.0.1', port } },
        { at: { host: '10.7.0.2', port: 0 }, target: { path } },
      ],
    })
    expect(reports).toMatchObject([
      { type: 'reverse', host: '::', port: 3000, target: { host: '127.0.0.1', port } },
      { type: 'reverse', host: '10.7.0.2', target: { path } },
    ])
    const get = async (from: number) => {
      const createConnection = () => pair.gateway.connect({ host: '10.7.0.2', port: from })
      const [response] = await once(http.get('http://runner/', { createConnection }), 'response')
      let text = ''
      for await (const chunk of response) text += chunk
      return text
    }
    expect(await get(3000)).toBe('local\n')
    expect(await get((reports[1] as { port: number }).port)).toBe('by path\n')
  })
})

describe('what is refused', () => {
  it('is a proxy that other hosts could reach, before anything listens', async () => {
    const path = join(folder, 'never.sock')
    const failed = open({ proxies: [{ path }, { host: '0.0.0.0', port: 0 }] })
    await expect(failed).rejects.toMatchObject({ code: 'PROXY_NOT_LOOPBACK' })
    expect(() => statSync(path)).toThrow('ENOENT')
  })

  it('is a way that needs the tunnel itself where another process runs it', async () => {
    const dial = createDialer(target => pair.runner.connect(target))
    const none = { timeout: 0, proxies: [], forwards: [], reverses: [] }
    const reverses = [{ at: { port: 80 }, target: { host: 'localhost', port: 1 } }]
    const failed = openWaysIn({ ...none, reverses }, { dial, tunnel: undefined }, log, [])
    await expect(failed).rejects.toMatchObject({
      code: 'USAGE',
      message: expect.stringMatching(/another process.*give the option to that one/),
    })
  })

  it('is not, but warned of, a forward that other hosts can reach', async () => {
    said.length = 0
    await open({ forwards: [{ at: { host: '0.0.0.0', port: 0 }, target: { host: 'web1', port: 80 } }] })
    expect(said).toEqual(['-L on 0.0.0.0:0: whoever reaches this host can reach web1:80 through it'])
  })
})

import { createSocket } from 'node:dgram'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it, onTestFinished } from 'vitest'
import { startDns } from '../support/dns-server.js'
import {
  bin,
  filesIn,
  type Gateway,
  once,
  openGateway,
  run,
  saying,
  scratch,
  silentConf,
  start,
} from './cli-support.js'

/** A program that asks the proxy of its environment for a connection and prints what it answers, and what comes of it. */
const proxyClient = `
const { connect } = require('node:net')
const [target, secret = 'yes'] = process.argv.slice(1)
const proxy = new URL(process.env.HTTPS_PROXY)
const token = Buffer.from(proxy.username + ':' + proxy.password).toString('base64')
const auth = secret === 'yes' ? 'Proxy-Authorization: Basic ' + token + '\\r\\n' : ''
const socket = connect(proxy.port, proxy.hostname, () => socket.write('CONNECT ' + target + ' HTTP/1.1\\r\\nHost: ' + target + '\\r\\n' + auth + '\\r\\n'))
socket.setTimeout(5000, () => socket.destroy())
socket.on('data', chunk => {
  process.stdout.write(chunk)
  if (/> $/.test(chunk)) socket.end('hello')
})
setTimeout(() => socket.end(), secret === 'yes' ? 3000 : 500).unref()
`
const ownFailure = 125

function nc(target: string): string {
  return `echo hello | ${process.execPath} ${bin} nc ${target}`
}

/** The lines of stderr that are the summary. */
function summary(stderr: string): string[] {
  return stderr.split('\n').filter(line => /exit code|not let through|by the host's network:/.test(line))
}

describe('run', () => {
  it('gives the command a way in by its proxy and by nc, its exit code back, and leaves nothing', async () => {
    const { conf, directory } = await openGateway()
    const script = `${process.execPath} -e "$CLIENT" gateway:7; ${nc('gateway 7')}; exit 42`
    const { code, stdout, stderr } = await run(['run', '-c', conf, 'sh', '-c', script], directory, {
      CLIENT: proxyClient,
    })
    expect(code).toBe(42)
    expect(stdout).toMatch(/^HTTP\/1\.1 200 .*\r\n\r\n> hello> hello\n$/s)
    expect(stderr.replace(/\d+(\.\d+)?/g, 'N')).toMatchInlineSnapshot(`
      "tunless: the tunnel stands: peer gateway at N.N:N, round trip N ms
      tunless: sh: exit code N after N s; sent N KiB, received N KiB, round trip N ms, N retransmits, N handshake, N denied dials
      "
    `)
    expect(filesIn(directory)).toEqual(['runner.conf'])
  })

  it('keeps who has no credentials out of its proxy, unless told otherwise', async () => {
    const { conf, directory } = await openGateway()
    const words = [process.execPath, '-e', proxyClient, 'gateway:7', 'no']
    expect((await run(['run', '-q', '-c', conf, ...words], directory)).stdout).toMatch(/^HTTP\/1\.1 407 /)
    const open = await run(['run', '-c', conf, '--no-proxy-auth', ...words], directory)
    expect(open.stdout).toMatch(/^HTTP\/1\.1 200 /)
    expect(open.stderr).toContain('warning: --no-proxy-auth: every process of this host can use the tunnel')
  })

  it('takes configuration and key out of the environment', async () => {
    const { conf, directory } = await openGateway()
    const text = readFileSync(conf, 'utf8')
    const [, key] = /PrivateKey = (.*)\n/.exec(text) as unknown as [string, string]
    const env = { TUNLESS_CONFIG: text.replace(/PrivateKey.*\n/, ''), TUNLESS_PRIVATE_KEY: key }
    const { code, stdout } = await run(['run', '-q', '--', 'env'], directory, env)
    expect(code).toBe(0)
    expect(stdout).toMatch(/^HTTPS_PROXY=http:\/\/[0-9a-f]{16}:[0-9a-f]{32}@127\.0\.0\.1:\d+$/m)
    expect(stdout).toMatch(/^NO_PROXY=localhost,127\.0\.0\.1,::1$/m)
    expect(stdout).toMatch(/^TUNLESS_JOIN=\//m)
    expect(stdout).not.toMatch(/TUNLESS_CONFIG|TUNLESS_PRIVATE_KEY|\[Interface\]/)
    expect(stdout).not.toContain(key)
  })

  it('reads the configuration from stdin, which is then at its end for the command', async () => {
    const { conf, directory } = await openGateway()
    const result = await run(['run', '-q', '-c', '-', 'cat'], directory, {}, readFileSync(conf, 'utf8'))
    expect(result).toEqual({ code: 0, signal: null, stdout: '', stderr: '' })
  })

  it.each([
    [['true'], 0, ''],
    [['sh', '-c', 'exit 125'], 125, ''],
    [['sh', '-c', 'kill -KILL $$'], 137, ''],
    [['no-such-command'], 127, 'tunless: no-such-command: not found: it is not on PATH\n'],
    [
      ['/dev/null'],
      126,
      'tunless: /dev/null: cannot be run: it is not executable: chmod +x, or name the program that reads it\n',
    ],
  ])('%j is exit code %i', async (command, code, stderr) => {
    const { conf, directory } = await openGateway()
    expect(await run(['run', '-q', '-c', conf, ...command], directory)).toEqual({
      code,
      signal: null,
      stdout: '',
      stderr,
    })
    expect(filesIn(directory)).toEqual(['runner.conf'])
  })

  it.each([
    [['run'], /missing required argument 'command'.*\(USAGE\)/],
    [['run', '-c', 'nowhere.conf', 'true'], /cannot read nowhere\.conf.*\(CONFIG_UNREADABLE\)/],
    [['run', '--frobnicate', 'true'], /unknown option '--frobnicate' \(USAGE\)/],
    [['run', '--direct', '*.example.com', 'true'], /--direct "\*\.example\.com": write a name.*\(USAGE\)/],
    [['run', '--wait', 'web1:70000', 'true'], /'70000' is not a port.*\(USAGE\)/],
  ])('%j is its own failure', async (argv, message) => {
    const directory = scratch()
    const { code, stderr } = await run(argv, directory)
    expect(code).toBe(ownFailure)
    expect(stderr).toMatch(message)
    expect(filesIn(directory)).toEqual([])
  })

  it('says why a tunnel that nobody answers does not come up, and starts nothing', async () => {
    const directory = scratch()
    const words = ['touch', join(directory, 'started')]
    const { code, stderr } = await run(['run', '-c', silentConf(directory), '--timeout', '200ms', ...words], directory)
    expect(code).toBe(ownFailure)
    expect(stderr).toMatch(/^tunless: no handshake in 0\.2 s with gateway at .*\(HANDSHAKE_TIMEOUT\)\n$/)
    expect(filesIn(directory)).toEqual(['silent.conf'])
  })

  it('joins a tunnel that runs, which goes on without it', async () => {
    const { conf, directory } = await openGateway()
    const up = start(['up', '-c', conf], directory)
    await saying(up, /the tunnel stands/)
    const { code, stdout, stderr } = await run(['run', '-c', conf, 'sh', '-c', nc('gateway 7')], directory)
    expect({ code, stdout }).toEqual({ code: 0, stdout: '> hello\n' })
    expect(stderr).toMatch(new RegExp(`^tunless: uses the tunnel of process ${up.process.pid}\n`))
    expect(summary(stderr)).toHaveLength(1)
    expect(up.process.exitCode).toBeNull()
    up.process.kill('SIGTERM')
    expect((await up.finished).code).toBe(0)
    expect(filesIn(directory)).toEqual(['runner.conf'])
  })

  it('says when the tunnel that it joined ends; its proxies and nc fail clearly, and the exit code is the command’s', async () => {
    const { conf, directory } = await openGateway()
    const up = start(['up', '-c', conf], directory)
    await saying(up, /the tunnel stands/)
    const asks = `${process.execPath} -e "$CLIENT" gateway:7`
    const script = `${asks}; echo ready; read -r line; ${asks}; ${nc('gateway 7')} 2>&1; echo "nc $?"; exit 9`
    const running = start(['run', '-c', conf, 'sh', '-c', script], directory, { CLIENT: proxyClient })
    while (!running.printed().endsWith('ready\n')) await once(running.process.stdout, 'data')
    up.process.kill('SIGTERM')
    await up.finished
    const gone = `the tunnel of process ${up.process.pid} `
    await saying(running, /has ended: the command goes on without it\n/)
    running.process.stdin.end('go on\n')
    const { code, stdout, stderr } = await running.finished
    expect(code).toBe(9)
    const [, later] = stdout.split('ready\n') as [string, string]
    expect(later).toMatch(/^HTTP\/1\.1 502 Bad Gateway\r\n.*this key's tunnel has ended/s)
    expect(later).toMatch(/tunless: .*this key's tunnel has ended.*\(TUNNEL_CLOSED\)\nnc 1\n$/)
    expect(stderr).toContain(`${gone}has ended: the command goes on without it\n`)
    expect(stderr).toContain(`tunless: sh: exit code 9; ${gone}had ended before\n`)
    expect(filesIn(directory)).toEqual(['runner.conf'])
  })

  it('carries UDP in a tunnel of another process, also of a run around it: by -L …/udp and UDP ASSOCIATE', async () => {
    const { conf, directory, tunnel } = await openGateway()
    const echo = tunnel.createSocket()
    echo.on('message', (message, from) => echo.send(`>${message}`, from.port, from.address)).bind(53)
    const up = start(['up', '-c', conf], directory)
    await saying(up, /the tunnel stands/)
    const outer = start(['run', '-q', '-c', conf, 'sh', '-c', 'echo "$TUNLESS_JOIN"; exec sleep 100'], directory)
    const [path] = await once(outer.process.stdout, 'data')
    const ways = ['-D', '0', '-L', '0:gateway:53/udp', '-L', '0:nobody:53/udp']
    const inner = start(['run', ...ways, 'sleep', '100'], directory, { TUNLESS_JOIN: `${path}`.trim() })
    const said = await saying(inner, /leads to nobody:53/)
    const [proxy, forward, nobody] = [...said.matchAll(/127\.0\.0\.1:(\d+)/g)].map(([, port]) => Number(port))
    const client = createSocket('udp4')
    onTestFinished(() => void client.close())
    client.send('by a forward', forward as number)
    expect(`${(await once(client, 'message'))[0]}`).toBe('>by a forward')

    const control = connect(proxy as number, '127.0.0.1')
    onTestFinished(() => void control.destroy())
    control.write(Buffer.of(5, 1, 0, 5, 3, 0, 1, 0, 0, 0, 0, 0, 0))
    let heard = Buffer.alloc(0)
    while (heard.length < 12) heard = Buffer.concat([heard, (await once(control, 'data'))[0]])
    const header = Buffer.concat([Buffer.of(0, 0, 0, 3, 7), Buffer.from('gateway'), Buffer.of(0, 53)])
    const large = Buffer.alloc(30_000, 'x')
    client.send(Buffer.concat([header, large]), heard.readUInt16BE(10))
    const [answer] = (await once(client, 'message')) as [Buffer]
    expect(answer.subarray(10)).toEqual(Buffer.concat([Buffer.from('>'), large]))

    client.send('x', nobody as number)
    await saying(inner, /unknown host "nobody"/)
    for (const running of [inner, outer, up]) {
      running.process.kill('SIGTERM')
      await running.finished
    }
    expect(filesIn(directory)).toEqual(['runner.conf'])
  })

  it('refuses what a tunnel of another process cannot do for it', async () => {
    const { conf, directory } = await openGateway()
    const up = start(['up', '-c', conf], directory)
    await saying(up, /the tunnel stands/)
    const result = await run(['run', '-c', conf, '-R', '80:127.0.0.1:80', 'true'], directory)
    expect(result.code).toBe(ownFailure)
    expect(result.stderr).toMatch(/-R 80: the tunnel is run by another process.*\(USAGE\)/)
  })

  it('within another run uses its tunnel, whatever configuration it is given', async () => {
    const { conf, directory } = await openGateway()
    const inner = `${process.execPath} ${bin} run -c other.conf --wait gateway:7 sh -c '${nc('gateway 7')}; exit 9'`
    const { code, stdout, stderr } = await run(['run', '-c', conf, 'sh', '-c', inner], directory)
    expect({ code, stdout }).toEqual({ code: 9, stdout: '> hello\n' })
    expect(stderr).toContain('warning: -c other.conf is not used: TUNLESS_JOIN names a tunnel to join')
  })

  it('opens what -D and -L name as well', async () => {
    const { conf, directory } = await openGateway()
    const running = start(['run', '-c', conf, '-D', '0', '-L', '0:gateway:7', 'sleep', '30'], directory)
    const said = await saying(running, /leads to gateway:7/)
    expect(said).toMatch(/^tunless: SOCKS5 and HTTP proxy on 127\.0\.0\.1:\d+$/m)
    running.process.kill('SIGTERM')
    expect((await running.finished).code).toBe(143)
  })
})

describe('run --wait', () => {
  async function listenLater(gateway: Gateway, port: number, delay: number): Promise<void> {
    await sleep(delay)
    const server = gateway.tunnel.createServer(socket => socket.on('error', () => {}).end())
    server.listen(port)
    await once(server, 'listening')
  }

  it('starts the command once every target answers', async () => {
    const gateway = await openGateway()
    const { conf, directory } = gateway
    const began = performance.now()
    const later = listenLater(gateway, 8080, 700)
    const args = ['run', '-q', '-c', conf, '--wait', 'gateway:7', '--wait', 'gateway:8080', 'echo', 'started']
    expect(await run(args, directory)).toMatchObject({ code: 0, stdout: 'started\n' })
    expect(performance.now() - began).toBeGreaterThan(700)
    await later
  })

  it.each([
    ['gateway:81', /gateway:81 refused the connection.*\(TARGET_REFUSED\)/],
    ['10.99.0.1:80', /no peer's AllowedIPs cover 10\.99\.0\.1 \(they are: .*\(NO_ROUTE\)/],
    ['nobody:80', /unknown host "nobody".*\(UNKNOWN_HOST\)/],
  ])('fails for %s with why, and starts nothing', async (target, message) => {
    const { conf, directory } = await openGateway()
    const words = ['touch', join(directory, 'started')]
    const result = await run(['run', '-c', conf, '--timeout', '500ms', '--wait', target, ...words], directory)
    expect(result.code).toBe(ownFailure)
    expect(result.stderr).toMatch(message)
    expect(filesIn(directory)).toEqual(['runner.conf'])
  })
})

describe('run --direct', () => {
  async function local(): Promise<number> {
    const server = createServer(socket => socket.end('by the host\n')).listen(0, '127.0.0.1')
    onTestFinished(() => void server.close())
    await once(server, 'listening')
    return (server.address() as { port: number }).port
  }

  it('sends what it names by the host, and says so', async () => {
    const { conf, directory } = await openGateway()
    const port = await local()
    const script = `${nc(`127.0.0.1 ${port}`)}; ${nc('gateway 7')}`
    const { stdout, stderr } = await run(['run', '-c', conf, '--direct', '127.0.0.0/8', 'sh', '-c', script], directory)
    expect(stdout).toBe('by the host\n> hello\n')
    expect(stderr).toContain(`tunless: 127.0.0.1:${port}: by the host's network, as --direct says\n`)
    expect(summary(stderr)[1]).toBe(`tunless: by the host's network: 127.0.0.1:${port}`)
  })

  it("with * keeps the names of the tunnel's domains from the host, also in a tunnel that it joined", async () => {
    const { conf, directory, tunnel } = await openGateway()
    await startDns(tunnel, { address: '10.7.0.1', answers: { 'far.lab.test': { a: ['127.0.0.1'] } } })
    writeFileSync(conf, readFileSync(conf, 'utf8').replace('[Interface]\n', '$&# DNSRoute = lab.test 10.7.0.1\n'))
    const port = await local()
    const script = `${nc(`far.lab.test ${port}`)}; ${nc(`localhost.lab.test ${port}`)}; ${nc(`localhost.example ${port}`)}`
    const direct = ['run', '-c', conf, '--direct', '*', 'sh', '-c', script]
    const up = start(['up', '-c', conf], directory)
    await saying(up, /the tunnel stands/)
    const joined = await run(direct, directory)
    up.process.kill('SIGTERM')
    await up.finished
    for (const { stdout, stderr } of [joined, await run(direct, directory)]) {
      expect(stdout).toBe('by the host\n')
      expect(stderr).toContain('unknown host "localhost.lab.test"')
      expect(summary(stderr).slice(1)).toEqual([
        expect.stringMatching(`by the host's network: far.lab.test:${port}, localhost.example:${port}$`),
      ])
    }
  })

  it('is needed: without it there is no way but the tunnel', async () => {
    const { conf, directory } = await openGateway()
    const port = await local()
    const { code, stdout, stderr } = await run(['run', '-c', conf, 'sh', '-c', nc(`127.0.0.1 ${port}`)], directory)
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(stderr).toMatch(/no peer's AllowedIPs cover 127\.0\.0\.1 .*\(NO_ROUTE\)/)
    expect(summary(stderr)).toEqual([
      expect.stringContaining('1 denied dial'),
      `tunless: not let through: 127.0.0.1:${port}`,
    ])
  })
})

describe('the summary of run', () => {
  it('goes to the page of a GitHub job', async () => {
    const { conf, directory } = await openGateway()
    const file = join(directory, 'summary.md')
    const result = await run(['run', '-q', '-c', conf, 'true'], directory, { GITHUB_STEP_SUMMARY: file })
    expect(result).toMatchObject({ code: 0, stderr: '' })
    expect(readFileSync(file, 'utf8')).toMatch(
      /^### tunless\n\n\| \| \|\n\| --- \| --- \|\n\| command \| `true`, exit code 0, /,
    )
  })
})

describe('run and signals', () => {
  it.each(['SIGTERM', 'SIGHUP', 'SIGINT'] as const)(
    'passes %s on to the command, and returns its code',
    async signal => {
      const { conf, directory } = await openGateway()
      const script = `trap 'exit 44' ${signal.slice(3)}; echo ready; while :; do sleep 0.05; done`
      const running = start(['run', '-q', '-c', conf, 'sh', '-c', script], directory)
      await once(running.process.stdout, 'data')
      running.process.kill(signal)
      expect(await running.finished).toMatchObject({ code: 44, signal: null })
      expect(filesIn(directory)).toEqual(['runner.conf'])
    },
  )

  it('kills a command that takes no notice of two SIGINT', async () => {
    const { conf, directory } = await openGateway()
    const script = `trap '' INT; echo ready; while :; do sleep 0.05; done`
    const running = start(['run', '-q', '-c', conf, 'sh', '-c', script], directory)
    await once(running.process.stdout, 'data')
    running.process.kill('SIGINT')
    await sleep(200)
    expect(running.process.exitCode).toBeNull()
    running.process.kill('SIGINT')
    expect((await running.finished).code).toBe(137)
  })

  it.each([
    ['SIGTERM', 143],
    ['SIGINT', 130],
    ['SIGHUP', 129],
  ] as const)('ends with %s while nobody answers, and leaves nothing', async (signal, code) => {
    const directory = scratch()
    const words = ['touch', join(directory, 'started')]
    const running = start(['run', '-c', silentConf(directory), '--timeout', '0', ...words], directory)
    await expect.poll(() => filesIn(directory).length, { timeout: 10_000 }).toBeGreaterThan(2)
    running.process.kill(signal)
    const finished = await running.finished
    expect(finished.code).toBe(code)
    expect(finished.stderr).toContain(`tunless: stopped by ${signal}, the command was not started\n`)
    expect(filesIn(directory)).toEqual(['silent.conf'])
  })

  it('ends with SIGTERM while it waits for a target, and leaves nothing', async () => {
    const { conf, directory } = await openGateway()
    const running = start(['run', '-c', conf, '--timeout', '0', '--wait', 'gateway:81', 'true'], directory)
    await saying(running, /waiting for gateway:81/)
    running.process.kill('SIGTERM')
    expect((await running.finished).code).toBe(143)
    expect(filesIn(directory)).toEqual(['runner.conf'])
  })

  it.skipIf(!existsSync('/usr/bin/script'))('leaves SIGINT of a terminal to the terminal', async () => {
    const { conf, directory } = await openGateway()
    const heard = join(directory, 'heard')
    const job = join(directory, 'job.sh')
    writeFileSync(
      job,
      `trap 'echo INT >> ${heard}' INT; echo ready; while [ ! -s ${heard} ]; do sleep 0.05; done; sleep 0.5; exit 45\n`,
    )
    const { spawn } = await import('node:child_process')
    const command = `exec ${process.execPath} ${bin} run -q -c ${conf} sh ${job}`
    const terminal = spawn('script', ['-qec', command, '/dev/null'], { env: { ...process.env, TMPDIR: directory } })
    onTestFinished(() => void terminal.kill('SIGKILL'))
    let said = ''
    terminal.stdin.on('error', () => {})
    terminal.stdout.on('data', chunk => {
      said += chunk
      if (said.trim() === 'ready') terminal.stdin.write('\x03')
    })
    const [code] = await once(terminal, 'close')
    expect(code).toBe(45)
    expect(readFileSync(heard, 'utf8')).toBe('INT\n')
  })
})

describe('two runs with one key', () => {
  it('share the tunnel; the one that has it stays until the other has ended', async () => {
    const { conf, directory } = await openGateway()
    const first = start(['run', '-c', conf, 'sh', '-c', 'read line; exit 3'], directory)
    await saying(first, /the tunnel stands/)
    const second = start(['run', '-c', conf, 'sh', '-c', `read line; ${nc('gateway 7')}`], directory)
    await saying(second, /uses the tunnel of process/)
    first.process.stdin.end('\n')
    await saying(first, /others use this tunnel now/)
    second.process.stdin.end('\n')
    expect(await second.finished).toMatchObject({ code: 0, stdout: '> hello\n' })
    expect((await first.finished).code).toBe(3)
    expect(filesIn(directory)).toEqual(['runner.conf'])
  })
})

import { chmodSync, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { filesIn, once, openGateway, run, saying, scratch, silentConf, start } from './cli-support.js'

async function exchange(port: number, text: string): Promise<string> {
  const socket = connect({ host: '127.0.0.1', port, allowHalfOpen: true })
  socket.end(text)
  let answer = ''
  for await (const chunk of socket) answer += chunk
  return answer
}

describe('up', () => {
  it('stands, says where it listens, writes the ready file, and closes cleanly', async () => {
    const gateway = await openGateway()
    const { conf, directory } = gateway
    const readyFile = join(directory, 'ready.json')
    const up = start(['up', '-c', conf, '-D', '0', '-L', '0:gateway:7', '--ready-file', readyFile], directory)
    await expect.poll(() => existsSync(readyFile), { timeout: 10_000 }).toBe(true)
    const report = JSON.parse(readFileSync(readyFile, 'utf8'))
    expect(report).toEqual({
      pid: up.process.pid,
      publicKey: expect.stringMatching(/^.{43}=$/),
      addresses: ['10.7.0.2'],
      port: expect.any(Number),
      peer: {
        name: 'gateway',
        publicKey: gateway.tunnel.publicKey,
        endpoint: `127.0.0.1:${gateway.tunnel.port}`,
        rtt: expect.any(Number),
      },
      listeners: [
        { type: 'proxy', host: '127.0.0.1', port: expect.any(Number) },
        { type: 'forward', host: '127.0.0.1', port: expect.any(Number), target: { host: 'gateway', port: 7 } },
      ],
    })
    const [socks, forward] = report.listeners
    await saying(up, /leads to/)
    expect(up.said()).toMatch(
      new RegExp(
        [
          `^tunless: the tunnel stands: peer gateway at 127\\.0\\.0\\.1:${gateway.tunnel.port}, round trip \\d+\\.\\d ms`,
          `tunless: SOCKS5 and HTTP proxy on 127\\.0\\.0\\.1:${socks.port}`,
          `tunless: 127\\.0\\.0\\.1:${forward.port} leads to gateway:7\n$`,
        ].join('\n'),
      ),
    )
    expect(await exchange(forward.port, 'hello')).toBe('> hello')

    up.process.kill('SIGTERM')
    expect(await up.finished).toMatchObject({ code: 0, signal: null, stdout: '' })
    expect(filesIn(directory)).toEqual(['runner.conf'])
  })

  it('opens several ways in and out, and leaves no socket behind', async () => {
    const { conf, directory, tunnel } = await openGateway()
    const [proxy, users] = [join(directory, 'p.sock'), join(directory, 'users')]
    writeFileSync(users, 'ci:secret\n', { mode: 0o600 })
    const echo = createServer(socket => socket.pipe(socket)).listen(0, '127.0.0.1')
    onTestFinished(() => void echo.close())
    await once(echo, 'listening')
    const { port } = echo.address() as { port: number }
    const proxies = ['-D', '0', '-D', `unix:${proxy}`, '-D', '0.0.0.0:0', '--auth-file', users]
    const forwards = ['-L', '0:gateway:7/udp', '-R', `90:127.0.0.1:${port}`]
    const up = start(['up', '-c', conf, ...proxies, ...forwards], directory)
    const said = await saying(up, /in the tunnel leads to .* here\n/)
    expect(said).toMatch(
      new RegExp(
        [
          'tunless: SOCKS5 and HTTP proxy on 127\\.0\\.0\\.1:\\d+',
          `tunless: SOCKS5 and HTTP proxy on ${proxy}`,
          'tunless: SOCKS5 and HTTP proxy on 0\\.0\\.0\\.0:\\d+',
          'tunless: 127\\.0\\.0\\.1:\\d+/udp leads to gateway:7/udp',
          `tunless: port 90 in the tunnel leads to 127.0.0.1:${port} here\n$`,
        ].join('\n'),
      ),
    )
    expect(statSync(proxy).mode & 0o777).toBe(0o600)
    const peer = tunnel.connect({ host: '10.7.0.2', port: 90 })
    peer.end('round')
    expect(String((await once(peer, 'data'))[0])).toBe('round')
    up.process.kill('SIGTERM')
    expect((await up.finished).code).toBe(0)
    expect(filesIn(directory)).toEqual(['runner.conf', 'users'])
  })

  it.each([
    ['a file of users that cannot be used', 'ci\n', ['-D', '0'], 'CONFIG_INVALID'],
    ['users without a proxy', 'ci:x\n', [], 'USAGE'],
  ])('refuses %s', async (_what, text, args, code) => {
    const directory = scratch()
    const users = join(directory, 'users')
    writeFileSync(users, text, { mode: 0o600 })
    const result = await run(['up', '-c', silentConf(directory), '--auth-file', users, ...args], directory)
    expect(result).toMatchObject({ code: 2, stderr: expect.stringContaining(`(${code})`) })
  })

  it.each(['SIGINT', 'SIGTERM'] as const)('ends with exit code 0 at %s, even before it stands', async signal => {
    const directory = scratch()
    const up = start(['up', '-v', '-c', silentConf(directory), '--timeout', '0'], directory)
    await expect.poll(() => filesIn(directory).length, { timeout: 10_000 }).toBeGreaterThan(1)
    up.process.kill(signal)
    expect(await up.finished).toMatchObject({ code: 0, signal: null })
    expect(filesIn(directory)).toEqual(['silent.conf'])
  })

  it('fails with the pid of the one that has its key', async () => {
    const { conf, directory } = await openGateway()
    const first = start(['up', '-c', conf], directory)
    await saying(first, /the tunnel stands/)
    const second = await run(['up', '-c', conf], directory)
    expect(second).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(new RegExp(`process ${first.process.pid} already runs .*\\(TUNNEL_KEY_IN_USE\\)`)),
    })
    first.process.kill('SIGINT')
    expect((await first.finished).code).toBe(0)
  })

  it('fails where nobody answers in time, and says what was tried', async () => {
    const directory = scratch()
    const { code, stderr } = await run(['up', '-c', silentConf(directory), '--timeout', '200ms'], directory)
    expect(code).toBe(1)
    expect(stderr).toMatch(
      /^tunless: no handshake in 0\.2 s with gateway at 127\.0\.0\.1:9 \(\d initiations? unanswered\): .*\(HANDSHAKE_TIMEOUT\)\n$/,
    )
    expect(filesIn(directory)).toEqual(['silent.conf'])
  })

  it('goes on when its peer is lost', async () => {
    const { conf, directory, tunnel } = await openGateway()
    const up = start(['up', '-c', conf, '-L', '0:gateway:7', '--timeout', '1'], directory)
    const [, port] = /127\.0\.0\.1:(\d+) leads/.exec(await saying(up, /leads to/)) as unknown as [string, string]
    await tunnel.close()
    await exchange(Number(port), 'anyone?').catch(() => {})
    expect(up.process.exitCode).toBeNull()
    up.process.kill('SIGINT')
    expect((await up.finished).code).toBe(0)
  })

  it('fails where a port is taken', async () => {
    const directory = scratch()
    const server = createServer().listen(0, '127.0.0.1')
    onTestFinished(() => void server.close())
    await once(server, 'listening')
    const { port } = server.address() as { port: number }
    for (const option of [
      ['-D', `${port}`],
      ['-L', `${port}:gateway:1`],
    ]) {
      const result = await run(['up', '-c', silentConf(directory), ...option], directory)
      expect(result).toMatchObject({ code: 1, stderr: expect.stringContaining('(LISTEN_FAILED)') })
    }
  })

  it('fails where -L leads to a name that nobody knows', async () => {
    const directory = scratch()
    const result = await run(['up', '-c', silentConf(directory), '-L', '0:db:5432'], directory)
    expect(result).toMatchObject({ code: 1, stderr: expect.stringMatching(/unknown host "db".*\(UNKNOWN_HOST\)/) })
  })

  it('fails where the UDP port is taken', async () => {
    const { conf, directory, tunnel } = await openGateway()
    const taken = join(directory, 'taken.conf')
    writeFileSync(taken, readFileSync(conf, 'utf8').replace('[Peer]', `ListenPort = ${tunnel.port}\n[Peer]`), {
      mode: 0o600,
    })
    const result = await run(['up', '-c', taken], directory)
    expect(result).toMatchObject({ code: 1, stderr: expect.stringContaining('(UDP_BIND_FAILED)') })
  })

  it('fails where the endpoint has no address', async () => {
    const directory = scratch()
    const conf = silentConf(directory)
    writeFileSync(conf, readFileSync(conf, 'utf8').replace('127.0.0.1:9', 'vpn.invalid:9'))
    const result = await run(['up', '-c', conf, '--timeout', '1'], directory)
    expect(result).toMatchObject({ code: 1, stderr: expect.stringMatching(/vpn\.invalid:9 .*\(ENDPOINT_UNRESOLVED\)/) })
  })

  it('fails where the ready file cannot be', async () => {
    const directory = scratch()
    const result = await run(
      ['up', '-c', silentConf(directory), '--ready-file', join(directory, 'missing', 'ready')],
      directory,
    )
    expect(result).toMatchObject({ code: 1, stderr: expect.stringContaining('(READY_FILE_FAILED)') })
  })

  it('fails where the control directory is open to others', async () => {
    const directory = scratch()
    const open = join(directory, `tunless-${process.getuid?.()}`)
    mkdirSync(open)
    chmodSync(open, 0o777)
    const result = await run(['up', '-c', silentConf(directory)], directory)
    expect(result).toMatchObject({ code: 1, stderr: expect.stringContaining('(CONTROL_DIRECTORY_UNSAFE)') })
  })

  it('warns of a configuration that others can read, and of a forward that they can reach', async () => {
    const { conf, directory } = await openGateway()
    chmodSync(conf, 0o644)
    const up = start(['up', '-c', conf, '-L', '0.0.0.0:0:gateway:7'], directory)
    const said = await saying(up, /leads to/)
    expect(said).toMatch(/warning: .*runner\.conf can be read by others/)
    expect(said).toMatch(/warning: -L on 0\.0\.0\.0:0: whoever reaches this host can reach gateway:7/)
    up.process.kill('SIGTERM')
    await up.finished
  })

  it('says nothing but errors with -q', async () => {
    const { conf, directory } = await openGateway()
    const readyFile = join(directory, 'ready.json')
    const up = start(['up', '-q', '-c', conf, '--ready-file', readyFile], directory)
    await expect.poll(() => existsSync(readyFile), { timeout: 10_000 }).toBe(true)
    up.process.kill('SIGTERM')
    expect(await up.finished).toMatchObject({ code: 0, stdout: '', stderr: '' })
  })
})

// What keeps `up` in the background and ends it there: --detach, --pid-file, down, and SIGHUP, by which it reads its files again.
import { spawn } from 'node:child_process'
import { existsSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { newPrivateKey } from '../../src/app/keys.js'
import { bin, filesIn, once, openGateway, run, saying, scratch, silentConf, start } from './cli-support.js'

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    // A process that nobody has waited for is over, too.
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false
  }
}

/** Kills what the test has left in the background. */
function endLater(pidFile: string): void {
  onTestFinished(() => {
    if (existsSync(pidFile)) process.kill(Number(readFileSync(pidFile, 'utf8')), 'SIGKILL')
  })
}

describe('up --detach', () => {
  it('returns once the tunnel stands, and leaves it to down', async () => {
    const { conf, directory } = await openGateway()
    const pidFile = join(directory, 'up.pid')
    const readyFile = join(directory, 'ready.json')
    endLater(pidFile)
    const args = ['up', '-c', conf, '-L', '0:gateway:7', '--detach', '--pid-file', pidFile, '--ready-file', readyFile]
    const { code, stderr } = await run(args, directory)
    const pid = Number(readFileSync(pidFile, 'utf8'))
    expect(code).toBe(0)
    expect(stderr).toMatch(
      new RegExp(
        `^tunless: the tunnel stands: .*\n.* leads to gateway:7\ntunless: in the background as process ${pid}\n$`,
      ),
    )
    const report = JSON.parse(readFileSync(readyFile, 'utf8'))
    expect(report.pid).toBe(pid)
    const socket = connect(report.listeners[0].port, '127.0.0.1')
    expect(`${(await once(socket, 'data'))[0]}`).toBe('> ')
    socket.destroy()

    const downed = await run(['down'], directory)
    expect(downed).toMatchObject({ code: 0, stderr: `tunless: process ${pid} has ended, and its tunnel with it\n` })
    expect(isAlive(pid)).toBe(false)
    expect(filesIn(directory)).toEqual(['runner.conf'])
  })

  it('does not mind that the process in the background leaves first', async () => {
    const { conf, directory } = await openGateway()
    const pidFile = join(directory, 'up.pid')
    endLater(pidFile)
    // Somebody else holds its stderr, so the one in front waits for the end of that while the other lets go of it.
    const preload = join(directory, 'preload.cjs')
    const sleep = `require('child_process').spawn('sleep', ['4'], { stdio: ['ignore', 'ignore', 2], detached: true }).unref()`
    writeFileSync(preload, `if (process.env.TUNLESS_DETACHED) ${sleep}\n`)
    const env = { NODE_OPTIONS: `--require ${preload}` }
    const { code, stderr } = await run(['up', '-c', conf, '--detach', '--pid-file', pidFile], directory, env)
    expect(stderr).not.toContain('cannot start')
    expect(code).toBe(0)
    expect(await run(['down'], directory)).toMatchObject({ code: 0 })
  })

  it('returns why it does not, and leaves nothing', async () => {
    const directory = scratch()
    const conf = silentConf(directory)
    const late = await run(['up', '-c', conf, '--detach', '--timeout', '200ms'], directory)
    expect(late).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^tunless: no handshake .*\(HANDSHAKE_TIMEOUT\)\n$/),
    })
    const wrong = await run(['up', '-c', join(directory, 'nowhere'), '--detach'], directory)
    expect(wrong).toMatchObject({ code: 2, stderr: expect.stringContaining('(CONFIG_UNREADABLE)') })
    expect(filesIn(directory)).toEqual(['silent.conf'])
  })

  it('takes its configuration from stdin, and goes on writing where stderr is a file', async () => {
    const { conf, directory } = await openGateway()
    const pidFile = join(directory, 'up.pid')
    const errors = join(directory, 'errors')
    endLater(pidFile)
    const stdio = [openSync(conf, 'r'), 'ignore', openSync(errors, 'a')] as const
    const args = [bin, 'up', '-c', '-', '--detach', '--pid-file', pidFile]
    const [code] = await once(
      spawn(process.execPath, args, { stdio: [...stdio], env: { ...process.env, TMPDIR: directory } }),
      'exit',
    )
    expect(code).toBe(0)
    expect((await run(['down', '-q', '-c', conf], directory)).code).toBe(0)
    expect(readFileSync(errors, 'utf8')).toMatch(
      /in the background as process \d+\ntunless: ended by `tunless down`, the tunnel is closed\n$/,
    )
  })

  it.each(['SIGTERM', 'SIGINT', 'SIGKILL'] as const)(
    'that is ended by %s before leaves nothing in the background',
    async signal => {
      const directory = scratch()
      const pidFile = join(directory, 'up.pid')
      endLater(pidFile)
      const args = ['up', '-c', silentConf(directory), '--detach', '--timeout', '0', '--pid-file', pidFile]
      const front = start(args, directory)
      await expect.poll(() => existsSync(pidFile), { timeout: 15_000 }).toBe(true)
      const pid = Number(readFileSync(pidFile, 'utf8'))
      expect(pid).not.toBe(front.process.pid)
      front.process.kill(signal)
      const { code, stderr } = await front.finished
      if (signal !== 'SIGKILL') {
        expect(code).toBe(1)
        expect(stderr).toContain(`tunless: stopped by ${signal} before the tunnel stood\n`)
      }
      await expect.poll(() => isAlive(pid), { timeout: 10_000 }).toBe(false)
      expect(filesIn(directory)).toEqual(['silent.conf'])
    },
  )
})

describe('down', () => {
  it('ends the one with that key, and no other', async () => {
    const [one, other] = [await openGateway(), await openGateway()]
    const { directory } = one
    const first = start(['up', '-c', one.conf], directory)
    const second = start(['up', '-c', other.conf], directory)
    await Promise.all([saying(first, /stands/), saying(second, /stands/)])
    const unclear = await run(['down'], directory)
    expect(unclear.code).toBe(2)
    expect(unclear.stderr).toMatch(
      /2 tunnels run, name one of them by -c FILE: runner \(process \d+\), runner \(process \d+\) \(USAGE\)/,
    )
    expect((await run(['down', '-c', other.conf], directory)).code).toBe(0)
    expect(await second.finished).toMatchObject({ code: 0, stderr: expect.stringContaining('ended by `tunless down`') })
    expect(first.process.exitCode).toBeNull()
    expect((await run(['down'], directory, { TUNLESS_CONFIG: one.conf })).code).toBe(0)
    expect((await first.finished).code).toBe(0)
  })

  it('says that there is none', async () => {
    const { conf, directory } = await openGateway()
    for (const args of [['down'], ['down', '-c', conf]]) {
      const { code, stderr } = await run(args, directory)
      expect(code).toBe(1)
      expect(stderr).toMatch(/^tunless: no tunnel of .*\(NO_SUCH_TUNNEL\)\n$/)
    }
  })

  it('ends nothing that is not up', async () => {
    const { conf, directory } = await openGateway()
    const running = start(['run', '-c', conf, 'sleep', '30'], directory)
    await saying(running, /stands/)
    const result = await run(['down', '-c', conf], directory)
    expect(result).toMatchObject({ code: 1, stderr: expect.stringContaining('(TUNNEL_NOT_STOPPED)') })
    expect((await run(['down'], directory)).stderr).toMatch(
      /not for others to end: runner \(process \d+\) \(NO_SUCH_TUNNEL\)/,
    )
    running.process.kill('SIGTERM')
    expect((await running.finished).code).toBe(143)
  })

  it('gives a process up that does not end', async () => {
    const { conf, directory } = await openGateway()
    const up = start(['up', '-c', conf], directory)
    await saying(up, /stands/)
    up.process.kill('SIGSTOP')
    const { code, stderr } = await run(['down', '-c', conf, '--timeout', '500ms'], directory)
    expect(code).toBe(1)
    expect(stderr).toMatch(
      new RegExp(`process ${up.process.pid} does not answer: end it by .*\\(TUNNEL_NOT_STOPPED\\)`),
    )
    up.process.kill('SIGCONT')
  })
})

describe('SIGHUP of up', () => {
  it('reads the configuration again; connections go on whose peer is still there', async () => {
    const { conf, directory } = await openGateway()
    const up = start(['up', '-c', conf, '-L', '0:gateway:7'], directory)
    const [, port] = /127\.0\.0\.1:(\d+) leads/.exec(await saying(up, /leads to/)) as unknown as [string, string]
    const socket = connect(Number(port), '127.0.0.1')
    await once(socket, 'data')
    const text = readFileSync(conf, 'utf8')
    writeFileSync(
      conf,
      text.replace('# Name = gateway', '# Name = door').replace('10.7.0.0/24', '10.7.0.0/24, 10.99.0.0/16'),
    )
    up.process.kill('SIGHUP')
    await saying(up, /runner\.conf is reloaded\n/)
    socket.write('still here')
    expect(`${(await once(socket, 'data'))[0]}`).toBe('still here')
    expect((await run(['nc', '-c', conf, 'door', '7'], directory, {}, 'x')).stdout).toBe('> x')
    socket.destroy()

    writeFileSync(conf, text.replace('AllowedIPs', 'AllowedIPz'))
    up.process.kill('SIGHUP')
    await saying(up, /the configuration is not reloaded: .*runner\.conf:\d+: .*\(CONFIG_INVALID\)\n/)
    writeFileSync(conf, text.replace('Address = 10.7.0.2/24', 'Address = 10.7.0.3/24'))
    up.process.kill('SIGHUP')
    await saying(up, /warning: .*runner\.conf: Address changed: that takes a restart\n/)
    up.process.kill('SIGTERM')
    expect((await up.finished).code).toBe(0)
  })

  it('reads the users of the proxy again; who is in stays', async () => {
    const { conf, directory } = await openGateway()
    const users = join(directory, 'users')
    writeFileSync(users, 'ci:first\n', { mode: 0o600 })
    const up = start(['up', '-c', conf, '-D', '0', '--auth-file', users], directory)
    const [, port] = /proxy on 127\.0\.0\.1:(\d+)/.exec(await saying(up, /proxy on/)) as unknown as [string, string]
    const enter = async (user: string) => {
      const socket = connect(Number(port), '127.0.0.1')
      const token = Buffer.from(user).toString('base64')
      socket.write(`CONNECT gateway:7 HTTP/1.1\r\nHost: gateway:7\r\nProxy-Authorization: Basic ${token}\r\n\r\n`)
      const [answer] = await once(socket, 'data')
      return { socket, status: `${answer}`.slice(9, 12) }
    }
    const first = await enter('ci:first')
    expect(first.status).toBe('200')

    writeFileSync(users, 'ci:second\n')
    up.process.kill('SIGHUP')
    await saying(up, /users is reloaded\n/)
    expect((await enter('ci:first')).status).toBe('407')
    expect((await enter('ci:second')).status).toBe('200')
    first.socket.write('still here')
    let heard = ''
    while (!heard.endsWith('still here')) heard += (await once(first.socket, 'data'))[0]

    writeFileSync(users, 'nobody\n')
    up.process.kill('SIGHUP')
    await saying(up, /the users are not reloaded: .*users:1: there is no colon.*\(CONFIG_INVALID\)\n/)
    expect((await enter('ci:second')).status).toBe('200')
  })

  it('takes a new private key over', async () => {
    const { conf, directory, tunnel } = await openGateway()
    const up = start(['up', '-c', conf], directory)
    await saying(up, /stands/)
    const text = readFileSync(conf, 'utf8')
    const key = Buffer.from(newPrivateKey())
    writeFileSync(conf, text.replace(/PrivateKey = .*/, `PrivateKey = ${key.toString('base64')}`))
    up.process.kill('SIGHUP')
    await saying(up, /is reloaded/)
    const shown = await run(['show', 'runner'], directory)
    const [, publicKey] = /public key: (.*)/.exec(shown.stdout) as unknown as [string, string]
    expect(tunnel.peers()[0]?.publicKey).not.toBe(publicKey)
    expect((await run(['down', '-c', conf], directory)).code).toBe(0)
    expect(filesIn(directory)).toEqual(['runner.conf'])
  })
})

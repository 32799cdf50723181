import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { connect, createServer, type Socket } from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import { claimKey } from '../../src/node/control.js'
import { createDialer } from '../../src/proxy/dialer.js'
import { bin, filesIn, once, openGateway, publicKeyIn, run, saying, scratch, silentConf, start } from './cli-support.js'

/** A process (this one) that runs a tunnel with the configuration's key, as far as nc can see, to a server of the test's. */
async function holdKey(conf: string, directory: string, serve: (socket: Socket) => void) {
  const server = createServer({ allowHalfOpen: true }, socket => {
    socket.on('error', () => {})
    serve(socket)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  const dial = createDialer(target => connect(target))
  const claim = await claimKey(
    publicKeyIn(conf),
    {
      dial: (host, target, { signal }) => {
        if (host === 'closed') throw Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' })
        return dial({ host: '127.0.0.1', port: target === 7 ? port : target }, signal)
      },
      status: () => ({}),
    },
    { surroundings: { uid: process.getuid?.(), env: { TMPDIR: directory } } },
  )
  onTestFinished(async () => {
    await claim.release()
    server.close()
  })
  return claim
}

describe('nc that joins', () => {
  it('carries stdin and stdout, an end for an end', async () => {
    const directory = scratch()
    const conf = silentConf(directory)
    await holdKey(conf, directory, socket => {
      let got = ''
      socket.on('data', chunk => {
        got += chunk
      })
      socket.on('end', () => socket.end(`got ${got}`))
    })
    expect(await run(['nc', '-c', conf, 'web1', '7'], directory, {}, 'a question')).toEqual({
      code: 0,
      signal: null,
      stdout: 'got a question',
      stderr: '',
    })
  })

  it('ends stdout with the far side and goes on sending', async () => {
    const directory = scratch()
    const conf = silentConf(directory)
    let got = ''
    const finished = new Promise<void>(resolve => {
      void holdKey(conf, directory, socket => {
        socket.end('bye')
        socket.on('data', chunk => {
          got += chunk
        })
        socket.on('end', resolve)
      }).then(() => started())
    })
    let started!: () => void
    await new Promise<void>(resolve => {
      started = resolve
    })
    const nc = start(['nc', '-c', conf, 'web1', '7'], directory)
    await once(nc.process.stdout, 'end')
    expect(nc.printed()).toBe('bye')
    nc.process.stdin.end('late')
    await finished
    expect(got).toBe('late')
    expect((await nc.finished).code).toBe(0)
  })

  it('ends stdout for itself alone where others have it, too', async () => {
    const directory = scratch()
    const conf = silentConf(directory)
    await holdKey(conf, directory, socket => socket.end('once\n'))
    const command = `${process.execPath} ${bin} nc -c ${conf} web1 7 </dev/null`
    const shell = spawn('sh', ['-c', `${command}; ${command}; echo after`], {
      env: { ...process.env, TMPDIR: directory },
    })
    let printed = ''
    for await (const chunk of shell.stdout) printed += chunk
    expect(printed).toBe('once\nonce\nafter\n')
  })

  it('carries large data unharmed to a slow reader', async () => {
    const directory = scratch()
    const conf = silentConf(directory)
    const size = 20_000_000
    await holdKey(conf, directory, socket => socket.end(Buffer.alloc(size, 'x')))
    const nc = start(['nc', '-c', conf, 'web1', '7'], directory)
    nc.process.stdout.pause()
    await once(nc.process.stdout, 'readable')
    nc.process.stdin.end()
    nc.process.stdout.resume()
    expect((await nc.finished).stdout).toHaveLength(size)
  })

  it('says why a dial failed and exits with 1', async () => {
    const directory = scratch()
    const conf = silentConf(directory)
    await holdKey(conf, directory, () => {})
    expect(await run(['nc', '-c', conf, 'closed', '7'], directory)).toEqual({
      code: 1,
      signal: null,
      stdout: '',
      stderr:
        'tunless: closed:7 refused the connection: check that the service runs and listens there (TARGET_REFUSED)\n',
    })
  })

  it('ends quietly with SIGHUP, with which ssh dismisses it', async () => {
    const directory = scratch()
    const conf = silentConf(directory)
    const claim = await holdKey(conf, directory, socket => socket.write('hello'))
    const nc = start(['nc', '-c', conf, 'web1', '7'], directory)
    await once(nc.process.stdout, 'data')
    nc.process.kill('SIGHUP')
    expect(await nc.finished).toMatchObject({ code: 0, signal: null, stderr: '' })
    await claim.idle()
  })
})

describe('nc', () => {
  it('opens the tunnel that it needs, and leaves nothing behind', async () => {
    const { conf, directory } = await openGateway()
    expect(await run(['nc', '-c', conf, 'gateway', '7'], directory, {}, 'hello')).toEqual({
      code: 0,
      signal: null,
      stdout: '> hello',
      stderr: '',
    })
    expect(filesIn(directory)).toEqual(['runner.conf'])
  })

  it('shares one tunnel with others that begin at the same time; the first may end first', async () => {
    const { conf, directory, connections } = await openGateway()
    const all = [1, 2, 3].map(() => start(['nc', '-v', '-c', conf, 'gateway', '7'], directory))
    await Promise.all(all.map(nc => once(nc.process.stdout, 'data')))
    expect(connections.size).toBe(3)
    const opener = all.find(nc => !nc.said().includes('joined'))
    const others = all.filter(nc => nc !== opener)
    expect(others.every(nc => /joined the tunnel of process \d+/.test(nc.said()))).toBe(true)

    // The opener's connection ends: its stdio is closed at once, its process stays for the others.
    const exited = once(opener!.process, 'exit')
    opener!.process.stdin.end('bye')
    await Promise.all([once(opener!.process.stdout, 'close'), once(opener!.process.stderr, 'close')])
    expect(opener!.printed()).toBe('> bye')
    opener!.process.kill('SIGHUP')
    for (const nc of others) {
      nc.process.stdin.write('still here')
      await expect.poll(nc.printed).toBe('> still here')
    }
    expect(opener!.process.exitCode).toBeNull()

    for (const nc of others) nc.process.stdin.end()
    for (const nc of others) expect(await nc.finished).toMatchObject({ code: 0, stdout: '> still here' })
    expect(await exited).toEqual([0, null])
    expect(filesIn(directory)).toEqual(['runner.conf'])
  })

  it('takes the place of one that was killed', async () => {
    const { conf, directory } = await openGateway()
    const first = start(['nc', '-c', conf, 'gateway', '7'], directory)
    await once(first.process.stdout, 'data')
    first.process.kill('SIGKILL')
    await first.finished
    expect(await run(['nc', '-c', conf, 'gateway', '7'], directory, {}, 'again')).toMatchObject({
      code: 0,
      stdout: '> again',
    })
    expect(filesIn(directory)).toEqual(['runner.conf'])
  })

  it.each([
    ['nobody listens', ['gateway', '8'], /gateway:8 refused the connection.*\(TARGET_REFUSED\)/],
    [
      'the target is silent',
      ['--timeout', '1', '10.7.0.99', '7'],
      /10\.7\.0\.99:7 did not answer in 1 s.*\(TARGET_TIMEOUT\)/,
    ],
    ['the name is unknown', ['web9', '7'], /unknown host "web9".*\(UNKNOWN_HOST\)/],
    ['no AllowedIPs cover it', ['192.0.2.1', '7'], /AllowedIPs cover 192\.0\.2\.1.*\(NO_ROUTE\)/],
  ])('exits with 1 and the reason where %s', async (_why, target, message) => {
    const { conf, directory } = await openGateway()
    expect(await run(['nc', '-c', conf, ...target], directory)).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringMatching(message),
    })
    expect(filesIn(directory)).toEqual(['runner.conf'])
  })

  it('exits with 1 where no peer answers in time', async () => {
    const directory = scratch()
    const result = await run(['nc', '-c', silentConf(directory), '--timeout', '200ms', 'gateway', '7'], directory)
    expect(result).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/no handshake in 0\.2 s .*\(HANDSHAKE_TIMEOUT\)/),
    })
  })

  it('ends with SIGTERM, and those who joined with it', async () => {
    const { conf, directory } = await openGateway()
    const opener = start(['nc', '-c', conf, 'gateway', '7'], directory)
    await once(opener.process.stdout, 'data')
    const joined = start(['nc', '-v', '-c', conf, 'gateway', '7'], directory)
    await saying(joined, /joined/)
    await once(joined.process.stdout, 'data')
    opener.process.kill('SIGTERM')
    expect((await opener.finished).code).toBe(1)
    joined.process.stdin.end()
    await joined.finished
    expect(filesIn(directory)).toEqual(['runner.conf'])
  })

  it('runs beside up with the same configuration', async () => {
    const { conf, directory } = await openGateway()
    const up = start(['up', '-c', conf], directory)
    await saying(up, /the tunnel stands/)
    const nc = await run(['nc', '-v', '-c', conf, 'gateway', '7'], directory, {}, 'hello')
    expect(nc).toMatchObject({
      code: 0,
      stdout: '> hello',
      stderr: expect.stringContaining(`joined the tunnel of process ${up.process.pid}`),
    })
    up.process.kill('SIGTERM')
    expect((await up.finished).code).toBe(0)
    expect(filesIn(directory)).toEqual(['runner.conf'])
  })

  it('reads its configuration from TUNLESS_CONFIG and its key from TUNLESS_PRIVATE_KEY', async () => {
    const { conf, directory } = await openGateway()
    const text = readFileSync(conf, 'utf8')
    const [line, key] = /^PrivateKey = (.*)\n/m.exec(text) as unknown as [string, string]
    const env = { TUNLESS_CONFIG: Buffer.from(text.replace(line, '')).toString('base64'), TUNLESS_PRIVATE_KEY: key }
    expect(await run(['nc', 'gateway', '7'], directory, env, 'hi')).toMatchObject({ code: 0, stdout: '> hi' })
  })
})

import { readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createPair } from '../../src/app/init.js'
import { newPrivateKey } from '../../src/app/keys.js'
import { formatConfig } from '../../src/core/config/config.js'
import { once, openGateway, run, saying, scratch, silentConf, start } from './cli-support.js'

/** Confs of a gateway on a free port and of its runner, to whom 10.9.0.0/24 lies behind it. */
async function confs() {
  const directory = scratch()
  const other = await openGateway() // for a port that was free a moment ago
  const { port } = other.tunnel
  await other.tunnel.close()
  const { gateway, runner } = createPair({ host: '127.0.0.1', port }, newPrivateKey(), newPrivateKey())
  const paths = { gateway: join(directory, 'gateway.conf'), runner: join(directory, 'runner.conf') }
  writeFileSync(paths.gateway, formatConfig(gateway), { mode: 0o600 })
  writeFileSync(paths.runner, formatConfig(runner).replace('10.7.0.0/24', '10.7.0.0/24, 10.9.0.0/24'), { mode: 0o600 })
  expect(readFileSync(paths.runner, 'utf8')).toContain('10.9.0.0/24')
  return { directory, ...paths }
}

describe('serve', () => {
  it("leads a peer to a server of this host's network, and answers its pings", async () => {
    const { directory, gateway, runner } = await confs()
    const server = createServer((_request, response) => response.end('healthy')).listen(0, '127.0.0.1')
    onTestFinished(() => void server.close())
    await once(server, 'listening')
    const { port } = server.address() as { port: number }
    const serve = start(
      ['serve', '-v', '-c', gateway, '--route', '10.9.0.1=127.0.0.1', '--route', '10.9.0.128/25'],
      directory,
    )
    await saying(
      serve,
      /it leads to 10\.9\.0\.1=127\.0\.0\.1, 10\.9\.0\.128\/25; peers need 10\.9\.0\.1\/32, 10\.9\.0\.128\/25 in their AllowedIPs/,
    )
    expect(serve.said()).toMatch(/the gateway stands: waiting for its peers on UDP port \d+/)

    const request = `GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`
    const nc = await run(['nc', '-c', runner, '10.9.0.1', String(port)], directory, {}, request)
    expect(nc).toMatchObject({ code: 0, stdout: expect.stringMatching(/^HTTP\/1\.1 200 OK[\s\S]*healthy/) })

    server.close()
    const refused = await run(['nc', '-c', runner, '10.9.0.1', String(port)], directory)
    expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining('(TARGET_REFUSED)') })
    const denied = await run(['nc', '--timeout', '2', '-c', runner, '10.9.0.7', '1'], directory)
    expect(denied).toMatchObject({ code: 1, stderr: expect.stringContaining('(TARGET_TIMEOUT)') })

    const ping = await run(['ping', '-c', runner, '-c', '1', '-W', '4', '10.9.0.1'], directory)
    // Where ping(8) is not there or may not, the gateway says so, and answers nothing.
    if (ping.code === 0) expect(ping.stdout).toContain('64 bytes from 10.9.0.1')
    else expect(serve.said()).toContain('pings are not answered')

    serve.process.kill('SIGTERM')
    expect(await serve.finished).toMatchObject({ code: 0, signal: null, stdout: '' })
  })

  it('wants a route, and refuses one that leads nowhere', async () => {
    const directory = scratch()
    const conf = silentConf(directory)
    for (const [args, message] of [
      [[], /name what peers may reach by --route/],
      [['--route', '127.0.0.0/8'], /no host sends packets for 127\.0\.0\.0\/8 into a tunnel/],
      [['--route', 'web1'], /write a range/],
      [['--route', '10.0.0.0/8', '--max-connections', '0'], /is not a count/],
    ] as const) {
      expect(await run(['serve', '-c', conf, ...args], directory)).toMatchObject({
        code: 2,
        stdout: '',
        stderr: expect.stringMatching(message),
      })
    }
  })
})

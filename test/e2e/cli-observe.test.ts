import { existsSync, readFileSync, renameSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { describe, expect, it } from 'vitest'
import { openGateway, run, saying, scratch, silentConf, start } from './cli-support.js'

const pause = (ms: number) => new Promise(resolve => setTimeout(resolve, ms))

async function get(port: number, path: string): Promise<{ status: number; body: string }> {
  const response = await fetch(`http://127.0.0.1:${port}${path}`)
  return { status: response.status, body: await response.text() }
}

async function exchange(port: number, said: string): Promise<string> {
  const socket = connect({ host: '127.0.0.1', port, allowHalfOpen: true })
  socket.end(said)
  return text(socket)
}

const entries = (path: string) =>
  readFileSync(path, 'utf8')
    .split('\n')
    .filter(line => line !== '')
    .map(line => JSON.parse(line))

describe('what others see of a tunnel', () => {
  it('is metrics, readiness, and a log of connections that is begun anew at SIGHUP', async () => {
    const { conf, directory, tunnel } = await openGateway()
    const readyFile = join(directory, 'ready.json')
    const log = join(directory, 'connections.log')
    const options = ['-L', '0:gateway:7', '--metrics', '0', '--connection-log', log, '--ready-file', readyFile]
    const up = start(['up', '-c', conf, ...options], directory)
    await expect.poll(() => existsSync(readyFile), { timeout: 10_000 }).toBe(true)
    const report = JSON.parse(readFileSync(readyFile, 'utf8'))
    const { port } = report.metrics
    const [forward] = report.listeners
    expect(up.said()).toContain(`metrics on 127.0.0.1:${port}`)
    expect(await get(port, '/healthz')).toEqual({ status: 200, body: 'ok\n' })
    expect(await get(port, '/readyz')).toEqual({ status: 200, body: 'ok\n' })

    expect(await exchange(forward.port, 'hello')).toBe('> hello')
    await expect.poll(() => entries(log)).toHaveLength(1)
    expect(entries(log)).toEqual([
      {
        time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
        way: 'forward',
        protocol: 'tcp',
        client: expect.stringMatching(/^127\.0\.0\.1:\d+$/),
        target: 'gateway:7',
        peer: 'gateway',
        bytesSent: 5,
        bytesReceived: 7,
        duration: expect.any(Number),
        result: 'done',
        error: null,
        flow: null,
      },
    ])
    const { body } = await get(port, '/metrics')
    expect(body).toMatch(/^tunless_ready 1$/m)
    expect(body).toMatch(/^tunless_connections_total\{way="forward",protocol="tcp",result="done"\} 1$/m)
    expect(body).toMatch(
      new RegExp(
        `^tunless_peer_sent_bytes_total\\{peer="gateway",public_key="${tunnel.publicKey.replace(/\+/g, '\\+')}"\\} \\d+$`,
        'm',
      ),
    )
    expect(body).toMatch(/^tunless_wireguard_events_total\{event="sessions"\} 1$/m)
    const docs = readFileSync(join(import.meta.dirname, '../../docs/observing.md'), 'utf8')
    for (const field of Object.keys(entries(log)[0])) expect(docs).toContain(`\`${field}\``)
    // Every sample belongs to a metric with HELP and TYPE, and every metric is documented.
    const known = new Set([...body.matchAll(/^# TYPE (\S+) (?:counter|gauge|histogram)$/gm)].map(match => match[1]))
    for (const name of known) expect(docs).toContain(`\`${name}\``)
    for (const line of body.split('\n')) {
      if (line === '' || line.startsWith('#')) continue
      const [, name] = /^([a-z_]+)(?:\{(?:[a-z_]+="[^"]*",?)*\})? \S+$/.exec(line) ?? []
      expect(known.has(name) || known.has(name?.replace(/_(?:bucket|sum|count)$/, '')), line).toBe(true)
    }

    renameSync(log, `${log}.1`)
    up.process.kill('SIGHUP')
    await expect.poll(() => existsSync(log), { timeout: 5000 }).toBe(true)
    expect(await run(['nc', '-c', conf, 'gateway', '7'], directory, {}, 'joined')).toMatchObject({ stdout: '> joined' })
    await run(['nc', '-c', conf, 'gateway', '9'], directory)
    await expect.poll(() => entries(log)).toHaveLength(2)
    expect(entries(log)).toMatchObject([
      { way: 'join', target: 'gateway:7', peer: 'gateway', bytesSent: 6, bytesReceived: 8, result: 'done' },
      { way: 'join', target: 'gateway:9', result: 'refused', error: 'ECONNREFUSED' },
    ])
    expect(entries(`${log}.1`)).toHaveLength(1)

    // Its peer is lost: it goes on, and says so.
    await tunnel.close()
    await exchange(forward.port, 'anyone?').catch(() => {})
    const lost = { status: 503, body: expect.stringMatching(/^gateway at .* does not answer any more\n$/) }
    await expect.poll(() => get(port, '/readyz'), { timeout: 30_000, interval: 500 }).toEqual(lost)
    expect(await get(port, '/healthz')).toEqual({ status: 200, body: 'ok\n' })
    up.process.kill('SIGTERM')
    expect((await up.finished).code).toBe(0)
  })

  it('is not ready before a peer has answered', async () => {
    const directory = scratch()
    const up = start(['up', '-c', silentConf(directory), '--timeout', '0', '--metrics', '0'], directory)
    const [, port] = /metrics on 127\.0\.0\.1:(\d+)/.exec(await saying(up, /metrics on/)) as unknown as [string, string]
    await pause(200)
    expect(await get(Number(port), '/readyz')).toEqual({ status: 503, body: 'no peer has answered yet\n' })
    expect((await get(Number(port), '/metrics')).body).toMatch(/^tunless_ready 0$/m)
    up.process.kill('SIGINT')
    expect((await up.finished).code).toBe(0)
  })

  it('fails where the port is taken or the log cannot be', async () => {
    const directory = scratch()
    const conf = silentConf(directory)
    const log = await run(['up', '-c', conf, '--connection-log', join(directory, 'missing', 'log')], directory)
    expect(log).toMatchObject({ code: 1, stderr: expect.stringContaining('(LOG_FAILED)') })
    const metrics = await run(['up', '-c', conf, '--metrics', '192.0.2.1:9'], directory)
    expect(metrics).toMatchObject({ code: 1, stderr: expect.stringContaining('(LISTEN_FAILED)') })
  })
})

import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { Finding } from '../../src/app/check/findings.js'
import { openGateway, run, saying, scratch, silentConf, start } from './cli-support.js'

interface Report {
  ok: boolean
  exitCode: number
  findings: Finding[]
}

async function check(args: string[], directory: string): Promise<Report & { code: number | null; stderr: string }> {
  const { code, stdout, stderr } = await run(['check', '--json', ...args], directory)
  return { code, stderr, ...JSON.parse(stdout) }
}

const statuses = (findings: Finding[]) => findings.map(({ check, status }) => `${check} ${status}`)

describe('check', () => {
  it('finds nothing where all is well', async () => {
    const { conf, directory } = await openGateway()
    const { code, stdout, stderr } = await run(['check', '-c', conf, 'gateway:7'], directory)
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toMatch(
      new RegExp(
        [
          '^ok {7}configuration  .*runner\\.conf: 10\\.7\\.0\\.2, 1 peer, MTU 1420',
          'ok {7}endpoint {7}gateway: 127\\.0\\.0\\.1:\\d+',
          'ok {7}udp {12}datagrams leave by port \\d+, and come back',
          'ok {7}handshake {6}peer gateway at 127\\.0\\.0\\.1:\\d+, round trip [\\d.]+ ms',
          'ok {7}name {11}gateway is 10\\.7\\.0\\.1',
          'ok {7}path-mtu {7}packets of 1420 bytes, the whole MTU, pass to 10\\.7\\.0\\.1 and back',
          'ok {7}target {9}gateway:7 accepts connections, [\\d.]+ ms',
          '7 ok\n$',
        ].join('\n'),
      ),
    )
  })

  it('goes through the tunnel that runs with the key', async () => {
    const { conf, directory } = await openGateway()
    const up = start(['up', '-c', conf], directory)
    await saying(up, /the tunnel stands/)
    const report = await check(['-c', conf, 'gateway:7'], directory)
    expect(statuses(report.findings)).toEqual([
      'configuration ok',
      'endpoint ok',
      'tunnel ok',
      'handshake ok',
      'name ok',
      'path-mtu ok',
      'target ok',
    ])
    expect(report.findings[2]?.detail).toContain(`process ${up.process.pid} runs it`)
    up.process.kill('SIGTERM')
    await up.finished
  })

  it('says what is wrong, why, and what to do, with exit code 1', async () => {
    const { conf, directory } = await openGateway()
    const report = await check(['-c', conf, 'gateway:9', 'nobody:1', '192.0.2.1:1'], directory)
    expect(report).toMatchObject({ code: 1, exitCode: 1, ok: false })
    const failed = report.findings.filter(finding => finding.status === 'failed')
    expect(failed).toMatchObject([
      { check: 'target', subject: '192.0.2.1:1', code: 'NO_ROUTE' },
      { check: 'name', subject: 'nobody', code: 'UNKNOWN_HOST' },
      { check: 'target', subject: 'gateway:9', code: 'TARGET_REFUSED' },
    ])
    for (const finding of failed) expect(finding.remedy).toMatch(/^[A-Z].*\.$/)
  })

  it('says what a name means outside, where that is something else', async () => {
    const { conf, directory } = await openGateway()
    const named = join(directory, 'named.conf')
    // Every host's own resolver knows this name.
    const text = readFileSync(conf, 'utf8').replace('[Peer]', 'Host = ip6-localhost 10.7.0.1\n[Peer]')
    writeFileSync(named, text, { mode: 0o600 })
    const { findings } = await check(['-c', named, 'ip6-localhost:7'], directory)
    const [name] = findings.filter(finding => finding.check === 'name')
    expect(name?.detail).toContain('ip6-localhost is 10.7.0.1')
    if (name?.status === 'warning') expect(name).toMatchObject({ remedy: expect.stringContaining('socks5h://') })
  })

  it('tells nobody that answers from a network without UDP', async () => {
    const directory = scratch()
    const report = await check(['-c', silentConf(directory), '--timeout', '300ms'], directory)
    expect(report.code).toBe(1)
    expect(statuses(report.findings)).toEqual(['configuration ok', 'endpoint ok', 'udp warning', 'handshake failed'])
    expect(report.findings[3]).toMatchObject({ code: 'HANDSHAKE_TIMEOUT' })
  })

  it('names the keys to compare where the other side is silent', async () => {
    const directory = scratch()
    const silent = createSocket('udp4').bind(0, '127.0.0.1')
    onTestFinished(() => void silent.close())
    await once(silent, 'listening')
    const conf = silentConf(directory)
    const endpoint = `Endpoint = 127.0.0.1:${silent.address().port}`
    writeFileSync(conf, readFileSync(conf, 'utf8').replace(/^Endpoint = .*$/m, endpoint))
    const report = await check(['-c', conf, '--timeout', '300ms'], directory)
    expect(report.findings[3]).toMatchObject({
      code: 'HANDSHAKE_TIMEOUT',
      remedy: expect.stringMatching(
        /^Compare by `wg show` on the other side: it has a peer \S{43}=, its own is \S{43}=\./,
      ),
    })
  })

  it('tells an endpoint whose name has no address', async () => {
    const directory = scratch()
    const conf = silentConf(directory)
    writeFileSync(conf, readFileSync(conf, 'utf8').replace(/^Endpoint = .*$/m, 'Endpoint = vpn.invalid:9'))
    const report = await check(['-c', conf, '--timeout', '300ms'], directory)
    expect(report.code).toBe(1)
    expect(report.findings[1]).toMatchObject({
      check: 'endpoint',
      status: 'failed',
      code: 'ENDPOINT_UNRESOLVED',
      detail: expect.stringMatching(/^vpn\.invalid has no address \(E/),
    })
  })

  it('looks at the configuration alone with --no-network', async () => {
    const directory = scratch()
    const report = await check(['-c', silentConf(directory), '--no-network', '10.7.0.1:22'], directory)
    expect(report).toMatchObject({ code: 0, ok: true, findings: [{ check: 'configuration', status: 'ok' }] })
  })

  it('fails with exit code 2 where the configuration cannot be used', async () => {
    const directory = scratch()
    const broken = join(directory, 'broken.conf')
    writeFileSync(broken, '[Interface]\nAddress = 10.7.0.2/33\n', { mode: 0o600 })
    for (const [args, code] of [
      [['-c', broken], 'CONFIG_INVALID'],
      [['-c', join(directory, 'none.conf')], 'CONFIG_UNREADABLE'],
      [[], 'USAGE'],
    ] as const) {
      const report = await check([...args], directory)
      expect(report).toMatchObject({
        code: 2,
        exitCode: 2,
        findings: [{ check: 'configuration', status: 'failed', code }],
      })
    }
    expect(await run(['check', '-c', broken, 'web1'], directory)).toMatchObject({ code: 2, stdout: '' })
  })
})

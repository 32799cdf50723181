import { describe, expect, it } from 'vitest'
import {
  exitCodeFor,
  type Finding,
  failure,
  formatFinding,
  formatJson,
  formatSum,
} from '../../../../src/app/check/findings.js'
import { lint } from '../../../../src/app/check/lint.js'
import { measureMtu } from '../../../../src/app/check/path-mtu.js'
import type { CompleteConfig } from '../../../../src/app/conf.js'
import { newPrivateKey } from '../../../../src/app/keys.js'
import { publicKeyOf } from '../../../../src/app/public-key.js'
import { encodeKey } from '../../../../src/core/base/base64.js'
import { parseConfig } from '../../../../src/core/config/config.js'
import { TunnelError } from '../../../../src/errors.js'

const key = newPrivateKey()
const other = encodeKey(publicKeyOf(newPrivateKey()))

interface Text {
  interface?: string
  peer?: string
  publicKey?: string
}

function config({
  interface: own = '',
  peer = 'AllowedIPs = 10.7.0.0/24\nEndpoint = 192.0.2.1:51820',
  publicKey = other,
}: Text) {
  const text = `[Interface]
PrivateKey = ${encodeKey(key)}
Address = 10.7.0.2/24
${own}
[Peer]
Name = web1
PublicKey = ${publicKey}
${peer}`
  return parseConfig(text, 'deploy.conf') as CompleteConfig
}

function problems(text: Text, targets: { host: string; port: number }[] = [], now = Date.UTC(2030, 0)) {
  const findings = lint(config(text), targets, now)
  return findings.filter(finding => finding.status !== 'ok').map(({ status, detail }) => `${status}: ${detail}`)
}

describe('the configuration without the network', () => {
  it('of nothing wrong is said in a line', () => {
    expect(lint(config({}), [{ host: 'web1', port: 22 }])).toEqual([
      { check: 'configuration', status: 'ok', detail: 'deploy.conf: 10.7.0.2, 1 peer, MTU 1420' },
    ])
    expect(
      problems({ peer: 'AllowedIPs = 10.7.0.1/32\nEndpoint = 192.0.2.1:51820' }, [{ host: 'web1', port: 22 }]),
    ).toEqual([])
  })

  it.each([
    [{ publicKey: encodeKey(publicKeyOf(key)) }, /^failed: peer web1 has this side's own public key/],
    [{ peer: 'Endpoint = 192.0.2.1:1' }, /^warning: peer web1 has no AllowedIPs/],
    [
      { peer: 'AllowedIPs = ::/0\nEndpoint = 192.0.2.1:1' },
      /^warning: peer web1 has IPv6 AllowedIPs, and this side has no IPv6/,
    ],
    [
      { peer: 'AllowedIPs = 10.7.0.2/32\nEndpoint = 192.0.2.1:1' },
      /^warning: peer web1 has this side's own address 10\.7\.0\.2/,
    ],
    [{ peer: 'AllowedIPs = 10.7.0.1/32' }, /^warning: no peer has an Endpoint, and there is no ListenPort/],
    [{ interface: 'MTU = 1500' }, /^warning: MTU 1500 fits no path/],
    [{ interface: 'DNS = 192.0.2.53' }, /^failed: no peer's AllowedIPs cover the DNS server 192\.0\.2\.53/],
  ])('%o', (text, said) => {
    expect(problems(text)).toEqual([expect.stringMatching(said)])
  })

  it('says when the clock cannot be right', () => {
    expect(problems({}, [], 0)).toEqual([expect.stringMatching(/clock says 1970-01-01/)])
  })

  it('knows which targets have no route, by name and address, and leaves names to DNS that it does not know', () => {
    const targets = ['192.0.2.7', 'far', '10.7.0.9', 'elsewhere'].map(host => ({ host, port: 1 }))
    expect(problems({ interface: 'Host = far 192.0.2.8' }, targets)).toEqual([
      expect.stringMatching(/cover 192\.0\.2\.7 \(they are: 10\.7\.0\.0\/24\)/),
      expect.stringMatching(/cover far/),
    ])
  })

  it('tells what was ignored', () => {
    const [, note] = lint(config({ interface: 'PostUp = iptables' }), [])
    expect(note).toMatchObject({ status: 'ok', detail: expect.stringContaining('PostUp') })
  })
})

describe('the path MTU', () => {
  const search = async (largest: number, mtu = 1420, lossy = false) => {
    const sizes: number[] = []
    const lost = new Set<number>()
    const found = await measureMtu(
      async size => {
        sizes.push(size)
        if (lossy && !lost.has(size)) {
          lost.add(size)
          return undefined
        }
        return size <= largest ? 5 : undefined
      },
      mtu,
      5,
    )
    return { found, count: sizes.length }
  }

  it.each([1420, 1419, 1384, 1281, 1280, 1279, 1000, 577, 576])('of %i is found', async largest => {
    expect((await search(largest)).found).toBe(largest)
    expect((await search(largest, 1420, true)).found).toBe(largest)
  })

  it('takes one packet where all pass, and few where not', async () => {
    expect((await search(1420)).count).toBe(1)
    expect((await search(1384)).count).toBeLessThan(25)
  })

  it('is none where nothing of 576 bytes passes, and no more than the MTU', async () => {
    expect((await search(500)).found).toBeUndefined()
    expect((await search(9000, 1280)).found).toBe(1280)
    expect((await search(700, 1280)).found).toBe(700)
  })

  it('waits as long as a round trip may take, within bounds', async () => {
    const waits: number[] = []
    for (const rtt of [1, 200, 5000]) {
      await measureMtu(
        async (_size, timeout) => {
          waits.push(timeout)
          return rtt
        },
        1420,
        rtt,
      )
    }
    expect(waits).toEqual([400, 800, 2000])
  })
})

describe('findings', () => {
  const ok: Finding = { check: 'handshake', status: 'ok', detail: 'it answers' }
  const bad = failure('target', new TunnelError('TARGET_REFUSED', 'db:5432 refused'), { subject: 'db:5432' })

  it('are a line each, with what to do below what is wrong', () => {
    expect(formatFinding(ok, false)).toBe('ok       handshake      it answers\n')
    expect(formatFinding(bad, false)).toBe(
      'failed   target         db:5432 refused (TARGET_REFUSED)\n' +
        '                        Check that the service runs and listens on the address in the tunnel.\n',
    )
    expect(formatFinding(bad, true).startsWith('\x1b[31mfailed   \x1b[0m')).toBe(true)
    expect(
      formatFinding(failure('endpoint', new Error('getaddrinfo ENOTFOUND x'), { subject: 'web1' }), false),
    ).toContain('web1: getaddrinfo ENOTFOUND x')
    expect(formatSum([ok, bad, { ...ok, status: 'warning' }])).toBe('1 ok, 1 to be looked at, 1 failed\n')
  })

  it('decide the exit code', () => {
    expect(exitCodeFor([ok, { ...ok, status: 'warning' }, { ...ok, status: 'skipped' }])).toBe(0)
    expect(exitCodeFor([ok, bad])).toBe(1)
    expect(exitCodeFor([bad, { check: 'configuration', status: 'failed', detail: '' }])).toBe(2)
  })

  it('are JSON for a program', () => {
    expect(JSON.parse(formatJson([ok, bad]))).toEqual({ ok: false, exitCode: 1, findings: [ok, bad] })
    expect(bad).toEqual({
      check: 'target',
      subject: 'db:5432',
      status: 'failed',
      detail: 'db:5432 refused',
      remedy: 'Check that the service runs and listens on the address in the tunnel.',
      code: 'TARGET_REFUSED',
    })
  })
})

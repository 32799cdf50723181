import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import {
  countDenied,
  type RunReport,
  summaryLines,
  summaryMarkdown,
  TargetCount,
  totalsOf,
  writeJobSummary,
} from '../../../src/app/run-summary.js'
import { TunnelError } from '../../../src/errors.js'

const status = {
  peers: [
    { name: 'idle', publicKey: 'k', rxBytes: 0, txBytes: 148 },
    {
      name: 'gateway',
      publicKey: 'g',
      endpoint: '192.0.2.1:51820',
      rtt: 12.34,
      lastHandshake: '2026-01-01T00:00:00.000Z',
      rxBytes: 3_000_000,
      txBytes: 1_000_000,
    },
  ],
  retransmits: 3,
  handshakes: 1,
}

function report(changes: Partial<RunReport> = {}): RunReport {
  return {
    command: 'rsync',
    code: 0,
    duration: 12_345,
    before: totalsOf({}),
    after: totalsOf(status),
    sharedWith: undefined,
    denied: new TargetCount(),
    direct: new TargetCount(),
    ...changes,
  }
}

function counted(...hosts: string[]): TargetCount {
  const count = new TargetCount()
  for (const host of hosts) count.add({ host, port: 22 })
  return count
}

describe('the summary', () => {
  it('is one line where all went through', () => {
    expect(summaryLines(report())).toEqual([
      'rsync: exit code 0 after 12.3 s; sent 976.71 KiB, received 2.86 MiB, round trip 12.3 ms, 3 retransmits, 1 handshake, 0 denied dials',
    ])
  })

  it('names what was not let through, and what went by the host', () => {
    const changes = { denied: counted('a', 'b', 'a'), direct: counted('fd00::1') }
    expect(summaryLines(report(changes)).slice(1)).toEqual([
      'not let through: a:22 (2 times), b:22',
      "by the host's network: [fd00::1]:22",
    ])
  })

  it('is a table where GitHub shows it', () => {
    const folder = mkdtempSync(join(tmpdir(), 'tunless-test-'))
    onTestFinished(() => rmSync(folder, { recursive: true }))
    const path = join(folder, 'summary.md')
    writeFileSync(path, 'before\n\n')
    expect(writeJobSummary(report({ denied: counted('a'), sharedWith: 77 }), path)).toBeUndefined()
    expect(readFileSync(path, 'utf8')).toBe(`before

### tunless

| | |
| --- | --- |
| command | \`rsync\`, exit code 0, 12.3 s |
| peer | gateway at 192.0.2.1:51820 |
| tunnel | of process 77, others' traffic included |
| sent | 976.71 KiB |
| received | 2.86 MiB |
| round trip | 12.3 ms |
| retransmits | 3 |
| handshake | 1 |
| denied dial | 1 |
| not let through | \`a:22\` |

`)
  })

  it('has no markup of a client’s making', () => {
    const text = summaryMarkdown(report({ denied: counted('a`|<img src=x>\n'), command: '`x`|' }))
    expect(text).toContain('| command | `?x??`, exit')
    expect(text).toContain('| not let through | `a???img src?x??:22` |')
  })

  it('goes nowhere outside of GitHub, and says where it cannot be written', () => {
    expect(writeJobSummary(report(), undefined)).toBeUndefined()
    expect(writeJobSummary(report(), '/no/such/folder/file')).toMatch(/^no job summary: cannot write .*ENOENT/)
  })

  it('counts what a shared tunnel carried meanwhile', () => {
    const [line] = summaryLines(report({ before: totalsOf(status) }))
    expect(line).toContain('sent 0 B, received 0 B, round trip 12.3 ms, 0 retransmits, 0 handshakes')
  })
})

describe('denied dials', () => {
  const target = { host: 'a', port: 22 }
  const { signal } = new AbortController()

  it('are those without a route, or against a rule, and no others', async () => {
    const denied = new TargetCount()
    const errors = [
      new TunnelError('NO_ROUTE', ''),
      Object.assign(new Error(), { code: 'EACCES' }),
      Object.assign(new Error(), { code: 'ECONNREFUSED' }),
    ]
    for (const error of errors) {
      await expect(countDenied(() => Promise.reject(error), denied)(target, signal)).rejects.toBe(error)
    }
    expect(denied.total).toBe(2)
  })

  it('are named up to a bound', () => {
    const count = new TargetCount()
    for (let port = 1; port <= 250; port++) expect(count.add({ host: 'a', port })).toBe(port <= 100)
    expect(count.describe()).toMatch(/, a:100 and 150 others$/)
    expect(count.total).toBe(250)
  })
})

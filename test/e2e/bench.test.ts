// `tunless bench` as it is installed: with the vectors and the dependencies that the tarball brings, and nothing else.
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Report } from '../../src/app/bench/report.js'
import { type Result, run } from '../support/process.js'
import { command, projectRoot } from '../support/tarball.js'

const measuring = { timeout: 240_000 }
const folder = mkdtempSync(join(tmpdir(), 'tunless-test-bench-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

async function bench(...args: string[]): Promise<Result> {
  const [node, ...rest] = (await command()) as [string, ...string[]]
  // What is left behind in there would show.
  const env = { ...process.env, TMPDIR: folder, XDG_RUNTIME_DIR: undefined }
  return run(node, [...rest, 'bench', ...args], { cwd: folder, env, timeout: measuring.timeout })
}

function base(report: Report, name: string): string {
  const path = join(folder, name)
  writeFileSync(path, JSON.stringify(report))
  return path
}

describe('tunless bench', () => {
  let result: Result
  let report: Report
  beforeAll(async () => {
    result = await bench('--quick', '--json')
    report = JSON.parse(result.stdout)
  }, measuring.timeout)

  it('measures every suite and prints one report, and leaves nothing', () => {
    expect(result).toMatchObject({ code: 0, stderr: '' })
    expect(readdirSync(folder).filter(name => name.startsWith('tunless-bench-'))).toEqual([])
    expect(report).toMatchObject({
      schema: 1,
      node: process.versions.node,
      backend: 'simd',
      effort: 'quick',
      skipped: [],
    })
    expect(report.checked).toBeGreaterThan(10_000)
    const ids = report.results.map(({ id }) => id)
    expect(new Set(ids).size).toBe(ids.length)
    for (const backend of ['simd', 'node', 'noble'])
      for (const size of [64, 576, 1420, 16384])
        for (const what of ['seal', 'open']) expect(ids).toContain(`aead/${what}-${size}/${backend}`)
    expect(ids).toEqual(
      expect.arrayContaining([
        ...['x25519', 'blake2s-64', 'handshake'].flatMap(what => [`micro/${what}/node`, `micro/${what}/noble`]),
        ...['replay-window', 'allowed-ips-v4', 'allowed-ips-v6', 'segment-out', 'segment-in'].map(
          what => `micro/${what}/tunless`,
        ),
        ...['decide', 'decisions', 'reload'].map(what => `policy/${what}/tunless`),
        ...['micro/mac-116/node', 'micro/checksum-1400/simd', 'aead/seal-1420-by-simd/node'],
        ...['floor/up/floor', 'floor/down/floor', 'floor/udp-up/pump', 'floor/udp-down/pump'],
        ...['up', 'down', 'up-cpu', 'down-cpu', 'up-floor', 'down-floor', 'up-16', 'down-16', 'requests-1'].map(
          what => `macro/${what}/tunless`,
        ),
        ...['macro/requests-50/tunless', 'macro/requests-50-p99/tunless', 'macro/rss/tunless', 'macro/idle/tunless'],
      ]),
    )
  })

  it('gives each figure as a median between the least and the greatest of its rounds', () => {
    for (const { id, value, low, high, unit, better } of report.results) {
      expect({ id, unit, better }).toEqual({
        id: expect.stringMatching(/^[\w-]+\/[\w-]+\/[\w-]+$/),
        unit: expect.stringMatching(/^(us|ms|s\/GB|KiB|MiB|Mbit\/s|1\/s|%|x)$/),
        better: expect.stringMatching(/^(lower|higher)$/),
      })
      expect(low).toBeLessThanOrEqual(value)
      expect(high).toBeGreaterThanOrEqual(value)
      if (!id.startsWith('macro/idle')) expect({ id, positive: value > 0 }).toEqual({ id, positive: true })
    }
  })

  const faster = (factor: number) => ({
    ...report,
    results: report.results.map(each => ({ ...each, value: each.value / factor })),
  })
  const some = ['--quick', '--only', 'micro/replay-window']

  it('exits with 1 where something became worse, and names it', measuring, async () => {
    const { code, stdout } = await bench(...some, '--compare', base(faster(1000), 'faster.json'))
    expect(code).toBe(1)
    expect(stdout).toMatch(/^worse: micro\/replay-window\/tunless .* us \(\+\d+(\.\d)? %\)$/m)
    expect(stdout).toMatch(/^compared 1 figures, tolerance 25 %: 1 worse, 0 better, 0 missing$/m)
  })

  it('exits with 0 within the tolerance, and where all is better', measuring, async () => {
    const within = ['--tolerance', '9999']
    expect((await bench(...some, '--compare', base(report, 'base.json'), ...within)).code).toBe(0)
    const { code, stdout } = await bench(...some, '--json', '--compare', base(faster(1 / 1000), 'slower.json'))
    expect(code).toBe(0)
    expect(JSON.parse(stdout).comparison).toMatchObject({
      ok: true,
      missing: [],
      changes: [{ id: 'micro/replay-window/tunless', verdict: 'better' }],
    })
  })

  it.each([
    [['--only', 'nothing'], /--only nothing: there is no such benchmark.*\(USAGE\)/],
    [['--compare', 'missing.json'], /cannot read missing\.json \(ENOENT\).*\(USAGE\)/],
  ])('refuses %j before it measures', measuring, async (args, message) => {
    const { code, stdout, stderr } = await bench('--quick', ...args)
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toMatch(message)
  })

  it('names a primitive that computes wrongly, and times nothing', measuring, async () => {
    const [node, ...rest] = (await command()) as [string, ...string[]]
    const wrong = join(projectRoot, 'test', 'consumers', 'wrong-crypto.mjs')
    const result = await run(node, ['--import', wrong, ...rest, 'bench', '--quick', '--only', 'aead'])
    expect(result).toMatchObject({ code: 1, stdout: '' })
    expect(result.stderr).toMatch(
      /^tunless: aead\/seal-64\/simd is wrong: .* is [0-9a-f]+… and not [0-9a-f]+…; it was not timed \(BENCH_WRONG_RESULT\)\n$/,
    )
  })
})

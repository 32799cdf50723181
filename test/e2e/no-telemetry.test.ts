// "Nothing is sent to anybody by itself", as the system sees it: every address that a run connects, binds or sends to.
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { run as runProgram } from '../support/process.js'
import { bin, openGateway, scratch } from './cli-support.js'

const canTrace = spawnSync('strace', ['-o', '/dev/null', 'true']).status === 0

interface Traced {
  readonly code: number | null
  readonly stderr: string
  readonly bound: readonly string[]
  /** Connected or sent to: `127.0.0.1:51820`. */
  readonly network: readonly string[]
  /** Paths of unix sockets. */
  readonly unix: readonly string[]
}

async function trace(args: readonly string[], directory: string): Promise<Traced> {
  const file = join(directory, 'strace.txt')
  const { XDG_RUNTIME_DIR: _, TUNLESS_CONFIG: __, ...env } = process.env
  const strace = ['-f', '-qq', '-e', 'trace=connect,bind,sendto,sendmsg,sendmmsg', '-o', file]
  const { code, stderr } = await runProgram('strace', [...strace, process.execPath, bin, ...args], {
    env: { ...env, TMPDIR: directory },
    timeout: 110_000,
  })
  const calls = readFileSync(file, 'utf8').split('\n')
  const addresses = (lines: string[]) => {
    const v4 = [...lines.join('\n').matchAll(/sin_port=htons\((\d+)\), sin_addr=inet_addr\("([^"]+)"\)/g)]
    const v6 = [...lines.join('\n').matchAll(/sin6_port=htons\((\d+)\).*?inet_pton\(AF_INET6, "([^"]+)"/g)]
    return [...new Set([...v4, ...v6].map(([, port, address]) => `${address}:${port}`))]
  }
  const isBind = (line: string) => / bind\(/.test(line)
  const [bound, network] = [addresses(calls.filter(isBind)), addresses(calls.filter(line => !isBind(line)))]
  const unix = [...calls.join('\n').matchAll(/sun_path="([^"]+)"/g)].map(match => match[1] as string)
  return { code, stderr, bound, network, unix: [...new Set(unix)] }
}

describe.runIf(canTrace)('the system calls of', { timeout: 120_000 }, () => {
  it.each(['--help', '--version', 'genkey', 'show', 'completions bash', 'init --endpoint vpn.example.com:51820'])(
    '%s have no address of a network',
    async line => {
      expect(await trace(line.split(' '), scratch())).toMatchObject({ code: 0, bound: [], network: [] })
    },
  )

  it('check --no-network have none either', async () => {
    const { conf, directory } = await openGateway()
    expect(await trace(['check', '--no-network', '-c', conf], directory)).toMatchObject({
      code: 0,
      bound: [],
      network: [],
    })
  })

  it('run have the peer alone, and unix sockets of their own folder', async () => {
    const { conf, directory, tunnel } = await openGateway()
    const { code, bound, network, unix } = await trace(['run', '-q', '-c', conf, 'true'], directory)
    expect(code).toBe(0)
    expect(network).toEqual([`127.0.0.1:${tunnel.port}`])
    // The tunnel's UDP sockets, and the proxy on loopback.
    expect(bound.filter(one => !/^(127\.0\.0\.1|0\.0\.0\.0|::):\d+$/.test(one))).toEqual([])
    expect(unix.filter(path => !path.startsWith(directory))).toEqual([])
  })
})

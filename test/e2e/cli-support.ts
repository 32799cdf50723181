// Running the built command, and what it talks to: a gateway in this process with an echo server behind it.
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { createPair } from '../../src/app/init.js'
import { newPrivateKey } from '../../src/app/keys.js'
import { publicKeyOf } from '../../src/app/public-key.js'
import type { Config } from '../../src/core/config/config.js'
import { formatConfig } from '../../src/core/config/config.js'
import { openTunnel } from '../../src/node/open.js'
import type { TunnelSocket } from '../../src/node/socket.js'
import type { Tunnel } from '../../src/node/tunnel.js'

/** TUNLESS_BIN names another build to test, that of an installed tarball for instance. */
export const bin = process.env.TUNLESS_BIN ?? join(import.meta.dirname, '../../dist/bin.cjs')

export interface Finished {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

export interface Running {
  readonly process: ChildProcessWithoutNullStreams
  /** stderr so far. */
  readonly said: () => string
  readonly printed: () => string
  readonly finished: Promise<Finished>
}

/** A directory for this test's files and control sockets. */
export function scratch(): string {
  const path = mkdtempSync(join(tmpdir(), 'tunless-e2e-'))
  onTestFinished(() => rmSync(path, { recursive: true, force: true }))
  return path
}

export function start(args: readonly string[], directory: string, env: NodeJS.ProcessEnv = {}): Running {
  const { XDG_RUNTIME_DIR: _, TUNLESS_CONFIG: __, TUNLESS_PRIVATE_KEY: ___, ...inherited } = process.env
  const child = spawn(process.execPath, [bin, ...args], { env: { ...inherited, TMPDIR: directory, ...env } })
  const chunks = { stdout: [] as Buffer[], stderr: [] as Buffer[] }
  child.stdout.on('data', chunk => chunks.stdout.push(chunk))
  child.stderr.on('data', chunk => chunks.stderr.push(chunk))
  child.stdin.on('error', () => {})
  onTestFinished(() => void child.kill('SIGKILL'))
  const printed = () => Buffer.concat(chunks.stdout).toString()
  const said = () => Buffer.concat(chunks.stderr).toString()
  const finished = once(child, 'close').then(([code, signal]) => ({ code, signal, stdout: printed(), stderr: said() }))
  return { process: child, said, printed, finished }
}

export function run(
  args: readonly string[],
  directory: string,
  env?: NodeJS.ProcessEnv,
  input = '',
): Promise<Finished> {
  const running = start(args, directory, env)
  running.process.stdin.end(input)
  return running.finished
}

/** Resolves once `stderr` says so; fails with what it said if the process ends before. */
export async function saying(running: Running, pattern: RegExp): Promise<string> {
  while (!pattern.test(running.said())) {
    const ended = running.finished.then(({ stderr }) => Promise.reject(new Error(`it ended: ${stderr}`)))
    await Promise.race([once(running.process.stderr, 'data'), ended])
  }
  return running.said()
}

/** Everything under a directory, for what must be left behind or not. */
export function filesIn(directory: string): string[] {
  return existsSync(directory) ? (readdirSync(directory, { recursive: true }) as string[]).sort() : []
}

export interface Gateway {
  readonly tunnel: Tunnel
  /** Path of the runner's configuration. */
  readonly conf: string
  readonly directory: string
  readonly runnerKey: Uint8Array
  /** Connections to the server behind it now. */
  readonly connections: Set<TunnelSocket>
}

/** A gateway on loopback with a server on port 7 that greets with `> `, echoes, and ends when its client has ended. */
export async function openGateway(): Promise<Gateway> {
  const directory = scratch()
  const runnerKey = newPrivateKey()
  const pair = createPair({ host: '127.0.0.1', port: 1 }, newPrivateKey(), runnerKey)
  const tunnel = await openTunnel(withPort(pair.gateway, 0), { listenHost: '127.0.0.1' })
  onTestFinished(() => tunnel.close())
  const connections = new Set<TunnelSocket>()
  const server = tunnel.createServer({ allowHalfOpen: true }, socket => {
    connections.add(socket)
    socket.on('close', () => connections.delete(socket)).on('error', () => {})
    socket.write('> ')
    socket.pipe(socket)
  })
  server.listen(7)
  await once(server, 'listening')
  const conf = join(directory, 'runner.conf')
  writeFileSync(conf, formatConfig(withEndpoint(pair.runner, tunnel.port)), { mode: 0o600 })
  return { tunnel, conf, directory, runnerKey, connections }
}

/** A configuration whose peer never answers. */
export function silentConf(directory: string): string {
  const { runner } = createPair({ host: '127.0.0.1', port: 9 }, newPrivateKey(), newPrivateKey())
  const path = join(directory, 'silent.conf')
  writeFileSync(path, formatConfig(runner), { mode: 0o600 })
  return path
}

function withPort(config: Config, listenPort: number): Config {
  return { ...config, interface: { ...config.interface, listenPort } }
}

function withEndpoint(config: Config, port: number): Config {
  return { ...config, peers: config.peers.map(peer => ({ ...peer, endpoint: { host: '127.0.0.1', port } })) }
}

export function publicKeyIn(conf: string): Uint8Array {
  const [, key] = /^PrivateKey = (.*)$/m.exec(readFileSync(conf, 'utf8')) ?? []
  return publicKeyOf(Buffer.from(key as string, 'base64'))
}

export { once }

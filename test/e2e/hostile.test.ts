// Hostile clients at each local port of `up`: slow, huge, malformed, and many at once. They are bounded and cut, and everybody else
// goes on.
import { randomBytes } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it, onTestFinished } from 'vitest'
import { filesIn, type Gateway, once, openGateway, type Running, run, start } from './cli-support.js'

type Place = { readonly port: number } | { readonly path: string }

interface World extends Gateway {
  readonly up: Running
  readonly proxy: Place
  readonly forward: Place
  readonly metrics: Place
}

const mostMemory = 400e6

async function open(args: readonly string[] = []): Promise<World> {
  const gateway = await openGateway()
  const { conf, directory } = gateway
  const file = join(directory, 'ready.json')
  const ways = ['-D', '0', '-L', '0:gateway:7', '-R', '90:127.0.0.1:9', '--metrics', '0', '--ready-file', file]
  const up = start(['up', '-q', '-c', conf, ...ways, ...args], directory)
  await expect.poll(() => existsSync(file), { timeout: 10_000 }).toBe(true)
  const { listeners, metrics } = JSON.parse(readFileSync(file, 'utf8'))
  const [proxy, forward] = listeners
  return { ...gateway, up, proxy, forward, metrics }
}

/** One that stays as long as it may, whatever comes. */
function crowd(place: Place, count: number): Promise<Socket[]> {
  return Promise.all(
    Array.from({ length: count }, async () => {
      const socket = connect({ ...place, host: '127.0.0.1' })
      onTestFinished(() => void socket.destroy())
      socket.on('error', () => {})
      await new Promise(resolve => socket.once('connect', resolve).once('close', resolve))
      return socket.resume()
    }),
  )
}

/** Sends these bytes over and over, one at a time. */
function drip(socket: Socket, bytes: Uint8Array, pause: number): void {
  let at = 0
  const timer = setInterval(() => socket.write(bytes.subarray(at % bytes.length, (at++ % bytes.length) + 1)), pause)
  socket.once('close', () => clearInterval(timer))
}

/** By whatever means: some are reset. */
function closed(socket: Socket): Promise<unknown> {
  return new Promise(resolve => (socket.closed ? resolve(undefined) : socket.once('close', resolve)))
}

/** What an honest client gets there: the greeting of the server behind the tunnel, by CONNECT where it is a proxy. */
async function honest(place: Place, how: 'proxy' | 'forward'): Promise<string> {
  const socket = connect({ ...place, host: '127.0.0.1' })
  if (how === 'proxy') socket.write('CONNECT gateway:7 HTTP/1.1\r\nHost: gateway:7\r\n\r\n')
  let text = ''
  for await (const chunk of socket) {
    text += chunk
    if (text.endsWith('> ')) break
  }
  return text.slice(-2)
}

async function scrape({ metrics }: World): Promise<string> {
  const socket = connect({ ...metrics, host: '127.0.0.1' })
  socket.write('GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n')
  let text = ''
  for await (const chunk of socket) text += chunk
  return text.slice(9, 12)
}

/** Everything that `up` is for, and its memory. */
async function expectWell(world: World): Promise<void> {
  expect(await honest(world.proxy, 'proxy')).toBe('> ')
  expect(await honest(world.forward, 'forward')).toBe('> ')
  expect(await scrape(world)).toBe('200')
  const joined = await run(['nc', '-q', '-c', world.conf, 'gateway', '7'], world.directory, {}, 'x')
  expect(joined).toMatchObject({ code: 0, stdout: '> x' })
  const [, kilobytes] = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${world.up.process.pid}/status`, 'latin1')) ?? []
  expect(Number(kilobytes) * 1024).toBeLessThan(mostMemory)
}

/** Ends it; nothing unexpected was said, and nothing is left. */
async function finish({ up, directory }: World): Promise<void> {
  up.process.kill('SIGTERM')
  expect(await up.finished).toMatchObject({ code: 0, stdout: '', stderr: '' })
  expect(filesIn(directory)).toEqual(['runner.conf'])
}

const socksRequest = Buffer.concat([Buffer.from([5, 1, 0, 5, 1, 0, 3, 7]), Buffer.from('gateway'), Buffer.from([0, 7])])
const line = Buffer.from(`CONNECT gateway:7 HTTP/1.1\r\nX: ${'x'.repeat(100)}`)

describe.skipIf(process.platform !== 'linux')('at every local port', () => {
  it('slow clients are cut, while others are served', async () => {
    const world = await open(['--request-timeout', '1'])
    const slow = await crowd(world.proxy, 60)
    for (const [i, socket] of slow.entries())
      drip(socket, [socksRequest, line, Buffer.from('GET ')][i % 3] as Buffer, 150)
    const control = await crowd({ path: controlSocket(world) }, 20)
    for (const socket of control) drip(socket, Buffer.from('{"op":"status" '), 200)
    const scrapers = await crowd(world.metrics, 80)
    for (const socket of scrapers) drip(socket, Buffer.from('GET /metrics '), 200)
    await expectWell(world)
    await Promise.all([...slow, ...control, ...scrapers].map(closed))
    await finish(world)
  })

  it('what is huge or wrong is refused', async () => {
    const world = await open()
    const answers: Record<string, string> = {}
    for (const [what, bytes] of Object.entries(wrong)) {
      answers[what] = await answerTo(world.proxy, bytes)
      expect(await honest(world.proxy, 'proxy')).toBe('> ')
    }
    const generalFailure = '0001000000000000'
    expect(answers).toEqual({
      'a long CONNECT line': 'HTTP/1.1 431',
      'a long header': 'HTTP/1.1 431',
      'long credentials': 'HTTP/1.1 431',
      'headers without end': 'HTTP/1.1 431',
      'a long chunk size': 'HTTP/1.1 400',
      'SOCKS methods without ours': '05ff',
      'an unasked SOCKS password': '05ff',
      'a SOCKS name with a NUL': `05000504${generalFailure}`,
      'SOCKS port 0': `05000505${generalFailure}`,
      'CONNECT to port 70000': 'HTTP/1.1 400',
      'a URL with port 70000': 'HTTP/1.1 400',
      'a URL with a NUL': 'HTTP/1.1 400',
      nonsense: '',
    })
    for (const place of [{ path: controlSocket(world) }, world.metrics]) {
      const clients = await crowd(place, 20)
      for (const socket of clients) socket.end(randomBytes(1e6).fill(0x61, 0, 1e5))
      await Promise.all(clients.map(closed))
    }
    await expectWell(world)
    await finish(world)
  })

  it('thousands at once do not keep an honest one from the proxy, and all else goes on', {
    timeout: 120_000,
  }, async () => {
    const world = await open(['--max-clients', '200'])
    const standing = connect({ ...world.forward, host: '127.0.0.1' })
    onTestFinished(() => void standing.destroy())
    await once(standing, 'data')
    for (const place of [world.proxy, world.metrics, { path: controlSocket(world) }]) {
      const many = await crowd(place, 1000)
      await expectWell(world)
      for (const socket of many) socket.destroy()
    }
    // At -L all are alike: the bound holds, and what stood before stays.
    const many = await crowd(world.forward, 1000)
    await expect.poll(() => many.filter(socket => socket.closed).length, { timeout: 20_000 }).toBeGreaterThan(795)
    standing.write('still here')
    expect(`${(await once(standing, 'data'))[0]}`).toBe('still here')
    expect(await honest(world.proxy, 'proxy')).toBe('> ')
    for (const socket of many) socket.destroy()
    await sleep(100)
    await expectWell(world)
    await finish(world)
  })

  it('thousands at -R are bounded, and all else goes on', async () => {
    const world = await open(['--max-clients', '50'])
    const many = Array.from({ length: 1000 }, () => {
      const socket = world.tunnel.connect({ host: '10.7.0.2', port: 90 })
      return socket.on('error', () => {})
    })
    await expectWell(world)
    for (const socket of many) socket.destroy()
    await finish(world)
  })
})

const latin1 = (text: string) => Buffer.from(text, 'latin1')
const get = (url: string) => latin1(`GET ${url} HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\n`)

const wrong: Record<string, Uint8Array> = {
  'a long CONNECT line': latin1(`CONNECT ${'a'.repeat(1e6)}:1 HTTP/1.1\r\n\r\n`),
  'a long header': Buffer.concat([get('http://gateway/'), latin1(`X: ${'x'.repeat(1e6)}\r\n\r\n`)]),
  'long credentials': Buffer.concat([
    get('http://gateway/'),
    latin1(`Proxy-Authorization: Basic ${'QUFB'.repeat(3e5)}\r\n\r\n`),
  ]),
  'headers without end': Buffer.concat([get('http://gateway/'), latin1('X: y\r\n'.repeat(2e5))]),
  'a long chunk size': latin1(
    `POST http://gateway:7/ HTTP/1.1\r\nHost: gateway:7\r\nTransfer-Encoding: chunked\r\n\r\n${'f'.repeat(1e5)}\r\n`,
  ),
  'SOCKS methods without ours': Buffer.concat([Buffer.of(5, 255), Buffer.alloc(1e6, 7)]),
  'an unasked SOCKS password': Buffer.concat([Buffer.of(5, 1, 2, 1, 255), Buffer.alloc(1e6, 255)]),
  'a SOCKS name with a NUL': latin1('\x05\x01\x00\x05\x01\x00\x03\x08gate\0way\x00\x07'),
  'SOCKS port 0': latin1('\x05\x01\x00\x05\x01\x00\x03\x07gateway\x00\x00'),
  'CONNECT to port 70000': latin1('CONNECT gateway:70000 HTTP/1.1\r\nHost: gateway\r\n\r\n'),
  'a URL with port 70000': Buffer.concat([get('http://gateway:70000/'), latin1('\r\n')]),
  'a URL with a NUL': Buffer.concat([get('http://gate\0way/'), latin1('\r\n')]),
  nonsense: randomBytes(1e6).fill(0x80, 0, 1),
}

/** The status of HTTP, or the bytes in hex. */
async function answerTo(place: Place, bytes: Uint8Array): Promise<string> {
  const socket = connect({ ...place, host: '127.0.0.1', allowHalfOpen: true })
  onTestFinished(() => void socket.destroy())
  const chunks: Buffer[] = []
  socket.on('data', chunk => chunks.push(chunk)).on('error', () => {})
  socket.on('end', () => socket.destroy())
  socket.write(bytes)
  await closed(socket)
  const heard = Buffer.concat(chunks)
  return heard.toString('latin1').startsWith('HTTP') ? heard.toString('latin1', 0, 12) : heard.toString('hex')
}

function controlSocket({ directory }: World): string {
  const file = filesIn(directory).find(name => /[0-9a-f]{16}$/.test(name))
  return join(directory, file as string)
}

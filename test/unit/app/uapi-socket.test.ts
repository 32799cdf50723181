// Line 28: the socket that wg(8) speaks to.
import { once } from 'node:events'
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { connect, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { defaultUapiLimits, serveUapi, type UapiHandler, type UapiLimits } from '../../../src/app/uapi-socket.js'

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'tunless-uapi-'))
  onTestFinished(() => rmSync(path, { recursive: true, force: true }))
  return path
}

const echo: UapiHandler = async request => `${request.replaceAll('\n', '|')}\n\n`

async function open(path: string, handler = echo, limits: Partial<UapiLimits> = {}) {
  const socket = await serveUapi(path, handler, { ...defaultUapiLimits, ...limits })
  onTestFinished(() => socket.close())
  return socket
}

/** Everything that is answered until the end. */
async function answers(client: Socket): Promise<string> {
  let text = ''
  client.setEncoding('latin1').on('data', (more: string) => {
    text += more
  })
  client.on('error', () => {})
  await once(client, 'close')
  return text
}

/** A socket whose process is gone. */
async function leaveBehind(path: string): Promise<void> {
  const server = createServer()
  const hidden = `${path}.x`
  server.listen(hidden)
  await once(server, 'listening')
  renameSync(hidden, path)
  server.close()
  await once(server, 'close')
}

describe('the socket', () => {
  it('is for its user alone, whatever the umask, and leaves nothing beside it (W28)', async () => {
    const directory = folder()
    const path = join(directory, 'wg0.sock')
    const before = process.umask()
    const socket = await open(path)
    expect(statSync(path).mode & 0o777).toBe(0o600)
    expect(process.umask()).toBe(before)
    expect(readdirSync(directory)).toEqual(['wg0.sock'])
    await socket.close()
    expect(readdirSync(directory)).toEqual([])
  })

  it('answers several requests of one connection, in order, however they are cut (W28)', async () => {
    const { path } = await open(join(folder(), 's'))
    const text = 'get=1\n\nset=1\nlisten_port=0\n\nget=1\n\n'
    for (const size of [1, 2, 3, 7, 100]) {
      const client = connect({ path, allowHalfOpen: true })
      for (let at = 0; at < text.length; at += size) {
        client.write(text.slice(at, at + size))
        await new Promise(setImmediate)
      }
      client.end()
      expect(await answers(client)).toBe('get=1\n\nset=1|listen_port=0\n\nget=1\n\n')
    }
  })

  it('does one request of a connection after the other', async () => {
    const order: string[] = []
    const { path } = await open(join(folder(), 's'), async request => {
      order.push(`begin ${request}`)
      await new Promise(setImmediate)
      order.push(`end ${request}`)
      return '\n\n'
    })
    const client = connect({ path, allowHalfOpen: true })
    client.end('a\n\nb\n\n')
    await answers(client)
    expect(order).toEqual(['begin a', 'end a', 'begin b', 'end b'])
  })

  it('refuses a request that does not end', async () => {
    const { path } = await open(join(folder(), 's'), echo, { request: 1000 })
    const client = connect(path)
    client.write('x'.repeat(2000))
    expect(await answers(client)).toBe('errno=-7\n\n')
  })

  it('ends a connection that says nothing', async () => {
    const { path } = await open(join(folder(), 's'), echo, { idle: 20 })
    expect(await answers(connect(path))).toBe('')
  })

  it('ends a connection whose handler fails, and serves the next', async () => {
    let failing = true
    const { path } = await open(join(folder(), 's'), async () => {
      if (failing) throw new Error('a bug')
      return 'fine\n\n'
    })
    const first = connect(path)
    first.write('a\n\n')
    expect(await answers(first)).toBe('')
    failing = false
    const second = connect({ path, allowHalfOpen: true })
    second.end('a\n\n')
    expect(await answers(second)).toBe('fine\n\n')
  })

  it('takes so many connections at once and no more', async () => {
    const { path } = await open(join(folder(), 's'), echo, { clients: 2 })
    const held = [connect(path), connect(path)]
    await Promise.all(held.map(client => once(client, 'connect')))
    expect(await answers(connect(path))).toBe('')
    for (const client of held) client.destroy()
  })

  it('takes the place of one whose process was killed', async () => {
    const path = join(folder(), 's')
    await leaveBehind(path)
    expect(existsSync(path)).toBe(true)
    await open(path)
    const client = connect({ path, allowHalfOpen: true })
    client.end('hello\n\n')
    expect(await answers(client)).toBe('hello\n\n')
  })

  it('takes no place that another interface, or another file, has', async () => {
    const directory = folder()
    const path = join(directory, 's')
    await open(path)
    await expect(open(path)).rejects.toMatchObject({
      code: 'UAPI_SOCKET_FAILED',
      message: expect.stringContaining('another interface listens'),
    })
    const file = join(directory, 'file')
    writeFileSync(file, 'mine')
    await expect(open(file)).rejects.toMatchObject({ code: 'UAPI_SOCKET_FAILED' })
    expect(readdirSync(directory).sort()).toEqual(['file', 's'])
  })

  it('names the remedy where it cannot be', async () => {
    await expect(open(join(folder(), 'none', 's'))).rejects.toMatchObject({
      code: 'UAPI_SOCKET_FAILED',
      message: expect.stringContaining('--uapi PATH'),
    })
    await expect(open(join(folder(), 'x'.repeat(100)))).rejects.toMatchObject({ code: 'UAPI_SOCKET_FAILED' })
    if (process.getuid?.() === 0) return
    const directory = folder()
    chmodSync(directory, 0o500)
    await expect(open(join(directory, 's'))).rejects.toMatchObject({ message: expect.stringContaining('run as root') })
  })

  it('tells when somebody removes it, and then removes nothing of others', async () => {
    const path = join(folder(), 's')
    const socket = await open(path)
    unlinkSync(path)
    await socket.removed
    await open(path)
    await socket.close()
    expect(existsSync(path)).toBe(true)
  })
})

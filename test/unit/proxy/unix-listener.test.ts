// A way in by a unix socket: whose it is, what it replaces, and that it goes.
import { once } from 'node:events'
import { existsSync, mkdtempSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import net from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import type { ConnectionRecord } from '../../../src/proxy/client.js'
import { startForward } from '../../../src/proxy/forward.js'
import { cleanUp, later, loopbackDialer, readAll, startTarget, until } from '../../support/proxy.js'

afterEach(cleanUp)

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'tunless-unix-'))
  later(() => rmSync(path, { recursive: true, force: true }))
  return path
}

async function start(path: string, port = 1) {
  const records: ConnectionRecord[] = []
  const forward = await startForward({
    at: { path },
    target: { host: 'db', port },
    dial: loopbackDialer(),
    onConnection: record => records.push(record),
  })
  later(() => forward.close())
  return Object.assign(forward, { records })
}

describe('a unix socket', () => {
  it('leads to the target, for its user alone, and is gone at the end', async () => {
    const target = await startTarget(socket => socket.end('hello'))
    const directory = folder()
    const path = join(directory, 'db.sock')
    const forward = await start(path, target.port)
    expect(forward.address).toEqual({ path })
    expect(statSync(path).mode & 0o777).toBe(0o600)
    expect(readdirSync(directory)).toEqual(['db.sock'])
    const client = net.connect({ path, allowHalfOpen: true })
    client.end()
    expect((await readAll(client)).toString()).toBe('hello')
    await until(() => forward.records.length === 1)
    expect(forward.records[0]).not.toHaveProperty('client')
    await forward.close()
    expect(readdirSync(directory)).toEqual([])
  })

  it('is cut where TCP would be reset, for it cannot be', async () => {
    const target = await startTarget(socket => socket.once('data', () => socket.resetAndDestroy()))
    const path = join(folder(), 'db.sock')
    const forward = await start(path, target.port)
    const refused = await start(`${path}2`)
    for (const at of [path, `${path}2`]) {
      const client = net.connect(at).on('error', () => {})
      client.write('x')
      await once(client.resume(), 'close')
    }
    await until(() => forward.records.length === 1 && refused.records.length === 1)
    expect([forward.records[0]?.result, refused.records[0]?.result]).toEqual(['cut', 'refused'])
  })

  it('takes the place of one that nobody listens on', async () => {
    const path = join(folder(), 'db.sock')
    const dead = net.createServer().listen(`${path}.x`)
    await once(dead, 'listening')
    renameSync(`${path}.x`, path)
    await new Promise(resolve => dead.close(resolve))
    expect(existsSync(path)).toBe(true)
    await start(path)
  })

  it('takes the place of nothing else', async () => {
    const directory = folder()
    const path = join(directory, 'db.sock')
    await start(path)
    await expect(start(path)).rejects.toMatchObject({
      code: 'LISTEN_FAILED',
      message: `another program listens on ${path}: stop it, or choose another path`,
    })
    writeFileSync(join(directory, 'file'), 'precious')
    await expect(start(join(directory, 'file'))).rejects.toThrow('is there and is no socket: remove it')
    expect(readdirSync(directory)).toEqual(['db.sock', 'file'])
  })

  it('needs a directory, and a path that is not too long', async () => {
    const missing = join(folder(), 'missing', 'db.sock')
    await expect(start(missing)).rejects.toMatchObject({
      code: 'LISTEN_FAILED',
      message: `cannot listen on ${missing}: its directory is missing, or not yours to write in: choose another path`,
    })
    await expect(start(join(folder(), 'x'.repeat(120)))).rejects.toThrow('too long for a socket: choose a shorter one')
  })
})

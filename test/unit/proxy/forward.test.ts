import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { afterEach, describe, expect, it } from 'vitest'
import type { ConnectionRecord } from '../../../src/proxy/client.js'
import { type ForwardOptions, startForward } from '../../../src/proxy/forward.js'
import type { LocalAddress } from '../../../src/proxy/listener.js'
import { cleanUp, connectTo, ending, later, loopbackDialer, readAll, startTarget, until } from '../../support/proxy.js'

afterEach(cleanUp)

async function start(port: number, options: Partial<ForwardOptions<LocalAddress>> = {}) {
  const records: ConnectionRecord[] = []
  const forward = await startForward({
    at: { host: '127.0.0.1', port: 0 },
    target: { host: 'db', port },
    dial: loopbackDialer(),
    onConnection: record => records.push(record),
    ...options,
  })
  later(() => forward.close())
  return Object.assign(forward, { records })
}

describe('a forward', () => {
  it('leads each client to its target', async () => {
    const target = await startTarget(socket => socket.pipe(socket))
    const dial = loopbackDialer()
    const forward = await start(target.port, { dial })
    const bytes = randomBytes(1024 * 1024)
    const client = await connectTo(forward.address.port)
    client.end(bytes)
    expect((await readAll(client)).equals(bytes)).toBe(true)
    expect(dial.targets).toEqual([{ host: 'db', port: target.port }])
    await until(() => forward.records.length === 1)
    expect(forward.records[0]).toMatchObject({ result: 'done', sent: bytes.length, received: bytes.length })
  })

  it('lets the target speak to a client that ended at once', async () => {
    const target = await startTarget(socket => socket.end('220 hello\r\n'))
    const forward = await start(target.port)
    const client = await connectTo(forward.address.port)
    client.end()
    expect((await readAll(client)).toString()).toBe('220 hello\r\n')
  })

  it('relays a reset each way', async () => {
    const target = await startTarget()
    const forward = await start(target.port)
    const first = await connectTo(forward.address.port)
    const end = ending(await target.accepted())
    first.resetAndDestroy()
    expect(await end).toBe('ECONNRESET')

    const second = await connectTo(forward.address.port)
    const secondEnd = ending(second)
    ;(await target.accepted()).resetAndDestroy()
    expect(await secondEnd).toBe('ECONNRESET')
  })

  it('resets a client whose dial failed, and tells why', async () => {
    const errors: unknown[] = []
    const forward = await start(1, { onError: error => errors.push(error) })
    const client = await connectTo(forward.address.port)
    expect(await ending(client)).toBe('ECONNRESET')
    expect(errors).toMatchObject([{ code: 'ECONNREFUSED' }])
    expect(forward.records).toMatchObject([{ result: 'refused' }])
  })

  it('gives up the dial of a client that was reset', async () => {
    let aborted = false
    let dialled = false
    const forward = await start(22, {
      dial: (_, signal) =>
        new Promise((_, reject) => {
          dialled = true
          signal.addEventListener('abort', () => {
            aborted = true
            reject(signal.reason)
          })
        }),
    })
    const client = await connectTo(forward.address.port)
    await until(() => dialled)
    client.resetAndDestroy()
    await until(() => aborted && forward.connections === 0)
    await until(() => forward.records.length === 1)
    expect(forward.records).toMatchObject([{ result: 'gone' }])
  })

  it('closes clients beyond its bound at once', async () => {
    const target = await startTarget()
    const forward = await start(target.port, { limits: { maxConnections: 1 } })
    await connectTo(forward.address.port)
    await until(() => forward.connections === 1)
    await ending(await connectTo(forward.address.port))
    expect(forward.connections).toBe(1)
  })

  it.each([
    ['a port that is taken', 'the port is taken', (taken: number) => ({ host: '127.0.0.1', port: taken })],
    ['an address of another host', 'is not an address of this host', () => ({ host: '192.0.2.1', port: 0 })],
  ])('on %s fails with a remedy', async (_, why, where) => {
    const target = await startTarget()
    const failed = start(1, { at: where(target.port) })
    await expect(failed).rejects.toMatchObject({ code: 'LISTEN_FAILED' })
    await expect(failed).rejects.toThrow(why)
  })

  it('cuts its clients when it closes', async () => {
    const target = await startTarget()
    const forward = await start(target.port)
    const client = await connectTo(forward.address.port)
    const far = ending(await target.accepted())
    const closed = once(client.resume(), 'close')
    await forward.close()
    expect(await far).toBe('ECONNRESET')
    client.end()
    await closed.catch(() => {})
  })
})

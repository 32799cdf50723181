import { once } from 'node:events'
import type { Socket } from 'node:net'
import { Duplex } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { TunnelError } from '../../../src/errors.js'
import { type ControlHandlers, type ControlLimits, ControlServer } from '../../../src/node/control/server.js'
import { handlers, readAll, socketPair } from './control-support.js'

async function served(given: Partial<ControlHandlers> = {}, limits?: Partial<ControlLimits>) {
  const server = new ControlServer({ ...handlers(), ...given }, { clients: 10, requestTimeout: 10_000, ...limits })
  const connect = async (): Promise<Socket & { served: Promise<void> }> => {
    const [client, accepted] = await socketPair()
    return Object.assign(client, { served: server.serve(accepted) })
  }
  return { server, connect }
}

const dial = `${JSON.stringify({ op: 'dial', host: 'web1', port: 22 })}\n`

describe('the control socket', () => {
  it('dials, accepts, and carries bytes both ways with an end for an end', async () => {
    const asked: unknown[] = []
    const { connect } = await served({
      dial: async (host, port, { timeout }) => {
        asked.push([host, port, timeout])
        return handlers().dial(host, port, { signal: new AbortController().signal })
      },
    })
    const client = await connect()
    client.write(dial.replace('}', ',"timeout":500}'))
    await once(client, 'readable')
    expect(`${client.read()}`).toBe('{"ok":true}\n')
    client.end('hello')
    expect(await readAll(client)).toBe('echo:hello')
    expect(asked).toEqual([['web1', 22, 500]])
    await client.served
  })

  it('lets the far side end first and goes on sending to it', async () => {
    const received: string[] = []
    const remote = new Duplex({
      read() {
        this.push('greeting')
        this.push(null)
      },
      write(chunk, _encoding, done) {
        received.push(`${chunk}`)
        done()
      },
    })
    const { connect } = await served({ dial: async () => remote })
    const client = await connect()
    client.write(dial)
    expect(await readAll(client)).toBe('{"ok":true}\ngreeting')
    client.end('late')
    await client.served
    expect(received.join('')).toBe('late')
  })

  it.each([
    ["a tunnel's", new TunnelError('NO_ROUTE', 'no route'), { code: 'NO_ROUTE', message: 'no route' }],
    [
      "a socket's",
      Object.assign(new Error('refused'), { code: 'ECONNREFUSED' }),
      { code: 'ECONNREFUSED', message: 'refused' },
    ],
    ['an unknown', new Error('odd'), { code: 'EIO', message: 'odd' }],
  ])('passes on %s error of a dial', async (_whose, error, reply) => {
    const { connect } = await served({ dial: () => Promise.reject(error) })
    const client = await connect()
    client.write(dial)
    expect(JSON.parse(await readAll(client))).toEqual({ ok: false, ...reply })
  })

  it('answers status with its process and what the tunnel tells', async () => {
    const { connect, server } = await served()
    const client = await connect()
    client.write('{"op":"status"}\n')
    expect(JSON.parse(await readAll(client))).toEqual({ ok: true, pid: process.pid, publicKey: 'a key', peers: 2 })
    expect(server.joined).toBe(0)
  })

  it.each([
    ['no JSON', 'GET / HTTP/1.1'],
    ['no object', '7'],
    ['null', 'null'],
    ['an unknown operation', '{"op":"shutdown"}'],
    ['no host', '{"op":"dial","port":22}'],
    ['an empty host', '{"op":"dial","host":"","port":22}'],
    ['a long host', `{"op":"dial","host":"${'a'.repeat(256)}","port":22}`],
    ['a port out of range', '{"op":"dial","host":"a","port":65536}'],
    ['a port that is no number', '{"op":"dial","host":"a","port":"22"}'],
    ['a negative timeout', '{"op":"dial","host":"a","port":22,"timeout":-1}'],
    ['a request that is too long', `{"op":"dial","host":"${'a'.repeat(5000)}"}`],
  ])('refuses %s and hangs up', async (_what, line) => {
    const { connect } = await served()
    const client = await connect()
    client.write(`${line}\n`)
    expect(JSON.parse(await readAll(client))).toMatchObject({ ok: false, code: 'USAGE' })
    await client.served
  })

  it('cuts a client that sends without end and without a newline', async () => {
    const { connect } = await served()
    const client = await connect()
    client.on('error', () => {})
    client.write('x'.repeat(1 << 20))
    await client.served
  })

  it('cuts a client that asks nothing in time', async () => {
    const { connect } = await served({}, { requestTimeout: 1 })
    const client = await connect()
    expect(JSON.parse(await readAll(client))).toMatchObject({ ok: false })
    await client.served
  })

  it('refuses clients beyond its bound', async () => {
    const { connect } = await served({}, { clients: 1 })
    const first = await connect()
    first.write('{"op":"join"}\n')
    await once(first, 'readable')
    expect(JSON.parse(await readAll(await connect()))).toMatchObject({ ok: false, code: 'EMFILE' })
  })

  it('aborts the dial of a client that goes away', async () => {
    let signal: AbortSignal | undefined
    const { connect, server } = await served({
      dial: (_host, _port, options) =>
        new Promise((_resolve, reject) => {
          signal = options.signal
          options.signal.addEventListener('abort', () => reject(new Error('aborted')))
        }),
    })
    const client = await connect()
    client.write(dial)
    await expect.poll(() => signal).toBeDefined()
    expect(server.joined).toBe(1)
    client.destroy()
    await client.served
    expect(signal?.aborted).toBe(true)
    expect(server.joined).toBe(0)
  })

  it('closes the connection of a client that went away while the dial succeeded', async () => {
    let dialed!: (stream: Duplex) => void
    let signal: AbortSignal | undefined
    const { connect } = await served({
      dial: (_host, _port, options) =>
        new Promise(resolve => {
          signal = options.signal
          dialed = resolve
        }),
    })
    const client = await connect()
    client.write(dial)
    await expect.poll(() => signal).toBeDefined()
    client.destroy()
    await expect.poll(() => signal?.aborted).toBe(true)
    const remote = new Duplex({ read() {} })
    dialed(remote)
    await client.served
    expect(remote.destroyed).toBe(true)
  })

  it('does not abort a connection whose client has only finished sending', async () => {
    let signal: AbortSignal | undefined
    const { connect } = await served({
      dial: async (_host, _port, options) => {
        signal = options.signal
        return handlers().dial('', 0, options)
      },
    })
    const client = await connect()
    client.write(dial)
    await once(client, 'readable')
    client.read()
    client.end('x')
    expect(await readAll(client)).toBe('echo:x')
    expect(signal?.aborted).toBe(false)
  })

  it('breaks the client off when the far side breaks', async () => {
    const remote = new Duplex({ read() {}, write: (_chunk, _encoding, done) => done() })
    const { connect } = await served({ dial: async () => remote })
    const client = await connect()
    client.write(dial)
    await once(client, 'readable')
    remote.destroy(Object.assign(new Error('reset'), { code: 'ECONNRESET' }))
    await client.served
  })

  it('breaks the far side off by RST when the client breaks', async () => {
    let resets = 0
    const remote = Object.assign(new Duplex({ read() {}, write: (_chunk, _encoding, done) => done() }), {
      remotePort: 22,
      resetAndDestroy(this: Duplex) {
        resets++
        this.destroy()
      },
    })
    const { connect, server } = await served({ dial: async () => remote })
    const client = await connect()
    client.write(dial)
    await once(client, 'readable')
    server.close()
    await client.served
    expect(resets).toBe(1)
  })

  it('is idle again when the last that joined has left', async () => {
    const { connect, server } = await served()
    await server.idle()
    const [first, second] = [await connect(), await connect()]
    for (const client of [first, second]) {
      client.write('{"op":"join"}\n')
      await once(client, 'readable')
    }
    expect(server.joined).toBe(2)
    let idle = false
    const waiting = server.idle().then(() => {
      idle = true
    })
    first.destroy()
    await first.served
    expect([server.joined, idle]).toEqual([1, false])
    second.destroy()
    await waiting
    expect(server.joined).toBe(0)
  })
})

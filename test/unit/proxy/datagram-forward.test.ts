import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { afterEach, describe, expect, it } from 'vitest'
import type { ConnectionRecord } from '../../../src/proxy/client.js'
import {
  type ConnectedDatagrams,
  type DatagramForwardOptions,
  startDatagramForward,
} from '../../../src/proxy/datagram-forward.js'
import { cleanUp, later, until } from '../../support/proxy.js'

afterEach(cleanUp)

async function udp(): Promise<Socket> {
  const socket = createSocket('udp4').bind(0, '127.0.0.1')
  await once(socket, 'listening')
  later(() => new Promise<void>(resolve => socket.close(() => resolve())))
  return socket
}

/** Answers with `>`, the sender's port and the same. */
async function startEcho(): Promise<Socket> {
  const socket = await udp()
  socket.on('message', (message, from) => socket.send(`>${from.port} ${message}`, from.port))
  return socket
}

async function start(port: number, options: Partial<DatagramForwardOptions> = {}) {
  const errors: unknown[] = []
  const records: ConnectionRecord[] = []
  const open: Socket[] = []
  const forward = await startDatagramForward({
    at: { host: '127.0.0.1', port: 0 },
    target: { host: '127.0.0.1', port },
    openDatagrams() {
      const socket = createSocket('udp4')
      open.push(socket)
      socket.on('close', () => open.splice(open.indexOf(socket), 1))
      return socket as unknown as ConnectedDatagrams
    },
    onError: error => errors.push(error),
    onConnection: record => records.push(record),
    ...options,
  })
  later(() => forward.close())
  return Object.assign(forward, { errors, records, open })
}

const heard = async (socket: Socket) => String((await once(socket, 'message'))[0])

describe('a forward of UDP', () => {
  it('leads each client by a socket of its own, which answers find', async () => {
    const echo = await startEcho()
    const forward = await start(echo.address().port)
    const [first, second] = [await udp(), await udp()]
    first.send('a', forward.address.port)
    second.send('b', forward.address.port)
    const [answer, other] = await Promise.all([heard(first), heard(second)])
    expect([answer.slice(-1), other.slice(-1)]).toEqual(['a', 'b'])
    expect(answer.slice(0, -1)).not.toBe(other.slice(0, -1))
    first.send('c', forward.address.port)
    expect(await heard(first)).toBe(`${answer.slice(0, -1)}c`)
    expect(forward.connections).toBe(2)
  })

  it('forgets a client that is silent', async () => {
    const echo = await startEcho()
    const forward = await start(echo.address().port, { limits: { idleTimeout: 20 } })
    const client = await udp()
    client.send('a', forward.address.port)
    await heard(client)
    await until(() => forward.connections === 0 && forward.open.length === 0)
    const { address: host, port } = client.address()
    const target = { host: '127.0.0.1', port: echo.address().port }
    expect(forward.records).toMatchObject([
      { protocol: 'udp', way: 'forward', client: { host, port }, target, result: 'done', sent: 1 },
    ])
  })

  it('makes room for a new client by the one that was silent the longest', async () => {
    const echo = await startEcho()
    const forward = await start(echo.address().port, { limits: { maxConnections: 2 } })
    const clients = [await udp(), await udp(), await udp()] as [Socket, Socket, Socket]
    const ask = (client: Socket) => {
      client.send('x', forward.address.port)
      return heard(client)
    }
    const before = await ask(clients[0])
    await ask(clients[1])
    expect(await ask(clients[0])).toBe(before)
    await ask(clients[2])
    expect(forward.connections).toBe(2)
    expect(await ask(clients[0])).toBe(before)
  })

  it('keeps few datagrams while the target is resolved, and tells why it is not', async () => {
    let connected: ((error?: Error) => void) | undefined
    const sent: string[] = []
    const forward = await start(7, {
      limits: { maxWaiting: 2 },
      openDatagrams: () => ({
        connect: (_port, _host, callback) => {
          connected = callback
        },
        send: message => void sent.push(String(message)),
        on: () => {},
        close: () => {},
      }),
    })
    const client = await udp()
    const sayThree = () => {
      for (const text of ['1', '2', '3']) client.send(text, forward.address.port)
    }
    sayThree()
    await until(() => connected !== undefined)
    await new Promise(resolve => setTimeout(resolve, 20))
    connected?.()
    expect(sent).toEqual(['1', '2'])

    const other = await udp()
    connected = undefined
    other.send('x', forward.address.port)
    await until(() => connected !== undefined)
    ;(connected as unknown as (error: Error) => void)(new Error('unknown'))
    expect(forward.errors).toMatchObject([{ message: 'unknown' }])
    expect(forward.connections).toBe(1)
  })

  it('on a port that is taken fails with a remedy', async () => {
    const taken = await udp()
    const failed = start(7, { at: { host: '127.0.0.1', port: taken.address().port } })
    await expect(failed).rejects.toMatchObject({ code: 'LISTEN_FAILED' })
    await expect(failed).rejects.toThrow('the port is taken')
  })
})

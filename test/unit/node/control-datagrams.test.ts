import { EventEmitter, once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import { JoinedDatagrams, type ServedDatagrams, serveDatagrams } from '../../../src/node/control/datagrams.js'

/** A UDP socket that answers everything with itself, and refuses one name. */
class Echo extends EventEmitter implements ServedDatagrams {
  isClosed = false
  send(message: Uint8Array, port: number, host: string, callback: (error: Error | null) => void): void {
    const isKnown = host !== 'nobody'
    callback(isKnown ? null : Object.assign(new Error('unknown host "nobody"'), { code: 'UNKNOWN_HOST' }))
    if (isKnown) this.emit('message', message, { address: host, port })
  }
  close(): void {
    this.isClosed = true
  }
}

async function open() {
  const server = createServer({ allowHalfOpen: true }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const near = connect({ port: (server.address() as AddressInfo).port, host: '127.0.0.1', allowHalfOpen: true })
  const [far] = (await once(server, 'connection')) as [Socket]
  onTestFinished(() => {
    near.destroy()
    far.destroy()
    server.close()
  })
  const echo = new Echo()
  serveDatagrams(far, echo)
  const socket = new JoinedDatagrams(Promise.resolve(near))
  const errors: (Error & { code?: string })[] = []
  socket.on('error', error => errors.push(error))
  return { near, far, echo, socket, errors }
}

describe('UDP over a control socket', () => {
  it('carries datagrams as they are, also those that were sent before it stood', async () => {
    const { socket } = await open()
    const heard: unknown[] = []
    socket.on('message', (message: Buffer, from) => heard.push([message.length, from]))
    for (const length of [0, 1, 65_507]) socket.send(new Uint8Array(length), 53, 'fd00::1', () => {})
    socket.connect(54, '10.7.0.1', () => {})
    socket.send(Buffer.from('x'), () => {})
    await expect.poll(() => heard.length).toBe(4)
    const v6 = { address: 'fd00::1', port: 53, family: 'IPv6' }
    expect(heard).toEqual([
      [0, v6],
      [1, v6],
      [65_507, v6],
      [1, { address: '10.7.0.1', port: 54, family: 'IPv4' }],
    ])
  })

  it('tells of a datagram that could not be sent, and goes on', async () => {
    const { socket, errors } = await open()
    socket.send(Buffer.from('x'), 53, 'nobody', () => {})
    await expect.poll(() => errors.length).toBe(1)
    expect(errors[0]).toMatchObject({ code: 'UNKNOWN_HOST', target: { host: 'nobody', port: 53 } })
    socket.send(Buffer.from('y'), 53, 'web1', () => {})
    expect(String((await once(socket, 'message'))[0])).toBe('y')
  })

  it('ends on both sides with either', async () => {
    const one = await open()
    await new Promise(setImmediate)
    one.socket.close()
    await expect.poll(() => one.echo.isClosed).toBe(true)
    const two = await open()
    await new Promise(setImmediate)
    two.far.destroy()
    await expect.poll(() => two.errors.map(error => error.message)).toEqual([expect.stringContaining('has ended')])
  })

  it.each([
    ['longer than any datagram', Buffer.of(0, 2, 0, 0, 0, 0, 53, 4)],
    ['shorter than its name', Buffer.of(0, 0, 0, 5, 0, 0, 53, 200)],
  ])('cuts a client whose frame is %s', async (_, bytes) => {
    const { near, far, echo } = await open()
    near.write(bytes)
    await expect.poll(() => far.destroyed && echo.isClosed).toBe(true)
  })
})

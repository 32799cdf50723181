// net.Socket's behaviour, asserted of Node's own sockets and of the tunnel's by the same lines.
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { constants } from 'node:os'
import { finished, pipeline } from 'node:stream/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  type AnyServer,
  type AnySocket,
  nodeRig,
  type SocketRig,
  stackRig,
  tunnelRig,
} from '../../support/socket-rigs.js'

const MiB = 1024 * 1024

describe.each([
  ['node:net', nodeRig],
  ['the tunnel', tunnelRig],
  ["the tunnel's own TCP", stackRig],
])('a socket of %s', (_, makeRig) => {
  let rig: SocketRig
  let server: AnyServer
  let port: number
  let options: Parameters<SocketRig['server']>[0]
  const sockets: AnySocket[] = []
  const accepted: AnySocket[] = []

  beforeEach(() => {
    rig = makeRig()
    options = {}
  })

  afterEach(async () => {
    for (const socket of sockets.splice(0)) socket.destroy()
    for (const socket of accepted.splice(0)) socket.destroy()
    if (server?.listening) await new Promise(resolve => server.close(resolve))
  })

  async function listen(listener: (socket: AnySocket) => void = () => {}): Promise<void> {
    server = rig.server(options, socket => {
      accepted.push(socket)
      watch(socket)
      socket.on('error', () => {})
      listener(socket)
    })
    await new Promise<void>(resolve => server.listen({ port: 0, host: rig.host }, resolve))
    port = (server.address() as { port: number }).port
  }

  function dial(socketOptions?: Parameters<SocketRig['socket']>[0], listener?: () => void): AnySocket {
    const socket = rig.socket(socketOptions)
    sockets.push(socket)
    watch(socket)
    socket.connect({ host: rig.host, port }, listener)
    return socket
  }

  /** A connected pair. */
  async function pair(socketOptions?: Parameters<SocketRig['socket']>[0]): Promise<[AnySocket, AnySocket]> {
    const far = new Promise<AnySocket>(resolve => void listen(resolve).then(() => near.resolve(dial(socketOptions))))
    const near = withResolvers<AnySocket>()
    const socket = await near.promise
    const [other] = await Promise.all([far, once(socket, 'connect')])
    return [socket, other]
  }

  describe('a dial', () => {
    it('goes from opening to open, and tells connect, then ready', async () => {
      await listen()
      const socket = rig.socket()
      sockets.push(socket)
      expect([socket.connecting, socket.pending]).toEqual([false, true])
      socket.connect({ host: rig.host, port })
      expect([socket.connecting, socket.pending, socket.readyState]).toEqual([true, true, 'opening'])
      const seen = record(socket, ['connect', 'ready'])
      socket.once('connect', () => {
        seen.push(`${socket.connecting} ${socket.pending} ${socket.readyState}`)
      })
      await once(socket, 'ready')
      expect(seen).toEqual(['connect', 'false false open', 'ready'])
    })

    it('calls its listener once it stands', async () => {
      await listen()
      await new Promise<void>(resolve => dial({}, resolve))
    })

    it('knows both ends, at both ends', async () => {
      const [near, far] = await pair()
      expect([near.remoteAddress, near.remotePort, near.remoteFamily]).toEqual([rig.host, port, 'IPv4'])
      expect(near.address()).toEqual({ address: near.localAddress, family: 'IPv4', port: near.localPort })
      expect([far.remoteAddress, far.remotePort]).toEqual([near.localAddress, near.localPort])
      expect([far.localAddress, far.localPort, far.localFamily]).toEqual([rig.host, port, 'IPv4'])
    })

    it('that is refused fails with the error of its system call, and closes', async () => {
      await listen()
      await new Promise(resolve => server.close(resolve))
      const socket = dial()
      const seen = record(socket, ['connect', 'ready', 'end', 'finish', 'close'])
      const [error] = await once(socket, 'error')
      expect({ ...error, message: error.message }).toEqual({
        message: `connect ECONNREFUSED ${rig.host}:${port}`,
        code: 'ECONNREFUSED',
        errno: -constants.errno.ECONNREFUSED,
        syscall: 'connect',
        address: rig.host,
        port,
      })
      expect(await once(socket, 'close')).toEqual([true])
      expect(seen).toEqual(['close'])
      expect([socket.connecting, socket.destroyed, socket.readyState]).toEqual([false, true, 'closed'])
    })

    it('carries what was written and ended before it stood', async () => {
      const got = withResolvers<string>()
      await listen(socket => void text(socket).then(got.resolve))
      const socket = dial()
      socket.write('before ')
      socket.end('connect')
      expect(socket.bytesWritten).toBe(14)
      expect(await got.promise).toBe('before connect')
      expect(socket.bytesWritten).toBe(14)
    })

    it('that is destroyed under way fails what was written, and closes without connect', async () => {
      await listen()
      const socket = dial()
      const seen = record(socket, ['connect', 'error', 'close'])
      const failed = new Promise<Error | null | undefined>(resolve => socket.write('x', resolve))
      socket.destroy()
      expect(await failed).toMatchObject({ code: 'ERR_SOCKET_CLOSED_BEFORE_CONNECTION' })
      await closed(socket)
      expect(seen).toEqual(['close'])
    })

    it('is ended by its signal, before it stands and after', async () => {
      await listen()
      const before = new AbortController()
      const socket = dial({ signal: before.signal })
      before.abort()
      const [error] = await once(socket, 'error')
      expect(error.name).toBe('AbortError')

      const after = new AbortController()
      const other = dial({ signal: after.signal })
      await once(other, 'connect')
      after.abort()
      expect((await once(other, 'error'))[0].name).toBe('AbortError')
    })

    it('may follow another on the same socket', async () => {
      await listen(socket => socket.end('hello'))
      const socket = dial()
      expect(await text(socket)).toBe('hello')
      await closed(socket)
      socket.connect({ host: rig.host, port })
      expect(await text(socket)).toBe('hello')
      expect(socket.bytesRead).toBe(5)
    })

    it.each([-1, 65536, 1.5, Number.NaN, 'x'])('to port %s throws', bad => {
      const socket = rig.socket()
      expect(() => socket.connect({ host: rig.host, port: bad as number })).toThrow(
        expect.objectContaining({ code: 'ERR_SOCKET_BAD_PORT' }),
      )
    })
  })

  describe('data', () => {
    it('goes both ways unharmed, whatever its pieces', async () => {
      await listen(socket => socket.pipe(socket))
      const socket = dial()
      const bytes = randomBytes(3 * MiB)
      const sent = (async () => {
        for (let at = 0, size = 1; at < bytes.length; at += size, size = (size * 7) % 70001) {
          if (!socket.write(bytes.subarray(at, at + size))) await once(socket, 'drain')
        }
        socket.end()
      })()
      const hash = createHash('sha256')
      let received = 0
      for await (const chunk of socket) {
        hash.update(chunk)
        received += chunk.length
      }
      await sent
      expect(received).toBe(bytes.length)
      expect(hash.digest('hex')).toBe(createHash('sha256').update(bytes).digest('hex'))
      expect([socket.bytesRead, socket.bytesWritten]).toEqual([bytes.length, bytes.length])
    })

    it('is a Buffer, or text where an encoding is set', async () => {
      const [near, far] = await pair()
      far.write('grün')
      expect((await once(near, 'data'))[0]).toEqual(Buffer.from('grün'))
      near.setEncoding('utf8')
      far.write('grün')
      expect((await once(near, 'data'))[0]).toBe('grün')
    })

    it('waits while the reader is paused', async () => {
      const [near, far] = await pair()
      const seen = record(near, ['data', 'end'])
      near.on('data', () => near.pause())
      far.write('a')
      await once(near, 'data')
      far.end('b')
      await once(far, 'finish')
      await turns(20)
      expect(seen).toEqual(['data'])
      const end = once(near, 'end')
      near.resume()
      await once(near, 'data')
      near.resume()
      await end
      expect(seen).toEqual(['data', 'data', 'end'])
    })

    it('that nobody reads stops its writer, and goes on when it is read', async () => {
      const [near, far] = await pair()
      const chunk = Buffer.alloc(64 * 1024)
      let written = 0
      let drained = false
      near.pause()
      while (written < 64 * MiB) {
        written += chunk.length
        if (far.write(chunk)) continue
        drained = await Promise.race([once(far, 'drain').then(() => true), turns(50).then(() => false)])
        if (!drained) break
      }
      expect(drained).toBe(false)
      expect(far.writableNeedDrain).toBe(true)
      const drain = once(far, 'drain')
      near.resume()
      await drain
      far.end()
      await once(near, 'end')
      expect(near.bytesRead).toBe(written)
    })

    it('of many small writes arrives in order', async () => {
      const [near, far] = await pair()
      const lines = Array.from({ length: 1000 }, (_, i) => `${i}\n`)
      near.cork()
      for (const line of lines) near.write(line)
      near.uncork()
      near.end()
      expect(await text(far)).toBe(lines.join(''))
    })

    it('calls each write back in order, and drains once', async () => {
      const [near, far] = await pair()
      far.resume()
      const order: number[] = []
      const all = [1, 2, 3].map(n => new Promise<void>(resolve => near.write('x', () => resolve(void order.push(n)))))
      await Promise.all(all)
      expect(order).toEqual([1, 2, 3])
    })

    it('works in pipeline() and finished()', async () => {
      const bytes = randomBytes(MiB)
      const got = withResolvers<Buffer>()
      await listen(socket => void buffer(socket).then(got.resolve))
      const socket = dial({ allowHalfOpen: true })
      await pipeline([bytes], socket)
      socket.resume()
      await finished(socket)
      expect((await got.promise).equals(bytes)).toBe(true)
    })
  })

  describe('the end', () => {
    const told = ['end', 'finish', 'close', 'error']

    it('of our side comes as finish; then the other ends, and it closes without an error', async () => {
      const [near, far] = await pair()
      const seen = record(near, told)
      const farSeen = record(far, told)
      far.resume()
      near.resume()
      near.end('bye')
      await Promise.all([closed(near), closed(far)])
      expect(seen).toEqual(['finish', 'end', 'close'])
      expect(farSeen).toEqual(['end', 'finish', 'close'])
    })

    it('of the other side ends ours too', async () => {
      const [near, far] = await pair()
      const seen = record(near, told)
      near.resume()
      far.end()
      await closed(near)
      expect(seen).toEqual(['end', 'finish', 'close'])
    })

    it('comes even if nobody reads, when there is nothing to read', async () => {
      const [near, far] = await pair()
      far.end()
      await once(near, 'end')
    })

    it('comes after the data', async () => {
      const [near, far] = await pair()
      far.end('last')
      await turns(20)
      expect(near.readableEnded).toBe(false)
      expect(await text(near)).toBe('last')
      expect(near.readableEnded).toBe(true)
    })

    it('of the other side leaves ours open where half-open is allowed', async () => {
      const [near, far] = await pair({ allowHalfOpen: true })
      const bytes = randomBytes(2 * MiB)
      far.end()
      near.resume()
      await once(near, 'end')
      expect(near.readyState).toBe('writeOnly')
      near.end(bytes)
      expect((await buffer(far)).equals(bytes)).toBe(true)
      await closed(near)
    })

    it('of our side still lets the other answer', async () => {
      options = { allowHalfOpen: true }
      const answer = randomBytes(2 * MiB)
      await listen(socket => void text(socket).then(request => socket.end(request === 'request' ? answer : 'what?')))
      const socket = dial()
      socket.end('request')
      await once(socket, 'finish')
      expect(socket.readyState).toBe('readOnly')
      expect((await buffer(socket)).equals(answer)).toBe(true)
    })

    it('followed by a write is an error of the writer', async () => {
      const [near] = await pair()
      near.end()
      near.write('x')
      expect((await once(near, 'error'))[0].code).toBe('ERR_STREAM_WRITE_AFTER_END')
    })

    it('of the other side makes a later write fail with EPIPE', async () => {
      const [near, far] = await pair()
      const error = once(near, 'error')
      const told = new Promise<Error | null | undefined>(resolve => {
        near.once('end', () => process.nextTick(() => process.nextTick(() => near.write('x', resolve))))
      })
      near.resume()
      far.end()
      expect((await error)[0]).toMatchObject({
        code: 'EPIPE',
        message: 'This socket has been ended by the other party',
      })
      expect(await told).toMatchObject({ code: 'EPIPE' })
    })

    it('is awaited by destroySoon', async () => {
      const [near, far] = await pair()
      const bytes = randomBytes(MiB)
      near.write(bytes)
      near.destroySoon()
      expect((await buffer(far)).equals(bytes)).toBe(true)
      expect(near.destroyed).toBe(true)
    })
  })

  describe('a destroyed socket', () => {
    it('closes without an error, and its peer just sees the end', async () => {
      const [near, far] = await pair()
      const seen = record(far, ['end', 'error', 'close'])
      far.resume()
      near.destroy()
      expect(await once(near, 'close')).toEqual([false])
      await closed(far)
      expect(seen).toEqual(['end', 'close'])
    })

    it('closes with the error it was given', async () => {
      const [near] = await pair()
      near.destroy(new Error('enough'))
      expect((await once(near, 'error'))[0].message).toBe('enough')
      expect(await once(near, 'close')).toEqual([true])
    })

    it('takes writes without a word, but to their callback', async () => {
      const [near] = await pair()
      const seen = record(near, ['error'])
      near.destroy()
      expect(near.write('x')).toBe(false)
      const told = await new Promise<Error | null | undefined>(resolve => near.write('y', resolve))
      expect(told).toMatchObject({ code: 'ERR_STREAM_DESTROYED' })
      await turns(5)
      expect(seen).toEqual([])
    })

    it('emits no data any more', async () => {
      const [near, far] = await pair()
      const seen = record(near, ['data', 'end'])
      near.on('data', () => near.destroy())
      far.write('a')
      await once(near, 'data')
      far.write('b')
      await turns(20)
      expect(seen).toEqual(['data'])
    })

    it('with unread data resets its peer', async () => {
      const [near, far] = await pair()
      near.pause()
      const chunk = Buffer.alloc(MiB)
      while (far.write(chunk) || (await Promise.race([once(far, 'drain'), turns(50).then(() => false)])));
      const error = once(far, 'error')
      near.destroy()
      expect((await error)[0].code).toBe('ECONNRESET')
    })

    it('keeps the peer that it had', async () => {
      const [near] = await pair()
      expect(near.remoteAddress).toBe(rig.host)
      near.destroy()
      await closed(near)
      expect(near.remoteAddress).toBe(rig.host)
      expect([near.pending, near.readyState]).toEqual([true, 'closed'])
    })
  })

  describe('a reset', () => {
    it('reaches the peer as ECONNRESET', async () => {
      const [near, far] = await pair()
      const seen = record(far, ['end', 'finish', 'close'])
      far.resume()
      near.resetAndDestroy()
      const [what] = await once(far, 'error')
      expect({ ...what, message: what.message }).toEqual({
        message: 'read ECONNRESET',
        code: 'ECONNRESET',
        errno: -constants.errno.ECONNRESET,
        syscall: 'read',
      })
      expect(await once(far, 'close')).toEqual([true])
      expect(seen).toEqual(['close'])
      await closed(near)
    })

    it('of a socket that was never connected is an error', async () => {
      const socket = rig.socket()
      const error = once(socket, 'error')
      socket.resetAndDestroy()
      expect((await error)[0].code).toBe('ERR_SOCKET_CLOSED')
    })
  })

  describe('setTimeout', () => {
    it('tells of silence, and leaves the socket as it is', async () => {
      const [near] = await pair()
      expect(near.setTimeout(10)).toBe(near)
      expect(near.timeout).toBe(10)
      await once(near, 'timeout')
      expect(near.destroyed).toBe(false)
    })

    it('takes a listener, and gives it back at 0', async () => {
      const [near] = await pair()
      await new Promise<void>(resolve => near.setTimeout(10, resolve))
      const never = () => expect.unreachable()
      near.setTimeout(10_000, never)
      near.setTimeout(0, never)
      expect(near.listenerCount('timeout')).toBe(0)
    })

    it.each([
      [-1, 'ERR_OUT_OF_RANGE'],
      [Number.POSITIVE_INFINITY, 'ERR_OUT_OF_RANGE'],
      ['1', 'ERR_INVALID_ARG_TYPE'],
    ])('of %s throws', (ms, code) => {
      expect(() => rig.socket().setTimeout(ms as number)).toThrow(expect.objectContaining({ code }))
    })
  })

  it('its setters can be chained, connected or not', async () => {
    const socket = rig.socket()
    expect(socket.setNoDelay(true)).toBe(socket)
    expect(socket.setKeepAlive(true, 1000)).toBe(socket)
    const [near] = await pair()
    expect(near.setNoDelay()).toBe(near)
    expect(near.setKeepAlive()).toBe(near)
    expect(near.unref()).toBe(near)
    expect(near.ref()).toBe(near)
  })
})

/** The names of `events`, in the order they come. */
function record(socket: AnySocket, events: string[]): string[] {
  const seen: string[] = []
  for (const event of events) socket.on(event, () => seen.push(event))
  return seen
}

/** Sockets that have emitted 'close'; their property `closed` is true a little earlier. */
const gone = new WeakSet<AnySocket>()

function watch(socket: AnySocket): void {
  socket.once('close', () => gone.add(socket))
}

async function closed(socket: AnySocket): Promise<void> {
  if (!gone.has(socket)) await once(socket, 'close')
}

async function buffer(socket: AnySocket): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of socket.iterator({ destroyOnReturn: false })) chunks.push(chunk)
  return Buffer.concat(chunks)
}

async function text(socket: AnySocket): Promise<string> {
  return (await buffer(socket)).toString()
}

/** Lets the event loop turn: what can happen without time has happened. */
async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise(resolve => setImmediate(resolve))
}

function withResolvers<T>() {
  let resolve!: (value: T) => void
  const promise = new Promise<T>(yes => {
    resolve = yes
  })
  return { promise, resolve }
}

// The beginning of a connection: connect(), its events, states and errors.
import { once } from 'node:events'
import { constants } from 'node:os'
import { describe, expect, it } from 'vitest'
import { closed, record, type SocketWorld, story, text, withResolvers } from '../../../support/socket-world.js'

export function describeDials(world: SocketWorld): void {
  describe('a dial', () => {
    it('goes from opening to open, and tells connect, then ready', async () => {
      await world.listen()
      const socket = world.socket()
      expect([socket.connecting, socket.pending]).toEqual([false, true])
      socket.connect({ host: world.rig.host, port: world.port })
      expect([socket.connecting, socket.pending, socket.readyState]).toEqual([true, true, 'opening'])
      const seen = record(socket, ['connect', 'ready'])
      socket.once('connect', () => {
        seen.push(`${socket.connecting} ${socket.pending} ${socket.readyState}`)
      })
      await once(socket, 'ready')
      expect(seen).toEqual(['connect', 'false false open', 'ready'])
    })

    it('calls its listener once it stands', async () => {
      await world.listen()
      await new Promise<void>(resolve => world.dial({}, resolve))
    })

    it('knows both ends, at both ends', async () => {
      const [near, far] = await world.pair()
      expect([near.remoteAddress, near.remotePort, near.remoteFamily]).toEqual([world.rig.host, world.port, 'IPv4'])
      expect(near.address()).toEqual({ address: near.localAddress, family: 'IPv4', port: near.localPort })
      expect([far.remoteAddress, far.remotePort]).toEqual([near.localAddress, near.localPort])
      expect([far.localAddress, far.localPort, far.localFamily]).toEqual([world.rig.host, world.port, 'IPv4'])
    })

    it('that is refused fails with the error of its system call, and closes', async () => {
      await world.listen()
      await new Promise(resolve => world.server.close(resolve))
      const { port } = world
      const socket = world.dial()
      const seen = record(socket, ['connect', 'ready', 'end', 'finish', 'close'])
      const [error] = await once(socket, 'error')
      expect({ ...error, message: error.message }).toEqual({
        message: `connect ECONNREFUSED ${world.rig.host}:${port}`,
        code: 'ECONNREFUSED',
        errno: -constants.errno.ECONNREFUSED,
        syscall: 'connect',
        address: world.rig.host,
        port,
      })
      expect(await once(socket, 'close')).toEqual([true])
      expect(seen).toEqual(['close'])
      expect([socket.connecting, socket.destroyed, socket.readyState]).toEqual([false, true, 'closed'])
    })

    it('carries what was written and ended before it stood', async () => {
      const got = withResolvers<string>()
      await world.listen(socket => void text(socket).then(got.resolve))
      const socket = world.dial()
      socket.write('before ')
      socket.end('connect')
      expect(socket.bytesWritten).toBe(14)
      expect(await got.promise).toBe('before connect')
      expect(socket.bytesWritten).toBe(14)
    })

    it('that is destroyed under way fails what was written, and closes without connect', async () => {
      await world.listen()
      const socket = world.dial()
      const seen = record(socket, ['connect', 'error', 'close'])
      const failed = new Promise<Error | null | undefined>(resolve => socket.write('x', resolve))
      socket.destroy()
      expect(await failed).toMatchObject({ code: 'ERR_SOCKET_CLOSED_BEFORE_CONNECTION' })
      await closed(socket)
      expect(seen).toEqual(['close'])
    })

    it('is ended by its signal, before it stands and after', async () => {
      await world.listen()
      const before = new AbortController()
      const socket = world.dial({ signal: before.signal })
      before.abort()
      const [error] = await once(socket, 'error')
      expect(error.name).toBe('AbortError')

      const after = new AbortController()
      const other = world.dial({ signal: after.signal })
      await once(other, 'connect')
      after.abort()
      expect((await once(other, 'error'))[0].name).toBe('AbortError')
    })

    it('may follow another on the same socket', async () => {
      await world.listen(socket => socket.end('hello'))
      const socket = world.dial()
      expect(await text(socket)).toBe('hello')
      await closed(socket)
      socket.connect({ host: world.rig.host, port: world.port })
      expect(await text(socket)).toBe('hello')
      expect(socket.bytesRead).toBe(5)
    })

    it.each([-1, 65536, 1.5, Number.NaN, 'x'])('to port %s throws', bad => {
      const socket = world.rig.socket()
      expect(() => socket.connect({ host: world.rig.host, port: bad as number })).toThrow(
        expect.objectContaining({ code: 'ERR_SOCKET_BAD_PORT' }),
      )
    })

    it('that is destroyed with an error tells the error, and the write that waited why it failed', async () => {
      await world.listen()
      const socket = world.dial()
      const told = story(socket)
      const failed = new Promise<Error | null | undefined>(resolve => socket.write('x', resolve))
      socket.destroy(new Error('enough'))
      expect(await failed).toMatchObject({ code: 'ERR_SOCKET_CLOSED_BEFORE_CONNECTION' })
      await closed(socket)
      expect(told).toEqual(['error enough', 'close true'])
      expect(socket.bytesWritten).toBe(1)
    })

    it('that is to be reset stands first', async () => {
      await world.listen()
      const socket = world.dial()
      const told = story(socket)
      expect(socket.resetAndDestroy()).toBe(socket)
      await closed(socket)
      expect(told).toEqual(['connect', 'ready', 'close false'])
    })

    it('that ends before it stands sends all of it, and finishes when it stands', async () => {
      const got = withResolvers<string>()
      await world.listen(socket => void text(socket).then(got.resolve))
      const socket = world.dial()
      const told = story(socket)
      socket.resume()
      socket.write('x')
      socket.destroySoon()
      expect(await got.promise).toBe('x')
      await closed(socket)
      expect(told).toEqual(['connect', 'ready', 'prefinish', 'finish', 'close false'])
    })

    it('that is refused fails no write of its own: the error tells', async () => {
      await world.listen()
      await new Promise(resolve => world.server.close(resolve))
      const socket = world.dial()
      const told = story(socket)
      const failed = new Promise<Error | null | undefined>(resolve => socket.write('x', resolve))
      expect(await failed).toMatchObject({ code: 'ERR_SOCKET_CLOSED_BEFORE_CONNECTION' })
      await closed(socket)
      expect(told).toEqual(['error ECONNREFUSED', 'close true'])
    })

    it('beside a dial under way is EALREADY', async () => {
      await world.listen()
      const socket = world.dial()
      socket.connect({ host: world.rig.host, port: world.port })
      expect((await once(socket, 'error'))[0]).toMatchObject({
        code: 'EALREADY',
        errno: -constants.errno.EALREADY,
        syscall: 'connect',
      })
      expect(await once(socket, 'close')).toEqual([true])
    })

    it('may follow destroy() at once', async () => {
      const [near] = await world.pair()
      near.destroy()
      near.connect({ host: world.rig.host, port: world.port })
      expect([near.destroyed, near.readyState]).toEqual([false, 'opening'])
      await once(near, 'connect')
      expect(near.readyState).toBe('open')
    })

    it.each([
      [{ host: 'x' }, 'ERR_MISSING_ARGS'],
      [{ host: 'x', port: 1, localAddress: 'here' }, 'ERR_INVALID_IP_ADDRESS'],
      [{ host: 'x', port: 1, localPort: '7' }, 'ERR_INVALID_ARG_TYPE'],
    ])('of %j throws', (options, code) => {
      expect(() => world.socket().connect(options as never)).toThrow(expect.objectContaining({ code }))
    })
  })
}

// The other ends: destroy(), a reset from here or from there.
import { once } from 'node:events'
import { constants } from 'node:os'
import { describe, expect, it } from 'vitest'
import { closed, record, type SocketWorld, turns } from '../../../support/socket-world.js'

const MiB = 1024 * 1024

export function describeDestruction(world: SocketWorld): void {
  describe('a destroyed socket', () => {
    it('closes without an error, and its peer just sees the end', async () => {
      const [near, far] = await world.pair()
      const seen = record(far, ['end', 'error', 'close'])
      far.resume()
      near.destroy()
      expect(await once(near, 'close')).toEqual([false])
      await closed(far)
      expect(seen).toEqual(['end', 'close'])
    })

    it('closes with the error it was given', async () => {
      const [near] = await world.pair()
      near.destroy(new Error('enough'))
      expect((await once(near, 'error'))[0].message).toBe('enough')
      expect(await once(near, 'close')).toEqual([true])
    })

    it('takes writes without a word, but to their callback', async () => {
      const [near] = await world.pair()
      const seen = record(near, ['error'])
      near.destroy()
      expect(near.write('x')).toBe(false)
      const told = await new Promise<Error | null | undefined>(resolve => near.write('y', resolve))
      expect(told).toMatchObject({ code: 'ERR_STREAM_DESTROYED' })
      await turns(5)
      expect(seen).toEqual([])
    })

    it('emits no data any more', async () => {
      const [near, far] = await world.pair()
      const seen = record(near, ['data', 'end'])
      near.on('data', () => near.destroy())
      far.write('a')
      await once(near, 'data')
      far.write('b')
      await turns(20)
      expect(seen).toEqual(['data'])
    })

    it('with unread data resets its peer', async () => {
      const [near, far] = await world.pair()
      near.pause()
      const chunk = Buffer.alloc(MiB)
      while (far.write(chunk) || (await Promise.race([once(far, 'drain'), turns(50).then(() => false)])));
      const error = once(far, 'error')
      near.destroy()
      expect((await error)[0].code).toBe('ECONNRESET')
    })

    it('keeps the peer that it had', async () => {
      const [near] = await world.pair()
      expect(near.remoteAddress).toBe(world.rig.host)
      near.destroy()
      await closed(near)
      expect(near.remoteAddress).toBe(world.rig.host)
      expect([near.pending, near.readyState]).toEqual([true, 'closed'])
    })
  })

  describe('a reset', () => {
    it('reaches the peer as ECONNRESET', async () => {
      const [near, far] = await world.pair()
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
      const socket = world.rig.socket()
      const error = once(socket, 'error')
      socket.resetAndDestroy()
      expect((await error)[0].code).toBe('ERR_SOCKET_CLOSED')
    })
  })
}

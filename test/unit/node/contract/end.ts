// The orderly end, of either side and of both.
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { describe, expect, it } from 'vitest'
import { buffer, closed, record, type SocketWorld, text, turns } from '../../../support/socket-world.js'

const MiB = 1024 * 1024

export function describeEnds(world: SocketWorld): void {
  describe('the end', () => {
    const told = ['end', 'finish', 'close', 'error']

    it('of our side comes as finish; then the other ends, and it closes without an error', async () => {
      const [near, far] = await world.pair()
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
      const [near, far] = await world.pair()
      const seen = record(near, told)
      near.resume()
      far.end()
      await closed(near)
      expect(seen).toEqual(['end', 'finish', 'close'])
    })

    it('comes even if nobody reads, when there is nothing to read', async () => {
      const [near, far] = await world.pair()
      far.end()
      await once(near, 'end')
    })

    it('comes after the data', async () => {
      const [near, far] = await world.pair()
      far.end('last')
      await turns(20)
      expect(near.readableEnded).toBe(false)
      expect(await text(near)).toBe('last')
      expect(near.readableEnded).toBe(true)
    })

    it('of the other side leaves ours open where half-open is allowed', async () => {
      const [near, far] = await world.pair({ allowHalfOpen: true })
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
      const answer = randomBytes(2 * MiB)
      await world.listen(
        socket => void text(socket).then(request => socket.end(request === 'request' ? answer : 'what?')),
        { allowHalfOpen: true },
      )
      const socket = world.dial()
      socket.end('request')
      await once(socket, 'finish')
      expect(socket.readyState).toBe('readOnly')
      expect((await buffer(socket)).equals(answer)).toBe(true)
    })

    it('followed by a write is an error of the writer', async () => {
      const [near] = await world.pair()
      near.end()
      near.write('x')
      expect((await once(near, 'error'))[0].code).toBe('ERR_STREAM_WRITE_AFTER_END')
    })

    it('of the other side makes a later write fail with EPIPE', async () => {
      const [near, far] = await world.pair()
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
      const [near, far] = await world.pair()
      const bytes = randomBytes(MiB)
      near.write(bytes)
      near.destroySoon()
      expect((await buffer(far)).equals(bytes)).toBe(true)
      expect(near.destroyed).toBe(true)
    })
  })
}

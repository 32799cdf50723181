// setTimeout() and the other setters.
import { once } from 'node:events'
import { describe, expect, it } from 'vitest'
import { closed, type SocketWorld, story } from '../../../support/socket-world.js'

export function describeSetters(world: SocketWorld): void {
  describe('setTimeout', () => {
    it('tells of silence, and leaves the socket as it is', async () => {
      const [near] = await world.pair()
      expect(near.setTimeout(10)).toBe(near)
      expect(near.timeout).toBe(10)
      await once(near, 'timeout')
      expect(near.destroyed).toBe(false)
    })

    it('counts from the last byte, whoever sent it', async () => {
      const [near, far] = await world.pair()
      near.resume()
      far.resume()
      const told = story(near)
      near.setTimeout(200)
      for (const writer of [far, near, far]) {
        await pass(120)
        writer.write('x')
      }
      await pass(120)
      expect(told).toEqual([])
      await once(near, 'timeout')
    })

    it('of a destroyed socket is nothing', async () => {
      const [near] = await world.pair()
      const told = story(near)
      near.setTimeout(20, () => near.destroy())
      await closed(near)
      expect(near.setTimeout(1)).toBe(near)
      await pass(30)
      expect(told).toEqual(['timeout', 'close false'])
    })

    it('takes a listener, and gives it back at 0', async () => {
      const [near] = await world.pair()
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
      expect(() => world.rig.socket().setTimeout(ms as number)).toThrow(expect.objectContaining({ code }))
    })
  })

  it('its setters can be chained, connected or not', async () => {
    const socket = world.rig.socket()
    expect(socket.setNoDelay(true)).toBe(socket)
    expect(socket.setKeepAlive(true, 1000)).toBe(socket)
    const [near] = await world.pair()
    expect(near.setNoDelay()).toBe(near)
    expect(near.setKeepAlive()).toBe(near)
    expect(near.unref()).toBe(near)
    expect(near.ref()).toBe(near)
  })
}

function pass(ms: number): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, ms))
}

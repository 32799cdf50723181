// Where the tunnel's sockets differ from net's on purpose: each case says what net does, and what ours do instead.
import { once } from 'node:events'
import { expect, it } from 'vitest'
import { closed, type SocketWorld, story, turns } from '../../../support/socket-world.js'

export function describeDifferences(world: SocketWorld, isNet: boolean): void {
  it('are remembered, where net forgets them: the addresses of a connection that is over', async () => {
    const [near] = await world.pair()
    near.destroy()
    await closed(near)
    expect(near.remotePort).toBe(isNet ? undefined : world.port)
  })

  it('tell of a reset behind the other end at once, where net tells at the next write: EPIPE', async () => {
    const [near, far] = await world.pair({ allowHalfOpen: true }, { allowHalfOpen: true })
    const told = story(near)
    near.resume()
    far.end()
    await once(near, 'end')
    far.resetAndDestroy()
    await new Promise(resolve => setTimeout(resolve, 50))
    expect(told).toEqual(isNet ? ['end'] : ['end', 'error EPIPE', 'close true'])
    if (isNet) {
      near.write('x')
      await closed(near)
      expect(told).toEqual(['end', 'error EPIPE', 'close true'])
    }
  })

  it('stay closed when their signal was aborted before connect(), where net closes and connects all the same', async () => {
    await world.listen()
    const socket = world.dial({ signal: AbortSignal.abort() })
    const told = story(socket)
    await closed(socket)
    await turns(20)
    if (isNet) await new Promise(resolve => setTimeout(resolve, 50))
    expect(told.includes('connect')).toBe(isNet)
    expect(told).toEqual(expect.arrayContaining(['error ABORT_ERR', 'close']))
  })
}

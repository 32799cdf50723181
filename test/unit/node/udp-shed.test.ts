// When the sockets that hear everybody get a small buffer, and when they get their own back.
import { describe, expect, it } from 'vitest'
import { Shedder } from '../../../src/node/udp-shed.js'

function shedder() {
  const told: boolean[] = []
  const it = new Shedder(shedding => told.push(shedding))
  let now = 0
  /** A tenth of a second with so many datagrams of each kind. */
  function tenth({ live = 0, wasted = 0, genuine = 0 }) {
    for (let i = 0; i < live; i++) it.heardLive()
    for (let i = 1; i < wasted; i++) it.heard(false, now)
    for (let i = 0; i < genuine; i++) it.heard(true, now)
    now += 100
    it.heard(wasted === 0, now)
    return it.isShedding
  }
  tenth({})
  return { tenth, told }
}

describe('what leads to nothing is left to the kernel to drop (W7)', () => {
  it('while there is much of it and live endpoints compete with it', () => {
    const { tenth, told } = shedder()
    expect(tenth({ live: 1000, wasted: 1000 })).toBe(true)
    expect(tenth({ live: 1000, wasted: 100 })).toBe(true)
    expect(tenth({ live: 1000, wasted: 5 })).toBe(false)
    expect(told).toEqual([true, false])
  })

  it('not where no live endpoint has anything to lose', () => {
    const { tenth } = shedder()
    expect(tenth({ live: 50, wasted: 10_000 })).toBe(false)
    expect(tenth({ live: 1000, wasted: 10_000 })).toBe(true)
    expect(tenth({ live: 2, wasted: 1000 })).toBe(false)
  })

  it('not where it is data of sessions that have no socket of their own', () => {
    const { tenth } = shedder()
    expect(tenth({ live: 1000, genuine: 10_000 })).toBe(false)
  })
})

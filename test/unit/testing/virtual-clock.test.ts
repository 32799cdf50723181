import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createVirtualClock } from '../../../src/testing/index.js'

describe('the virtual clock', () => {
  it('runs events in the order of their times, and of their scheduling within one time', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(10), { maxLength: 100 }), times => {
        const clock = createVirtualClock()
        const ran: [number, number][] = []
        times.forEach((at, order) => {
          clock.schedule(at, () => ran.push([at, order]))
        })
        clock.runUntil(11)
        expect(ran).toEqual(times.map((at, order) => [at, order]).sort((a, b) => (a[0] as number) - (b[0] as number)))
      }),
    )
  })

  it('lets no time pass but to the next event, and to the end of a run', () => {
    const clock = createVirtualClock()
    const seen: number[] = []
    clock.schedule(5, () => {
      seen.push(clock.now)
      clock.schedule(1, () => seen.push(clock.now))
    })
    clock.runUntil(20)
    expect(seen).toEqual([5, 5])
    expect(clock.now).toBe(20)
  })

  it('runs while a condition holds, and says whether it ended', () => {
    const clock = createVirtualClock()
    let count = 0
    const tick = () => {
      count++
      clock.schedule(clock.now + 10, tick)
    }
    tick()
    expect(clock.runWhile(() => count < 5, 1000)).toBe(true)
    expect(clock.now).toBe(40)
    expect(clock.runWhile(() => count < 500, 1000)).toBe(false)
  })

  it('lets who awaits go on before time does', async () => {
    const clock = createVirtualClock()
    const seen: [string, number][] = []
    const walker = async (name: string, pace: number) => {
      for (let i = 0; i < 3; i++) {
        await clock.sleep(pace)
        await null
        await null
        seen.push([name, clock.now])
      }
    }
    expect(await clock.run(() => Promise.all([walker('a', 10), walker('b', 15)]).then(() => 'done'))).toBe('done')
    expect(seen).toEqual([
      ['a', 10],
      ['b', 15],
      ['a', 20],
      ['b', 30], // asked for 30 before a did
      ['a', 30],
      ['b', 45],
    ])
  })

  it('says so when what is waited for cannot happen any more, or does not happen in time', async () => {
    const clock = createVirtualClock()
    await expect(clock.run(new Promise(() => {}))).rejects.toThrow('nothing is left that could happen')
    await expect(clock.run(clock.sleep(2000), 1000)).rejects.toThrow('1000 ms have passed')
    await expect(clock.run(Promise.reject(new Error('its own')))).rejects.toThrow('its own')
  })
})

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { formatEndpoint } from '../../../src/core/base/address.js'
import { keepEndpoint } from '../../../src/node/endpoints.js'

beforeEach(() => vi.useFakeTimers())
afterEach(() => vi.useRealTimers())

const settle = () => vi.advanceTimersByTimeAsync(0)

describe('the endpoint of a peer', () => {
  it('is there at once when it is an address, and stays', () => {
    const found: string[] = []
    const keeper = keepEndpoint(
      { host: '192.0.2.1', port: 51820 },
      () => Promise.reject(new Error('asked')),
      e => found.push(formatEndpoint(e)),
    )
    keeper.advance()
    expect(found).toEqual(['192.0.2.1:51820'])
    expect(keeper.text).toBe('192.0.2.1:51820')
  })

  it('given by name is resolved, and each address gets its turn before the name is asked for again', async () => {
    const found: string[] = []
    let asked = 0
    const resolve = async () => {
      asked++
      return ['2001:db8::1', '192.0.2.1']
    }
    const keeper = keepEndpoint({ host: 'vpn.example', port: 1 }, resolve, e => found.push(formatEndpoint(e)))
    await settle()
    keeper.advance()
    expect([found, asked]).toEqual([['[2001:db8::1]:1', '192.0.2.1:1'], 1])
    keeper.advance()
    await settle()
    expect([found.length, asked]).toEqual([3, 2])
    keeper.stop()
  })

  it('a name that fails to resolve is asked for again, and the failure is told meanwhile', async () => {
    const found: string[] = []
    let failing = true
    const resolve = async () => {
      if (failing) throw Object.assign(new Error('no'), { code: 'ENOTFOUND' })
      return ['192.0.2.7']
    }
    const keeper = keepEndpoint({ host: 'vpn.example', port: 1 }, resolve, e => found.push(formatEndpoint(e)))
    await settle()
    expect(keeper.failure?.code).toBe('ENOTFOUND')
    failing = false
    await vi.advanceTimersByTimeAsync(2000)
    expect(found).toEqual(['192.0.2.7:1'])
    expect(keeper.failure).toBeUndefined()
    keeper.stop()
  })

  it('stopped, it asks no more', async () => {
    let asked = 0
    const keeper = keepEndpoint(
      { host: 'vpn.example', port: 1 },
      async () => {
        asked++
        throw new Error('no')
      },
      () => {},
    )
    await settle()
    keeper.stop()
    await vi.advanceTimersByTimeAsync(60_000)
    expect(asked).toBe(1)
  })
})

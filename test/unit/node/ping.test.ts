import { afterAll, describe, expect, it } from 'vitest'
import { type PingOptions, ping } from '../../../src/node/ping.js'
import { createStackPair } from '../../support/stacks.js'

const pair = createStackPair()
afterAll(() => {
  pair.client.stop()
  pair.server.stop()
})

const code = (expected: string) => expect.objectContaining({ code: expected })

describe('ping (H-icmp)', () => {
  it.each([
    ['10.7.0.1', 56],
    ['fd07::1', 56],
    ['10.7.0.1', 20_000],
    ['10.7.0.2', 0],
  ])('of %s with %i bytes tells the round trip and who answered', async (host, size) => {
    const result = await ping(pair.client, host, { size })
    expect(result).toEqual({ rtt: expect.any(Number), ttl: 64, address: host })
    expect(result.rtt).toBeGreaterThanOrEqual(0)
  })

  it('ends by its time, or by a signal', async () => {
    await expect(ping(pair.client, '10.7.0.1', { signal: AbortSignal.abort('enough') })).rejects.toBe('enough')
    const controller = new AbortController()
    const silent = ping(pair.client, '10.7.0.99', { timeout: 5000, signal: controller.signal })
    controller.abort('enough')
    await expect(silent).rejects.toBe('enough')
  })

  it.each([
    [{ timeout: Number.NaN }, 'ERR_OUT_OF_RANGE', RangeError],
    [{ timeout: -1 }, 'ERR_OUT_OF_RANGE', RangeError],
    [{ timeout: 0 }, 'ERR_OUT_OF_RANGE', RangeError],
    [{ timeout: Number.POSITIVE_INFINITY }, 'ERR_OUT_OF_RANGE', RangeError],
    [{ timeout: '5' as unknown as number }, 'ERR_INVALID_ARG_TYPE', TypeError],
    [{ size: -1 }, 'ERR_OUT_OF_RANGE', RangeError],
    [{ size: 1.5 }, 'ERR_OUT_OF_RANGE', RangeError],
    [{ size: 65_508 }, 'ERR_OUT_OF_RANGE', RangeError],
    [{ size: '5' as unknown as number }, 'ERR_INVALID_ARG_TYPE', TypeError],
  ] as [PingOptions, string, ErrorConstructor][])('with %o is refused', (options, expected, type) => {
    expect(() => ping(pair.client, '10.7.0.1', options)).toThrow(type)
    expect(() => ping(pair.client, '10.7.0.1', options)).toThrow(code(expected))
  })
})

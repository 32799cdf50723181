import { describe, expect, it } from 'vitest'
import { parseAddress } from '../../../../src/core/base/address.js'
import { defaultLimits } from '../../../../src/core/wireguard/constants.js'
import { RateLimiter } from '../../../../src/core/wireguard/ratelimiter.js'

const limits = { sourceRate: 20, sourceBurst: 5, sources: 65_536 }
const address = (text: string) => parseAddress(text)!

describe('the limiter', () => {
  it("lets five through at once, then one each 50 ms: the kernel's selftest/ratelimiter.c (W8)", () => {
    const limiter = new RateLimiter(limits)
    let now = 1000
    const steps: [after: number, allowed: boolean][] = [
      [0, true],
      [0, true],
      [0, true],
      [0, true],
      [0, true],
      [0, false],
      [50, true],
      [0, false],
      [100, true],
      [0, true],
      [0, false],
    ]
    for (const [after, allowed] of steps) {
      now += after
      expect(limiter.allow(address('192.0.2.1'), now)).toBe(allowed)
    }
  })

  it('counts IPv4 by address, IPv6 by /64, and a mapped address as the IPv4 one that it is (W8)', () => {
    const limiter = new RateLimiter(limits)
    const drain = (text: string) => {
      let allowed = 0
      while (limiter.allow(address(text), 0)) allowed++
      return allowed
    }
    expect(drain('192.0.2.1')).toBe(5)
    expect(drain('::ffff:192.0.2.1')).toBe(0)
    expect(drain('192.0.2.2')).toBe(5)
    expect(drain('2001:db8::1')).toBe(5)
    expect(drain('2001:db8::ffff:ffff:ffff:ffff')).toBe(0)
    expect(drain('2001:db8:0:1::1')).toBe(5)
  })

  it('refuses new sources when its table is full, and forgets those that were idle for a second (W8) (X4)', () => {
    const limiter = new RateLimiter({ ...limits, sources: 2 })
    expect(limiter.allow(address('10.0.0.1'), 0)).toBe(true)
    expect(limiter.allow(address('10.0.0.2'), 500)).toBe(true)
    expect(limiter.allow(address('10.0.0.3'), 500)).toBe(false)
    expect(limiter.allow(address('10.0.0.1'), 600)).toBe(true)
    expect(limiter.nextDeadline()).toBe(1501)
    expect(limiter.allow(address('10.0.0.3'), 1501)).toBe(true)
    expect(limiter.size).toBe(2)
    limiter.collect(10_000)
    expect(limiter.size).toBe(0)
    expect(limiter.nextDeadline()).toBe(Infinity)
  })

  it('holds 65,536 sources by default, and goes on with them when it refuses more (W8)', () => {
    const limiter = new RateLimiter(defaultLimits)
    const source = (i: number) => Uint8Array.of(10, i >> 16, i >> 8, i)
    for (let i = 0; i < 65_536; i++) expect(limiter.allow(source(i), 0)).toBe(true)
    for (let i = 65_536; i < 70_000; i++) expect(limiter.allow(source(i), 999)).toBe(false)
    expect(limiter.size).toBe(65_536)
    expect(limiter.allow(source(0), 999)).toBe(true)
    expect(limiter.allow(source(70_000), 1001)).toBe(true)
    expect(limiter.size).toBe(2)
  })
})

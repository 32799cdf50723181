// Two whole hosts over a path that swallows large datagrams without a word, in one direction or both.
import { describe, expect, it } from 'vitest'
import { selectCrypto } from '../../src/node/crypto/select.js'
import { createNetwork, createTransfer } from '../../src/testing/index.js'

const crypto = selectCrypto()
const bytes = 2_000_000

describe('a black hole outside of the tunnel (N8) (S-black-hole)', () => {
  it.each([
    ['IPv4', 1400, false, 1],
    ['IPv4', 1300, false, 2],
    ['IPv6', 1340, true, 1],
  ] as const)('over %s at %i bytes is found, and the transfer goes on: both ways', (_, mtu, v6, steps) => {
    const { a, b, clock } = createNetwork({ seed: 3, path: { delay: 25, rate: 100, queue: 300, mtu }, crypto })
    const transfer = createTransfer(clock, { from: a, to: b, there: bytes, back: bytes, v6 })
    const started = clock.now
    expect(clock.runWhile(() => !transfer.done, 120_000)).toBe(true)
    expect([transfer.dialer, transfer.acceptor]).toMatchObject([
      { received: bytes, error: undefined, wrongAt: undefined },
      { received: bytes, error: undefined, wrongAt: undefined },
    ])
    expect(clock.now - started).toBeLessThan(15_000)
    for (const { host } of [a, b]) expect(host.stack.counters.pathMtuBlackHoles).toBe(steps)
    clock.runUntil(clock.now + 200_000)
    // WireGuard's header and tag, and padding to 16.
    const [peer] = a.host.device.peers()
    expect(a.host.stack.paths.mtu(peer?.id ?? -1, clock.now) + 32).toBeLessThanOrEqual(mtu)
  })
})

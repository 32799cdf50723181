// Line 27: names are resolved again once the last handshake is older than 135 s, never over a live roamed endpoint, and the
// addresses of both families are tried. Devices on a virtual clock, with a resolver that answers what the test says.
import { describe, expect, it } from 'vitest'
import { formatEndpoint } from '../../../src/core/base/address.js'
import { type EndpointKeeper, keepEndpoint } from '../../../src/node/endpoints.js'
import { endpointOf, type Host, prefix, World } from '../../support/wireguard.js'

const settle = async () => {
  for (let i = 0; i < 8; i++) await Promise.resolve()
}

interface Rig {
  readonly world: World
  /** Calls `vpn.example:1000`. */
  readonly a: Host
  /** Is called; at 192.0.2.2:1000 unless moved. */
  readonly b: Host
  readonly keeper: EndpointKeeper
  /** What the name leads to, or why to nothing; may be changed. */
  addresses: string[] | Error
  asked: number
  /** When initiations left, in ms, and to where. */
  initiations(): string[]
  endpoint(): string | undefined
  run(milliseconds: number): Promise<void>
}

async function rig(
  addresses: string[] | Error,
  options: { host?: string; persistentKeepalive?: number } = {},
): Promise<Rig> {
  const world = new World(1)
  const a = world.host({ address: '192.0.2.1:1001' })
  const b = world.host({ address: '192.0.2.2:1000' })
  const { host = 'vpn.example', ...change } = options
  const allowedIps = [prefix('0.0.0.0/0')]
  const peer = a.device.setPeer({ publicKey: b.publicKey, allowedIps, ...change }, world.now)!
  b.device.setPeer({ publicKey: a.publicKey, allowedIps }, world.now)
  const timers = new Set<{ at: number; callback: () => void }>()
  const state = { addresses, asked: 0 }
  let seen = 0
  const keeper = keepEndpoint(
    { host, port: 1000 },
    {
      get endpoint() {
        return peer.endpoint
      },
      get lastHandshakeAt() {
        return peer.lastHandshakeAt
      },
      get lastReceivedAt() {
        return peer.lastReceivedAt
      },
      setEndpoint: endpoint => void a.device.setPeer({ publicKey: b.publicKey, endpoint }, world.now),
      resendInitiation: endpoint => a.device.resendInitiation(peer, endpoint, world.now),
    },
    {
      resolve: async () => {
        state.asked++
        if (state.addresses instanceof Error) throw state.addresses
        return state.addresses
      },
      now: () => world.now,
      schedule(delay, callback) {
        const timer = { at: world.now + delay, callback }
        timers.add(timer)
        return () => void timers.delete(timer)
      },
    },
  )
  const step = () => {
    for (; seen < a.events.length; seen++) if (a.events[seen]?.type === 'initiation') keeper.initiationSent()
  }
  await settle()
  return Object.assign(state, {
    world,
    a,
    b,
    keeper,
    initiations: () => a.sent(1).map(sent => `${Math.round(sent.at)} ${formatEndpoint(sent.to)}`),
    endpoint: () => peer.endpoint && formatEndpoint(peer.endpoint),
    async run(milliseconds: number) {
      const end = world.now + milliseconds
      while (world.now < end) {
        const due = [...timers].sort((x, y) => x.at - y.at)[0]
        world.run(Math.min(end, due?.at ?? Infinity) - world.now, () => seen < a.events.length)
        step()
        if (due !== undefined && due.at <= world.now && timers.delete(due)) due.callback()
        await settle()
      }
    },
  })
}

describe('an endpoint', () => {
  it('given as an address is there at once, and nobody is asked for it', async () => {
    const { keeper, endpoint, ...state } = await rig([], { host: '192.0.2.2' })
    expect([endpoint(), keeper.text, state.asked]).toEqual(['192.0.2.2:1000', '192.0.2.2:1000', 0])
  })

  it('whose name fails to resolve is asked for again, and the failure is told meanwhile (W27)', async () => {
    const test = await rig(Object.assign(new Error('no'), { code: 'ENOTFOUND' }))
    expect(test.keeper.failure?.code).toBe('ENOTFOUND')
    test.addresses = ['192.0.2.2']
    await test.run(2000)
    expect([test.keeper.failure, test.endpoint(), test.asked]).toEqual([undefined, '192.0.2.2:1000', 2])
    test.keeper.stop()
  })

  it('with addresses of both families: the same initiation goes to the second after 250 ms (W27)', async () => {
    const test = await rig(['2001:db8::9', '2001:db8::8', '192.0.2.2'])
    test.a.send(test.b, 'hello')
    await test.run(2000)
    expect(test.initiations()).toEqual(['1000 [2001:db8::9]:1000', '1250 192.0.2.2:1000'])
    const [first, second] = test.a.sent(1)
    expect(Buffer.from(second!.bytes)).toEqual(Buffer.from(first!.bytes))
    expect([test.endpoint(), test.b.received, test.asked]).toEqual(['192.0.2.2:1000', ['hello'], 1])
  })

  it('that answers within 250 ms is the only one that is tried (W27)', async () => {
    const test = await rig(['192.0.2.2', '2001:db8::9'])
    test.a.send(test.b, 'hello')
    await test.run(5000)
    expect(test.initiations()).toEqual(['1000 192.0.2.2:1000'])
  })

  it('with many addresses: each gets its turn (W27)', async () => {
    const test = await rig([
      '198.51.100.1',
      '198.51.100.2',
      '198.51.100.3',
      '198.51.100.4',
      '198.51.100.5',
      '192.0.2.2',
    ])
    test.a.send(test.b, 'hello')
    await test.run(7000)
    expect([test.endpoint(), test.b.received]).toEqual(['192.0.2.2:1000', ['hello']])
  })
})

describe('a name that leads elsewhere', () => {
  const moved = endpointOf('192.0.2.77:1000')

  it('is resolved again with the first initiation after 135 s of silence, and answered at once (W27)', async () => {
    const test = await rig(['192.0.2.2'])
    test.a.send(test.b, 'before')
    await test.run(134_000)
    expect(test.asked).toBe(1)
    test.b.endpoint = moved
    test.addresses = ['192.0.2.77']
    await test.run(100_000)
    const start = test.world.now
    test.a.send(test.b, 'after')
    await test.run(1000)
    expect(test.asked).toBe(2)
    expect(test.initiations().slice(1)).toEqual([`${start} 192.0.2.2:1000`, `${start} 192.0.2.77:1000`])
    expect([test.endpoint(), test.b.received]).toEqual(['192.0.2.77:1000', ['before', 'after']])
  })

  it('is not asked for while the last handshake is younger, however often nobody answers (W27)', async () => {
    const test = await rig(['192.0.2.2'])
    test.a.send(test.b, 'before')
    await test.run(1000)
    test.world.filter = () => true
    for (let i = 0; i < 120; i++) {
      test.a.send(test.b, `${i}`)
      await test.run(1000)
    }
    expect(test.asked).toBe(1)
    await test.run(30_000)
    expect(test.asked).toBeGreaterThan(1)
  })

  it('does not take a live roamed endpoint away, even from a session whose renewal fails (W27)', async () => {
    const test = await rig(['192.0.2.2'], { persistentKeepalive: 25 })
    test.a.send(test.b, 'before')
    await test.run(1000)
    test.b.endpoint = moved
    test.b.send(test.a, 'from elsewhere')
    await test.run(100)
    expect(test.endpoint()).toBe('192.0.2.77:1000')
    // The peer is heard all the time, but handshakes get lost.
    test.world.filter = sent => sent.bytes[0] === 1 || sent.bytes[0] === 2
    test.addresses = ['198.51.100.1']
    for (let i = 0; i < 170; i++) {
      test.a.send(test.b, `a${i}`)
      test.b.send(test.a, `b${i}`)
      await test.run(1000)
    }
    expect(test.a.sent(1).length).toBeGreaterThan(4)
    expect(
      new Set(
        test.a
          .sent(1)
          .slice(1)
          .map(sent => formatEndpoint(sent.to)),
      ),
    ).toEqual(new Set(['192.0.2.77:1000']))
    expect(test.endpoint()).toBe('192.0.2.77:1000')
  })

  it('stopped, it asks no more and tries nobody', async () => {
    const test = await rig(['198.51.100.1', '2001:db8::9'])
    test.keeper.stop()
    test.a.send(test.b, 'hello')
    await test.run(60_000)
    expect(test.asked).toBe(1)
    expect(new Set(test.a.sent(1).map(sent => formatEndpoint(sent.to)))).toEqual(new Set(['198.51.100.1:1000']))
  })
})

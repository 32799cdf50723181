// Devices on a virtual clock, over links that lose, reorder and double: each seed is one run, and replays it.
import { describe, expect, it } from 'vitest'
import { watch } from '../support/invariants.js'
import { endpointOf, type Host, pair, prefix, World } from '../support/wireguard.js'

function unreliable(world: World): void {
  Object.assign(world.link, { delay: 20, jitter: 80, loss: world.random() * 0.3, duplicate: 0.1 })
}

describe('two devices on an unreliable link', () => {
  it('deliver nothing twice and nothing wrong, keep every bound, and come back when the link does (W13) (W14) (W19)', () => {
    for (let seed = 1; seed <= 40; seed++) {
      const { world, a, b } = pair({ seed, bothEndpoints: true })
      watch(world)
      unreliable(world)
      const sent = new Set<string>()
      for (let i = 0; i < 300; i++) {
        for (const [host, other] of [
          [a, b],
          [b, a],
        ] as const) {
          if (world.random() < 0.5) continue
          const text = `${seed}/${i}/${host === a ? 'a' : 'b'}`
          sent.add(text)
          host.send(other, text)
        }
        world.run(world.random() < 0.02 ? world.random() * 100_000 : world.random() * 2000)
      }
      for (const text of [...a.received, ...b.received]) expect(sent.has(text)).toBe(true)
      expect(a.received.length + b.received.length).toBeGreaterThan(sent.size / 3)

      world.filter = () => true
      for (let i = 0; i < 60; i++) {
        a.send(b, `${seed}/void/${i}`)
        b.send(a, `${seed}/void/${i}`)
        world.run(1000)
      }
      Object.assign(world.link, { loss: 0 })
      world.filter = () => false
      const [before, since] = [[a.received.length, b.received.length], world.now]
      let i = 0
      while (a.received.length === before[0] || b.received.length === before[1]) {
        a.send(b, `${seed}/back/${i}`)
        b.send(a, `${seed}/back/${i++}`)
        world.run(250)
        if (world.now - since > 21_000) throw new Error(`seed ${seed}: no traffic 21 s after the link is back`)
      }
      expect([a.memory.inUse, b.memory.inUse]).toEqual([0, 0])
    }
  })

  it('find each other again within 21 s when one of them restarts (W18)', () => {
    for (let seed = 1; seed <= 20; seed++) {
      const { world, a, b } = pair({ seed, bothEndpoints: true })
      watch(world)
      a.send(b, 'before')
      world.run(world.random() * 100_000)
      const again = world.host({ address: '192.0.2.2:1002' })
      world.hosts.splice(world.hosts.indexOf(b), 1)
      again.device.setPrivateKey(b.secret, world.now)
      const allowedIps = [prefix('0.0.0.0/0')]
      again.device.setPeer({ publicKey: a.publicKey, endpoint: a.endpoint, allowedIps }, world.now)
      const since = world.now
      for (let i = 0; again.received.length === 0 || !a.received.some(text => text.startsWith('restarted')); i++) {
        a.send(again, `after ${i}`)
        again.send(a, `restarted ${i}`)
        world.run(500)
        expect(world.now - since).toBeLessThanOrEqual(21_000)
      }
    }
  })

  it('do not stall when both call at once, over and over (W12)', () => {
    let slowest = 0
    for (let seed = 1; seed <= 100; seed++) {
      const { world, a, b } = pair({ seed, bothEndpoints: true })
      watch(world)
      Object.assign(world.link, { delay: 5, jitter: 20 })
      a.send(b, 'a')
      world.run(world.random() * 30)
      b.send(a, 'b')
      const since = world.now
      expect(world.run(30_000, () => a.received.length > 0 && b.received.length > 0)).toBe(true)
      slowest = Math.max(slowest, world.now - since)
    }
    expect(slowest).toBeLessThan(200)
  })
})

describe('five devices', () => {
  it('all talk to each other while peers roam, leave, come back and change keys (W24)', () => {
    for (let seed = 1; seed <= 6; seed++) {
      const world = new World(seed)
      const hosts = Array.from({ length: 5 }, (_, i) => world.host({ address: `192.0.2.${i + 1}:1000`, slots: 1024 }))
      watch(world)
      const addressOf = (host: Host) => `10.0.0.${hosts.indexOf(host) + 1}`
      const join = (host: Host, other: Host) =>
        host.device.setPeer(
          { publicKey: other.publicKey, endpoint: other.endpoint, allowedIps: [prefix(`${addressOf(other)}/32`)] },
          world.now,
        )
      for (const host of hosts) for (const other of hosts) if (host !== other) join(host, other)
      unreliable(world)
      const sent = new Set<string>()
      const pick = () => hosts[Math.floor(world.random() * hosts.length)]!
      for (let i = 0; i < 1500; i++) {
        const [host, other] = [pick(), pick()]
        if (host === other) continue
        const event = world.random()
        if (event < 0.005) {
          host.endpoint = endpointOf(`192.0.2.${hosts.indexOf(host) + 1}:${2000 + i}`)
        } else if (event < 0.01) {
          host.device.removePeer(other.publicKey, world.now)
          join(host, other)
        } else if (event < 0.012) {
          host.device.setPeer({ publicKey: other.publicKey, persistentKeepalive: 25 }, world.now)
        }
        const text = `${seed}/${i}`
        sent.add(text)
        host.send(other, text, { source: addressOf(host), destination: addressOf(other) })
        world.run(world.random() * 400)
      }
      const received = hosts.flatMap(host => host.received)
      for (const text of received) expect(sent.has(text)).toBe(true)
      expect(new Set(received).size).toBe(received.length)
      expect(received.length).toBeGreaterThan(sent.size / 2)
      for (const host of hosts) expect(host.device.counters.badInnerSource).toBe(0)
    }
  })
})

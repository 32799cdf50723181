// Sessions, data messages, and what goes with them: slots, staging, roaming, stop.
import { describe, expect, it } from 'vitest'
import type { Keypair } from '../../../../src/core/wireguard/keypair.js'
import type { PeerState } from '../../../../src/core/wireguard/peer.js'
import { endpointOf, type Host, ipPacket, pair, prefix, type World } from '../../../support/wireguard.js'
import { bytesOf } from '../../../support/wireguard-crypto.js'

const slots = (host: Host, other: Host) => (host.peer(other) as PeerState).keypairs
const current = (host: Host, other: Host) => slots(host, other).current as Keypair

function established(options: Parameters<typeof pair>[0] = {}): { world: World; a: Host; b: Host } {
  const three = pair(options)
  three.a.send(three.b, 'first')
  three.world.run(100)
  three.b.received.length = 0
  three.world.sent.length = 0
  return three
}

describe('a data message', () => {
  it('is padded with zeros to 16 bytes, but not past the MTU (W20)', () => {
    const { world, a, b } = established({ mtu: 100 })
    for (const length of [20, 32, 33, 96, 97, 100]) {
      a.sendBytes(a.peer(b), ipPacket('10.0.0.1', '10.0.0.2', 'x'.repeat(length - 20)))
    }
    world.run(100)
    expect(a.sent(4).map(({ bytes }) => bytes.length - 32)).toEqual([32, 32, 48, 96, 100, 100])
    expect(b.received.map(text => text.length + 20)).toEqual([20, 32, 33, 96, 97, 100])
  })

  it('counts up from 0, over 2^32 and 2^53, without a repeat, and opens on the other side (W13)', () => {
    const { world, a, b } = pair()
    a.send(b, 'counter 0')
    world.run(100)
    const jumps: [hi: number, lo: number][] = [
      [0, 0xffff_fffe],
      [0x1f_ffff, 0xffff_fffe],
      [0x1000_0000 - 1, 0xffff_fffe],
    ]
    const seen: bigint[] = []
    for (const [hi, lo] of jumps) {
      current(a, b).sendHi = hi
      current(a, b).sendLo = lo
      const before = world.sent.length
      for (let i = 0; i < 4; i++) a.send(b, `${hi}:${lo}+${i}`)
      world.run(1)
      for (const { bytes } of world.sent.slice(before))
        seen.push(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(8, true))
    }
    world.run(100)
    expect(b.received).toHaveLength(13)
    const at = (n: bigint) => [n - 2n, n - 1n, n, n + 1n]
    expect(seen).toEqual([...at(2n ** 32n), ...at(2n ** 53n), ...at(2n ** 60n)])
  })

  it('is sent up to the last counter but the reserved ones; then a new session carries on (W13) (W16)', () => {
    const { world, a, b } = established()
    current(a, b).sendHi = 0xffff_ffff
    current(a, b).sendLo = 0xffff_dffe
    world.run(6000)
    a.send(b, 'the last one')
    expect(a.device.canSend(a.peer(b), world.now)).toBe(false)
    a.send(b, 'the first one')
    world.run(1000)
    expect(b.received).toEqual(['the last one', 'the first one'])
    expect(a.sent(1)).toHaveLength(1)
  })

  it('is taken once: a replay moves neither endpoint nor counters (W14) (W24) (W25)', () => {
    const { world, a, b } = established()
    a.send(b, 'once')
    world.run(100)
    const { bytes } = a.sent(4)[0]!
    const { rxBytes, lastReceivedAt } = b.peer(a)
    world.inject(bytes, endpointOf('198.51.100.7:7'), b.endpoint)
    world.run(100)
    expect(b.received).toEqual(['once'])
    expect(b.device.counters.replayedData).toBe(1)
    expect(b.peer(a)).toMatchObject({ rxBytes, lastReceivedAt, endpoint: a.endpoint })
  })

  it('is dropped for a flipped bit anywhere, without a trace in the session (W14) (W24) (X2)', () => {
    const { world, a, b } = established()
    world.filter = () => true
    a.send(b, 'held back')
    const { bytes } = a.sent(4)[0]!
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const flipped = bytes.slice()
      flipped[bit >> 3] = flipped[bit >> 3]! ^ (1 << (bit & 7))
      b.receive(flipped, endpointOf('198.51.100.7:7'))
    }
    expect(b.received).toEqual([])
    expect(b.peer(a).endpoint).toEqual(a.endpoint)
    b.receive(bytes, a.endpoint)
    expect(b.received).toEqual(['held back'])
    expect(b.memory.inUse).toBe(0)
  })

  it('for a peer that was removed has an unknown index (W25)', () => {
    const { world, a, b } = established()
    a.send(b, 'x')
    const data = a.sent(4)[0]!.bytes
    b.device.removePeer(a.publicKey, world.now)
    b.receive(data, a.endpoint)
    expect(b.device.counters.unknownIndex).toBe(1)
    expect(b.device.status(world.now).indices).toBe(0)
  })

  it('that is longer than a slot is dropped and counted', () => {
    const { world, a, b } = established()
    const slot = a.memory.alloc()
    expect(a.device.sendPacket(slot, slot + 16, 2040, a.peer(b), world.now)).toBe(true)
    expect(a.device.counters.tooLong).toBe(1)
    expect(a.memory.inUse).toBe(0)
  })
})

describe('an inner packet', () => {
  const send = (packet: Uint8Array) => {
    const { world, a, b } = established()
    b.device.setPeer(
      { publicKey: a.publicKey, replaceAllowedIps: true, allowedIps: [prefix('10.0.0.1/32'), prefix('fd00::1/128')] },
      world.now,
    )
    const before = { ...b.device.counters }
    const { rxBytes } = b.peer(a)
    a.sendBytes(a.peer(b), packet)
    world.run(100)
    const { badInnerPacket, badInnerSource } = b.device.counters
    return {
      received: b.received,
      badInnerPacket: badInnerPacket - before.badInnerPacket,
      badInnerSource: badInnerSource - before.badInnerSource,
      counted: b.peer(a).rxBytes > rxBytes,
      heard: b.peer(a).lastReceivedAt === world.now - 90,
      inUse: b.memory.inUse,
    }
  }

  it('is delivered if its source is one of its peer (W21)', () => {
    for (const [source, destination] of [
      ['10.0.0.1', '10.0.0.2'],
      ['fd00::1', 'fd00::2'],
    ] as const)
      expect(send(ipPacket(source, destination, 'ok'))).toMatchObject({ received: ['ok'], counted: true, heard: true })
  })

  it('is refused if its source is not, though the peer was heard; rx does not count it (W21) (W23) (W28)', () => {
    for (const source of ['10.0.0.3', 'fd00::3', '::ffff:10.0.0.1']) {
      const destination = source.includes(':') ? 'fd00::2' : '10.0.0.2'
      const outcome = send(ipPacket(source, destination, 'spoofed'))
      expect(outcome).toMatchObject({ received: [], badInnerSource: 1, counted: false, heard: true, inUse: 0 })
    }
  })

  it('is refused if it is no IP packet (W21)', () => {
    expect(send(bytesOf('00'.repeat(32)))).toMatchObject({ badInnerPacket: 1, counted: false, heard: true, inUse: 0 })
  })

  it('is refused if the prefix now belongs to another peer (W21) (W23)', () => {
    const { world, a, b } = established()
    b.device.setPeer({ publicKey: new Uint8Array(32).fill(8), allowedIps: [prefix('10.0.0.0/24')] }, world.now)
    a.send(b, 'x')
    world.run(100)
    expect(b.device.counters.badInnerSource).toBe(1)
  })
})

describe('the three keypair slots', () => {
  it("keep a responder's keypair in `next` until the first packet, a keepalive too, makes it current (W15)", () => {
    const { world, a, b } = pair()
    world.filter = datagram => datagram.bytes[0] === 4
    a.device.initiate(a.peer(b), world.now)
    world.run(100)
    expect([slots(b, a).next !== undefined, slots(b, a).current]).toEqual([true, undefined])
    expect(b.device.canSend(b.peer(a), world.now)).toBe(false)
    expect(b.peer(a).lastHandshakeAt).toBe(-Infinity)
    world.filter = () => false
    b.receive(a.sent(4)[0]!.bytes, a.endpoint)
    expect([slots(b, a).next, slots(b, a).current !== undefined]).toEqual([undefined, true])
    expect(b.peer(a).lastHandshakeAt).toBe(world.now)
  })

  it('receive on the previous keypair after a renewal, so that what is under way is not lost (W15)', () => {
    const { world, a, b } = established()
    world.link.delay = 0
    world.run(121_000)
    world.filter = datagram => datagram.bytes[0] === 4
    a.send(b, 'old keypair, late')
    const late = a.sent(4)[0]!.bytes
    world.run(6000)
    world.filter = () => false
    world.run(6000, () => a.count('session') === 2)
    a.send(b, 'new keypair')
    world.run(10)
    b.receive(late, a.endpoint)
    expect(b.received).toEqual(['new keypair', 'old keypair, late'])
  })

  it('drop the former `next` and `previous` when a responder installs another (W15)', () => {
    const dropped: string[] = []
    const { world, a, b } = pair({ timers: { initiationInterval: 0 } })
    world.filter = datagram => datagram.bytes[0] === 4 || datagram.from === b
    a.send(b, 'x')
    world.run(100)
    const first = slots(b, a).next
    world.run(6000)
    expect(slots(b, a).next).not.toBe(first)
    expect(first?.maySend).toBe(false)
    expect(b.device.status(world.now).indices).toBe(1)
    expect(dropped).toEqual([])
  })
})

describe('packets without a session', () => {
  it('wait, 128 of them, the oldest dropped first, and go out in order (W19)', () => {
    const { world, a, b } = pair()
    for (let i = 0; i < 200; i++) a.send(b, String(i))
    expect([a.memory.inUse, a.device.counters.stagedDropped]).toEqual([128, 72])
    world.run(100)
    expect(b.received).toEqual(Array.from({ length: 128 }, (_, i) => String(i + 72)))
    expect(a.memory.inUse).toBe(0)
  })

  it('are refused when there is no endpoint to call (W22)', () => {
    const { world, a, b } = pair()
    expect(b.send(a, 'where?')).toBe(false)
    expect(b.device.counters.noEndpoint).toBe(1)
    expect(b.memory.inUse).toBe(0)
    world.run(1000)
    expect(world.sent).toHaveLength(0)
  })

  it('go to nobody once the peer is removed', () => {
    const { world, a, b } = established()
    const peer = a.peer(b)
    expect(a.device.removePeer(b.publicKey, world.now)).toBe(true)
    expect(a.device.removePeer(b.publicKey, world.now)).toBe(false)
    expect(a.sendTo(peer, 'gone')).toBe(false)
    a.device.initiate(peer, world.now)
    world.run(200_000)
    expect(world.sent.filter(({ from }) => from === a)).toHaveLength(0)
    expect(a.memory.inUse).toBe(0)
    expect(a.device.nextDeadline()).toBe(Infinity)
  })
})

describe('roaming', () => {
  const elsewhere = endpointOf('203.0.113.5:5555')

  it('follows a genuine packet, a keepalive or an initiation (W24)', () => {
    for (const move of [
      (a: Host, b: Host) => void a.send(b, 'from elsewhere'),
      (a: Host, b: Host) => {
        a.device.setPeer({ publicKey: b.publicKey, persistentKeepalive: 25 }, a.world.now)
      },
      (a: Host, b: Host) => {
        a.world.run(6000)
        a.device.setPrivateKey(undefined, a.world.now)
        a.device.setPrivateKey(a.secret, a.world.now)
        a.device.initiate(a.peer(b), a.world.now)
      },
    ]) {
      const { world, a, b } = established()
      a.endpoint = elsewhere
      move(a, b)
      world.run(50)
      expect(b.peer(a).endpoint).toEqual(elsewhere)
      expect(b.events.at(-2)?.type === 'endpoint' || b.count('endpoint') === 2).toBe(true)
      b.send(a, 'found you')
      world.run(50)
      expect(a.received).toEqual(['found you'])
    }
  })

  it('does not follow what fails: a wrong tag (W24)', () => {
    const { world, a, b } = established()
    world.filter = () => true
    a.send(b, 'x')
    const forged = a.sent(4)[0]!.bytes.slice()
    forged[40] = forged[40]! ^ 1
    world.inject(forged, elsewhere, b.endpoint)
    world.run(50)
    expect(b.device.counters.badData).toBe(1)
    expect(b.peer(a).endpoint).toEqual(a.endpoint)
  })

  it('keeps a session alive through a change of port in the middle of a transfer (W24)', () => {
    const { world, a, b } = established()
    for (let i = 0; i < 50; i++) {
      if (i === 25) a.endpoint = elsewhere
      a.send(b, `up ${i}`)
      b.send(a, `down ${i}`)
      world.run(100)
    }
    expect(b.received).toHaveLength(50)
    expect(a.received.length).toBeGreaterThanOrEqual(49)
    expect(a.count('session')).toBe(1)
  })
})

describe('stop', () => {
  it('wipes every key, drops what waits, frees every slot and every index (W16)', () => {
    const { world, a, b } = established({ presharedKey: new Uint8Array(32).fill(3) })
    const keypair = current(a, b)
    const peer = a.peer(b) as PeerState
    const ourselves = b.peer(a)
    a.device.stop(world.now)
    expect(keypair.maySend).toBe(false)
    expect(peer.presharedKey.every(byte => byte === 0)).toBe(true)
    expect([peer.pending, peer.staticStatic, peer.keypairs.current]).toEqual([undefined, undefined, undefined])
    expect(a.device.publicKey).toBeUndefined()
    expect(a.device.status(world.now)).toMatchObject({ indices: 0, queuedHandshakes: 0 })
    expect(a.device.nextDeadline()).toBe(Infinity)
    b.sendTo(ourselves, 'hello?')
    world.run(100)
    expect([a.received, a.memory.inUse]).toEqual([[], 0])
  })
})

// What `wg show` counts of a peer (kernel, receive.c and timers.c): UDP payloads, and when the last handshake was.
import { describe, expect, it } from 'vitest'
import { ipPacket, pair, prefix } from '../../../support/wireguard.js'

const [initiation, response, keepalive] = [148, 92, 32]
/** A data message that carries an inner packet of 33 bytes. */
const data = 32 + 48

describe('rx and tx', () => {
  it('count UDP payloads, handshakes and keepalives included, the same on both sides (W28)', () => {
    const { world, a, b } = pair()
    a.device.initiate(a.peer(b), world.now)
    world.run(1000)
    expect([a.peer(b).txBytes, a.peer(b).rxBytes]).toEqual([initiation + keepalive, response])
    a.sendBytes(a.peer(b), ipPacket('10.0.0.1', '10.0.0.2', 'x'.repeat(13)))
    world.run(1000)
    expect([a.peer(b).txBytes, a.peer(b).rxBytes]).toEqual([initiation + keepalive + data, response])
    expect([b.peer(a).rxBytes, b.peer(a).txBytes]).toEqual([a.peer(b).txBytes, a.peer(b).rxBytes])
  })

  it('count no cookie reply, and nothing that is refused, inside or out (W28)', () => {
    const { world, a, b } = pair({ ofB: { limits: { underLoadQueue: 0 } } })
    a.device.initiate(a.peer(b), world.now)
    world.run(1000)
    expect(a.count('cookie')).toBe(1)
    expect([a.peer(b).txBytes, a.peer(b).rxBytes, b.peer(a).txBytes, b.peer(a).rxBytes]).toEqual([initiation, 0, 0, 0])
    world.run(6000)
    const { rxBytes } = b.peer(a)
    expect(rxBytes).toBe(initiation + keepalive)
    b.device.setPeer(
      { publicKey: a.publicKey, replaceAllowedIps: true, allowedIps: [prefix('10.9.0.0/16')] },
      world.now,
    )
    a.send(b, 'from a source that is not its own')
    a.sendBytes(a.peer(b), new Uint8Array(20))
    world.run(1000)
    for (const { bytes } of a.sent(4)) b.receive(bytes, a.endpoint)
    expect(b.device.counters).toMatchObject({ badInnerSource: 1, badInnerPacket: 1, replayedData: 3 })
    expect(b.peer(a).rxBytes).toBe(rxBytes)
  })
})

describe('the last handshake', () => {
  it("is the response for the initiator, and the initiator's first packet for the responder (W28)", () => {
    const { world, a, b } = pair()
    a.device.initiate(a.peer(b), world.now)
    world.run(15)
    expect([a.peer(b).lastHandshakeAt, b.peer(a).lastHandshakeAt]).toEqual([-Infinity, -Infinity])
    world.run(10)
    expect([a.peer(b).lastHandshakeAt, b.peer(a).lastHandshakeAt]).toEqual([1020, -Infinity])
    world.run(100)
    expect([a.peer(b).lastHandshakeAt, b.peer(a).lastHandshakeAt]).toEqual([1020, 1030])
  })
})

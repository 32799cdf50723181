// A device and a stack together, on a virtual clock: what comes in by decryption goes no further than this host, and what
// the stack cannot send it keeps.
import { describe, expect, it } from 'vitest'
import { parseAddress, parsePrefix } from '../../../../src/core/base/address.js'
import { nodeCrypto } from '../../../../src/node/crypto/node.js'
import { createNetwork, createTransfer, type Network, type SimulatedHost } from '../../../../src/testing/index.js'
import { endpointOf, ipPacket } from '../../../support/wireguard.js'

const options = { crypto: nodeCrypto, path: { delay: 10 } }

/** Sends an inner packet past the stack of `from`, as a peer that is not ours might. */
function sendInner({ clock }: Network, from: SimulatedHost, packet: Uint8Array): void {
  const [peer] = from.host.device.peers()
  const slot = from.host.memory.alloc()
  from.host.memory.u8.set(packet, slot + 16)
  from.host.device.sendPacket(slot, slot + 16, packet.length, peer!, clock.now)
  from.changed()
}

describe('a packet from one peer to the address of another', () => {
  it('goes nowhere: it is dropped, the other is not called, and the sender hears nothing (X6)', () => {
    const network = createNetwork(options)
    const { a, b, clock } = network
    const allowedIps = ['10.7.0.9/32', 'fd07::9/128'].map(text => parsePrefix(text)!)
    const endpoint = endpointOf('192.0.2.9:51820')
    const other = b.host.device.setPeer({ publicKey: new Uint8Array(32).fill(9), endpoint, allowedIps }, clock.now)!
    b.host.stack.listen({ port: 80 }, () => {
      throw new Error('nobody may get in')
    })
    sendInner(network, a, ipPacket('10.7.0.1', '10.7.0.9', 'over you'))
    sendInner(network, a, ipPacket('fd07::1', 'fd07::9', 'over you'))
    sendInner(network, a, ipPacket('10.7.0.1', '127.0.0.1', 'to your loopback'))
    clock.runUntil(60_000)
    expect(b.host.stack.counters.notOurs).toBe(3)
    expect([other.txBytes, b.host.device.canSend(other, clock.now)]).toEqual([0, false])
    expect(b.events.filter(({ peer }) => peer === other)).toEqual([])
    expect(a.host.stack.counters.packetsIn).toBe(0)
    expect(b.host.memory.inUse).toBe(0)
  })
})

describe('a transfer whose session is gone', () => {
  it('is held back in the stack: nothing that it sends is dropped from the queue of what waits (W19)', () => {
    const network = createNetwork(options)
    const { a, b, clock, there, back } = network
    const transfer = createTransfer(clock, { from: a, to: b, there: 20_000_000 })
    clock.runWhile(() => transfer.acceptor.received < 1_000_000, 60_000)
    there.options.down = back.options.down = true
    clock.runUntil(clock.now + 200_000)
    expect(a.host.device.canSend([...a.host.device.peers()][0]!, clock.now)).toBe(false)
    for (const { host } of [a, b]) {
      expect(host.device.counters.stagedDropped).toBe(0)
      expect(host.memory.inUse).toBeLessThanOrEqual(128)
    }
    there.options.down = back.options.down = false
    clock.runWhile(() => !transfer.done, clock.now + 300_000)
    expect(transfer.acceptor).toMatchObject({ received: 20_000_000, ended: true, error: undefined })
    for (const { host } of [a, b]) expect(host.device.counters.stagedDropped).toBe(0)
  })
})

describe('a dial', () => {
  it('without a route fails at once, and one to a peer without an endpoint waits for that peer (W22)', () => {
    const { b, clock } = createNetwork(options)
    const { stack } = b.host
    const closed: (string | undefined)[] = []
    const events = {
      ...{ connected() {}, readable() {}, writable() {} },
      closed: (error?: string) => void closed.push(error),
    }
    const dial = (text: string) =>
      stack.connect({ address: parseAddress(text)!, port: 80, timeout: 5000 }, events, clock.now)
    expect(() => dial('10.99.0.1')).toThrow(expect.objectContaining({ code: 'ENETUNREACH' }))
    dial('10.7.0.1')
    b.changed()
    clock.runUntil(4000)
    expect([closed, b.events]).toEqual([[], []])
    clock.runUntil(6000)
    expect(closed).toEqual(['ETIMEDOUT'])
  })
})

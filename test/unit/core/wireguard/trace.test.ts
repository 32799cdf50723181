// What a device shows to a trace, and when.
import { describe, expect, it } from 'vitest'
import type { DeviceTrace } from '../../../../src/core/wireguard/device.js'
import { nodeCrypto } from '../../../../src/node/crypto/node.js'
import { pair } from '../../../support/wireguard.js'
import { hexOf } from '../../../support/wireguard-crypto.js'

type Entry = [what: string, hex: string]

/** A trace, and what it saw of one side, in order. */
function recorder(): { trace: DeviceTrace; entries: Entry[] } {
  const entries: Entry[] = []
  const way = (outbound: boolean) => (outbound ? 'out' : 'in')
  return {
    entries,
    trace: {
      handshake: ({ localStatic, remoteStatic, localEphemeral, presharedKey }) =>
        entries.push(['secrets', [localStatic, remoteStatic, localEphemeral, presharedKey].map(hexOf).join(' ')]),
      datagram: (memory, offset, length, _remote, outbound) =>
        entries.push([`datagram ${way(outbound)}`, hexOf(memory.u8.subarray(offset, offset + length))]),
      packet: (memory, offset, length, outbound) =>
        entries.push([`packet ${way(outbound)}`, hexOf(memory.u8.subarray(offset, offset + length))]),
    },
  }
}

describe('a trace', () => {
  it("of the initiator has its secrets before the initiation, and each packet's plaintext beside its datagram", () => {
    const { trace, entries } = recorder()
    const presharedKey = new Uint8Array(32).fill(9)
    const { world, a, b } = pair({ trace, presharedKey, ofB: { trace: {} } })
    a.send(b, 'hello')
    world.run(1000)
    expect(entries.map(([what]) => what)).toEqual([
      'secrets',
      'datagram out',
      'datagram in',
      'packet out',
      'datagram out',
    ])
    const [localStatic, remoteStatic, ephemeral, psk] = entries[0]![1].split(' ') as [string, string, string, string]
    expect([localStatic, remoteStatic, psk]).toEqual([hexOf(a.secret), hexOf(b.publicKey), hexOf(presharedKey)])
    const initiation = a.sent(1)[0]!.bytes
    const key = nodeCrypto.privateKey(Uint8Array.from(Buffer.from(ephemeral, 'hex')))
    expect(hexOf(initiation.subarray(8, 40))).toBe(hexOf(key.publicKey))
    expect(entries[1]![1]).toBe(hexOf(initiation))
    expect(Buffer.from(entries[3]![1], 'hex').toString()).toContain('hello')
  })

  it('of the responder has its own secrets before the response, and a packet that it then refuses', () => {
    const { trace, entries } = recorder()
    const { world, a, b } = pair({ ofB: { trace } })
    b.device.setPeer({ publicKey: a.publicKey, replaceAllowedIps: true, allowedIps: [] }, world.now)
    a.send(b, 'from nowhere')
    world.run(1000)
    expect(entries.map(([what]) => what)).toEqual([
      'datagram in',
      'secrets',
      'datagram out',
      'datagram in',
      'packet in',
    ])
    expect(b.received).toEqual([])
    const ephemeral = nodeCrypto.privateKey(Uint8Array.from(Buffer.from(entries[1]![1].split(' ')[2]!, 'hex')))
    expect(hexOf(b.sent(2)[0]!.bytes.subarray(12, 44))).toBe(hexOf(ephemeral.publicKey))
  })

  it('shows keepalives and what is no message outside only', () => {
    const { trace, entries } = recorder()
    const { world, a, b } = pair({ ofB: { trace } })
    b.receive(new Uint8Array(7), a.endpoint)
    a.device.initiate(a.peer(b), world.now)
    world.run(1000)
    expect(entries[0]).toEqual(['datagram in', '00000000000000'])
    expect(entries.filter(([what]) => what.startsWith('packet'))).toEqual([])
  })
})

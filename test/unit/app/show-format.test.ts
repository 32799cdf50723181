import { describe, expect, it } from 'vitest'
import { formatInterface, type ShownInterface, type ShownPeer } from '../../../src/app/show-format.js'

const now = 1_800_000_000_500
const peer: ShownPeer = {
  publicKey: 'A=',
  hasPresharedKey: false,
  allowedIps: [],
  lastHandshake: 0,
  rxBytes: 0,
  txBytes: 0,
  persistentKeepalive: 0,
}
const shown = (change: Partial<ShownInterface>): ShownInterface => ({
  name: 'wg0',
  publicKey: 'K=',
  listenPort: 51820,
  fwmark: 0,
  peers: [],
  ...change,
})

describe('the picture of an interface', () => {
  it('is that of wg show, keys hidden, the latest handshake first', () => {
    const peers = [
      peer,
      { ...peer, publicKey: 'B=', allowedIps: ['10.0.0.0/8'], lastHandshake: now - 61_000, rxBytes: 92, txBytes: 1024 },
      {
        ...peer,
        publicKey: 'C=',
        hasPresharedKey: true,
        endpoint: '[2001:db8::1]:1',
        allowedIps: ['10.0.0.0/8', 'fd00::/64'],
        lastHandshake: now,
        rxBytes: 5 * 1024 * 1024,
        txBytes: 0,
        persistentKeepalive: 25,
      },
    ]
    expect(formatInterface(shown({ fwmark: 0xca6c, peers }), now)).toBe(`interface: wg0
  public key: K=
  private key: (hidden)
  listening port: 51820
  fwmark: 0xca6c

peer: C=
  preshared key: (hidden)
  endpoint: [2001:db8::1]:1
  allowed ips: 10.0.0.0/8, fd00::/64
  latest handshake: Now
  transfer: 5.00 MiB received, 0 B sent
  persistent keepalive: every 25 seconds

peer: B=
  allowed ips: 10.0.0.0/8
  latest handshake: 1 minute, 1 second ago
  transfer: 92 B received, 1.00 KiB sent

peer: A=
  allowed ips: (none)
`)
  })

  it('leaves out what there is not', () => {
    expect(formatInterface(shown({ publicKey: undefined, listenPort: 0 }), now)).toBe('interface: wg0\n')
  })

  it('says when the clock was set back, and counts in years', () => {
    const text = (lastHandshake: number) => formatInterface(shown({ peers: [{ ...peer, lastHandshake }] }), now)
    expect(text(now + 60_000)).toContain('(System clock wound backward; connection problems may ensue.)')
    expect(text(now - (365 * 86_400 + 2 * 86_400 + 3600) * 1000)).toContain(': 1 year, 2 days, 1 hour ago')
  })
})

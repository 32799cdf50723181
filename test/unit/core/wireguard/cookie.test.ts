// Cookies (WireGuard paper, 5.3 and 5.4.7; kernel, cookie.c): what they are made of, and all that taking one does.
import { describe, expect, it } from 'vitest'
import { concatBytes } from '../../../../src/core/crypto/bytes.js'
import type { Crypto } from '../../../../src/core/crypto/crypto.js'
import { parseCookieReply } from '../../../../src/core/wire/wireguard.js'
import { labelCookie } from '../../../../src/core/wireguard/constants.js'
import type { PeerState } from '../../../../src/core/wireguard/peer.js'
import { nodeCrypto } from '../../../../src/node/crypto/node.js'
import { endpointOf, type Host, pair, prefix } from '../../../support/wireguard.js'
import { hexOf } from '../../../support/wireguard-crypto.js'

const loaded = { underLoadQueue: 0 }
/** A device under load, the secrets that it made since, and what it gives to an initiation from some source at some time. */
function giver() {
  const { world, a, b } = pair()
  world.filter = () => true
  a.device.initiate(a.peer(b), world.now)
  a.settle()
  const initiation = a.sent(1)[0]!.bytes
  const secrets: Uint8Array[] = []
  const crypto: Crypto = {
    ...nodeCrypto,
    macKey(key) {
      if (key.length === 32) secrets.push(key.slice())
      return nodeCrypto.macKey(key)
    },
  }
  const host = world.host({ address: '192.0.2.3:3', crypto, limits: loaded, secret: b.secret })
  secrets.length = 0
  const start = world.now
  const reply = (source: string, now = 0) => {
    world.now = start + now
    host.receive(initiation, endpointOf(source))
    host.settle()
    return parseCookieReply(host.sent(3).at(-1)!.bytes)!
  }
  const key = nodeCrypto.hash(labelCookie, host.publicKey)
  const cookie = (source: string, now?: number) => {
    const { nonce, encryptedCookie } = reply(source, now)
    return hexOf(nodeCrypto.xopen(key, nonce, encryptedCookie, initiation.subarray(116, 132))!)
  }
  return { cookie, reply, secrets }
}

describe('a cookie', () => {
  it('is the MAC of the address as 4 or 16 raw bytes and the port as 2 (W5) (W8)', () => {
    const { cookie, secrets } = giver()
    for (const [source, origin] of [
      ['192.0.2.1:513', [192, 0, 2, 1, 2, 1]],
      ['[2001:db8::1]:513', [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 1]],
      ['[::ffff:192.0.2.1]:513', [192, 0, 2, 1, 2, 1]],
    ] as const) {
      const given = cookie(source)
      const expected = new Uint8Array(16)
      nodeCrypto.macKey(secrets[0]!).compute(Uint8Array.from(origin), 0, origin.length, expected, 0)
      expect(given).toBe(hexOf(expected))
    }
  })

  it('has a secret that is renewed when it is used after 120 s, not before, and not while nobody asks (W5)', () => {
    const { cookie, secrets } = giver()
    const first = cookie('192.0.2.1:1', 1000)
    expect(cookie('192.0.2.1:1', 120_999)).toBe(first)
    expect(secrets).toHaveLength(1)
    const second = cookie('192.0.2.1:1', 121_000)
    expect(second).not.toBe(first)
    expect(cookie('192.0.2.1:1', 240_999)).toBe(second)
    cookie('192.0.2.1:1', 3_600_000)
    expect(new Set(secrets.map(hexOf)).size).toBe(3)
    expect(secrets).toHaveLength(3)
  })

  it('is sealed under a nonce of its own each time (W6)', () => {
    const { reply } = giver()
    const nonces = Array.from({ length: 100 }, (_, i) => hexOf(reply(`192.0.2.1:${i + 1}`, i * 1000).nonce))
    expect(new Set(nonces).size).toBe(100)
  })
})

/** All that a cookie reply might move. */
function stateOf(host: Host, other: Host): unknown {
  const peer = host.peer(other) as PeerState
  const { rxBytes, txBytes, endpoint, lastHandshakeAt, lastReceivedAt, lastSentHandshakeAt, attempts, pending } = peer
  const { keypairs, persistentKeepalive } = peer
  const { badCookieReply: _, ...counters } = host.device.counters
  return structuredClone({
    ...{ rxBytes, txBytes, endpoint, lastHandshakeAt, lastReceivedAt, lastSentHandshakeAt, attempts },
    ...{ persistentKeepalive, counters, pending: pending?.index, current: keypairs.current?.localIndex },
    ...{ next: keypairs.next?.localIndex, deadline: host.device.nextDeadline(), inUse: host.memory.inUse },
  })
}

describe('a cookie reply that is accepted', () => {
  const elsewhere = endpointOf('198.51.100.1:1')

  it('sends nothing and moves no timer, counter or endpoint; the retry comes when it would have (W6) (W24)', () => {
    const { world, a, b } = pair({ ofB: { limits: loaded } })
    world.filter = datagram => datagram.from === b
    a.device.initiate(a.peer(b), world.now)
    world.run(1000)
    const reply = b.sent(3)[0]!.bytes
    const [before, sent] = [stateOf(a, b), world.sent.length]
    const retryAt = a.device.nextDeadline()
    a.receive(reply, elsewhere)
    a.settle()
    expect(a.count('cookie')).toBe(1)
    expect([stateOf(a, b), world.sent.length]).toEqual([before, sent])
    world.run(6000)
    expect(a.sent(1)[1]!.at).toBe(retryAt)
    expect(a.sent(1)[1]!.bytes.subarray(132)).not.toEqual(new Uint8Array(16))
  })

  it('may answer a response, by the index of its keypair; it is taken once, and by its peer alone (W6) (W24)', () => {
    const { world, a, b } = pair({ limits: loaded, ofB: { limits: {} } })
    const third = world.host({ address: '192.0.2.3:3' })
    b.device.setPeer({ publicKey: third.publicKey, allowedIps: [prefix('10.9.0.0/16')] }, world.now)
    world.filter = datagram => datagram.bytes[0] === 3
    a.device.initiate(a.peer(b), world.now)
    world.run(1000)
    const reply = a.sent(3)[0]!.bytes
    const before = stateOf(b, a)
    b.receive(reply, elsewhere)
    b.settle()
    expect(b.events.filter(event => event.type === 'cookie').map(({ peer }) => peer)).toEqual([b.peer(a)])
    expect(stateOf(b, a)).toEqual(before)
    b.receive(reply, a.endpoint)
    b.settle()
    expect([b.count('cookie'), b.device.counters.badCookieReply]).toEqual([1, 1])
  })

  it('that answers an earlier message than the last is refused, as is one of another key (W6)', () => {
    const { world, a, b } = pair({ ofB: { limits: loaded } })
    world.filter = datagram => datagram.from === b
    a.device.initiate(a.peer(b), world.now)
    world.run(5500)
    const [older, newer] = b.sent(3)
    const mixed = concatBytes(newer!.bytes.subarray(0, 8), older!.bytes.subarray(8))
    for (const bytes of [mixed, older!.bytes]) a.receive(bytes, b.endpoint)
    a.settle()
    expect([a.count('cookie'), a.device.counters.badCookieReply, a.device.counters.unknownIndex]).toEqual([0, 1, 1])
    a.receive(newer!.bytes, b.endpoint)
    a.settle()
    expect(a.count('cookie')).toBe(1)
  })
})

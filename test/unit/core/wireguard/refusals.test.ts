// What meets silence (WireGuard paper, 5.1), and at what cost: nothing is computed for who does not know our key.
import { describe, expect, it } from 'vitest'
import type { Crypto } from '../../../../src/core/crypto/crypto.js'
import { dataHeaderSize, serialiseInitiation, serialiseResponse } from '../../../../src/core/wire/wireguard.js'
import { labelMac1 } from '../../../../src/core/wireguard/constants.js'
import type { PeerState } from '../../../../src/core/wireguard/peer.js'
import { nodeCrypto } from '../../../../src/node/crypto/node.js'
import { type Host, ipPacket, pair, prefix, type World } from '../../../support/wireguard.js'
import { backends, bytesOf, loadVectors } from '../../../support/wireguard-crypto.js'

const lowOrder = loadVectors<{ publicKeys: string[] }>('x25519-low-order')

/** A copy of a handshake message with `change` made to it and MAC1 right again, which whoever knows the public key can do. */
function forged(message: Uint8Array, recipient: Host, change: (bytes: Uint8Array) => void): Uint8Array {
  const bytes = message.slice()
  change(bytes)
  const covered = bytes.length - 32
  nodeCrypto.macKey(nodeCrypto.hash(labelMac1, recipient.publicKey)).compute(bytes, 0, covered, bytes, covered)
  return bytes
}

function flip(bytes: Uint8Array, bit: number): void {
  bytes[bit >> 3] = bytes[bit >> 3]! ^ (1 << (bit & 7))
}

/** A backend that counts what is dear. */
function counting(): { crypto: Crypto; calls: { dh: number; open: number } } {
  const calls = { dh: 0, open: 0 }
  const crypto: Crypto = {
    ...nodeCrypto,
    dh: (key, publicKey) => {
      calls.dh++
      return nodeCrypto.dh(key, publicKey)
    },
    open: (...args) => {
      calls.open++
      return nodeCrypto.open(...args)
    },
  }
  return { crypto, calls }
}

/** An initiation from `a` that has not arrived, and one in the other direction as well. */
function calling(options: Parameters<typeof pair>[0] = {}): { world: World; a: Host; b: Host } {
  const three = pair({ ...options, bothEndpoints: true })
  three.world.filter = () => true
  three.a.device.initiate(three.a.peer(three.b), three.world.now)
  three.a.settle()
  return three
}

describe('a wrong MAC1', () => {
  it('costs no DH and no decryption, on an initiation and on a response (W4)', () => {
    const { crypto, calls } = counting()
    const { world, a, b } = calling({ crypto })
    const initiation = a.sent(1)[0]!.bytes
    b.receive(initiation, a.endpoint)
    b.settle()
    const response = b.sent(2)[0]!.bytes
    expect(calls.dh).toBeGreaterThan(0)
    Object.assign(calls, { dh: 0, open: 0 })
    for (const [host, message] of [
      [b, initiation],
      [a, response],
    ] as const) {
      for (let bit = 0; bit < 128; bit++) {
        const wrong = message.slice()
        flip(wrong, (message.length - 32) * 8 + bit)
        host.receive(wrong, endpointOfNobody)
      }
    }
    world.run(0)
    expect([a.device.counters.badMac1, b.device.counters.badMac1]).toEqual([128, 128])
    expect(calls).toEqual({ dh: 0, open: 0 })
  })
})

const endpointOfNobody = { address: Uint8Array.of(198, 51, 100, 1), port: 1 }

describe.each(backends)('on the %s backend, an ephemeral key of low order', (_name, crypto) => {
  it('in an initiation or in a response ends the handshake (W3)', () => {
    const { world, a, b } = calling({ crypto })
    const initiation = a.sent(1)[0]!.bytes
    const index = new DataView(initiation.buffer, initiation.byteOffset).getUint32(4, true)
    for (const hex of lowOrder.publicKeys) {
      const ephemeral = bytesOf(hex)
      const first = serialiseInitiation({
        ...{ sender: 7, ephemeral },
        ...{ encryptedStatic: new Uint8Array(48), encryptedTimestamp: new Uint8Array(28) },
      })
      const second = serialiseResponse({ sender: 7, receiver: index, ephemeral, encryptedNothing: new Uint8Array(16) })
      b.receive(
        forged(first, b, () => {}),
        a.endpoint,
      )
      a.receive(
        forged(second, a, () => {}),
        b.endpoint,
      )
    }
    world.run(0)
    const count = lowOrder.publicKeys.length
    expect([a.device.counters.badHandshake, b.device.counters.badHandshake]).toEqual([count, count])
    expect([a.count('session'), b.sent(2).length]).toEqual([0, 0])
  })
})

describe('a flipped bit under a MAC1 that was made right again', () => {
  it('spoils an initiation: no answer, and the true one is answered still (X2)', () => {
    const { a, b } = calling({ limits: { underLoadWork: Infinity } })
    const initiation = a.sent(1)[0]!.bytes
    const before = { ...b.peer(a) }
    // Type and length are checked before; the sender's index is not under the handshake's keys, only under MAC1.
    for (let bit = 8 * 8; bit < 116 * 8; bit++) {
      b.receive(
        forged(initiation, b, bytes => flip(bytes, bit)),
        endpointOfNobody,
      )
      if (bit % 64 === 0) b.settle()
    }
    b.settle()
    const { badHandshake, unknownPeer, responsesSent } = b.device.counters
    expect([badHandshake + unknownPeer, responsesSent]).toEqual([108 * 8, 0])
    expect({ ...b.peer(a) }).toEqual(before)
    b.receive(initiation, a.endpoint)
    b.settle()
    expect(b.device.counters.responsesSent).toBe(1)
  })

  it('spoils a response: no session, and the true one makes it still (X2)', () => {
    const { a, b } = calling({ limits: { underLoadWork: Infinity } })
    b.receive(a.sent(1)[0]!.bytes, a.endpoint)
    b.settle()
    const response = b.sent(2)[0]!.bytes
    for (let bit = 12 * 8; bit < 60 * 8; bit++) {
      a.receive(
        forged(response, a, bytes => flip(bytes, bit)),
        endpointOfNobody,
      )
      if (bit % 64 === 0) a.settle()
    }
    a.settle()
    expect([a.device.counters.badHandshake, a.count('session')]).toEqual([48 * 8, 0])
    expect(a.peer(b).endpoint).toEqual(b.endpoint)
    a.receive(response, b.endpoint)
    a.settle()
    expect(a.count('session')).toBe(1)
  })

  it('in MAC2, under load, costs a cookie reply and changes no peer (X2)', () => {
    const { world, a, b } = pair({ ofB: { limits: { underLoadQueue: 0 } } })
    a.device.initiate(a.peer(b), world.now)
    world.run(1000)
    world.filter = () => true
    world.run(5000)
    const initiation = a.sent(1)[1]!.bytes
    expect(initiation.subarray(132)).not.toEqual(new Uint8Array(16))
    const before = { ...b.peer(a) }
    for (let bit = 132 * 8; bit < 148 * 8; bit++) {
      const wrong = initiation.slice()
      flip(wrong, bit)
      b.receive(wrong, a.endpoint)
      world.run(50)
    }
    expect(b.device.counters.responsesSent).toBe(0)
    expect({ ...b.peer(a) }).toEqual(before)
  })
})

describe('an index', () => {
  it('of a handshake is none for data, and one of a keypair none for a response (W25)', () => {
    const { world, a, b } = calling()
    const initiation = a.sent(1)[0]!.bytes
    const data = new Uint8Array(32)
    data[0] = 4
    data.set(initiation.subarray(4, 8), 4)
    a.receive(data, b.endpoint)
    expect(a.device.counters.unknownIndex).toBe(1)
    b.receive(initiation, a.endpoint)
    b.settle()
    // B's own handshake and the keypair that it derived have an index each.
    const response = b.sent(2)[0]!.bytes
    const misdirected = forged(response, b, bytes => bytes.set(response.subarray(4, 8), 8))
    b.receive(misdirected, a.endpoint)
    b.settle()
    expect(b.device.counters).toMatchObject({ unknownIndex: 1, badHandshake: 0 })
    expect(world.sent.map(({ bytes }) => bytes[0])).toEqual([1, 2])
  })

  it('of a session or a handshake that is over is unknown, and met with silence (W25) (X3)', () => {
    const { world, a, b } = pair()
    a.send(b, 'x')
    world.run(100)
    const messages = world.sent.slice()
    b.device.removePeer(a.publicKey, world.now)
    b.device.setPeer({ publicKey: a.publicKey, allowedIps: [prefix('0.0.0.0/0')] }, world.now)
    a.device.setPrivateKey(undefined, world.now)
    a.device.setPrivateKey(a.secret, world.now)
    const sent = world.sent.length
    for (const { bytes, from } of messages) if (bytes[0] !== 1) (from === a ? b : a).receive(bytes, from.endpoint)
    world.run(0)
    expect([a.device.counters.unknownIndex, b.device.counters.unknownIndex]).toEqual([1, 1])
    expect(world.sent).toHaveLength(sent)
  })
})

describe('an inner packet that is not encrypted', () => {
  it('is nothing: as a datagram, or in a data message under the right index and counter (X5)', () => {
    const { world, a, b } = pair()
    a.send(b, 'first')
    world.run(100)
    const counter = Number((a.peer(b) as PeerState).keypairs.current!.sendLo)
    for (const packet of [ipPacket('10.0.0.1', '10.0.0.2', 'plain'), ipPacket('fd00::1', 'fd00::2', 'plain')]) {
      b.receive(packet, a.endpoint)
      const data = new Uint8Array(dataHeaderSize + packet.length + 16)
      data.set(a.sent(4)[0]!.bytes.subarray(0, 8))
      data[8] = counter
      data.set(packet, dataHeaderSize)
      b.receive(data, a.endpoint)
    }
    world.run(0)
    expect(b.received).toEqual(['first'])
    expect(b.device.counters).toMatchObject({ notAMessage: 2, badData: 2 })
  })
})

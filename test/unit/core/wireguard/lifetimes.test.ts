// How long anything lives (WireGuard paper, 6.1 to 6.3): the protocol's figures, and that keys are gone when they have served.
import { afterEach, describe, expect, it, vi } from 'vitest'
import type { Crypto, PrivateKey } from '../../../../src/core/crypto/crypto.js'
import { serialiseInitiation } from '../../../../src/core/wire/wireguard.js'
import {
  defaultLimits,
  defaultTimers,
  labelMac1,
  rejectAfterMessagesHi,
  rejectAfterMessagesLo,
  rekeyAfterMessagesHi,
  replayWindow,
  zeroAfterRejects,
} from '../../../../src/core/wireguard/constants.js'
import { SymmetricState } from '../../../../src/core/wireguard/noise.js'
import type { PeerState } from '../../../../src/core/wireguard/peer.js'
import { nodeCrypto } from '../../../../src/node/crypto/node.js'
import { type Host, pair } from '../../../support/wireguard.js'

const state = (host: Host, other: Host) => host.peer(other) as PeerState

describe("the protocol's constants", () => {
  it('are those of the paper and the kernel (W16)', () => {
    expect(defaultTimers).toEqual({
      rekeyAfterTime: 120_000,
      rejectAfterTime: 180_000,
      rekeyTimeout: 5_000,
      rekeyTimeoutJitter: 333,
      keepaliveTimeout: 10_000,
      cookieSecretLifetime: 120_000,
      cookieLifetime: 115_000,
      initiationInterval: 20,
      underLoadTime: 1_000,
    })
    expect(BigInt(rekeyAfterMessagesHi) << 32n).toBe(2n ** 60n)
    expect((BigInt(rejectAfterMessagesHi) << 32n) + BigInt(rejectAfterMessagesLo)).toBe(2n ** 64n - 2n ** 13n - 1n)
    expect([zeroAfterRejects, replayWindow]).toEqual([3, 8192 - 64])
    expect(defaultLimits).toMatchObject({
      stagedPackets: 128,
      initiationAttempts: 20,
      queuedHandshakes: 4096,
      underLoadQueue: 512,
      underLoadWork: 50,
      sourceRate: 20,
      sourceBurst: 5,
      sources: 65_536,
    })
  })
})

describe('a keypair', () => {
  it('opens what comes up to 180 s after it was made, and nothing from then on, though it is not wiped yet (W16)', () => {
    const { world, a, b } = pair()
    a.device.initiate(a.peer(b), world.now)
    world.run(100)
    world.filter = () => true
    const { createdAt } = state(b, a).keypairs.current!
    world.run(createdAt + 170_000 - world.now)
    for (const text of ['in time', 'too late']) a.send(b, text)
    const [inTime, tooLate] = a.sent(4).slice(-2)
    world.now = createdAt + 179_999
    b.receive(inTime!.bytes, a.endpoint)
    world.now = createdAt + 180_000
    b.receive(tooLate!.bytes, a.endpoint)
    expect(b.received).toEqual(['in time'])
    expect(b.device.counters.expiredKeypair).toBe(1)
    b.settle()
    expect(state(b, a).keypairs.current).toBeUndefined()
  })

  it('received with from 165 s on is renewed by the initiator alone (W16)', () => {
    const { world, a, b } = pair({ bothEndpoints: true })
    a.device.initiate(a.peer(b), world.now)
    world.run(100)
    const since = a.peer(b).lastHandshakeAt
    world.run(since + 164_980 - world.now)
    const hear = (text: string) => {
      const sent = [a.sent(1).length, b.sent(1).length]
      world.filter = ({ bytes, from }) => from === a || bytes[0] === 2
      b.send(a, text)
      world.run(10)
      return [a.sent(1).length - sent[0]!, b.sent(1).length - sent[1]!]
    }
    expect(hear('at 164.99 s')).toEqual([0, 0])
    expect(hear('at 165 s')).toEqual([1, 0])
    expect(hear('and again')).toEqual([0, 0])
    // Once: what comes meanwhile does not begin the count anew.
    for (let i = 0; i < 12; i++) {
      world.run(1000)
      b.send(a, `and again ${i}`)
    }
    expect(a.events.flatMap(event => (event.type === 'initiation' ? [event.attempt] : []))).toEqual([1, 1, 2, 3])
    // The responder hears data as late and calls nobody.
    const late = pair({ bothEndpoints: true })
    late.a.device.initiate(late.a.peer(late.b), late.world.now)
    late.world.run(100)
    late.world.run(170_000)
    late.world.filter = ({ from, bytes }) => from === late.a && bytes[0] === 1
    late.a.send(late.b, 'late')
    late.world.run(15)
    expect([late.b.received, late.b.sent(1).length]).toEqual([['late'], 0])
  })

  it('is renewed for a keepalive that is sent after 120 s, too (W16)', () => {
    const { world, a, b } = pair()
    a.device.setPeer({ publicKey: b.publicKey, persistentKeepalive: 119 }, world.now)
    world.run(1000)
    const since = a.peer(b).lastHandshakeAt
    world.run(since + 119_500 - world.now)
    expect([a.sent(1).length, a.sent(4).length]).toEqual([1, 2])
    world.run(119_000)
    expect(a.count('session')).toBe(2)
  })
})

describe('what a handshake was made with', () => {
  afterEach(() => void vi.restoreAllMocks())

  /** A backend that knows which of its private keys were not wiped. */
  function watched(): { crypto: Crypto; alive: Set<PrivateKey> } {
    const alive = new Set<PrivateKey>()
    const crypto: Crypto = {
      ...nodeCrypto,
      privateKey(secret) {
        const key = nodeCrypto.privateKey(secret)
        const wipe = key.wipe.bind(key)
        alive.add(key)
        key.wipe = () => {
          alive.delete(key)
          wipe()
        }
        return key
      },
    }
    return { crypto, alive }
  }

  /** States of handshakes, with chaining key and hash, that were made and not wiped. */
  function watchStates(): () => number {
    const made = [vi.spyOn(SymmetricState, 'start'), vi.spyOn(SymmetricState.prototype, 'clone')]
    const wiped = vi.spyOn(SymmetricState.prototype, 'wipe')
    return () => {
      const alive = new Set(made.flatMap(spy => spy.mock.results.map(({ value }) => value as unknown)))
      for (const context of wiped.mock.contexts) alive.delete(context)
      return alive.size
    }
  }

  it('once wiped, is all zeros (W16)', () => {
    const used = SymmetricState.start(nodeCrypto, new Uint8Array(40).fill(1), new Uint8Array(8))
    used.mixKey(new Uint8Array(32).fill(2))
    used.encryptAndHash(new Uint8Array(4))
    used.wipe()
    const empty = new SymmetricState(nodeCrypto)
    expect([used.hash, used.split()]).toEqual([empty.hash, empty.split()])
    expect(used.hash).toEqual(new Uint8Array(32))
  })

  it('is wiped when the session begins: ephemeral keys, chaining keys and hashes, on both sides (W16)', () => {
    const statesAlive = watchStates()
    const { crypto, alive } = watched()
    const { world, a, b } = pair({ crypto })
    a.device.initiate(a.peer(b), world.now)
    a.settle()
    expect([alive.size, statesAlive()]).toEqual([3, 1])
    world.run(100)
    expect([a.count('session'), alive.size, statesAlive()]).toEqual([1, 2, 0])
  })

  it('is wiped when the handshake fails, wherever it does (W16)', () => {
    const statesAlive = watchStates()
    const { crypto, alive } = watched()
    const { world, a, b } = pair({ crypto })
    const expectClean = (pending: number) => expect([alive.size - 2, statesAlive()]).toEqual([pending, pending])
    // A caller who is no peer; one whose ephemeral key is of low order; a replay; a wrong preshared key.
    b.device.removePeer(a.publicKey, world.now)
    a.device.initiate(a.peer(b), world.now)
    world.run(100)
    expect(b.device.counters.unknownPeer).toBe(1)
    expectClean(1)
    const lowOrder = serialiseInitiation({
      ...{ sender: 1, ephemeral: new Uint8Array(32) },
      ...{ encryptedStatic: new Uint8Array(48), encryptedTimestamp: new Uint8Array(28) },
    })
    const mac = nodeCrypto.macKey(nodeCrypto.hash(labelMac1, b.publicKey))
    mac.compute(lowOrder, 0, 116, lowOrder, 116)
    b.receive(lowOrder, a.endpoint)
    b.settle()
    expect(b.device.counters.badHandshake).toBe(1)
    expectClean(1)
    b.device.setPeer({ publicKey: a.publicKey, presharedKey: new Uint8Array(32).fill(1) }, world.now)
    world.run(6000)
    expect(a.device.counters.badHandshake).toBe(1)
    expectClean(1)
    b.receive(a.sent(1)[0]!.bytes, a.endpoint)
    b.settle()
    expect(b.device.counters.replayedInitiation).toBe(1)
    expectClean(1)
    a.device.stop(world.now)
    expect(statesAlive()).toBe(0)
    b.device.stop(world.now)
    expect(alive.size).toBe(0)
  })
})

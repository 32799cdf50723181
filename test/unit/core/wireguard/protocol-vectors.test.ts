// Our own vectors of the whole protocol, made by other code: each step of the handshake, then two devices whose chance and
// clocks are the vector's and whose datagrams must be its messages to the byte.
import { describe, expect, it } from 'vitest'
import { type Endpoint, parsePrefix } from '../../../../src/core/base/address.js'
import { concatBytes } from '../../../../src/core/crypto/bytes.js'
import type { Crypto } from '../../../../src/core/crypto/crypto.js'
import { construction, identifier } from '../../../../src/core/wireguard/constants.js'
import { Device } from '../../../../src/core/wireguard/device.js'
import {
  readInitiationPayload,
  readInitiationStatic,
  readResponse,
  SymmetricState,
  writeInitiation,
  writeResponse,
} from '../../../../src/core/wireguard/noise.js'
import type { PeerState } from '../../../../src/core/wireguard/peer.js'
import { backends, bytesOf, hexOf, loadVectors } from '../../../support/wireguard-crypto.js'

interface Pair {
  private: string
  public: string
}

interface Side {
  static: Pair
  ephemeral: Pair
  index: number
}

type Steps = ({ step: string } & Record<string, string>)[]

interface Vector {
  name: string
  initiator: Side
  responder: Side
  presharedKey: string
  wallClock: number
  timestamp: string
  initiation: { steps: Steps; message: string }
  cookie: {
    secret: string
    source: { address: string; port: number }
    nonce: string
    cookie: string
    message: string
    initiation: string
  }
  response: { steps: Steps; message: string }
  transportKeys: { initiator: string; responder: string }
  data: { from: 'initiator' | 'responder'; counter: number; packet: string; message: string }[]
}

interface Sealed {
  counter: string
  packet: string
  message: string
}

const { vectors } = loadVectors<{ vectors: Vector[] }>('wireguard-protocol')
const transport = loadVectors<{ key: string; receiver: number; accepted: Sealed[]; refused: Sealed[] }>(
  'wireguard-transport',
)
const nothing = new Uint8Array(0)

/** The same backend, with everything that it puts out in a list. */
function recording(crypto: Crypto): { crypto: Crypto; outputs: Set<string> } {
  const outputs = new Set<string>()
  const noted = <T extends Uint8Array | undefined>(output: T): T => {
    if (output !== undefined) outputs.add(hexOf(output))
    return output
  }
  return {
    outputs,
    crypto: {
      ...crypto,
      dh: (key, publicKey) => noted(crypto.dh(key, publicKey)),
      hash: (...parts) => noted(crypto.hash(...parts)),
      hmac: (key, ...parts) => noted(crypto.hmac(key, ...parts)),
      seal: (key, nonce, plaintext, additional) => {
        outputs.add(hexOf(key))
        return noted(crypto.seal(key, nonce, plaintext, additional))
      },
    },
  }
}

function expectSteps(steps: Steps, outputs: Set<string>): void {
  for (const { step, ...values } of steps)
    for (const [name, value] of Object.entries(values)) expect(outputs.has(value), `${step}: ${name}`).toBe(true)
}

/** A device whose chance is what it is told to be, by length, and zeros otherwise. */
function scripted(crypto: Crypto, side: Side, draws: Uint8Array[], limits = {}) {
  const memory = crypto.createMemory(2048 * 64, 2048)
  const sent: string[] = []
  const received: string[] = []
  const device = new Device({
    crypto,
    memory,
    limits,
    random: bytes => {
      const at = draws.findIndex(draw => draw.length === bytes.length)
      bytes.set(at < 0 ? new Uint8Array(bytes.length) : (draws.splice(at, 1)[0] as Uint8Array))
    },
    sink: {
      sendDatagram: (slot, length) => {
        sent.push(hexOf(memory.u8.subarray(slot, slot + length)))
        memory.free(slot)
      },
      deliverPacket: (slot, offset, length) => {
        received.push(hexOf(memory.u8.subarray(offset, offset + length)))
        memory.free(slot)
      },
      report: () => {},
    },
  })
  // Drawn at the start for jitter: a length of its own would be an index.
  device.setPrivateKey(bytesOf(side.static.private), 0)
  return {
    device,
    sent,
    received,
    take(message: string, from: Endpoint, now: number) {
      const slot = memory.alloc()
      memory.u8.set(bytesOf(message), slot)
      device.handleDatagram(slot, message.length / 2, from, now)
    },
    send(packet: string, peer: PeerState, now: number) {
      const slot = memory.alloc()
      memory.u8.set(bytesOf(packet), slot + 16)
      device.sendPacket(slot, slot + 16, packet.length / 2, peer, now)
    },
  }
}

function indexBytes(index: number): Uint8Array {
  const bytes = new Uint8Array(4)
  new DataView(bytes.buffer).setUint32(0, index, true)
  return bytes
}

const allowedIps = [parsePrefix('0.0.0.0/0')!]
const responderAt = { address: Uint8Array.of(192, 0, 2, 2), port: 51820 }

describe.each(backends)('the whole protocol on the %s backend', (_name, plain) => {
  it.each(vectors)('has every intermediate value $name (W1)', vector => {
    const { crypto, outputs } = recording(plain)
    const [si, ei] = [vector.initiator.static, vector.initiator.ephemeral].map(
      ({ private: secret, public: expected }) => {
        const key = crypto.privateKey(bytesOf(secret))
        expect(hexOf(key.publicKey)).toBe(expected)
        return key
      },
    ) as [ReturnType<Crypto['privateKey']>, ReturnType<Crypto['privateKey']>]
    const [sr, er] = [vector.responder.static, vector.responder.ephemeral].map(
      ({ private: secret, public: expected }) => {
        const key = crypto.privateKey(bytesOf(secret))
        expect(hexOf(key.publicKey)).toBe(expected)
        return key
      },
    ) as [ReturnType<Crypto['privateKey']>, ReturnType<Crypto['privateKey']>]
    const presharedKey = bytesOf(vector.presharedKey)
    const initiator = SymmetricState.start(crypto, construction, identifier)
    const staticStatic = crypto.dh(si, sr.publicKey)!
    const timestamp = bytesOf(vector.timestamp)
    const first = writeInitiation(crypto, initiator, ei, si, sr.publicKey, staticStatic, timestamp)!
    expectSteps(vector.initiation.steps, outputs)
    expect(vector.initiation.message).toContain(
      hexOf(concatBytes(first.ephemeral, first.encryptedStatic, first.encryptedPayload)),
    )
    const responder = SymmetricState.start(crypto, construction, identifier)
    expect(readInitiationStatic(crypto, responder, sr, first)).toEqual(si.publicKey)
    expect(readInitiationPayload(responder, staticStatic, first.encryptedPayload)).toEqual(timestamp)
    const second = writeResponse(crypto, responder, er, ei.publicKey, si.publicKey, presharedKey, nothing)!
    expectSteps(vector.response.steps, outputs)
    expect(readResponse(crypto, initiator, ei, si, presharedKey, second)).toEqual(nothing)
    const keys = [bytesOf(vector.transportKeys.initiator), bytesOf(vector.transportKeys.responder)]
    expect(initiator.split()).toEqual(keys)
    expect(responder.split()).toEqual(keys)
  })

  it.each(vectors)('sends every message to the byte $name (W1) (W4) (W20)', vector => {
    const { initiator, responder, cookie, wallClock } = vector
    const presharedKey = bytesOf(vector.presharedKey)
    const source = { address: bytesOf(cookie.source.address), port: cookie.source.port }
    const seed = new Uint8Array(4)
    const a = scripted(plain, initiator, [seed, bytesOf(initiator.ephemeral.private), indexBytes(initiator.index)])
    const peerOfA = a.device.setPeer(
      { publicKey: bytesOf(responder.static.public), presharedKey, allowedIps, endpoint: responderAt },
      0,
    ) as PeerState
    const b = scripted(plain, responder, [seed, bytesOf(responder.ephemeral.private), indexBytes(responder.index)])
    const publicKey = bytesOf(initiator.static.public)
    const peerOfB = b.device.setPeer({ publicKey, presharedKey, allowedIps }, 0) as PeerState

    a.device.initiate(peerOfA, 0)
    a.device.handleTimeout(0, wallClock)
    expect(a.sent).toEqual([vector.initiation.message])
    b.take(vector.initiation.message, source, 0)
    b.device.handleTimeout(0, 0)
    expect(b.sent).toEqual([vector.response.message])

    const [fromA, fromB] = (['initiator', 'responder'] as const).map(from =>
      vector.data.filter(data => data.from === from),
    )
    a.take(vector.response.message, responderAt, 1)
    a.device.handleTimeout(1, wallClock)
    for (const { packet } of fromA!) if (packet !== '') a.send(packet, peerOfA, 1)
    expect(a.sent.slice(1)).toEqual(fromA!.map(data => data.message))
    fromA!.forEach(({ message, counter }, i) => {
      expect(counter).toBe(i)
      b.take(message, source, 1)
    })
    expect(b.received).toEqual(fromA!.map(data => data.packet).filter(packet => packet !== ''))
    fromB!.forEach(({ packet, message, counter }, i) => {
      expect(counter).toBe(i)
      b.send(packet, peerOfB, 1)
      a.take(message, responderAt, 1)
    })
    expect(b.sent.slice(1)).toEqual(fromB!.map(data => data.message))
    expect(a.received).toEqual(fromB!.map(data => data.packet))
  })

  it.each(vectors)('gives the cookie and takes it $name (W5) (W6)', vector => {
    const { initiator, responder, cookie, wallClock } = vector
    const source = { address: bytesOf(cookie.source.address), port: cookie.source.port }
    const seed = new Uint8Array(4)
    const b = scripted(plain, responder, [seed, bytesOf(cookie.nonce), bytesOf(cookie.secret)], { underLoadQueue: 1 })
    b.device.setPeer({ publicKey: bytesOf(initiator.static.public), allowedIps }, 0)
    b.take(vector.initiation.message, source, 0)
    b.device.handleTimeout(0, 0)
    expect(b.sent).toEqual([cookie.message])
    const key = plain.macKey(bytesOf(cookie.secret))
    const origin = concatBytes(source.address, Uint8Array.of(source.port >> 8, source.port & 255))
    const computed = new Uint8Array(16)
    key.compute(origin, 0, origin.length, computed, 0)
    expect(hexOf(computed)).toBe(cookie.cookie)

    // The initiator's next one is another, by its time at least: the MACs are compared under the very same bytes.
    const own = [bytesOf(initiator.ephemeral.private), indexBytes(initiator.index)]
    const a = scripted(plain, initiator, [seed, ...own, ...own])
    const peer = a.device.setPeer(
      {
        publicKey: bytesOf(responder.static.public),
        presharedKey: bytesOf(vector.presharedKey),
        endpoint: responderAt,
      },
      0,
    ) as PeerState
    a.device.initiate(peer, 0)
    a.device.handleTimeout(0, wallClock)
    expect(a.sent).toEqual([vector.initiation.message])
    a.take(cookie.message, responderAt, 1)
    a.device.handleTimeout(1, wallClock)
    const again = bytesOf(vector.initiation.message)
    peer.macs.write(again, 1)
    expect(hexOf(again)).toBe(cookie.initiation)
    b.take(cookie.initiation, source, 1)
    b.device.handleTimeout(1, 0)
    expect(b.device.counters).toMatchObject({ cookieRepliesSent: 1, responsesSent: 1 })
  })
})

describe.each(backends)('transport messages on the %s backend', (_name, crypto) => {
  const halves = (counter: string): [hi: number, lo: number] => [
    Number(BigInt(counter) >> 32n),
    Number(BigInt(counter) & 0xffff_ffffn),
  ]

  it.each([...transport.accepted, ...transport.refused])('are sealed and opened at counter $counter (W13)', sealed => {
    const [hi, lo] = halves(sealed.counter)
    const memory = crypto.createMemory(4096, 2048)
    const key = crypto.transportKey(bytesOf(transport.key))
    const slot = memory.alloc()
    const message = bytesOf(sealed.message)
    const packet = bytesOf(sealed.packet)
    const padded = Math.ceil(packet.length / 16) * 16
    memory.u8.set(packet, slot)
    key.seal(memory, slot, padded, hi, lo)
    expect(memory.u8.slice(slot, slot + padded + 16)).toEqual(message.slice(16))
    expect(key.open(memory, slot, padded + 16, hi, lo)).toBe(true)
    expect(memory.u8.slice(slot, slot + packet.length)).toEqual(packet)
  })

  it('leave and enter a device at every counter up to the last permitted, and at none beyond (W13) (W16)', () => {
    const [vector] = vectors as [Vector]
    const { initiator, responder } = vector
    const seed = new Uint8Array(4)
    const a = scripted(crypto, initiator, [seed, bytesOf(initiator.ephemeral.private), indexBytes(initiator.index)])
    const b = scripted(crypto, responder, [seed, bytesOf(responder.ephemeral.private), indexBytes(responder.index)])
    const publicKey = bytesOf(responder.static.public)
    const peer = a.device.setPeer({ publicKey, allowedIps, endpoint: responderAt }, 0) as PeerState
    b.device.setPeer({ publicKey: bytesOf(initiator.static.public), allowedIps }, 0)
    b.take(vector.initiation.message, responderAt, 0)
    b.device.handleTimeout(0, 0)
    a.device.initiate(peer, 0)
    a.device.handleTimeout(0, vector.wallClock)
    a.take(vector.response.message, responderAt, 0)
    a.device.handleTimeout(0, vector.wallClock)
    a.sent.length = 0

    const { current } = peer.keypairs
    for (const { counter, packet, message } of transport.accepted) {
      const [hi, lo] = halves(counter)
      current!.sendHi = hi
      current!.sendLo = lo
      expect(bytesOf(message).slice(4, 8)).toEqual(indexBytes(transport.receiver))
      a.send(packet, peer, 0)
      expect(a.sent.pop()).toBe(message)
      b.take(message, responderAt, 0)
      expect(b.received.pop()).toBe(packet)
    }
    // The last permitted counter is used up: nothing leaves until there is another session.
    expect(a.device.canSend(peer, 0)).toBe(false)
    a.send(transport.refused[0]!.packet, peer, 0)
    expect(a.sent).toEqual([])
    for (const { message } of transport.refused) b.take(message, responderAt, 0)
    expect(b.received).toEqual([])
    expect(b.device.counters.replayedData).toBe(transport.refused.length)
  })
})

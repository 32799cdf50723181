// A crypto backend that protects nothing and costs next to nothing, for simulations of years: keys, hashes and tags differ
// where real ones would, both sides agree where they should, and a wrong key, nonce or MAC is still noticed.
import { createPacketMemory } from '../core/base/packet-memory.js'
import { equalAt, isZero } from '../core/crypto/bytes.js'
import type { Crypto, PrivateKey, TransportKey } from '../core/crypto/crypto.js'

const tagLength = 16
const state = new Int32Array(8)
const flip = 0x5a

interface StubKey extends PrivateKey {
  readonly secret: Uint8Array
}

/** Eight lanes of FNV-1a over words, stirred at the end so that each bit reaches each lane. */
function absorb(bytes: Uint8Array, offset: number, length: number): void {
  let i = 0
  for (; i + 4 <= length; i += 4) {
    const at = offset + i
    const word =
      (bytes[at] as number) |
      ((bytes[at + 1] as number) << 8) |
      ((bytes[at + 2] as number) << 16) |
      ((bytes[at + 3] as number) << 24)
    const lane = (i >> 2) & 7
    state[lane] = Math.imul((state[lane] as number) ^ word ^ (i << 20), 0x01000193)
  }
  for (; i < length; i++) state[7] = Math.imul((state[7] as number) ^ (bytes[offset + i] as number), 0x01000193)
}

function squeeze(out: Uint8Array, offset: number, length: number): void {
  for (let round = 0; round < 2; round++) {
    for (let lane = 0; lane < 8; lane++) {
      const mixed = (state[lane] as number) ^ ((state[(lane + 7) & 7] as number) >>> 13)
      state[lane] = Math.imul(mixed + (state[(lane + 3) & 7] as number), 0x2c1b3c6d) ^ (mixed >>> 15)
    }
  }
  for (let i = 0; i < length; i++) out[offset + i] = (state[(i >> 2) & 7] as number) >>> (8 * (i & 3))
}

function hash(length: number, domain: number, parts: readonly Uint8Array[]): Uint8Array {
  state.fill(domain)
  for (let i = 0; i < parts.length; i++) {
    const part = parts[i] as Uint8Array
    state[7] = Math.imul((state[7] as number) + part.length + i + 1, 0x27d4eb2f)
    absorb(part, 0, part.length)
  }
  const out = new Uint8Array(length)
  squeeze(out, 0, length)
  return out
}

function seal(key: Uint8Array, nonce: Uint8Array, plaintext: Uint8Array, additional: Uint8Array): Uint8Array {
  const sealed = new Uint8Array(plaintext.length + tagLength)
  sealed.set(plaintext)
  sealed.set(hash(tagLength, 4, [key, nonce, plaintext, additional]), plaintext.length)
  return sealed
}

function open(key: Uint8Array, nonce: Uint8Array, sealed: Uint8Array, additional: Uint8Array): Uint8Array | undefined {
  if (sealed.length < tagLength) return undefined
  const plaintext = sealed.slice(0, sealed.length - tagLength)
  const tag = hash(tagLength, 4, [key, nonce, plaintext, additional])
  return equalAt(tag, 0, sealed, plaintext.length, tagLength) ? plaintext : undefined
}

function transportKey(key: Uint8Array): TransportKey {
  const view = new DataView(key.buffer, key.byteOffset)
  const [a, b] = [view.getInt32(0), view.getInt32(4)]
  let isWiped = false
  const tagWord = (length: number, hi: number, lo: number) =>
    Math.imul(a ^ lo, 0x2c1b3c6d) ^ Math.imul(b ^ hi, 0x01000193) ^ length
  return {
    seal(memory, offset, length, hi, lo) {
      if (isWiped) throw new Error('the key was wiped')
      const { view: packets } = memory
      for (let i = 0; i < tagLength; i += 4) packets.setInt32(offset + length + i, tagWord(length, hi, lo))
    },
    open(memory, offset, length, hi, lo) {
      return !isWiped && memory.view.getInt32(offset + length - tagLength) === tagWord(length - tagLength, hi, lo)
    },
    wipe() {
      isWiped = true
    },
  }
}

export const plainCrypto: Crypto = {
  name: 'plain',
  handshakeCost: 0.01,
  createMemory: (bytes, slotSize) => createPacketMemory(new ArrayBuffer(bytes), slotSize),
  privateKey(secret): StubKey {
    const kept = secret.slice()
    const publicKey = new Uint8Array(32)
    for (let i = 0; i < 32; i++) publicKey[i] = (secret[i] as number) ^ flip
    return { secret: kept, publicKey, wipe: () => void kept.fill(0) }
  },
  dh(key, publicKey) {
    const { secret } = key as StubKey
    const shared = new Uint8Array(32)
    for (let i = 0; i < 32; i++) shared[i] = (publicKey[i] as number) ^ flip ^ (secret[i] as number)
    return isZero(shared) ? undefined : shared
  },
  hash: (...parts) => hash(32, 1, parts),
  hmac: (key, ...parts) => hash(32, 2, [key, ...parts]),
  macKey(key) {
    const own = key.slice()
    const expected = new Uint8Array(16)
    const compute = (bytes: Uint8Array, offset: number, length: number, out: Uint8Array, outOffset: number) => {
      state.fill(3)
      absorb(own, 0, own.length)
      absorb(bytes, offset, length)
      squeeze(out, outOffset, 16)
    }
    return {
      compute,
      verify(bytes, offset, length, macOffset) {
        compute(bytes, offset, length, expected, 0)
        return equalAt(expected, 0, bytes, macOffset, 16)
      },
      wipe: () => void own.fill(0),
    }
  },
  seal,
  open,
  xseal: seal,
  xopen: open,
  transportKey,
}

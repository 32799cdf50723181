// BLAKE2s (RFC 7693), its HMAC (RFC 2104) and its keyed form, written for short messages: no object per hash. It decides
// how large a flood of wrong MAC1s costs nothing, and is most of a handshake's time beside X25519.
import { compress, initialize, wipeWords } from './blake2s-compress.js'
import { equalAt } from './bytes.js'
import type { MacKey } from './crypto.js'

const blockLength = 64
const digestLength = 32
const macLength = 16

// One hash at a time is computed, start to end, in this state; clean() leaves nothing of it behind.
const state = new Int32Array(8)
const block = new Uint8Array(blockLength)
let filled = 0 // bytes waiting in `block`
let count = 0 // bytes hashed, those that wait not included

function start(outLength: number, key?: Uint8Array): void {
  const keyLength = key?.length ?? 0
  if (keyLength > 32) throw new RangeError(`a BLAKE2s key of ${keyLength} bytes, where 32 are the most`)
  initialize(state, outLength, keyLength)
  filled = 0
  count = 0
  if (key === undefined || keyLength === 0) return
  block.fill(0)
  block.set(key)
  filled = blockLength
}

/** A full block waits until more follows, since the last one is compressed apart. */
function update(bytes: Uint8Array, offset: number, length: number): void {
  const end = offset + length
  let at = offset
  while (at < end) {
    if (filled === blockLength) {
      count += blockLength
      compress(state, block, 0, count, false)
      filled = 0
    }
    if (filled === 0) {
      for (; end - at > blockLength; at += blockLength) {
        count += blockLength
        compress(state, bytes, at, count, false)
      }
    }
    const taken = Math.min(blockLength - filled, end - at)
    for (let i = 0; i < taken; i++) block[filled + i] = bytes[at + i] as number
    filled += taken
    at += taken
  }
}

function finish(out: Uint8Array, outOffset: number, outLength: number): void {
  block.fill(0, filled)
  compress(state, block, 0, count + filled, true)
  for (let i = 0; i < outLength; i++) out[outOffset + i] = (state[i >> 2] as number) >>> (8 * (i & 3))
}

function clean(): void {
  state.fill(0)
  block.fill(0)
  wipeWords()
}

/** BLAKE2s of `message` with 1 to 32 bytes of result and, optionally, a key of at most 32 bytes. */
export function blake2s(message: Uint8Array, outLength: number = digestLength, key?: Uint8Array): Uint8Array {
  const out = new Uint8Array(outLength)
  start(outLength, key)
  update(message, 0, message.length)
  finish(out, 0, outLength)
  clean()
  return out
}

/** BLAKE2s-256 of the parts one after the other. */
export function hashBlake2s(...parts: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(digestLength)
  start(digestLength)
  for (const part of parts) update(part, 0, part.length)
  finish(out, 0, digestLength)
  clean()
  return out
}

const pad = new Uint8Array(blockLength)

/** HMAC-BLAKE2s-256 of the parts one after the other, with a key of at most 64 bytes. */
export function hmacBlake2s(key: Uint8Array, ...parts: readonly Uint8Array[]): Uint8Array {
  if (key.length > blockLength) throw new RangeError(`an HMAC key of ${key.length} bytes, where 64 are the most`)
  const out = new Uint8Array(digestLength)
  for (let i = 0; i < blockLength; i++) pad[i] = 0x36 ^ (key[i] ?? 0)
  start(digestLength)
  update(pad, 0, blockLength)
  for (const part of parts) update(part, 0, part.length)
  finish(out, 0, digestLength)
  for (let i = 0; i < blockLength; i++) pad[i] = 0x5c ^ (key[i] ?? 0)
  start(digestLength)
  update(pad, 0, blockLength)
  update(out, 0, digestLength)
  finish(out, 0, digestLength)
  pad.fill(0)
  clean()
  return out
}

/** Keyed BLAKE2s-128 for messages of at least one byte, under a key of 1 to 32 bytes. */
export function macKeyBlake2s(key: Uint8Array): MacKey {
  if (key.length === 0) throw new RangeError('a MAC key of 0 bytes')
  start(macLength, key)
  compress(state, block, 0, blockLength, false)
  const keyed = new Int32Array(new ArrayBuffer(32))
  keyed.set(state)
  clean()
  const expected = new Uint8Array(macLength)

  function compute(bytes: Uint8Array, offset: number, length: number, out: Uint8Array, outOffset: number): void {
    if (length < 1) throw new RangeError('a MAC of 0 bytes')
    for (let i = 0; i < 8; i++) state[i] = keyed[i] as number
    filled = 0
    count = blockLength
    update(bytes, offset, length)
    finish(out, outOffset, macLength)
  }

  return {
    compute,
    verify(bytes, offset, length, macOffset) {
      compute(bytes, offset, length, expected, 0)
      return equalAt(expected, 0, bytes, macOffset, macLength)
    },
    wipe() {
      keyed.fill(0)
    },
  }
}

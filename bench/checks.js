// Compares results with the published vectors, so that a benchmark cannot measure something that is wrong.
import { deepStrictEqual } from 'node:assert'
import { readFileSync } from 'node:fs'
import { onesSum } from '../dist/core/wire/checksum.js'

const hex = text => Uint8Array.from(Buffer.from(text, 'hex'))
const read = name => JSON.parse(readFileSync(new URL(`../vectors/${name}.json`, import.meta.url), 'utf8'))

/** Returns how many results were compared; throws at the first that differs. */
export function checkBackend(crypto) {
  let compared = 0
  const equal = (actual, expected) => {
    deepStrictEqual(Buffer.from(actual ?? []).toString('hex'), expected)
    compared++
  }
  for (const { scalar, u, result } of read('rfc7748-x25519').functions)
    equal(crypto.dh(crypto.privateKey(hex(scalar)), hex(u)), result)
  for (const { key, nonce, additional, plaintext, sealed } of read('rfc8439-aead').vectors) {
    equal(crypto.seal(hex(key), hex(nonce), hex(plaintext), hex(additional)), sealed)
    equal(crypto.open(hex(key), hex(nonce), hex(sealed), hex(additional)), plaintext)
  }
  for (const { key, nonce, additional, plaintext, sealed } of read('xchacha-aead').vectors)
    equal(crypto.xseal(hex(key), hex(nonce), hex(plaintext), hex(additional)), sealed)
  for (const { input, hash } of read('rfc7693-blake2s').vectors) equal(crypto.hash(hex(input)), hash)
  checkTransport(crypto, equal)
  return compared
}

/** The transport keys work in place and by a path of their own: they are held to `seal`, which the vectors hold. */
function checkTransport(crypto, equal) {
  const key = new Uint8Array(32).fill(9)
  const memory = crypto.createMemory(65536, 2048)
  const transport = crypto.transportKey(key)
  for (const length of [0, 1, 16, 63, 64, 65, 1420]) {
    const plaintext = Uint8Array.from({ length }, (_, i) => i % 251)
    const nonce = new Uint8Array(12)
    new DataView(nonce.buffer).setUint32(4, length, true)
    const slot = memory.alloc()
    memory.u8.set(plaintext, slot)
    transport.seal(memory, slot, length, 0, length)
    const expected = Buffer.from(crypto.seal(key, nonce, plaintext, new Uint8Array(0))).toString('hex')
    equal(memory.u8.subarray(slot, slot + length + 16), expected)
    deepStrictEqual(transport.open(memory, slot, length + 16, 0, length), true)
    equal(memory.u8.subarray(slot, slot + length), Buffer.from(plaintext).toString('hex'))
    memory.free(slot)
  }
}

/** Against a sum by single words. */
export function checkChecksum(memory) {
  let compared = 0
  for (const length of [0, 1, 2, 3, 20, 21, 1399, 1400, 9001])
    for (const offset of [0, 1, 2, 3, 20]) {
      let sum = 0
      for (let i = 0; i < length; i++) sum += memory.u8[offset + i] * (i % 2 === 0 ? 256 : 1)
      while (sum > 0xffff) sum = (sum % 65536) + Math.floor(sum / 65536)
      deepStrictEqual(onesSum(memory, offset, length), sum)
      compared++
    }
  return compared
}

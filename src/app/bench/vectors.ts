// The published vectors that the package brings (vectors/README.md names their sources), and what of a crypto backend is held
// to them before it is timed.
import { readFileSync } from 'node:fs'
import type { Crypto } from '../../core/crypto/crypto.js'
import type { Expect } from './tasks.js'

export function hex(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, 'hex'))
}

export function readVectors<T>(name: string): T {
  return JSON.parse(readFileSync(new URL(`../../../vectors/${name}.json`, import.meta.url), 'utf8'))
}

interface AeadVectors {
  readonly vectors: readonly { key: string; nonce: string; additional: string; plaintext: string; sealed: string }[]
}

interface TransportVectors {
  readonly key: string
  readonly accepted: readonly TransportMessage[]
  readonly refused: readonly TransportMessage[]
}

interface TransportMessage {
  /** Decimal: a JSON number ends at 2^53. */
  readonly counter: string
  /** The IP packet inside. */
  readonly packet: string
  readonly message: string
}

export function transportVectors(): TransportVectors {
  return readVectors('wireguard-transport')
}

/** The counter's two halves. */
export function halves(counter: string): [hi: number, lo: number] {
  const value = BigInt(counter)
  return [Number(value >> 32n), Number(value & 0xffff_ffffn)]
}

/** RFC 8439. */
export function checkAead(crypto: Pick<Crypto, 'seal' | 'open'>, expect: Expect): void {
  const { vectors } = readVectors<AeadVectors>('rfc8439-aead')
  for (const { key, nonce, additional, plaintext, sealed } of vectors) {
    const [k, n, a] = [hex(key), hex(nonce), hex(additional)]
    expect('what RFC 8439 seals', crypto.seal(k, n, hex(plaintext), a), sealed)
    expect('what RFC 8439 opens', crypto.open(k, n, hex(sealed), a), plaintext)
  }
}

/** WireGuard's data messages at counters where numbers end. */
export function checkTransport(crypto: Crypto, expect: Expect): void {
  const { key, accepted } = transportVectors()
  const memory = crypto.createMemory(65536, 2048)
  const transport = crypto.transportKey(hex(key))
  for (const { counter, packet, message } of accepted) {
    const slot = memory.alloc()
    const sealed = message.slice(32)
    const length = sealed.length / 2
    const [hi, lo] = halves(counter)
    const plaintext = packet.padEnd((length - 16) * 2, '0')
    memory.u8.set(hex(plaintext), slot)
    transport.seal(memory, slot, length - 16, hi, lo)
    expect(`the message at counter ${counter}`, memory.u8.subarray(slot, slot + length), sealed)
    expect(`whether it is genuine at counter ${counter}`, transport.open(memory, slot, length, hi, lo), true)
    expect(`the packet at counter ${counter}`, memory.u8.subarray(slot, slot + length - 16), plaintext)
    memory.free(slot)
  }
}

/** RFC 7748, 5.2, and public keys that must give nothing. */
export function checkX25519(crypto: Crypto, expect: Expect): void {
  const { functions } = readVectors<{ functions: { scalar: string; u: string; result: string }[] }>('rfc7748-x25519')
  for (const { scalar, u, result } of functions)
    expect('X25519 of RFC 7748', crypto.dh(crypto.privateKey(hex(scalar)), hex(u)), result)
  const key = crypto.privateKey(new Uint8Array(32).fill(5))
  for (const publicKey of readVectors<{ publicKeys: string[] }>('x25519-low-order').publicKeys)
    expect('X25519 with a key of low order', crypto.dh(key, hex(publicKey)) === undefined, true)
}

/** RFC 7693, B. */
export function checkHash(crypto: Crypto, expect: Expect): void {
  for (const { input, hash } of readVectors<{ vectors: { input: string; hash: string }[] }>('rfc7693-blake2s').vectors)
    expect('BLAKE2s of RFC 7693', crypto.hash(hex(input)), hash)
}

interface Fields {
  readonly initiator: { readonly static: { readonly public: string } }
  readonly responder: { readonly static: { readonly public: string } }
  readonly initiation: { readonly message: string }
  readonly response: { readonly message: string }
}

/** MAC1 of whole WireGuard messages, under the key that is their receiver's public key's hash. */
export function checkMac(crypto: Crypto, expect: Expect): void {
  for (const { initiator, responder, initiation, response } of readVectors<{ vectors: Fields[] }>('wireguard-protocol')
    .vectors) {
    for (const [receiver, { message }] of [
      [responder, initiation],
      [initiator, response],
    ] as const) {
      const bytes = hex(message)
      const covered = bytes.length - 32
      const mac = crypto.macKey(crypto.hash(Buffer.from('mac1----'), hex(receiver.static.public)))
      const out = new Uint8Array(16)
      mac.compute(bytes, 0, covered, out, 0)
      expect("a message's MAC1", out, Buffer.from(bytes.subarray(covered, covered + 16)).toString('hex'))
    }
  }
}

/** RFC 1071, word by word. */
export function slowSum(bytes: Uint8Array, offset: number, length: number): number {
  let sum = 0
  for (let i = 0; i < length; i++) sum += (bytes[offset + i] as number) * (i % 2 === 0 ? 256 : 1)
  while (sum > 0xffff) sum = (sum % 65536) + Math.floor(sum / 65536)
  return sum
}

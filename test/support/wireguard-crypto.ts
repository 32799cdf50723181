// Every backend that exists, and the vectors that each is held to.
import type { Crypto } from '../../src/core/crypto/crypto.js'
import { selectCrypto } from '../../src/node/crypto/select.js'

export const backends: [name: string, crypto: Crypto][] = [
  ['noble', selectCrypto('noble')],
  ['node', selectCrypto('node')],
  ['simd', selectCrypto('simd')],
]

export function bytesOf(hex: string): Uint8Array {
  return Uint8Array.from(Buffer.from(hex, 'hex'))
}

export function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}

export { loadVectors } from './vectors.js'

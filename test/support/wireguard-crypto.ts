// Every backend that exists, and the vectors that each is held to.
import { readFileSync } from 'node:fs'
import type { Crypto } from '../../src/core/crypto/crypto.js'
import { selectCrypto } from '../../src/node/crypto/select.js'

export const backends: [name: string, crypto: Crypto][] = [
  ['noble', selectCrypto('noble')],
  ['node', selectCrypto('node')],
]

export function bytesOf(hex: string): Uint8Array {
  return Uint8Array.from(Buffer.from(hex, 'hex'))
}

export function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}

/** A file of vectors/, which must say where it comes from. */
export function loadVectors<T>(name: string): T {
  const file = JSON.parse(readFileSync(new URL(`../../vectors/${name}.json`, import.meta.url), 'utf8'))
  if (typeof file.source !== 'string') throw new Error(`vectors/${name}.json names no source`)
  return file
}

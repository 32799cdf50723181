// The reference backend with noble's own X25519 (BigInt: not constant-time, 0.8 ms).
import { x25519 } from '@noble/curves/ed25519.js'
import type { Crypto } from '../crypto.js'
import { createNobleCrypto } from './noble.js'

export const nobleCrypto: Crypto = createNobleCrypto(x25519)

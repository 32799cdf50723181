// Which backend a tunnel uses: the one that was named, else the fastest that this runtime has.
import { createRequire } from 'node:module'
import type { Crypto } from '../../core/crypto/crypto.js'
import { createNobleCrypto, type NobleX25519 } from '../../core/crypto/noble/noble.js'
import { TunnelError } from '../../errors.js'
import { nodeCrypto } from './node.js'
import { createSimdCrypto, SimdModule, simdUnavailable } from './simd/simd.js'

/** From the fastest on. */
export type CryptoName = 'simd' | 'node' | 'noble'

const backends = new Map<CryptoName, Crypto>()

/**
 * The backend called `name`, or the fastest one. Throws CRYPTO_UNAVAILABLE if this runtime lacks what it needs, RangeError for
 * an unknown name.
 */
export function selectCrypto(name?: CryptoName): Crypto {
  const chosen = name ?? fastest()
  let crypto = backends.get(chosen)
  if (crypto === undefined) {
    crypto = create(chosen)
    backends.set(chosen, crypto)
  }
  return crypto
}

/**
 * The backend called `name` and what `make` makes with it; without a name the fastest one that has packet memory for it, which
 * is the only thing that `make` may fail to get with CRYPTO_UNAVAILABLE.
 */
export function withCrypto<Made>(name: CryptoName | undefined, make: (crypto: Crypto) => Made): [Crypto, Made] {
  const crypto = selectCrypto(name)
  try {
    return [crypto, make(crypto)]
  } catch (error) {
    if (name !== undefined || !(error instanceof TunnelError) || error.code !== 'CRYPTO_UNAVAILABLE') throw error
    const next = selectCrypto(withoutSimd())
    return [next, make(next)]
  }
}

function fastest(): CryptoName {
  return simdModule() instanceof SimdModule ? 'simd' : withoutSimd()
}

function withoutSimd(): CryptoName {
  return nodeCryptoWorks() ? 'node' : 'noble'
}

function create(name: CryptoName): Crypto {
  switch (name) {
    case 'simd':
      return createSimd()
    case 'node':
      return nodeCrypto
    case 'noble':
      return createNobleCrypto(loadX25519())
    default:
      throw new RangeError(`there is no crypto backend '${name}': use 'simd', 'node' or 'noble'`)
  }
}

function createSimd(): Crypto {
  const module = simdModule()
  if (module instanceof SimdModule) return createSimdCrypto(module, selectCrypto(withoutSimd()))
  throw simdUnavailable(module)
}

let loaded: SimdModule | Error | undefined

function simdModule(): SimdModule | Error {
  loaded ??= SimdModule.load()
  return loaded
}

/** Loaded only here, since most processes never need it and it is a third of the start-up time. */
function loadX25519(): NobleX25519 {
  const require = createRequire(import.meta.url)
  return (require('@noble/curves/ed25519.js') as typeof import('@noble/curves/ed25519.js')).x25519
}

let works: boolean | undefined

/** Some builds of OpenSSL, and FIPS mode, lack X25519 or ChaCha20-Poly1305. */
function nodeCryptoWorks(): boolean {
  works ??= probe()
  return works
}

function probe(): boolean {
  const bytes = new Uint8Array(32).fill(9)
  try {
    const key = nodeCrypto.privateKey(bytes)
    nodeCrypto.seal(bytes, bytes.subarray(0, 12), bytes, bytes)
    return nodeCrypto.dh(key, key.publicKey) !== undefined
  } catch {
    return false
  }
}

import { afterEach, describe, expect, it, vi } from 'vitest'
import type { Crypto } from '../../../../src/core/crypto/crypto.js'
import { random } from '../../../../src/node/crypto/random.js'
import { selectCrypto, withCrypto } from '../../../../src/node/crypto/select.js'

describe('choosing a backend', () => {
  afterEach(() => {
    vi.unstubAllGlobals()
    vi.resetModules()
  })

  it('takes the fastest one, or the one that is named', () => {
    expect(selectCrypto().name).toBe('simd')
    for (const name of ['simd', 'node', 'noble'] as const) expect(selectCrypto(name).name).toBe(name)
    expect(selectCrypto()).toBe(selectCrypto('simd'))
    expect(selectCrypto('noble')).toBe(selectCrypto('noble'))
  })

  it('takes the next one where WebAssembly is missing, and says why the fastest cannot be had', async () => {
    vi.resetModules()
    vi.stubGlobal('WebAssembly', undefined)
    const { selectCrypto } = await import('../../../../src/node/crypto/select.js')
    expect(selectCrypto().name).toBe('node')
    expect(() => selectCrypto('simd')).toThrow(
      expect.objectContaining({
        code: 'CRYPTO_UNAVAILABLE',
        message:
          "the crypto backend 'simd' cannot run here (this runtime has no WebAssembly): leave the choice to tunless, or use 'node' or 'noble'",
      }),
    )
  })

  it('takes the next one where the fastest has no memory left, unless it was named', () => {
    const tooMuch = (crypto: Crypto) => crypto.createMemory(crypto.name === 'simd' ? 2 ** 40 : 2048, 2048)
    const [crypto, memory] = withCrypto(undefined, tooMuch)
    expect(crypto.name).toBe('node')
    expect(memory.capacity).toBe(1)
    expect(() => withCrypto('simd', tooMuch)).toThrow(expect.objectContaining({ code: 'CRYPTO_UNAVAILABLE' }))
    expect(() =>
      withCrypto(undefined, () => {
        throw new RangeError('another')
      }),
    ).toThrow('another')
  })

  it('says which ones there are when asked for another', () => {
    expect(() => selectCrypto('rot13' as 'node')).toThrow(
      "there is no crypto backend 'rot13': use 'simd', 'node' or 'noble'",
    )
  })
})

describe('randomness', () => {
  it('fills the whole array, differently each time', () => {
    const [a, b] = [new Uint8Array(32), new Uint8Array(32)]
    random(a)
    random(b)
    expect(a).not.toEqual(b)
    expect(a.subarray(24)).not.toEqual(new Uint8Array(8))
  })
})

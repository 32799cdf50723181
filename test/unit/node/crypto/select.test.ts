import { describe, expect, it } from 'vitest'
import { random } from '../../../../src/node/crypto/random.js'
import { selectCrypto } from '../../../../src/node/crypto/select.js'

describe('choosing a backend', () => {
  it('takes the fastest one, or the one that is named', () => {
    expect(selectCrypto().name).toBe('node')
    expect(selectCrypto('node').name).toBe('node')
    expect(selectCrypto('noble').name).toBe('noble')
    expect(selectCrypto('noble')).toBe(selectCrypto('noble'))
  })

  it('says which ones there are when asked for another', () => {
    expect(() => selectCrypto('rot13' as 'node')).toThrow("there is no crypto backend 'rot13': use 'node' or 'noble'")
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

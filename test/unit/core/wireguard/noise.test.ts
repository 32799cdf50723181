import { describe, expect, it } from 'vitest'
import { concatBytes, writeNonce } from '../../../../src/core/crypto/bytes.js'
import {
  readInitiationPayload,
  readInitiationStatic,
  readResponse,
  SymmetricState,
  writeInitiation,
  writeResponse,
} from '../../../../src/core/wireguard/noise.js'
import { backends, bytesOf, hexOf, loadVectors } from '../../../support/wireguard-crypto.js'

interface NoiseVector {
  protocol_name: string
  init_prologue: string
  init_psks: [string]
  init_static: string
  init_ephemeral: string
  init_remote_static: string
  resp_prologue: string
  resp_psks: [string]
  resp_static: string
  resp_ephemeral: string
  handshake_hash: string
  messages: { payload: string; ciphertext: string }[]
}

const { vectors } = loadVectors<{ vectors: NoiseVector[] }>('noise-ikpsk2')

describe.each(backends)('Noise on the %s backend', (_name, crypto) => {
  it.each(vectors)('runs the published vector of $protocol_name byte for byte (W1)', vector => {
    const name = new TextEncoder().encode(vector.protocol_name)
    const [first, second, ...transport] = vector.messages
    const nothing = new Uint8Array(0)

    const initiator = SymmetricState.start(crypto, name, bytesOf(vector.init_prologue))
    const initStatic = crypto.privateKey(bytesOf(vector.init_static))
    const initEphemeral = crypto.privateKey(bytesOf(vector.init_ephemeral))
    const remoteStatic = bytesOf(vector.init_remote_static)
    const initiation = writeInitiation(
      crypto,
      initiator,
      initEphemeral,
      initStatic,
      remoteStatic,
      crypto.dh(initStatic, remoteStatic)!,
      bytesOf(first!.payload),
    )!
    expect(hexOf(concatBytes(initiation.ephemeral, initiation.encryptedStatic, initiation.encryptedPayload))).toBe(
      first!.ciphertext,
    )

    const responder = SymmetricState.start(crypto, name, bytesOf(vector.resp_prologue))
    const respStatic = crypto.privateKey(bytesOf(vector.resp_static))
    const caller = readInitiationStatic(crypto, responder, respStatic, initiation)!
    expect(caller).toEqual(initStatic.publicKey)
    const opened = readInitiationPayload(responder, crypto.dh(respStatic, caller)!, initiation.encryptedPayload)!
    expect(hexOf(opened)).toBe(first!.payload)

    const response = writeResponse(
      crypto,
      responder,
      crypto.privateKey(bytesOf(vector.resp_ephemeral)),
      initiation.ephemeral,
      caller,
      bytesOf(vector.resp_psks[0]),
      bytesOf(second!.payload),
    )!
    expect(hexOf(concatBytes(response.ephemeral, response.encryptedPayload))).toBe(second!.ciphertext)
    const midway = initiator.clone()
    midway.mixHash(response.ephemeral)
    expect(hexOf(midway.hash)).toBe(vector.handshake_hash)

    const answer = readResponse(crypto, initiator, initEphemeral, initStatic, bytesOf(vector.init_psks[0]), response)!
    expect(hexOf(answer)).toBe(second!.payload)

    expect(responder.hash).toEqual(initiator.hash)
    const keys = initiator.split()
    expect(responder.split()).toEqual(keys)
    transport.forEach(({ payload, ciphertext }, i) => {
      const nonce = new Uint8Array(12)
      writeNonce(nonce, 0, i >> 1)
      expect(hexOf(crypto.seal(keys[i % 2]!, nonce, bytesOf(payload), nothing))).toBe(ciphertext)
      expect(hexOf(crypto.open(keys[i % 2]!, nonce, bytesOf(ciphertext), nothing)!)).toBe(payload)
    })
  })
})

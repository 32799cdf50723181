// A whole Noise_IKpsk2 handshake, both sides of it, as a function that can be repeated.
import { deepStrictEqual } from 'node:assert'
import {
  readInitiationPayload,
  readInitiationStatic,
  readResponse,
  SymmetricState,
  writeInitiation,
  writeResponse,
} from '../dist/core/wireguard/noise.js'

const name = Buffer.from('Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s')
const empty = new Uint8Array(0)
const presharedKey = new Uint8Array(32).fill(4)
const timestamp = new Uint8Array(12)

/** Throws if the two sides do not agree. */
export function createHandshake(crypto) {
  let seed = 0
  const fresh = () => {
    const secret = new Uint8Array(32).fill(8)
    new DataView(secret.buffer).setUint32(4, seed++)
    return crypto.privateKey(secret)
  }
  const [a, b] = [fresh(), fresh()]
  const aWithB = crypto.dh(a, b.publicKey)
  const bWithA = crypto.dh(b, a.publicKey)
  return () => {
    const initiator = SymmetricState.start(crypto, name, empty)
    const responder = SymmetricState.start(crypto, name, empty)
    const [ephemeralOfA, ephemeralOfB] = [fresh(), fresh()]
    const initiation = writeInitiation(crypto, initiator, ephemeralOfA, a, b.publicKey, aWithB, timestamp)
    const caller = readInitiationStatic(crypto, responder, b, initiation)
    readInitiationPayload(responder, bWithA, initiation.encryptedPayload)
    const response = writeResponse(crypto, responder, ephemeralOfB, ephemeralOfA.publicKey, caller, presharedKey, empty)
    if (readResponse(crypto, initiator, ephemeralOfA, a, presharedKey, response) === undefined)
      throw new Error('the response is not genuine')
    deepStrictEqual(initiator.split(), responder.split())
  }
}

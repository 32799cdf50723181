// A whole Noise_IKpsk2 handshake, both sides of it, as a function that can be repeated.
import type { Crypto, PrivateKey } from '../../core/crypto/crypto.js'
import {
  type InitiationFields,
  type ResponseFields,
  readInitiationPayload,
  readInitiationStatic,
  readResponse,
  SymmetricState,
  writeInitiation,
  writeResponse,
} from '../../core/wireguard/noise.js'
import type { Expect } from './tasks.js'
import { hex, readVectors } from './vectors.js'

const protocolName = Buffer.from('Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s')

interface Published {
  readonly init_prologue: string
  readonly init_psks: readonly string[]
  readonly init_static: string
  readonly init_ephemeral: string
  readonly resp_static: string
  readonly resp_ephemeral: string
  readonly messages: readonly { readonly payload: string; readonly ciphertext: string }[]
}

interface Setting {
  readonly prologue: Uint8Array
  readonly presharedKey: Uint8Array
  readonly initiator: PrivateKey
  readonly responder: PrivateKey
  /** The DH of the two static keys, as each side has it. */
  readonly near: Uint8Array
  readonly far: Uint8Array
  readonly payloads: readonly [Uint8Array, Uint8Array]
}

interface Shaken {
  readonly initiation: InitiationFields
  readonly response: ResponseFields
  readonly payloads: readonly [Uint8Array | undefined, Uint8Array | undefined]
  readonly keys: readonly [initiator: readonly Uint8Array[], responder: readonly Uint8Array[]]
}

/** Throws if the two sides do not understand each other. */
function shake(crypto: Crypto, setting: Setting, ephemeral: PrivateKey, answering: PrivateKey): Shaken {
  const { prologue, presharedKey, initiator, responder, near, far, payloads } = setting
  const a = SymmetricState.start(crypto, protocolName, prologue)
  const b = SymmetricState.start(crypto, protocolName, prologue)
  const initiation = writeInitiation(crypto, a, ephemeral, initiator, responder.publicKey, near, payloads[0])
  const caller = initiation && readInitiationStatic(crypto, b, responder, initiation)
  if (initiation === undefined || caller === undefined) throw new Error('the initiation is not genuine')
  const heard = readInitiationPayload(b, far, initiation.encryptedPayload)
  const response = writeResponse(crypto, b, answering, ephemeral.publicKey, caller, presharedKey, payloads[1])
  const answer = response && readResponse(crypto, a, ephemeral, initiator, presharedKey, response)
  if (response === undefined || answer === undefined) throw new Error('the response is not genuine')
  return { initiation, response, payloads: [heard, answer], keys: [a.split(), b.split()] }
}

function settingOf(
  crypto: Crypto,
  initiator: PrivateKey,
  responder: PrivateKey,
  rest: Pick<Setting, 'prologue' | 'presharedKey' | 'payloads'>,
): Setting {
  const near = crypto.dh(initiator, responder.publicKey)
  const far = crypto.dh(responder, initiator.publicKey)
  if (near === undefined || far === undefined) throw new Error('a key is of low order')
  return { ...rest, initiator, responder, near, far }
}

/** Cacophony's vectors, with this very code. */
export function checkHandshake(crypto: Crypto, expect: Expect): void {
  for (const published of readVectors<{ vectors: Published[] }>('noise-ikpsk2').vectors) {
    const key = (secret: string) => crypto.privateKey(hex(secret))
    const [first, second, ...data] = published.messages
    if (first === undefined || second === undefined) throw new Error('the vectors have no messages')
    const setting = settingOf(crypto, key(published.init_static), key(published.resp_static), {
      prologue: hex(published.init_prologue),
      presharedKey: hex(published.init_psks[0] ?? ''),
      payloads: [hex(first.payload), hex(second.payload)],
    })
    const { initiation, response, payloads, keys } = shake(
      crypto,
      setting,
      key(published.init_ephemeral),
      key(published.resp_ephemeral),
    )
    const { ephemeral, encryptedStatic, encryptedPayload } = initiation
    expect('the first message', Buffer.concat([ephemeral, encryptedStatic, encryptedPayload]), first.ciphertext)
    expect('the second message', Buffer.concat([response.ephemeral, response.encryptedPayload]), second.ciphertext)
    expect('the first payload', payloads[0], first.payload)
    expect('the second payload', payloads[1], second.payload)
    for (const side of keys) {
      // The sides speak by turns, the initiator first; each has a counter of its own.
      data.forEach(({ payload, ciphertext }, index) => {
        const nonce = new Uint8Array(12)
        nonce[4] = index >> 1
        const sealed = crypto.seal(side[index % 2] as Uint8Array, nonce, hex(payload), new Uint8Array(0))
        expect('a message after the handshake', sealed, ciphertext)
      })
    }
  }
}

/** Handshakes with ephemeral keys of their own; throws if the two sides do not agree. */
export function createHandshake(crypto: Crypto): () => void {
  let seed = 0
  const fresh = () => {
    const secret = new Uint8Array(32).fill(8)
    new DataView(secret.buffer).setUint32(4, seed++)
    return crypto.privateKey(secret)
  }
  const setting = settingOf(crypto, fresh(), fresh(), {
    prologue: new Uint8Array(0),
    presharedKey: new Uint8Array(32).fill(4),
    payloads: [new Uint8Array(12), new Uint8Array(0)],
  })
  return () => {
    const { keys } = shake(crypto, setting, fresh(), fresh())
    for (const which of [0, 1]) {
      if (Buffer.compare(keys[0][which] as Uint8Array, keys[1][which] as Uint8Array) !== 0)
        throw new Error('the two sides have different keys')
    }
  }
}

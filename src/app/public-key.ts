// A private key's public key, by whichever backend the tunnel would use.
import { selectCrypto } from '../node/crypto/select.js'

export function publicKeyOf(privateKey: Uint8Array): Uint8Array {
  const handle = selectCrypto().privateKey(privateKey)
  try {
    return handle.publicKey.slice()
  } finally {
    handle.wipe()
  }
}

// Other people's ChaCha20-Poly1305, measured beside our backends. Each gets its own best: kept keys and contexts, and buffers to
// write to, where its interface takes them.
import { createCipheriv, createDecipheriv, createSecretKey } from 'node:crypto'
import chainsafe from '@chainsafe/as-chacha20poly1305'
import { chacha20poly1305 } from '@noble/ciphers/chacha.js'
import sodium from 'libsodium-wrappers'
import { checkAead } from '../../dist/app/bench/vectors.js'

const tag = 16
const nothing = new Uint8Array(0)

/** With `seal(key, nonce, plaintext, additional)` and `open`, as RFC 8439 has them; open gives undefined or null, or throws. */
function candidate(name, { seal, open, prepareKey = key => key }) {
  const attempt = (...call) => {
    try {
      return open(...call) ?? undefined
    } catch {
      return undefined // not genuine
    }
  }
  return {
    name,
    check: expect =>
      checkAead(
        {
          seal: (key, ...rest) => seal(prepareKey(key), ...rest),
          open: (key, ...rest) => attempt(prepareKey(key), ...rest),
        },
        expect,
      ),
    prepare(bytes, size, count) {
      const key = prepareKey(bytes)
      const plaintexts = Array.from({ length: count }, () => new Uint8Array(size))
      const sealed = Array.from({ length: count }, () => new Uint8Array(size + tag))
      const left = []
      const nonce = new Uint8Array(12)
      const view = new DataView(nonce.buffer)
      return {
        fill: (index, plaintext) => plaintexts[index].set(plaintext),
        seal(index, counter) {
          view.setUint32(4, counter, true)
          sealed[index] = left[index] = seal(key, nonce, plaintexts[index], nothing)
        },
        open(index, counter) {
          view.setUint32(4, counter, true)
          const opened = attempt(key, nonce, sealed[index], nothing)
          left[index] = opened
          return opened !== undefined
        },
        content: index => left[index],
      }
    },
  }
}

const algorithm = 'chacha20-poly1305'
const options = { authTagLength: tag }

const nodeCrypto = candidate('node-crypto', {
  prepareKey: createSecretKey,
  seal(key, nonce, plaintext, additional) {
    const cipher = createCipheriv(algorithm, key, nonce, options)
    if (additional.length > 0) cipher.setAAD(additional, { plaintextLength: plaintext.length })
    const sealed = new Uint8Array(plaintext.length + tag)
    sealed.set(cipher.update(plaintext))
    cipher.final()
    sealed.set(cipher.getAuthTag(), plaintext.length)
    return sealed
  },
  open(key, nonce, sealed, additional) {
    const decipher = createDecipheriv(algorithm, key, nonce, options)
    if (additional.length > 0) decipher.setAAD(additional, { plaintextLength: sealed.length - tag })
    decipher.setAuthTag(sealed.subarray(sealed.length - tag))
    const opened = decipher.update(sealed.subarray(0, sealed.length - tag))
    decipher.final()
    return opened
  },
})

const noble = candidate('noble-ciphers', {
  seal: (key, nonce, plaintext, additional) => chacha20poly1305(key, nonce, additional).encrypt(plaintext),
  open: (key, nonce, sealed, additional) => chacha20poly1305(key, nonce, additional).decrypt(sealed),
})

function createLibsodium() {
  const { crypto_aead_chacha20poly1305_ietf_encrypt: encrypt, crypto_aead_chacha20poly1305_ietf_decrypt: decrypt } =
    sodium
  return candidate('libsodium', {
    seal: (key, nonce, plaintext, additional) => encrypt(plaintext, additional, null, nonce, key),
    open: (key, nonce, sealed, additional) => decrypt(null, sealed, additional, nonce, key),
  })
}

function createChainsafe() {
  const cipher = new chainsafe.ChaCha20Poly1305(chainsafe.newInstance())
  return candidate('as-chacha20poly1305', {
    seal: (key, nonce, plaintext, additional) => cipher.seal(key, nonce, plaintext, additional),
    open: (key, nonce, sealed, additional) => cipher.open(key, nonce, sealed, additional),
  })
}

export async function aeadPeers() {
  await sodium.ready
  return [nodeCrypto, noble, createLibsodium(), createChainsafe()]
}

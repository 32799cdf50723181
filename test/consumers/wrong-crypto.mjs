// Loaded before a program: from then on OpenSSL's ciphers give something else in their first byte.
import crypto from 'node:crypto'
import { syncBuiltinESMExports } from 'node:module'

const { createCipheriv } = crypto
crypto.createCipheriv = (...args) => {
  const cipher = createCipheriv(...args)
  const update = cipher.update.bind(cipher)
  cipher.update = (...call) => {
    const bytes = update(...call)
    if (bytes.length > 0) bytes[0] ^= 1
    return bytes
  }
  return cipher
}
syncBuiltinESMExports()

// Keys in text: exactly 44 characters of base64 with canonical last bits, as wg(8) reads and writes them.
import naclUtil from 'tweetnacl-util'

export const keyLength = 32

export function encodeKey(key: Uint8Array): string {
  return naclUtil.encodeBase64(key)
}

/** The 32 bytes of a key; undefined unless `text` is the one canonical spelling of 32 bytes. */
export function decodeKey(text: string): Uint8Array | undefined {
  if (!/^[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=$/.test(text)) return undefined
  return naclUtil.decodeBase64(text)
}

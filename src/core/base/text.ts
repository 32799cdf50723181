// Text to bytes and back where the runtime's own encoders are out of reach (the core compiles without Node's and the
// DOM's types).
import naclUtil from 'tweetnacl-util'

export function utf8Bytes(text: string): Uint8Array {
  return naclUtil.decodeUTF8(text)
}

export function hex(bytes: Uint8Array): string {
  let text = ''
  for (const byte of bytes) text += byte.toString(16).padStart(2, '0')
  return text
}

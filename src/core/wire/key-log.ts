// The key log that Wireshark reads (its WireGuard preferences, `wg.keylog_file`): four lines a handshake, in this order,
// each a name and 32 bytes in base64. With one side's lines both messages and all data of the session can be read.
import { decodeKey, encodeKey } from '../base/base64.js'

/** What one side of a handshake knows and an onlooker does not. */
export interface HandshakeSecrets {
  readonly localStatic: Uint8Array
  /** Public, as it has to say whom the session is with. */
  readonly remoteStatic: Uint8Array
  readonly localEphemeral: Uint8Array
  /** 32 zero bytes where there is none. */
  readonly presharedKey: Uint8Array
}

const names = {
  localStatic: 'LOCAL_STATIC_PRIVATE_KEY',
  remoteStatic: 'REMOTE_STATIC_PUBLIC_KEY',
  localEphemeral: 'LOCAL_EPHEMERAL_PRIVATE_KEY',
  presharedKey: 'PRESHARED_KEY',
} as const

const fields = Object.keys(names) as (keyof HandshakeSecrets)[]

/** Four lines, each with its line break. */
export function serialiseKeyLog(secrets: HandshakeSecrets): string {
  return fields.map(field => `${names[field]} = ${encodeKey(secrets[field])}\n`).join('')
}

/** The handshakes of a key log; undefined if a line is not one, or they are out of order. */
export function parseKeyLog(text: string): HandshakeSecrets[] | undefined {
  const lines = text.split('\n').filter(line => line.trim() !== '')
  if (lines.length % fields.length !== 0) return undefined
  const handshakes: HandshakeSecrets[] = []
  for (let i = 0; i < lines.length; i += fields.length) {
    const found: Partial<Record<keyof HandshakeSecrets, Uint8Array>> = {}
    for (const [at, field] of fields.entries()) {
      const [, name, value = ''] = /^\s*(\w+)\s*=\s*(\S+)\s*$/.exec(lines[i + at] as string) ?? []
      const key = decodeKey(value)
      if (name !== names[field] || key === undefined) return undefined
      found[field] = key
    }
    handshakes.push(found as HandshakeSecrets)
  }
  return handshakes
}

// genkey, genpsk and pubkey, byte for byte as wg(8) has them, so that scripts need not know the difference.
import { fstatSync } from 'node:fs'
import { decodeKey, encodeKey, keyLength } from '../core/base/base64.js'
import { random } from '../node/crypto/random.js'
import { createLog } from './log.js'
import { print } from './print.js'

/** Characters of a key in text. */
const textLength = 44
/** More than any key with its newline; the rest is not read. */
const longestInput = 4096

/** Prints a new key; `private` ones are clamped as X25519 uses them (RFC 7748 section 5). */
export function printNewKey(kind: 'private' | 'preshared'): void {
  if (isWorldReadableFile(1)) {
    process.stderr.write(
      'Warning: writing to world accessible file.\nConsider setting the umask to 077 and trying again.\n',
    )
  }
  print(`${encodeKey(kind === 'private' ? newPrivateKey() : newKey())}\n`)
}

export function newKey(): Uint8Array {
  const key = new Uint8Array(keyLength)
  random(key)
  return key
}

export function newPrivateKey(): Uint8Array {
  const key = newKey()
  key[0] = (key[0] as number) & 248
  key[31] = ((key[31] as number) & 127) | 64
  return key
}

/** Reads a private key from stdin and prints its public key; false, with a diagnostic, if it is none. */
export async function printPublicKey(): Promise<boolean> {
  const { readStdin } = await import('./stdin.js')
  const text = await readStdin(longestInput)
  const problem = keyProblem(text)
  if (problem !== undefined) {
    createLog('normal').error(problem)
    return false
  }
  const { publicKeyOf } = await import('./public-key.js')
  print(`${encodeKey(publicKeyOf(decodeKey(text.slice(0, textLength)) as Uint8Array))}\n`)
  return true
}

/** wg(8) takes the key's 44 characters at once, and white space after them alone. */
export function keyProblem(text: string): string | undefined {
  if (text.length < textLength) return 'Key is not the correct length or format'
  if (/[^ \t\n\v\f\r]/.test(text.slice(textLength))) return 'Trailing characters found after key'
  return decodeKey(text.slice(0, textLength)) === undefined ? 'Key is not the correct length or format' : undefined
}

function isWorldReadableFile(fd: number): boolean {
  try {
    const stat = fstatSync(fd)
    return stat.isFile() && (stat.mode & 0o007) !== 0
  } catch {
    return false
  }
}

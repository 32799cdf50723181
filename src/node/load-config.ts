// Where a configuration comes from: a file's path, a file: URL, text, or one that is parsed already.
import { closeSync, fstatSync, openSync, readFileSync, statSync } from 'node:fs'
import type { FileHandle } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { type Config, parseConfig } from '../core/config/config.js'
import { longestConfig } from '../core/config/lines.js'
import { TunnelError } from '../errors.js'

/** A string or file: URL is a path, `{ text }` is the text itself, or base64 of it. */
export type ConfigSource = string | URL | { readonly text: string; readonly name?: string } | Config

/** Rejects with CONFIG_UNREADABLE, CONFIG_INVALID or USAGE. `warn` hears of a file that others can read. */
export async function loadConfig(source: ConfigSource, warn: (message: string) => void): Promise<Config> {
  if (typeof source === 'string' || source instanceof URL) {
    const path = source instanceof URL ? fileURLToPath(source) : source
    return parseConfig(await readSecretFile(path, warn), path)
  }
  if (typeof source !== 'object' || source === null) {
    throw new TunnelError(
      'USAGE',
      `a path, a file: URL, { text } or a parsed configuration was expected, not ${source === null ? 'null' : typeof source}`,
    )
  }
  if (!('text' in source)) return source
  const { text, name } = source
  if (typeof text !== 'string') {
    throw new TunnelError(
      'USAGE',
      `{ text } was expected to be a configuration's text, not ${text === null ? 'null' : typeof text}: is the variable set that it comes from?`,
    )
  }
  return parseConfig(textOf(text) ?? text, name ?? 'configuration')
}

/** The configuration that a value is, as text or as base64 of it; undefined if it can only be a path. */
export function textOf(value: string): string | undefined {
  const base64 = value.replace(/\s+/g, '')
  if (/^[A-Za-z0-9+/]+={0,2}$/.test(base64)) {
    const text = Buffer.from(base64, 'base64').toString('utf8')
    if (hasSection(text)) return text
  }
  return hasSection(value) || value.trim().includes('\n') ? value : undefined
}

function hasSection(text: string): boolean {
  return /^\ufeff?\s*\[\s*(?:interface|peer)\s*\]/im.test(text)
}

/** Reads a file that holds, or may hold, a key. Rejects with CONFIG_UNREADABLE. */
export async function readSecretFile(path: string, warn: (message: string) => void): Promise<string> {
  // Who forgets `{ text }` passes a key here, which no message may show.
  if (/\n|^\s*\[(interface|peer)\]/i.test(path)) {
    throw new TunnelError('CONFIG_UNREADABLE', 'a path was expected, and a text was given: pass it as { text }')
  }
  try {
    const { mode, uid, text } = statSync(path).isFile() ? readFile(path) : await readStream(path)
    if (text === undefined) throw new Error(`it is longer than ${longestConfig} bytes`)
    if (process.platform !== 'win32' && isOpen(mode, uid)) {
      warn(`${path} can be read by others (mode ${(mode & 0o777).toString(8)}): chmod 600 ${path}`)
    }
    return text
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException
    const reason =
      code === 'ENOENT'
        ? 'there is no such file'
        : code === 'EACCES'
          ? 'permission denied'
          : code === 'EISDIR'
            ? 'it is a directory'
            : message
    throw new TunnelError('CONFIG_UNREADABLE', `cannot read ${path}: ${reason}`, { cause })
  }
}

/** A file of somebody else may have been given to this process by its group: so do Kubernetes, and systemd by an access list. */
function isOpen(mode: number, uid: number): boolean {
  return (mode & (uid === process.getuid?.() ? 0o044 : 0o004)) !== 0
}

interface SecretText {
  readonly mode: number
  readonly uid: number
  /** Undefined if it is longer than {@link longestConfig}. */
  readonly text: string | undefined
}

/** At once: going through Node's thread pool takes a start longer than the file does. */
function readFile(path: string): SecretText {
  const file = openSync(path, 'r')
  try {
    const { mode, uid, size } = fstatSync(file)
    return { mode, uid, text: size > longestConfig ? undefined : readFileSync(file, 'utf8') }
  } finally {
    closeSync(file)
  }
}

/** A pipe may keep its reader waiting. */
async function readStream(path: string): Promise<SecretText> {
  const { open } = await import('node:fs/promises')
  const file = await open(path, 'r')
  try {
    const { mode, uid } = await file.stat()
    return { mode, uid, text: await readAtMost(file, longestConfig) }
  } finally {
    await file.close()
  }
}

/** The text; undefined if it is longer than `limit` bytes. A device or a pipe has no size to ask for. */
async function readAtMost(file: FileHandle, limit: number): Promise<string | undefined> {
  const chunks: Buffer[] = []
  let length = 0
  for (;;) {
    const { buffer, bytesRead } = await file.read({ buffer: Buffer.alloc(64 * 1024) })
    if (bytesRead === 0) return Buffer.concat(chunks).toString('utf8')
    length += bytesRead
    if (length > limit) return undefined
    chunks.push(buffer.subarray(0, bytesRead))
  }
}

// Where a configuration comes from: a file's path, a file: URL, text, or one that is parsed already.
import { readFile, stat } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { type Config, parseConfig } from '../core/config/config.js'
import { TunnelError } from '../errors.js'

/** A string or file: URL is a path, `{ text }` is the text itself. */
export type ConfigSource = string | URL | { readonly text: string; readonly name?: string } | Config

/** Rejects with CONFIG_UNREADABLE or CONFIG_INVALID. `warn` hears of a file that others can read. */
export async function loadConfig(source: ConfigSource, warn: (message: string) => void): Promise<Config> {
  if (typeof source === 'string' || source instanceof URL) {
    const path = source instanceof URL ? fileURLToPath(source) : source
    return parseConfig(await readSecretFile(path, warn), path)
  }
  if ('text' in source) return parseConfig(source.text, source.name ?? 'configuration')
  return source
}

/** Reads a file that holds, or may hold, a key. */
export async function readSecretFile(path: string, warn: (message: string) => void): Promise<string> {
  try {
    const text = await readFile(path, 'utf8')
    const { mode } = await stat(path)
    if (process.platform !== 'win32' && (mode & 0o044) !== 0) {
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

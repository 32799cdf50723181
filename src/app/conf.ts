// Where a command's configuration and private key come from: -c, then TUNLESS_CONFIG; the configuration's own key, then
// --private-key-file, then TUNLESS_PRIVATE_KEY. Never from the command line, which everyone on the host can read.
import { existsSync } from 'node:fs'
import { decodeKey } from '../core/base/base64.js'
import { SecretKey } from '../core/base/secret.js'
import { type Config, parseConfig } from '../core/config/config.js'
import { TunnelError } from '../errors.js'
import { readSecretFile, textOf } from '../node/load-config.js'

export interface ConfOptions {
  /** A path; `-` is stdin. */
  readonly file?: string
  readonly privateKeyFile?: string
}

/** What the configuration may come from besides its own file. */
export interface ConfSources {
  readonly env: Readonly<Record<string, string | undefined>>
  /** Undefined where stdin carries the command's data. */
  readonly readStdin: (() => Promise<string>) | undefined
  /** Whether a configuration without any [Peer] will do, for peers can be added later. */
  readonly peersMayCome?: boolean
  /** Hears of a file that others can read. */
  readonly warn: (message: string) => void
}

/** A configuration that has its private key. */
export type CompleteConfig = Config & { readonly interface: { readonly privateKey: Uint8Array } }

/** Rejects with USAGE, CONFIG_UNREADABLE, CONFIG_INVALID or CONFIG_NO_PRIVATE_KEY. */
export async function readConf(options: ConfOptions, sources: ConfSources): Promise<CompleteConfig> {
  const config = await readText(options.file, sources)
  if (config.peers.length === 0 && !sources.peersMayCome) {
    throw new TunnelError(
      'CONFIG_INVALID',
      `${config.source}: no [Peer] section: add one with the PublicKey and AllowedIPs of the other side (\`tunless up\` with --name or --uapi does without: wg adds peers there)`,
    )
  }
  const privateKey = await readPrivateKey(config, options.privateKeyFile, sources)
  return { ...config, interface: { ...config.interface, privateKey } }
}

async function readText(file: string | undefined, { env, readStdin, warn }: ConfSources): Promise<Config> {
  if (file === '-') {
    if (readStdin !== undefined) return parseConfig(await readStdin(), 'stdin')
    throw new TunnelError(
      'USAGE',
      '-c - cannot be used here: stdin carries the connection; give a file, or set TUNLESS_CONFIG',
    )
  }
  if (file !== undefined) {
    if (textOf(file) === undefined) return parseConfig(await readSecretFile(file, warn), file)
    // Not shown, and not used: others have read it in the process list.
    throw new TunnelError(
      'USAGE',
      '-c takes the path of a configuration; its text goes into TUNLESS_CONFIG or, with -c -, to stdin',
    )
  }
  const given = env.TUNLESS_CONFIG
  if (!given) throw new TunnelError('USAGE', 'no configuration: give -c FILE, or set TUNLESS_CONFIG')
  const text = textOf(given)
  if (text !== undefined) return parseConfig(text, 'TUNLESS_CONFIG')
  if (existsSync(given)) return parseConfig(await readSecretFile(given, warn), given)
  // The value may be a damaged configuration: it is not shown.
  throw new TunnelError(
    'CONFIG_UNREADABLE',
    'TUNLESS_CONFIG is no configuration, nor base64 of one, and there is no file of that name: set it to one of these',
  )
}

async function readPrivateKey(
  config: Config,
  file: string | undefined,
  { env, warn }: ConfSources,
): Promise<Uint8Array> {
  const own = config.interface.privateKey
  if (file !== undefined) {
    if (decodeKey(file) !== undefined) {
      throw new TunnelError(
        'USAGE',
        '--private-key-file takes the path of a file with the key, not the key: others can read it there',
      )
    }
    const key = keyOf(await readSecretFile(file, warn), file)
    if (own === undefined || Buffer.compare(own, key) === 0) return key
    throw new TunnelError(
      'USAGE',
      `${config.source} has a PrivateKey and --private-key-file names another: remove one of them`,
    )
  }
  if (own !== undefined) return own
  if (env.TUNLESS_PRIVATE_KEY) return keyOf(env.TUNLESS_PRIVATE_KEY, 'TUNLESS_PRIVATE_KEY')
  throw new TunnelError(
    'CONFIG_NO_PRIVATE_KEY',
    `${config.source} has no PrivateKey: add it, set TUNLESS_PRIVATE_KEY, or pass --private-key-file`,
  )
}

function keyOf(text: string, source: string): Uint8Array {
  const key = decodeKey(text.trim())
  if (key !== undefined) return SecretKey.copy(key)
  throw new TunnelError(
    'CONFIG_INVALID',
    `${source}: not a private key: it must be 44 characters of base64, as \`tunless genkey\` prints it`,
  )
}

// The environment of what `run` starts: proxies for what speaks HTTP or SOCKS, wrappers first on PATH for what speaks ssh, and no
// configuration or key.
import { accessSync, constants } from 'node:fs'
import { delimiter } from 'node:path'
import { fileURLToPath } from 'node:url'
import { formatTarget, type Target } from '../proxy/dialer.js'
import { joinVariable } from './join.js'

type Environment = Readonly<Record<string, string | undefined>>

export interface ChildWays {
  /** The port that speaks SOCKS5 and HTTP. */
  readonly proxy: Target
  /** What it asks for; undefined if for nothing. Needs no escaping in a URL. */
  readonly credentials: { readonly user: string; readonly password: string } | undefined
  /** The control socket by which `tunless nc` joins; undefined where there is none. */
  readonly join: string | undefined
  /** Where the wrappers are; undefined where they cannot be used. */
  readonly wrappers: string | undefined
}

/** What goes around the proxies, which is this host alone. */
const around = 'localhost,127.0.0.1,::1'
/** What the C library takes where there is no PATH. */
const defaultPath = '/usr/local/bin:/usr/bin:/bin'

/** `command`: Node and the script by which the wrappers start `tunless nc`. */
export function childEnvironment(
  env: Environment,
  { proxy, credentials, join, wrappers }: ChildWays,
  command = ownCommand(),
): Record<string, string | undefined> {
  const {
    TUNLESS_CONFIG: _config,
    TUNLESS_PRIVATE_KEY: _key,
    [joinVariable]: _outer,
    TUNLESS_WRAPPERS: outerWrappers,
    ...rest
  } = env
  const authority = `${credentials === undefined ? '' : `${credentials.user}:${credentials.password}@`}${formatTarget(proxy)}`
  const http = `http://${authority}`
  const path = (env.PATH || defaultPath).split(delimiter).filter(entry => entry !== outerWrappers && entry !== wrappers)
  return {
    ...rest,
    HTTP_PROXY: http,
    HTTPS_PROXY: http,
    // With socks5h:// here, Python's httpx and requests fail unless they were installed with an extra.
    ALL_PROXY: http,
    http_proxy: http,
    https_proxy: http,
    all_proxy: http,
    NO_PROXY: around,
    no_proxy: around,
    NODE_USE_ENV_PROXY: '1',
    TUNLESS_SOCKS: `socks5h://${authority}`,
    ...(join !== undefined && { [joinVariable]: join }),
    ...(wrappers !== undefined && {
      PATH: [wrappers, ...path].join(delimiter),
      TUNLESS_WRAPPERS: wrappers,
      TUNLESS_NODE: command.node,
      TUNLESS_COMMAND: command.script,
    }),
  }
}

function ownCommand(): { node: string; script: string } {
  return { node: process.execPath, script: fileURLToPath(new URL('../bin.cjs', import.meta.url)) }
}

/** The programs that have a wrapper. */
export const wrapped = ['ssh', 'scp', 'sftp'] as const

/** Where the wrappers are, or why they cannot be used from there. */
export function findWrappers(
  directory = fileURLToPath(new URL('../wrappers', import.meta.url)),
): { path: string } | { reason: string } {
  if (process.platform === 'win32') return { reason: 'they are shell scripts' }
  // Nor may ssh's configuration, which includes it, have to quote it.
  if (/[:"\s\\%$]/.test(directory)) return { reason: `${directory} has a character that PATH or ssh cannot take` }
  try {
    for (const name of wrapped) accessSync(`${directory}/${name}`, constants.X_OK)
    return { path: directory }
  } catch (error) {
    return { reason: `${directory} cannot be executed (${(error as NodeJS.ErrnoException).code})` }
  }
}

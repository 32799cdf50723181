// -D, -L and -R: ssh's syntax, with unix sockets on the local side and UDP.
import { type Command, InvalidArgumentError, Option } from 'commander'
import type { ForwardSpec, ListenAt, ReverseSpec, WaysInOptions } from '../app/ways-in.js'
import { fields, printable, readBind, readBound, readCount, readHost, readListen, readPort } from './arguments.js'

/** As commander hands them over. */
export interface WaysInFlags {
  readonly D?: ListenAt[]
  readonly L?: ForwardSpec[]
  readonly R?: ReverseSpec[]
  readonly authFile?: string
  readonly maxClients?: number
  readonly requestTimeout?: number
  readonly udpIdle?: number
}

/** Defines the options of a command that opens ways into its tunnel. */
export function addWaysInOptions(command: Command): Command {
  return command
    .option(
      '-D <[bind:]port>',
      'SOCKS5 and HTTP proxy into the tunnel on this local port, or at unix:/path; 0 takes a free port; repeatable',
      collectProxy,
    )
    .option(
      '-L <[bind:]port:host:hostport>',
      'lead a local port, or /path, to a port in the tunnel; with /udp behind it, UDP; repeatable',
      collectForward,
    )
    .option(
      '-R <[bind:]port:host:hostport>',
      "lead a port of the tunnel's own addresses to a port, or /path, on this side; repeatable",
      collectReverse,
    )
    .option('--auth-file <file>', 'lines user:password: who may use the proxies of -D')
    .addOption(
      new Option(
        '--max-clients <n>',
        'of each -D, -L and -R at a time (default: 16384; 4096 of -R, 1024 of UDP)',
      ).argParser(readCount),
    )
    .addOption(
      new Option(
        '--request-timeout <time>',
        'close a client of -D that has not sent its request by then (default: 10)',
      ).argParser(readBound),
    )
    .addOption(
      new Option(
        '--udp-idle <time>',
        'end UDP that is silent for so long (default: 120 of -L, 300 of SOCKS5)',
      ).argParser(readBound),
    )
}

export function waysInOptions(flags: WaysInFlags): Omit<WaysInOptions, 'timeout'> {
  const { D: proxies = [], L: forwards = [], R: reverses = [], authFile, maxClients, requestTimeout, udpIdle } = flags
  return {
    proxies,
    forwards,
    reverses,
    ...(authFile !== undefined && { authFile }),
    ...(maxClients !== undefined && { maxClients }),
    ...(requestTimeout !== undefined && { requestTimeout }),
    ...(udpIdle !== undefined && { udpIdle }),
  }
}

/** `[bind:]port`, `unix:/path` or `/path`; a bare port is of 127.0.0.1. */
export function collectProxy(text: string, previous: readonly ListenAt[] = []): ListenAt[] {
  return [...previous, readListenAt(text)]
}

/** `[bind:]port`, `unix:/path` or `/path`. */
export function readListenAt(text: string): ListenAt {
  if (text.includes('/')) return { path: readPath(text) }
  return readListen(text)
}

/** `[bind:]port:host:hostport[/udp]` or `/path:host:hostport`, collected over its repetitions. */
export function collectForward(text: string, previous: readonly ForwardSpec[] = []): ForwardSpec[] {
  const [, whole = '', protocol] = /^(.*?)(?:\/(udp|tcp))?$/s.exec(text) ?? []
  const parts = fields(whole.replace(/^unix:/, ''))
  const isPath = parts[0]?.includes('/') && parts.length === 3
  const [bind, port, host, hostPort] = parts.length === 3 ? [undefined, ...parts] : parts
  if (port === undefined || host === undefined || hostPort === undefined || parts.length > 4) {
    throw new InvalidArgumentError(
      'write [BIND:]PORT:HOST:HOSTPORT or /PATH:HOST:HOSTPORT, with IPv6 addresses in brackets',
    )
  }
  const target = { host: readHost(host), port: readPort(hostPort) }
  if (isPath && protocol === 'udp') throw new InvalidArgumentError('UDP has no unix socket here: write a port')
  const at = isPath ? { path: readPath(port) } : { host: readBind(bind), port: readPort(port, 0) }
  return [...previous, { at, target, ...(protocol === 'udp' && { protocol }) }]
}

/** `[bind:]port:host:hostport` or `[bind:]port:/path`, collected over its repetitions. */
export function collectReverse(text: string, previous: readonly ReverseSpec[] = []): ReverseSpec[] {
  const [, before = text, path] = /^([^/]*?):((?:unix:)?\.{0,2}\/.*)$/s.exec(text) ?? []
  const parts = fields(before)
  const hasBind = parts.length === (path === undefined ? 4 : 2)
  const [bind, port, host, hostPort] = hasBind ? parts : [undefined, ...parts]
  const isWhole = path === undefined ? hostPort !== undefined && parts.length <= 4 : parts.length <= 2
  if (port === undefined || !isWhole) {
    throw new InvalidArgumentError(
      'write [BIND:]PORT:HOST:HOSTPORT or [BIND:]PORT:/PATH, with IPv6 addresses in brackets',
    )
  }
  const isAny = bind === undefined || bind === '' || bind === '*'
  const at = { port: readPort(port, 0), ...(!isAny && { host: readHost(bind) }) }
  const target =
    path === undefined
      ? { host: readHost(host as string), port: readPort(hostPort as string) }
      : { path: readPath(path) }
  return [...previous, { at, target }]
}

function readPath(text: string): string {
  const path = text.replace(/^unix:/, '')
  if (/\p{Cc}/u.test(path) || path.endsWith('/')) {
    throw new InvalidArgumentError(`'${printable(text)}' is no path of a socket: write unix:/run/some.sock`)
  }
  return path
}

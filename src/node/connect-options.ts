// What connect() takes, as net.connect takes it (node:net, v20), read into one shape, with Node's codes for what is wrong.
import type { BlockList, LookupFunction } from 'node:net'
import { type IpAddress, parseAddress } from '../core/base/address.js'
import { withHost } from './policy/tag-connect.js'
import { checkPort, checkTimeout, usageError } from './socket-error.js'

/** Where to and how, as net.connect takes it. */
export interface TunnelConnectOptions {
  /** A name that the configuration or DNS in the tunnel knows, or an address. It must be given: nothing in a tunnel is `localhost`. */
  host: string
  port: number | string
  /** Only addresses of this family; both by default. */
  family?: 0 | 4 | 6 | undefined
  /** Asked for the addresses of a name in place of the tunnel, in dns.lookup's shape; what it gives is dialled through the tunnel. */
  lookup?: LookupFunction | undefined
  /** For `lookup`. */
  hints?: number | undefined
  /** One of the tunnel's own addresses; chosen by the target by default. */
  localAddress?: string | undefined
  /** A free port by default. */
  localPort?: number | undefined
  /** Race all addresses of both families (RFC 8305), the default; with false the first alone is tried. */
  autoSelectFamily?: boolean | undefined
  /** How long an attempt goes on before the next begins beside it, ms, 10 at least; 250 by default. */
  autoSelectFamilyAttemptTimeout?: number | undefined
  /** Addresses that are not dialled: ERR_IP_BLOCKED. */
  blockList?: BlockList | undefined
  /** Bounds the whole dial, the look-up included, ms; ETIMEDOUT afterwards. By default only the retries of the SYN bound it, some two minutes. */
  connectTimeout?: number | undefined
}

/** The same, checked. */
export interface DialOptions {
  readonly host: string
  readonly port: number
  readonly family: 0 | 4 | 6
  readonly lookup: LookupFunction | undefined
  readonly hints: number
  readonly localAddress: IpAddress | undefined
  readonly localPort: number | undefined
  readonly autoSelectFamily: boolean
  readonly attemptDelay: number | undefined
  readonly blockList: BlockList | undefined
  /** ms; 0 for none. */
  readonly connectTimeout: number
}

/** What net knows and a tunnel has not: better refused than ignored. */
const refused = {
  path: 'a tunnel has no unix sockets: give host and port',
  onread: "read by 'data' or an iterator",
  fd: 'a tunnel has no file descriptors',
  handle: 'a tunnel has no handles',
} as const

const refusedNames = Object.keys(refused) as (keyof typeof refused)[]

/** Throws ERR_INVALID_ARG_VALUE for an option that cannot be had. */
export function refuseOptions(options: object): void {
  for (const name of refusedNames) {
    const value = (options as Record<string, unknown>)[name]
    if (value === undefined || value === null) continue
    throw usageError(
      'ERR_INVALID_ARG_VALUE',
      `The property 'options.${name}' is not supported: ${refused[name]}`,
      TypeError,
    )
  }
}

/** `(options[, listener])`, with a host or a tag, or `(port, host[, listener])`. */
export function readConnectArguments(args: readonly unknown[]): {
  options: TunnelConnectOptions
  listener: (() => void) | undefined
} {
  const [first, second] = args
  const last = args.at(-1)
  const listener = typeof last === 'function' ? (last as () => void) : undefined
  if (typeof first === 'object' && first !== null) return { options: withHost(first as TunnelConnectOptions), listener }
  // As net has it, text that is no number is a path.
  const isPath = typeof first === 'string' && !(Number(first) >= 0)
  const options = isPath ? { path: first } : { port: first, host: typeof second === 'string' ? second : undefined }
  return { options: options as TunnelConnectOptions, listener }
}

/** Throws for misuse, as net does. */
export function readConnectOptions(options: TunnelConnectOptions): DialOptions {
  refuseOptions(options)
  const { host, localAddress, localPort, lookup, connectTimeout = 0, hints = 0 } = options
  if (typeof host !== 'string' || host === '') throw missing('host')
  if (options.port === undefined) throw missing('port')
  if (localPort !== undefined && typeof localPort !== 'number') throw invalidType('localPort', 'number')
  if (lookup !== undefined && typeof lookup !== 'function') throw invalidType('lookup', 'function')
  const local = localAddress === undefined ? undefined : parseAddress(localAddress)
  if (localAddress !== undefined && local === undefined) {
    throw usageError('ERR_INVALID_IP_ADDRESS', `Invalid IP address: ${localAddress}`, TypeError)
  }
  checkTimeout(connectTimeout)
  return {
    host,
    port: checkPort(options.port, 1),
    family: readFamily(options.family ?? 0),
    lookup,
    hints,
    localAddress: local,
    localPort: localPort === undefined ? undefined : checkPort(localPort, 0),
    autoSelectFamily: options.autoSelectFamily ?? true,
    attemptDelay: options.autoSelectFamilyAttemptTimeout,
    blockList: options.blockList,
    connectTimeout,
  }
}

function readFamily(family: unknown): 0 | 4 | 6 {
  if (family === 0 || family === 4 || family === 6) return family
  const message = `The property 'options.family' must be one of: 0, 4, 6. Received ${String(family)}`
  throw usageError('ERR_INVALID_ARG_VALUE', message, TypeError)
}

function missing(name: string): Error {
  return usageError('ERR_MISSING_ARGS', `The "options.${name}" argument must be specified`, TypeError)
}

function invalidType(name: string, type: string): Error {
  return usageError('ERR_INVALID_ARG_TYPE', `The "options.${name}" property must be of type ${type}.`, TypeError)
}

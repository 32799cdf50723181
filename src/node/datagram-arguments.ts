// How dgram.Socket's calls may be written (node:dgram, v20), read into one shape, with Node's codes for what is wrong.
import type { SocketOptions } from 'node:dgram'
import { checkPort, usageError } from './socket-error.js'

export interface DatagramOptions {
  /** One family alone; both without it. */
  type?: 'udp4' | 'udp6'
  /** Closes the socket. */
  signal?: AbortSignal | undefined
  /** Asked for the address of a name in place of the tunnel, in dns.lookup's shape. */
  lookup?: SocketOptions['lookup'] | undefined
  /** Messages that wait for DNS to tell their name's address, 64 by default; more are told ENOBUFS. */
  lookupQueue?: number | undefined
  /** Taken as dgram has them, and of no effect: a port of the tunnel has one socket, `type` says which families. */
  reuseAddr?: boolean | undefined
  reusePort?: boolean | undefined
  ipv6Only?: boolean | undefined
  /** Remembered, and of no effect: how much waits is bounded by the tunnel's `stackLimits`. */
  recvBufferSize?: number | undefined
  sendBufferSize?: number | undefined
}

/** `(options)` or `(type)`. */
export function readDatagramOptions(given: DatagramOptions | 'udp4' | 'udp6'): DatagramOptions {
  const options = typeof given === 'string' ? { type: given } : given
  const { type, lookup } = options
  if (type !== undefined && type !== 'udp4' && type !== 'udp6') {
    throw usageError('ERR_SOCKET_BAD_TYPE', 'Bad socket type specified. Valid types are: udp4, udp6', TypeError)
  }
  if (lookup !== undefined && typeof lookup !== 'function') throw invalidType('lookup', 'of type function')
  return options
}

export type SendCallback = (error: Error | null, bytes: number) => void
export type Message = string | NodeJS.ArrayBufferView | readonly (string | NodeJS.ArrayBufferView)[]

export interface SendArguments {
  readonly bytes: Uint8Array
  /** Both undefined where the socket is connected; the address also where none is given. */
  readonly port: number | undefined
  readonly address: string | undefined
  readonly callback: SendCallback | undefined
}

/** `(message[, offset, length][, port][, address][, callback])`, the last two optional, the port unless connected. */
export function readSend(message: Message, rest: readonly unknown[], isConnected: boolean): SendArguments {
  const args = [...rest]
  const callbackAt = args.findIndex(argument => typeof argument === 'function')
  const callback = callbackAt < 0 ? undefined : (args[callbackAt] as SendCallback)
  if (callbackAt >= 0) args.length = callbackAt
  const hasPart = isConnected ? typeof args[1] === 'number' : Boolean(args[2] || args[3])
  const bytes = hasPart ? part(message, args[0], args[1] as number) : joined(message)
  const [port, address] = hasPart ? args.slice(2) : args
  if (isConnected) {
    if (port || address) throw usageError('ERR_SOCKET_DGRAM_IS_CONNECTED', 'Already connected')
    return { bytes, port: undefined, address: undefined, callback }
  }
  const checked = checkPort(port, 1)
  if (address !== undefined && address !== null && typeof address !== 'string') {
    throw invalidType('address', 'of type string')
  }
  return { bytes, port: checked, address: address || undefined, callback }
}

function part(message: Message, from: unknown, length: number): Uint8Array {
  if (typeof message !== 'string' && !ArrayBuffer.isView(message)) throw invalidType('buffer', 'a string or a buffer')
  const whole = joined(message)
  const start = Number(from) >>> 0
  const size = length >>> 0
  for (const [name, end] of [
    ['offset', start],
    ['length', start + size],
  ] as const) {
    if (end <= whole.length) continue
    throw usageError('ERR_BUFFER_OUT_OF_BOUNDS', `"${name}" is outside of buffer bounds`, RangeError)
  }
  return whole.subarray(start, start + size)
}

function joined(message: Message): Uint8Array {
  if (!Array.isArray(message)) return viewOf(message as string | NodeJS.ArrayBufferView, 'buffer')
  return Buffer.concat(message.map(each => viewOf(each, 'buffer list arguments')))
}

function viewOf(message: string | NodeJS.ArrayBufferView, name: string): Uint8Array {
  if (typeof message === 'string') return Buffer.from(message)
  if (!ArrayBuffer.isView(message)) throw invalidType(name, 'a string or a buffer')
  return new Uint8Array(message.buffer, message.byteOffset, message.byteLength)
}

/** What bind and connect have in common: an optional port and address, and a callback at the end. */
export interface BindArguments {
  readonly port: number
  readonly address: string | undefined
  readonly callback: (() => void) | undefined
}

/** `(options[, callback])` or `([port][, address][, callback])`. */
export function readBind(args: readonly unknown[]): BindArguments {
  const last = args.at(-1)
  const callback = typeof last === 'function' ? (last as () => void) : undefined
  const [first, second] = args
  if (typeof first === 'object' && first !== null) {
    const { port, address, fd } = first as { port?: unknown; address?: string; fd?: unknown }
    if (fd !== undefined) throw usageError('ERR_INVALID_ARG_VALUE', 'a tunnel has no file descriptors', TypeError)
    return { port: checkPort(port ?? 0, 0), address: address || undefined, callback }
  }
  const port = typeof first === 'function' || first === undefined || first === null ? 0 : checkPort(first, 0)
  return { port, address: typeof second === 'string' && second !== '' ? second : undefined, callback }
}

export function checkNumber(name: string, value: unknown): number {
  if (typeof value !== 'number') throw invalidType(name, 'of type number')
  return value
}

export function checkBufferSize(value: unknown): number {
  if (typeof value === 'number' && Number.isInteger(value) && value > 0 && value <= 0x7fffffff) return value
  throw usageError('ERR_SOCKET_BAD_BUFFER_SIZE', 'Buffer size must be a positive integer', TypeError)
}

function invalidType(name: string, what: string): Error {
  return usageError('ERR_INVALID_ARG_TYPE', `The "${name}" argument must be ${what}`, TypeError)
}

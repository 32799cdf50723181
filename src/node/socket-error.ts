// Errors in the shapes that Node's own sockets give them: `code`, `errno`, `syscall`, `address`, `port`.
import { getSystemErrorMap } from 'node:util'
import { type Endpoint, formatAddress } from '../core/base/address.js'
import { TunnelError } from '../errors.js'

/** What a socket's 'error' event carries. */
export interface SocketError extends NodeJS.ErrnoException {
  address?: string
  port?: number
}

let numbers: Map<string, number> | undefined
let sentences: Map<string, string> | undefined

/** libuv's number of a code on this platform: -111 for ECONNREFUSED on Linux; undefined for a code it has no number for. */
export function errnoOf(code: string): number | undefined {
  numbers ??= new Map(Array.from(getSystemErrorMap(), ([errno, [name]]) => [name, errno]))
  return numbers.get(code)
}

function sentenceOf(code: string): string | undefined {
  sentences ??= new Map(Array.from(getSystemErrorMap().values()))
  return sentences.get(code)
}

/** `read ECONNRESET`. */
export function ioError(code: string, syscall: string): SocketError {
  return Object.assign(new Error(`${syscall} ${code}`), { ...numberOf(code), code, syscall })
}

/** `connect ECONNREFUSED 10.7.0.1:22`; `send …` likewise. */
export function connectError(code: string, target: Endpoint, cause?: unknown, syscall = 'connect'): SocketError {
  const address = formatAddress(target.address)
  const error = new Error(`${syscall} ${code} ${address}:${target.port}`, cause === undefined ? undefined : { cause })
  return Object.assign(error, { ...numberOf(code), code, syscall, address, port: target.port })
}

/** `listen EADDRINUSE: address already in use 10.7.0.2:80`; `bind …` likewise. */
export function localError(code: string, syscall: string, address: string, port: number): SocketError {
  const sentence = sentenceOf(code)
  const error = new Error(`${syscall} ${code}${sentence === undefined ? '' : `: ${sentence}`} ${address}:${port}`)
  return Object.assign(error, { ...numberOf(code), code, syscall, address, port })
}

/** `getaddrinfo ENOTFOUND web9`; `getaddrinfo EAI_AGAIN web9` where nobody could say whether there is such a name. */
export function lookupError(hostname: string, cause: unknown): SocketError & { hostname: string } {
  const isFinal = !(cause instanceof TunnelError) || cause.code === 'UNKNOWN_HOST'
  const code = isFinal ? 'ENOTFOUND' : 'EAI_AGAIN'
  const error = new Error(`getaddrinfo ${code} ${hostname}`, { cause })
  const number = numberOf(isFinal ? 'EAI_NONAME' : 'EAI_AGAIN')
  return Object.assign(error, { ...number, code, syscall: 'getaddrinfo', hostname })
}

/** A misuse of the call, with the `code` that Node gives the same misuse. */
export function usageError(code: string, message: string, Base: ErrorConstructor = Error): NodeJS.ErrnoException {
  return Object.assign(new Base(message), { code })
}

/** The code of an error that the stack threw for a local reason; anything else is a bug and is thrown on. */
export function localCode(error: unknown): string {
  const code = (error as { code?: unknown } | undefined)?.code
  if (typeof code === 'string' && code.startsWith('E')) return code
  throw error
}

/** A port as net takes it, number or text; throws ERR_SOCKET_BAD_PORT outside `least`..65535. */
export function checkPort(port: unknown, least: 0 | 1): number {
  const number = typeof port === 'string' && port.trim() !== '' ? Number(port) : port
  if (typeof number === 'number' && Number.isInteger(number) && number >= least && number <= 65535) return number
  const range = least === 0 ? '>= 0 and < 65536' : '> 0 and < 65536'
  throw usageError('ERR_SOCKET_BAD_PORT', `Port should be ${range}. Received ${String(port)}.`, RangeError)
}

/** A timer's ms as net takes them. */
export function checkTimeout(ms: number): void {
  if (typeof ms !== 'number') {
    throw usageError('ERR_INVALID_ARG_TYPE', 'The "msecs" argument must be of type number.', TypeError)
  }
  if (!(ms >= 0 && Number.isFinite(ms))) {
    throw usageError('ERR_OUT_OF_RANGE', `The value of "msecs" is out of range. Received ${ms}`, RangeError)
  }
}

function numberOf(code: string): { errno?: number } {
  const errno = errnoOf(code)
  return errno === undefined ? {} : { errno }
}

// What is said over a control socket: one line of JSON each way, and after an accepted dial the raw bytes of the connection,
// half-close included. A client sends nothing more before the reply, so an end before it means that the client is gone.
import type { Duplex } from 'node:stream'
import { errorCodes, TunnelError, type TunnelErrorCode } from '../../errors.js'

export type Request =
  /** Stays open: a lease, see lease.ts. The reply has its name as `lease`. */
  | { readonly op: 'join' }
  | { readonly op: 'status' }
  /** A UDP socket: see datagrams.ts. */
  | { readonly op: 'udp' }
  | StopRequest
  | DialRequest
  | Question

/** Ends the tunnel and its process. After the reply the connection stays open until that process has ended. */
export interface StopRequest {
  readonly op: 'stop'
}

export interface DialRequest {
  readonly op: 'dial'
  readonly host: string
  readonly port: number
  /** ms, 0 waits forever. */
  readonly timeout?: number
  /** The client's lease and its number for this dial. Without them a break looks like an end. */
  readonly lease?: string
  readonly dial?: number
}

/** What the tunnel is asked beside dials: answered once, in one line. */
export type Question =
  | {
      readonly op: 'ping'
      readonly host: string
      /** Bytes of payload, and ms. */
      readonly size?: number
      readonly timeout?: number
      readonly whole?: boolean
    }
  | { readonly op: 'lookup'; readonly host: string }
  | { readonly op: 'ready'; readonly timeout?: number }

/** `code` is a TunnelError's or a socket's (ECONNREFUSED …). */
export type Reply =
  | { readonly ok: true; readonly [field: string]: unknown }
  | { readonly ok: false; readonly code: string; readonly message: string }

/** Bytes of one line, either way; a status with many peers is the longest. */
export const longestRequest = 4096
export const longestReply = 8 * 1024 * 1024

export function writeLine(stream: Duplex, message: Request | Reply): void {
  stream.write(`${JSON.stringify(message)}\n`)
}

/** Returns the request, or undefined if the line is none. */
export function parseRequest(line: string): Request | undefined {
  const fields = parseObject(line)
  if (fields === undefined) return undefined
  const { op, host, port, timeout, lease, dial } = fields
  if (op === 'join' || op === 'status' || op === 'stop' || op === 'udp') return { op }
  if (timeout !== undefined && !(typeof timeout === 'number' && timeout >= 0 && timeout < 2 ** 31)) return undefined
  if (op === 'ready') return { op, ...(timeout !== undefined && { timeout }) }
  if (typeof host !== 'string' || host === '' || host.length > 255) return undefined
  if (op === 'lookup') return { op, host }
  if (op === 'ping') return parsePing(host, timeout, fields)
  if (op !== 'dial' || typeof port !== 'number' || !Number.isInteger(port) || port < 1 || port > 65535) return undefined
  return {
    op,
    host,
    port,
    ...(timeout !== undefined && { timeout }),
    ...(typeof lease === 'string' && Number.isSafeInteger(dial) && { lease, dial: dial as number }),
  }
}

function parsePing(host: string, timeout: number | undefined, { size, whole }: Record<string, unknown>) {
  if (size !== undefined && !(typeof size === 'number' && Number.isInteger(size) && size >= 0 && size <= 65507)) {
    return undefined
  }
  return {
    op: 'ping',
    host,
    ...(size !== undefined && { size }),
    ...(timeout !== undefined && { timeout }),
    ...(whole === true && { whole }),
  } as const
}

/** Returns the fields of an accepting reply; throws what a refusing one says. */
export function readReply(line: string): Record<string, unknown> {
  const reply = parseObject(line)
  if (reply === undefined) throw goneError()
  if (reply.ok === true) return reply
  throw errorOf(String(reply.code), String(reply.message))
}

/** The process that ran the tunnel ended, or never was what it seemed. */
export function goneError(cause?: unknown): TunnelError {
  return new TunnelError('TUNNEL_CLOSED', "the process that ran this key's tunnel has ended: open a new one", { cause })
}

/** What the client hears of an error: the tunnel's own words, where a socket's error carries them as its cause. */
export function refusal(error: unknown): Reply {
  const { cause } = error as Error
  const { code, message } = (cause instanceof TunnelError ? cause : error) as NodeJS.ErrnoException
  return { ok: false, code: typeof code === 'string' ? code : 'EIO', message: String(message ?? error).slice(0, 1000) }
}

function errorOf(code: string, message: string): Error {
  if (Object.hasOwn(errorCodes, code)) return new TunnelError(code as TunnelErrorCode, message)
  return Object.assign(new Error(message), { code })
}

export function parseObject(line: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(line)
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined
  } catch {
    return undefined
  }
}

/**
 * Reads up to the first newline; what follows it stays in the stream. Resolves with undefined when the stream ends, fails or
 * grows longer than `longest` before, or `signal` aborts.
 */
export function readLine(stream: Duplex, longest: number, signal?: AbortSignal): Promise<string | undefined> {
  return new Promise(resolve => {
    const chunks: Buffer[] = []
    let length = 0

    const settle = (line: string | undefined) => {
      stream.off('readable', take).off('end', stop).off('close', stop)
      signal?.removeEventListener('abort', stop)
      resolve(line)
    }
    const stop = () => settle(undefined)
    const take = () => {
      for (let chunk = stream.read() as Buffer | null; chunk !== null; chunk = stream.read() as Buffer | null) {
        const newline = chunk.indexOf(0x0a)
        if (length + (newline < 0 ? chunk.length : newline) > longest) return stop()
        chunks.push(newline < 0 ? chunk : chunk.subarray(0, newline))
        length += chunk.length
        if (newline < 0) continue
        settle(Buffer.concat(chunks).toString())
        if (newline + 1 < chunk.length) stream.unshift(chunk.subarray(newline + 1))
        return
      }
    }

    if (signal?.aborted || stream.destroyed) return resolve(undefined)
    stream.on('readable', take).on('end', stop).on('close', stop)
    signal?.addEventListener('abort', stop)
  })
}

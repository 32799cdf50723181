// A Duplex whose events are typed as those of a tunnel's socket.
import { Duplex, type DuplexOptions } from 'node:stream'
import type { SocketError } from './socket-error.js'

/** What a socket tells, besides a stream's 'pipe', 'unpipe', 'pause', 'resume' and 'readable'. */
export interface TunnelSocketEvents {
  /** For each address of the name, or once with the error. */
  lookup: [error: Error | null, address: string | undefined, family: number | undefined, host: string]
  connectionAttempt: [address: string, port: number, family: number]
  connectionAttemptFailed: [address: string, port: number, family: number, error: SocketError]
  connect: []
  ready: []
  /** A Buffer, or text after setEncoding(). */
  data: [chunk: Buffer]
  drain: []
  timeout: []
  end: []
  finish: []
  error: [error: SocketError]
  close: [hadError: boolean]
}

// biome-ignore lint/suspicious/noExplicitAny: as EventEmitter itself has it
type Any = (...args: any[]) => void

/** EventEmitter's methods with these names; others stay possible, as Node has it. */
interface TypedDuplex extends Duplex {
  on<K extends keyof TunnelSocketEvents>(event: K, listener: (...args: TunnelSocketEvents[K]) => void): this
  on(event: string | symbol, listener: Any): this
  once<K extends keyof TunnelSocketEvents>(event: K, listener: (...args: TunnelSocketEvents[K]) => void): this
  once(event: string | symbol, listener: Any): this
  off<K extends keyof TunnelSocketEvents>(event: K, listener: (...args: TunnelSocketEvents[K]) => void): this
  off(event: string | symbol, listener: Any): this
  addListener<K extends keyof TunnelSocketEvents>(event: K, listener: (...args: TunnelSocketEvents[K]) => void): this
  addListener(event: string | symbol, listener: Any): this
  removeListener<K extends keyof TunnelSocketEvents>(event: K, listener: (...args: TunnelSocketEvents[K]) => void): this
  removeListener(event: string | symbol, listener: Any): this
  prependListener<K extends keyof TunnelSocketEvents>(
    event: K,
    listener: (...args: TunnelSocketEvents[K]) => void,
  ): this
  prependListener(event: string | symbol, listener: Any): this
  prependOnceListener<K extends keyof TunnelSocketEvents>(
    event: K,
    listener: (...args: TunnelSocketEvents[K]) => void,
  ): this
  prependOnceListener(event: string | symbol, listener: Any): this
  emit<K extends keyof TunnelSocketEvents>(event: K, ...args: TunnelSocketEvents[K]): boolean
  // biome-ignore lint/suspicious/noExplicitAny: as above
  emit(event: string | symbol, ...args: any[]): boolean
}

export const EventDuplex = Duplex as unknown as new (options?: DuplexOptions) => TypedDuplex

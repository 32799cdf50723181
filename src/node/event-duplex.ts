// A Duplex whose events are typed as those of a tunnel's socket.
import { Duplex, type DuplexOptions } from 'node:stream'
import type { SocketError } from './socket-error.js'
import type { TypedEvents } from './typed-events.js'

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

export const EventDuplex = Duplex as new (options?: DuplexOptions) => TypedEvents<TunnelSocketEvents> & Duplex

// What a program can hear of dials by node:diagnostics_channel, in the manner of its TracingChannel: one message object goes
// from the start to the end of a dial. Without a subscriber no message is made.
import { channel } from 'node:diagnostics_channel'
import type { TunnelSocket } from './socket.js'
import type { SocketError } from './socket-error.js'

/** Of `tunless:connect:start`, and the same object of `…:success` or `…:error` afterwards. */
export interface ConnectMessage {
  readonly socket: TunnelSocket
  /** As they were asked for. */
  readonly host: string
  readonly port: number
  /** Of `tunless:connect:error`: what the socket failed with; undefined where it was destroyed without an error. */
  error?: SocketError | undefined
}

const start = channel('tunless:connect:start')
const success = channel('tunless:connect:success')
const failure = channel('tunless:connect:error')

/** The dial's message if anybody wants to hear how it ends. */
export function publishStart(socket: TunnelSocket, host: string, port: number): ConnectMessage | undefined {
  if (!start.hasSubscribers && !success.hasSubscribers && !failure.hasSubscribers) return undefined
  const message = { socket, host, port }
  start.publish(message)
  return message
}

export function publishSuccess(message: ConnectMessage): void {
  success.publish(message)
}

export function publishError(message: ConnectMessage, error: SocketError | undefined): void {
  message.error = error
  failure.publish(message)
}

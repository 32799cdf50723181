// tunnel.connect: net.connect over the tunnel.
import { readConnectArguments, type TunnelConnectOptions } from './connect-options.js'
import type { TagConnectOptions } from './policy/tag-connect.js'
import { TunnelSocket } from './socket.js'
import type { TunnelSocketOptions } from './socket-options.js'
import type { StackPort } from './stack-port.js'

interface DialSettings extends TunnelSocketOptions {
  /** 'timeout' after ms without traffic, as socket.setTimeout() has it; `connectTimeout` is what fails a dial. */
  timeout?: number | undefined
}

export interface TunnelDialOptions extends TunnelConnectOptions, DialSettings {}

/** See {@link https://nodejs.org/api/net.html#netconnect}. Needs no `this`. */
export interface TunnelConnect {
  (options: TunnelDialOptions, listener?: () => void): TunnelSocket
  /** To any node with the tag: those that were heard lately come first, and if one does not answer, the next is tried. */
  (options: TagConnectOptions & DialSettings, listener?: () => void): TunnelSocket
  (port: number | string, host: string, listener?: () => void): TunnelSocket
}

export function createConnect(stackPort: StackPort, mustBeOpen: () => void): TunnelConnect {
  return (...args: unknown[]) => {
    mustBeOpen()
    const { options, listener } = readConnectArguments(args)
    const dial = options as TunnelDialOptions
    const socket = new TunnelSocket(stackPort, dial)
    if (dial.timeout) socket.setTimeout(dial.timeout)
    return socket.connect(dial, listener)
  }
}
